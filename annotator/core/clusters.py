"""Disagreements that come again: the same words between the same labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from annotator.core.surfaces import normal_surface


class Differing(NamedTuple):
    """A place where two readers give different labels, empty for none, in a note; `surface` is the key of its words."""

    key: int
    document: int
    surface: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Places with the same words between the same labels, by their keys, in the order in which they were given."""

    keys: tuple[int, ...]
    labels: tuple[str, ...]
    n_documents: int

    @property
    def n_places(self) -> int:
        return len(self.keys)


def disagreements(places: Iterable[Differing]) -> list[Disagreement]:
    """What came most often first; of equal ones what was given first."""
    groups: dict[tuple[str, frozenset[str]], list[Differing]] = defaultdict(list)
    for place in places:
        groups[place.surface, place.labels].append(place)
    found = [
        Disagreement(
            keys=tuple(place.key for place in group),
            labels=tuple(sorted(labels)),
            n_documents=len({place.document for place in group}),
        )
        for (_, labels), group in groups.items()
    ]
    return sorted(found, key=lambda each: -each.n_places)


class Settled(NamedTuple):
    """A place where readers differed: its words, the label that it got, and all labels that they gave. `key` names it,
    `document` its note.
    """

    key: str
    document: int
    words: str
    label: str
    between: frozenset[str]
    is_proposed: bool = False


@dataclass(frozen=True, slots=True)
class Cluster:
    """Places with the same words, labels and outcome, by their keys; `instead` are the labels not taken."""

    keys: tuple[str, ...]
    words: str
    label: str
    instead: tuple[str, ...]
    n_documents: int
    is_proposed: bool

    @property
    def n_places(self) -> int:
        return len(self.keys)


def clusters(places: Iterable[Settled]) -> list[Cluster]:
    """What was proposed as an example first, then what came most often; words are told as they were mostly written."""
    groups: dict[tuple[str, str, frozenset[str]], list[Settled]] = defaultdict(list)
    for place in places:
        groups[normal_surface(place.words), place.label, place.between].append(place)
    found = [_cluster(group) for group in groups.values()]
    return sorted(found, key=lambda each: (not each.is_proposed, -each.n_places, each.words, each.label, each.instead))


def _cluster(group: list[Settled]) -> Cluster:
    first = group[0]
    return Cluster(
        keys=tuple(place.key for place in group),
        words=Counter(place.words for place in group).most_common(1)[0][0],
        label=first.label,
        instead=tuple(sorted(first.between - {first.label})),
        n_documents=len({place.document for place in group}),
        is_proposed=any(place.is_proposed for place in group),
    )
