"""Where two readings of one note differ: span by span, so that each place can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

    Spans are paired by what they have most in common: place and label, place, label and a character, a character; of
    several such the nearest.
    """
    left = sorted(a.spans, key=_place), sorted(b.spans, key=_place)
    found = [
        Difference(
            kind, one.label, other.label, min(one.span.start, other.span.start), max(one.span.end, other.span.end)
        )
        for kind, is_such in _PAIRINGS
        for one, other in _taken(*left, is_such)
        if kind != DifferenceKind.ATTRIBUTES or one.attributes != other.attributes
    ]
    only_a, only_b = left
    found += [Difference(DifferenceKind.ONLY_ONE, label, "", span.start, span.end) for span, label, _ in only_a]
    found += [Difference(DifferenceKind.ONLY_ONE, "", label, span.start, span.end) for span, label, _ in only_b]
    return sorted(found, key=lambda each: (each.start, each.end, each))


_Is = Callable[[ReadSpan, ReadSpan], bool]
_PAIRINGS: tuple[tuple[DifferenceKind, _Is], ...] = (
    (DifferenceKind.ATTRIBUTES, lambda one, other: one.span == other.span and one.label == other.label),
    (DifferenceKind.LABEL, lambda one, other: one.span == other.span),
    (DifferenceKind.EDGES, lambda one, other: one.label == other.label and share_a_character(one.span, other.span)),
    (DifferenceKind.LABEL_AND_EDGES, lambda one, other: share_a_character(one.span, other.span)),
)


def _taken(ours: list[ReadSpan], theirs: list[ReadSpan], is_such: _Is) -> Iterator[tuple[ReadSpan, ReadSpan]]:
    """Pairs of spans that are such, the nearest first; what is paired is taken out of both lists."""
    near = sorted(
        (abs(one.span.start - other.span.start) + abs(one.span.end - other.span.end), at, place)
        for at, one in enumerate(ours)
        for place, other in enumerate(theirs)
        if is_such(one, other)
    )
    pairs: dict[int, int] = {}
    for _, at, place in near:
        if at not in pairs and place not in pairs.values():
            pairs[at] = place
    yield from [(ours[at], theirs[place]) for at, place in pairs.items()]
    for said, gone in ((ours, pairs.keys()), (theirs, pairs.values())):
        said[:] = [span for place, span in enumerate(said) if place not in gone]


def _place(said: ReadSpan) -> tuple[object, ...]:
    return said.span.fragments, said.label
