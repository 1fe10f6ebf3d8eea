"""How long a test waits for what must come: the machine may be busy, and what never comes still fails."""

PATIENCE_SECONDS = 240.0  # for a program
PATIENCE_MS = 60_000  # for a page in a browser
