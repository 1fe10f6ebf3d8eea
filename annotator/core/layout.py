"""Where the lines of a note are, and how overlapping spans are drawn on one: as pieces that nest."""

from __future__ import annotations

import hashlib
import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from annotator.core.sections import Section, sections
from annotator.core.spans import Span

# Boxes in boxes that can still be told apart, and far more; what is deeper is not drawn.
MOST_LEVELS = 40
NOTES_KEPT = 256
_TABLE = re.compile(r"\S\t+\S|\S {3,}\S.* {3,}\S|\S *\|.*\|")


@dataclass(slots=True)
class Piece:
    """A part of a span on one line, with the pieces inside it, in order.

    `has_start`/`has_end`: whether the box is closed there (open at a line's end, a crossing, and toward a gap).
    `is_crossing`: the part that lies inside a span which began earlier and ends inside this one. `is_gap`: the text
    between two fragments. `is_last`: the span ends here, so its code stands here.
    """

    key: str
    start: int
    end: int
    has_start: bool
    has_end: bool
    is_gap: bool = False
    is_crossing: bool = False
    is_last: bool = False
    inner: list[Piece] = field(default_factory=list)


@dataclass(frozen=True)
class TextLayout:
    """The lines of a text, what kind each is, and its sections: all that is drawn of a note but text and spans."""

    lines: list[tuple[int, int]]
    kinds: list[str]
    sections: list[Section]

    @cached_property
    def line_starts(self) -> list[int]:
        return [start for start, _ in self.lines]

    @cached_property
    def section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def lines_of(self, span: Span) -> range:
        """The numbers of the lines that the hull of `span` touches."""
        first = bisect_right(self.line_starts, span.start) - 1
        return range(first, bisect_right(self.line_starts, span.end - 1))

    @cached_property
    def first_lines(self) -> list[int]:
        """The number of each section's first line; what stands before the first section belongs to it."""
        return [0, *(bisect_left(self.line_starts, start) for start in self.section_starts[1:])]

    def section_at(self, offset: int) -> int:
        """The number of the section that holds this code point."""
        return max(bisect_right(self.section_starts, offset) - 1, 0)


def text_layout(text: str) -> TextLayout:
    """The layout of a note's text. Kept for the last notes, by digest: of the text itself only section titles stay."""
    kept = _kept(hashlib.sha256(text.encode()).digest())
    if not kept:
        kept.append(_text_layout(text))
    return kept[0]


@lru_cache(maxsize=NOTES_KEPT)
def _kept(digest: bytes) -> list[TextLayout]:
    """Where the layout of the text of this digest is put, once there is one."""
    return []


def _text_layout(text: str) -> TextLayout:
    found = TextLayout(lines=line_bounds(text), kinds=[], sections=sections(text))
    for start, end in found.lines:
        section = found.sections[found.section_at(start)] if found.sections else None
        found.kinds.append(_kind(text[start:end], start, end, section))
    return found


def _kind(line: str, start: int, end: int, section: Section | None) -> str:
    if not line.strip():
        return "blank"
    if section and section.title and section.heading_start <= start and end <= section.heading_end + 1:
        return "heading"
    return "table" if _TABLE.search(line) else "text"


def lay_out(*, start: int, end: int, spans: Iterable[tuple[str, Span]]) -> list[Piece]:
    """The pieces of `spans` on the line `[start, end)`, outermost first, nested properly.

    Where two spans cross, the one that starts first is the outer box; the other is cut at that box's end. Every code
    point of a fragment is in exactly one piece of its span, down to MOST_LEVELS. `spans` are `(key, span)`.
    """
    heap: list[tuple[int, int, int, Piece]] = []
    order = 0
    for key, span in spans:
        for piece in _pieces(key, span, start, end):
            heapq.heappush(heap, (piece.start, -piece.end, order, piece))
            order += 1
    roots: list[Piece] = []
    stack: list[Piece] = []
    while heap:
        piece = heapq.heappop(heap)[3]
        while stack and stack[-1].end <= piece.start:
            stack.pop()
        if len(stack) == MOST_LEVELS:
            continue
        if stack and piece.end > stack[-1].end:
            rest = _cut(piece, stack[-1].end)
            heapq.heappush(heap, (rest.start, -rest.end, order, rest))
            order += 1
        (stack[-1].inner if stack else roots).append(piece)
        stack.append(piece)
    return roots


def line_bounds(text: str) -> list[tuple[int, int]]:
    """Half-open bounds of the text's lines, each with its newline; they tile the text."""
    bounds: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        end = min(start + len(line) + 1, len(text))
        if start < end or not bounds:
            bounds.append((start, end))
        start = end
    return bounds


def _pieces(key: str, span: Span, start: int, end: int) -> Iterable[Piece]:
    last = len(span.fragments) - 1
    reached = None
    for number, (left, right) in enumerate(span.fragments):
        if reached is not None and max(reached, start) < min(left, end):
            yield Piece(key, max(reached, start), min(left, end), has_start=False, has_end=False, is_gap=True)
        reached = right
        if max(left, start) < min(right, end):
            yield Piece(
                key,
                max(left, start),
                min(right, end),
                has_start=left >= start and number == 0,
                has_end=right <= end and number == last,
                is_last=right <= end and number == last,
            )


def _cut(piece: Piece, at: int) -> Piece:
    """Shorten `piece` to end `at`, where the box around it ends, and return the rest."""
    rest = Piece(piece.key, at, piece.end, False, piece.has_end, is_gap=piece.is_gap, is_last=piece.is_last)
    piece.end, piece.has_end, piece.is_last = at, False, False
    piece.is_crossing = not piece.is_gap
    return rest
