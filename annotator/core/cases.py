"""Where several readings of one note agree and where they differ, as cases in the order of the text.

A case is a group of spans that overlap, whoever marked them; or what is said of the ties between two such groups; or
of one label of the note. Its *versions* are the different things that readings say there; the same ones are one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from annotator.core.spans import Span

_LAST = 2**62
OUTSIDE = (
    "A third version is about this difference: each of its spans has to overlap what the readers marked here, "
    "or another span of it that does."
)


class Kind(StrEnum):
    AGREED = "agreed"
    LABEL = "label"
    EDGES = "edges"
    LABEL_AND_EDGES = "label and edges"
    ATTRIBUTES = "attributes"
    INCOMPLETE = "incomplete"
    NESTED = "nested or crossing"
    RELATION = "relation"
    VALUE = "value"


@dataclass(frozen=True, slots=True, order=True)
class SaidSpan:
    """A labelled span as a reading has it; `attributes` are sorted."""

    span: Span
    label: str
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class SaidTie:
    """A relation. In a reading its ends are spans as they are stored. In a case an end is the key of a case where the
    reading has one span there, so that ends whose bounds or labels differ are the same end.
    """

    type: str
    head: str
    tail: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader says about a note."""

    spans: frozenset[SaidSpan] = frozenset()
    ties: frozenset[SaidTie] = frozenset()
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Version:
    """What some of the readings say in a case; all is empty where they say nothing. `readers` are their places in the
    sequence of readings; two versions are equal where they say the same.
    """

    spans: tuple[SaidSpan, ...] = ()
    ties: tuple[SaidTie, ...] = ()
    value: str = ""
    readers: tuple[int, ...] = field(default=(), compare=False)

    @property
    def is_empty(self) -> bool:
        return not (self.spans or self.ties or self.value)

    @property
    def digest(self) -> str:
        """What names it among the versions of its case."""
        return digest_of([*map(_written, self.spans), *map(str, self.ties), self.value])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, relation types or the value that it gives, each once."""
        return tuple(dict.fromkeys([*(said.label for said in self.spans), *(tie.type for tie in self.ties)])) or (
            (self.value,) if self.value else ()
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to be settled. `digest` changes where what is said, or how many readings say it, does; the order of
    readings makes no difference to it. A case of the note as a whole has no place: `start` and `end` are 0.
    """

    key: str
    kind: Kind
    start: int
    end: int
    versions: tuple[Version, ...]

    @property
    def is_agreed(self) -> bool:
        return self.kind == Kind.AGREED

    @property
    def digest(self) -> str:
        return digest_of(sorted(f"{version.digest} {len(version.readers)}" for version in self.versions))

    @property
    def both(self) -> Version | None:
        """All that the versions say together; None where that is one of them, or cannot be said at once."""
        if self.kind == Kind.VALUE:
            return None
        spans = tuple(sorted({said for version in self.versions for said in version.spans}))
        ties = tuple(sorted({tie for version in self.versions for tie in version.ties}))
        union = Version(spans=spans, ties=ties)
        is_clash = len({(said.span, said.label) for said in spans}) < len(spans)
        return None if is_clash or union in self.versions else union

    def version(self, digest: str) -> Version | None:
        """The version of that digest; None where nobody says that any longer."""
        return next((version for version in self.versions if version.digest == digest), None)

    def holds(self, spans: Iterable[Span]) -> bool:
        """Whether each of the spans overlaps what readings marked here, directly or over others of them: what a third
        version may say. Others are no part of this difference.
        """
        left, reached = list(spans), [(self.start, self.end)]
        while found := [span for span in left if _meets(span, reached)]:
            left = [span for span in left if span not in found]
            reached += [fragment for span in found for fragment in span.fragments]
        return not left

    def most_different(self) -> tuple[Version, Version]:
        """Of an open case the two versions that have least in common, the ones of most readers among several such."""
        pairs = [(one, other) for place, one in enumerate(self.versions) for other in self.versions[place + 1 :]]
        return min(pairs, key=lambda pair: (_share(*pair), -sum(len(each.readers) for each in pair)))


def compare(readings: Sequence[Reading]) -> list[Case]:
    """The cases of a note that these readings are of. Every span is in exactly one; what is said is agreed only where
    every reading says the same.
    """
    groups = _groups({said.span for reading in readings for said in reading.spans})
    keys = {span: key for key, spans in groups.items() for span in spans}
    cases = [_case_of_spans(key, spans, readings) for key, spans in groups.items()]
    hulls = {case.key: (case.start, case.end) for case in cases}
    cases += _cases_of_ties(readings, keys, hulls)
    cases += _cases_of_values(readings)
    return sorted(cases, key=_order)


def agreement(one: Reading, other: Reading) -> float:
    """F1 of the labelled spans of two readings, strict: the same characters and label. 1.0 where neither has any."""
    spans, others = ({(said.span, said.label) for said in reading.spans} for reading in (one, other))
    n_said = len(spans) + len(others)
    return 2 * len(spans & others) / n_said if n_said else 1.0


