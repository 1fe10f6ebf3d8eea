"""A note's text cut into rows, for several readings of it to stand side by side."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.core.cases import Case
from annotator.core.chunks import sentences


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of the text, without the white space behind it, with the cases of spans in it."""

    start: int
    end: int
    cases: tuple[Case, ...]

    @property
    def has_difference(self) -> bool:
        return any(not case.is_agreed for case in self.cases)


def rows_of(text: str, cases: Sequence[Case]) -> list[Row]:
    """The sentences and lines of the text that hold a word, as rows; a case is never cut. Neighbours in one line are
    one row where nobody differs in them.
    """
    of_spans = [case for case in cases if case.key.startswith("span ")]
    starts = [case.start for case in of_spans]
    rows: list[Row] = []
    reached = 0  # no cut before it: a case is there
    begun = 0
    for bound in _bounds(text):
        here = of_spans[bisect_left(starts, begun) : bisect_left(starts, bound)]
        reached = max([reached, *(case.end for case in here)])
        if bound < reached:
            continue
        row = Row(begun, begun + len(text[begun:bound].rstrip()), tuple(here))
        if rows and _is_one(text, rows[-1], row):
            rows[-1] = Row(rows[-1].start, row.end, rows[-1].cases + row.cases)
        elif row.start < row.end:
            rows.append(row)
        begun = bound
    return rows


def _bounds(text: str) -> list[int]:
    """Where the text may be cut: after sentences and lines."""
    lines = {place + 1 for place, character in enumerate(text) if character == "\n"}
    return sorted(lines | {sentence.end for sentence in sentences(text)} | {len(text)})


def _is_one(text: str, row: Row, following: Row) -> bool:
    return not (row.has_difference or following.has_difference or "\n" in text[row.end : following.start])
