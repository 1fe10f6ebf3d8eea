"""Other places of a text that read like a span."""

from __future__ import annotations

import re

from annotator.core.spans import Span
from annotator.core.tokens import snap


def alike(text: str, surface: str) -> list[Span]:
    """Where `text` reads as `surface` does, in order: whole tokens, in any case, any white space for white space."""
    words = surface.split()
    if not words:
        return []
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found = (match.span() for match in pattern.finditer(text))
    return [Span.of(start, end) for start, end in found if snap(text, start, end) == (start, end)]