def _groups(spans: Iterable[Span]) -> dict[str, list[Span]]:
    """The spans in groups of those that overlap, directly or over others, by the key of their case.

    What matters are characters that are marked, not the gaps of a discontinuous span. Two groups never have one hull.
    """
    ordered = sorted(spans)
    parents = list(range(len(ordered)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = place = parents[parents[place]]
        return place

    fragments = sorted((*fragment, place) for place, span in enumerate(ordered) for fragment in span.fragments)
    reached, furthest = 0, 0
    for start, end, place in fragments:
        if start < reached:
            parents[root(place)] = root(furthest)
        if end > reached:
            reached, furthest = end, place
    found: dict[int, list[Span]] = defaultdict(list)
    for place, span in enumerate(ordered):
        found[root(place)].append(span)
    return {f"span {group[0].start} {max(span.end for span in group)}": group for group in found.values()}


def _case_of_spans(key: str, spans: Sequence[Span], readings: Sequence[Reading]) -> Case:
    among = set(spans)
    said = [Version(spans=tuple(sorted(each for each in reading.spans if each.span in among))) for reading in readings]
    versions = _merged(said)
    kind = _common_kind(versions) or _kind_of_spans([version for version in versions if version.spans])
    return Case(key, kind, spans[0].start, max(span.end for span in spans), versions)


def _cases_of_ties(
    readings: Sequence[Reading], keys: Mapping[Span, str], hulls: Mapping[str, tuple[int, int]]
) -> Iterable[Case]:
    """A case for each pair of groups with a tie between them, whichever way it goes."""
    said: dict[tuple[str, str], list[set[SaidTie]]] = defaultdict(lambda: [set() for _ in readings])
    for place, reading in enumerate(readings):
        n_spans = Counter(keys[each.span] for each in reading.spans)
        for tie in reading.ties:
            ends = keys[Span.parse(tie.head)], keys[Span.parse(tie.tail)]
            head, tail = (
                key if n_spans[key] == 1 else own for key, own in zip(ends, (tie.head, tie.tail), strict=True)
            )
            pair = min(ends, key=hulls.__getitem__), max(ends, key=hulls.__getitem__)
            said[pair][place].add(SaidTie(tie.type, head, tail))
    for (first, second), ties in said.items():
        versions = _merged([Version(ties=tuple(sorted(own))) for own in ties])
        kind = _common_kind(versions) or Kind.RELATION
        yield Case(f"tie {first} {second}", kind, *hulls[second], versions)


def _cases_of_values(readings: Sequence[Reading]) -> Iterable[Case]:
    for name in sorted({name for reading in readings for name in reading.values}):
        versions = _merged([Version(value=reading.values.get(name, "")) for reading in readings])
        yield Case(f"value {name}", _common_kind(versions) or Kind.VALUE, 0, 0, versions)


def _merged(said: Sequence[Version]) -> tuple[Version, ...]:
    """What is said, each once with who says it, the first reading's first."""
    readers: dict[Version, list[int]] = defaultdict(list)
    for place, version in enumerate(said):
        readers[version].append(place)
    return tuple(replace(version, readers=tuple(places)) for version, places in readers.items())


def _common_kind(versions: Sequence[Version]) -> Kind | None:
    """Agreed, or incomplete where all who say anything agree; None where they differ."""
    if len(versions) == 1:
        return Kind.AGREED
    return Kind.INCOMPLETE if len(versions) == 2 and any(version.is_empty for version in versions) else None


def _kind_of_spans(versions: Sequence[Version]) -> Kind:
    """How versions differ that all mark something."""
    if len({tuple((said.span, said.label) for said in version.spans) for version in versions}) == 1:
        return Kind.ATTRIBUTES
    if len({tuple(said.span for said in version.spans) for version in versions}) == 1:
        return Kind.LABEL
    if any(len(version.spans) > 1 for version in versions):
        return Kind.NESTED
    return Kind.EDGES if len({version.spans[0].label for version in versions}) == 1 else Kind.LABEL_AND_EDGES


def _meets(span: Span, places: Iterable[tuple[int, int]]) -> bool:
    return any(
        start < end_there and start_there < end for start, end in span.fragments for start_there, end_there in places
    )


def _share(one: Version, other: Version) -> float:
    """How much two versions have in common, from 0 to 1."""
    said, others = set(one.spans) | set(one.ties), set(other.spans) | set(other.ties)
    return len(said & others) / (len(said | others) or 1)


def _order(case: Case) -> tuple[int, int, str]:
    """In the order of the text, ties after their later end, the note's own labels last."""
    if case.key.startswith("value "):
        return (_LAST, 0, case.key)
    return (case.start, case.key.startswith("tie "), case.key)


def _written(said: SaidSpan) -> str:
    return f"{said.label} {said.span} {said.attributes}"


def digest_of(parts: Iterable[str]) -> str:
    """What names these words among others: 16 hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
