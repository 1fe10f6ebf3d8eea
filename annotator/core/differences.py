"""Where two readings of one note differ: span by span, so that each place can be looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from annotator.core.matching import share_a_character
from annotator.core.readings import Reading, ReadSpan


class DifferenceKind(StrEnum):
    LABEL = "label"
    EDGES = "edges"
    LABEL_AND_EDGES = "label and edges"
    ATTRIBUTES = "attributes"
    ONLY_ONE = "only one"


# How many spans of the two find no equal one.
COSTS = {
    DifferenceKind.LABEL: 2,
    DifferenceKind.EDGES: 2,
    DifferenceKind.LABEL_AND_EDGES: 2,
    DifferenceKind.ONLY_ONE: 1,
    DifferenceKind.ATTRIBUTES: 0,
}


class Difference(NamedTuple):
    """A place where two readings differ; a label is empty where that reading marks nothing. `start` and `end` enclose
    what both mark.
    """

    kind: DifferenceKind
    label_a: str
    label_b: str
    start: int
    end: int


def differences(a: Reading, b: Reading) -> list[Difference]:
    """The places where two readings differ, in the order of the text. Each span is in one of them at most.

    Spans are paired by what they have most in common: place and label; place; label and a character; a character. Of
    several such the nearest come first.
    """
    ours, theirs = sorted(a.spans, key=_place), sorted(b.spans, key=_place)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    found = []
    for rank, _, at, place in sorted(_sharing(ours, theirs)):
        if at in pairs or place in taken:
            continue
        pairs[at] = place
        taken.add(place)
        one, other = ours[at], theirs[place]
        if _BY_RANK[rank] != DifferenceKind.ATTRIBUTES or one.attributes != other.attributes:
            hull = min(one.span.start, other.span.start), max(one.span.end, other.span.end)
            found.append(Difference(_BY_RANK[rank], one.label, other.label, *hull))
    for at, (span, label, _) in enumerate(ours):
        if at not in pairs:
            found.append(Difference(DifferenceKind.ONLY_ONE, label, "", span.start, span.end))
    for place, (span, label, _) in enumerate(theirs):
        if place not in taken:
            found.append(Difference(DifferenceKind.ONLY_ONE, "", label, span.start, span.end))
    return sorted(found, key=lambda each: (each.start, each.end, each))


# What two spans with a character in common differ in, the least first.
_BY_RANK = (DifferenceKind.ATTRIBUTES, DifferenceKind.LABEL, DifferenceKind.EDGES, DifferenceKind.LABEL_AND_EDGES)


def _sharing(ours: Sequence[ReadSpan], theirs: Sequence[ReadSpan]) -> Iterator[tuple[int, int, int, int]]:
    """Rank, distance and places of any two spans with a character in common; both lists go by the text."""
    starts = [each.span.start for each in theirs]
    longest = max((each.span.end - each.span.start for each in theirs), default=0)
    for at, one in enumerate(ours):
        first, end = bisect_left(starts, one.span.start - longest), bisect_left(starts, one.span.end)
        for place, other in enumerate(theirs[first:end], first):
            if share_a_character(one.span, other.span):
                rank = 2 * (one.span != other.span) + (one.label != other.label)
                distance = abs(one.span.start - other.span.start) + abs(one.span.end - other.span.end)
                yield rank, distance, at, place


def _place(said: ReadSpan) -> tuple[object, ...]:
    return said.span.fragments, said.label
