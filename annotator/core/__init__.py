"""Pure functions and values: no Django, no I/O, no clock."""
