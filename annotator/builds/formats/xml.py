"""Text inside XML 1.0."""

from __future__ import annotations

import re
from collections import Counter
from xml.sax.saxutils import escape, quoteattr

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def storable(text: str, losses: Counter[str]) -> str:
    """`text`, as long as it was, with U+FFFD for the control characters that XML has no way to write; counted."""
    found, n_replaced = _NOT_XML.subn("\ufffd", text)
    if n_replaced:
        losses["characters that XML cannot hold, written as U+FFFD"] += n_replaced
    return found


def content(text: str) -> str:
    """Storable text as the content of an element."""
    return escape(text, {"\r": "&#13;"})


def attribute(name: str, value: str) -> str:
    """A space, the name, and storable text as its value."""
    return f" {name}={quoteattr(value)}"
