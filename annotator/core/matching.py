"""Which of the spans that were found are right, held against gold spans.

Strict: equal in fragments and label. Overlap: of one label, with a character in common, one to one. These are the
schemes `strict` and `ent_type` of nervaluate, for each label and in sum (precision, recall and F1 alike).

nervaluate goes through what was found in the given order, so that a wrong span can take the gold span of a right one
behind it. Here the order does not matter, since what fits best comes first: equal spans, then by place. The two agree
where found spans of one label do not overlap one another, and everywhere when nervaluate is given the right ones first.
It has no discontinuous spans; here they overlap where a fragment does. And it wants 1 % of the gold span in common.

That is for spans that are judged one by one. Where two readers are compared neither chooses: what counts is the most
pairs that can be made, which is the same whoever is named first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

from annotator.core.spans import Span


class Labelled(NamedTuple):
    """A span with its label."""

    span: Span
    label: str


def strict_matches(gold: Sequence[Labelled], found: Sequence[Labelled]) -> list[bool]:
    """For each found span whether it is a gold span; of repeats, the first."""
    left = Counter(gold)
    matches = []
    for labelled in found:
        matches.append(left[labelled] > 0)
        left[labelled] -= matches[-1]
    return matches


def overlap_matches(gold: Sequence[Labelled], found: Sequence[Labelled]) -> list[bool]:
    """For each found span whether it has a gold span of its label, with a character in common, for itself.

    Of several it takes the one whose ends lie nearest. What is equal to a gold span chooses first, then by place.
    """
    by_label: dict[str, list[Span]] = defaultdict(list)
    for span, label in sorted(gold):
        by_label[label].append(span)
    pools = {label: _Pool(spans) for label, spans in by_label.items()}
    is_equal = strict_matches(gold, found)
    matches = [False] * len(found)
    for index in sorted(range(len(found)), key=lambda index: (not is_equal[index], found[index])):
        pool = pools.get(found[index].label)
        matches[index] = pool is not None and pool.take(found[index].span)
    return matches


def n_strict_pairs(one: Sequence[Span], other: Sequence[Span]) -> int:
    """How many pairs of equal spans can be made of spans of one label."""
    return (Counter(one) & Counter(other)).total()


def n_overlap_pairs(one: Sequence[Span], other: Sequence[Span]) -> int:
    """How many pairs of spans with a character in common can be made, at most, of spans of one label (Kuhn 1955)."""
    ordered = sorted(other)
    starts = [span.start for span in ordered]
    longest = max((span.end - span.start for span in ordered), default=0)
    sharing = [
        [
            place
            for place in range(bisect_left(starts, span.start - longest), bisect_left(starts, span.end))
            if share_a_character(span, ordered[place])
        ]
        for span in one
    ]
    holder: dict[int, int] = {}
    held: dict[int, int] = {}
    return sum(_pair_up(place, sharing, holder, held) for place in range(len(one)))


def _pair_up(first: int, sharing: Sequence[Sequence[int]], holder: dict[int, int], held: dict[int, int]) -> bool:
    """Find `first` a place, moving others to another one where needed; `holder` is by place, `held` the reverse."""
    came_from: dict[int, int] = {}
    waiting = deque([first])
    while waiting:
        wanting = waiting.popleft()
        for place in sharing[wanting]:
            if place in came_from:
                continue
            came_from[place] = wanting
            if place in holder:
                waiting.append(holder[place])
                continue
            given: int | None = place
            while given is not None:
                taker = came_from[given]
                holder[given] = taker
                held[taker], given = given, held.get(taker)
            return True
    return False


class _Pool:
    """Gold spans of one label, each of which is taken once."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = list(spans)
        self._starts = [span.start for span in spans]
        self._longest = max(span.end - span.start for span in spans)

    def take(self, wanted: Span) -> bool:
        """Take the nearest span that shares a character with `wanted`; False where there is none."""
        first = bisect_left(self._starts, wanted.start - self._longest)
        sharing = [
            (abs(span.start - wanted.start) + abs(span.end - wanted.end), place)
            for place, span in enumerate(self._spans[first : bisect_left(self._starts, wanted.end)], first)
            if share_a_character(span, wanted)
        ]
        if not sharing:
            return False
        _, place = min(sharing)
        del self._spans[place], self._starts[place]
        return True


def share_a_character(one: Span, other: Span) -> bool:
    """Whether a fragment of one has a character in common with one of the other."""
    return any(
        start < other_end and other_start < end
        for start, end in one.fragments
        for other_start, other_end in other.fragments
    )
