"""Spans: where a label lies in a note, in half-open Unicode code points."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

_FRAGMENTS = re.compile(r"\d+ \d+(;\d+ \d+)*")


class SpanError(ValueError):
    """Offsets that are not a span of the note they were given for."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An ordered, non-empty list of fragments `(start, end)`, half-open, in code points.

    Raises SpanError where a fragment is empty or negative, or where fragments overlap or are out of order.
    """

    fragments: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not self.fragments:
            raise SpanError("a span needs at least one fragment")
        reached = 0
        for start, end in self.fragments:
            if start < 0 or start >= end:
                raise SpanError(f"fragment {start}-{end} is empty or negative: 0 <= start < end is wanted")
            if start < reached:
                raise SpanError(f"fragment {start}-{end} starts before the one ahead of it ends ({reached})")
            reached = end

    @classmethod
    def of(cls, start: int, end: int) -> Span:
        """A span of one fragment."""
        return cls(((start, end),))

    @classmethod
    def from_pairs(cls, pairs: Iterable[Iterable[int]]) -> Span:
        """A span from `[[start, end], …]`; SpanError where a pair is not two integers."""
        fragments = []
        for pair in pairs:
            values = tuple(pair)
            if len(values) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
                raise SpanError("a fragment is two whole numbers, start and end")
            fragments.append((values[0], values[1]))
        return cls(tuple(fragments))

    @classmethod
    def parse(cls, value: str) -> Span:
        """The span written as brat writes it: `"10 15;20 25"`, the form stored in the database."""
        if not _FRAGMENTS.fullmatch(value):
            raise SpanError("fragments are written 'START END', joined by ';'")
        pairs = (fragment.split(" ") for fragment in value.split(";"))
        return cls(tuple((int(start), int(end)) for start, end in pairs))

    def __str__(self) -> str:
        return ";".join(f"{start} {end}" for start, end in self.fragments)

    @property
    def start(self) -> int:
        """First code point of the hull."""
        return self.fragments[0][0]

    @property
    def end(self) -> int:
        """One past the last code point of the hull."""
        return self.fragments[-1][1]

    @property
    def is_discontinuous(self) -> bool:
        return len(self.fragments) > 1

    def surface(self, text: str) -> str:
        """The span's own text, its fragments joined by one space as in brat.

        Raises SpanError where the span ends beyond the note.
        """
        if self.end > len(text):
            raise SpanError(f"ends at {self.end}, but the note has {len(text)} characters")
        return " ".join(text[start:end] for start, end in self.fragments)

    def overlaps(self, other: Span) -> bool:
        """Whether a character is in both."""
        return any(start < stop and begin < end for start, end in self.fragments for begin, stop in other.fragments)

    def shift(self, by: int) -> Span:
        return Span(tuple((start + by, end + by) for start, end in self.fragments))


def checked_surface(*, text: str, span: Span, surface: str | None) -> str:
    """The surface of `span`, after checking that it is what the sender says it is.

    White space is compared loosely only between fragments and at line ends, where formats differ (brat writes a
    newline inside a span as a space). The message never holds note text.
    """
    own = span.surface(text)
    if surface is not None and own.split() != surface.split():
        raise SpanError(
            f"characters {span} of the note do not read as the quoted text "
            "(offsets count Unicode code points, the end is exclusive)"
        )
    if not own.strip():
        raise SpanError(f"characters {span} of the note are only white space")
    return own


class Utf16Offsets:
    """Reads and writes offsets of a text that count UTF-16 units, as JavaScript and Java do, where it has characters of
    two.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._wide = [offset for offset, character in enumerate(text) if character > "\uffff"]
        self._second_halves = [offset + n_before + 1 for n_before, offset in enumerate(self._wide)]

    def unit(self, point: int) -> int:
        """The offset in UTF-16 units of what stands at `point` in code points."""
        return point + bisect_left(self._wide, point)

    def fits(self, span: Span, surface: str) -> bool:
        """Whether the span reads as `surface` when its offsets count UTF-16 units."""
        if not self._second_halves:
            return False
        try:
            return self.points(span).surface(self._text).split() == surface.split()
        except SpanError:
            return False

    def points(self, units: Span) -> Span:
        """The span in code points. Raises SpanError where an end lies in the middle of a character."""
        if not self._second_halves:
            return units
        return Span(tuple((self._point(start), self._point(end)) for start, end in units.fragments))

    def _point(self, unit: int) -> int:
        n_before = bisect_left(self._second_halves, unit)
        if self._second_halves[n_before : n_before + 1] == [unit]:
            raise SpanError(f"offset {unit}, in UTF-16 units, lies in the middle of a character")
        return unit - n_before
