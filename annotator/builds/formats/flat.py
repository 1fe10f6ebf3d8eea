"""Spans for formats in which a token has one label at most: pieces apart, whole tokens, no overlaps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.builds.records import SpanRecord


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A piece of a span, from one token to another, half-open; `length` is that of the piece in code points."""

    start: int
    end: int
    label: str
    length: int


def token_spans_of(
    *, spans: Sequence[SpanRecord], tokens: Sequence[tuple[int, int]], losses: Counter[str]
) -> list[TokenSpan]:
    """Every piece of every span, widened to whole tokens, in order; what had to change is counted.

    `tokens` are half-open bounds in code points, in order; a piece that touches none is left out.
    """
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    found: list[TokenSpan] = []
    for span in spans:
        if span.span.is_discontinuous:
            losses["discontinuous spans, cut into their pieces"] += 1
        for start, end in span.span.fragments:
            first, last = bisect_right(ends, start), bisect_left(starts, end)
            if first >= last:
                losses["pieces without a token"] += 1
                continue
            if (starts[first], ends[last - 1]) != (start, end):
                losses["edges inside a token, moved to the token's"] += 1
            found.append(TokenSpan(first, last, span.label, end - start))
    return sorted(found, key=lambda piece: (piece.start, piece.end, piece.label))


def without_overlaps(spans: Sequence[TokenSpan]) -> list[TokenSpan]:
    """Spans of which no two share a token, in order: of two that do, the longer stays, of equals the earlier."""
    taken: set[int] = set()
    kept = []
    for found in sorted(spans, key=lambda span: (-span.length, span.start, span.end, span.label)):
        places = range(found.start, found.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(found)
    return sorted(kept, key=lambda span: span.start)
