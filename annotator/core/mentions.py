"""Other places of a text that read like a span."""

from __future__ import annotations

import re

from annotator.core.spans import Span
from annotator.core.tokens import snap


def n_mentions(text: str, words: str) -> int:
    """How often `words` stand in `text` as whole words, both of them normal: see `core.surfaces.normal_surface`."""
    n, at = 0, text.find(words)
    while at >= 0:
        end = at + len(words)
        n += not (text[max(at - 1, 0) : at].isalnum() or text[end : end + 1].isalnum())
        at = text.find(words, end)
    return n


def alike(text: str, surface: str) -> list[Span]:
    """Where `text` reads as `surface` does, in order: whole tokens, in any case, any white space for white space."""
    words = surface.split()
    if not words:
        return []
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found = (match.span() for match in pattern.finditer(text))
    return [Span.of(start, end) for start, end in found if snap(text, start, end) == (start, end)]
