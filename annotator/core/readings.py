"""What several readers say about the same note, and the units of it that they rate."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from annotator.core.reliability import Units
from annotator.core.spans import Span
from annotator.core.tokens import token_spans


class ReadSpan(NamedTuple):
    """A labelled span with its attributes."""

    span: Span
    label: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader says about a note: its spans, and values of labels of the note. `is_of_identifiers`: of
    a labeler that looks for these and for nothing else.
    """

    spans: Sequence[ReadSpan] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    is_of_identifiers: bool = False


@dataclass(frozen=True, slots=True)
class ReadNote:
    """A note with its readings, by reader; a reader without one has not read it.

    `patient` is empty where unknown: the note is then its own patient. `gold` is what was adjudicated, if it was.
    """

    document: str
    patient: str
    text: str
    annotators: Mapping[str, Reading]
    labelers: Mapping[str, Reading] = field(default_factory=dict)
    gold: Reading | None = None


def token_units(text: str, readings: Sequence[Reading]) -> Units:
    """Each token of `text` with, for each reading, the set of labels that lie on it; the empty set is a rating too.

    A label lies on a token that shares a character with a fragment of a span of it. So of nested and overlapping spans
    of different labels each is seen, of those of one label only what they cover together.
    """
    tokens = token_spans(text)
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    sets: list[dict[int, set[str]]] = []
    for reading in readings:
        on_tokens: dict[int, set[str]] = defaultdict(set)
        for span, label, _ in reading.spans:
            for start, end in span.fragments:
                for token in range(bisect_right(ends, start), bisect_left(starts, end)):
                    on_tokens[token].add(label)
        sets.append(on_tokens)
    covered = set().union(*sets)
    units = Counter(tuple(frozenset(on_tokens.get(token, ())) for on_tokens in sets) for token in covered)
    units[(frozenset(),) * len(readings)] += len(tokens) - len(covered)
    return units


def units_of_label(units: Units, label: str) -> Units:
    """Of `token_units`: whether the label lies on the token."""
    of_label: Counter[tuple[bool, ...]] = Counter()
    for sets, n in units.items():
        of_label[tuple(label in labels for labels in sets)] += n
    return of_label


def attribute_units(readings: Sequence[Reading]) -> Mapping[str, Units]:
    """By attribute: each span, equal in fragments and label, with its value by each reading that has it."""
    by_span: dict[tuple[Span, str], list[Mapping[str, str]]] = defaultdict(lambda: [{} for _ in readings])
    for place, reading in enumerate(readings):
        for span, label, attributes in reading.spans:
            by_span[span, label][place] = attributes
    return _units_by_name(by_span.values())


def value_units(readings: Sequence[Reading]) -> Mapping[str, Units]:
    """By label of the note: the note, a single unit, with its value by each reading that gives one."""
    return _units_by_name([[reading.values for reading in readings]])


def only_labels(reading: Reading, labels: Collection[str]) -> Reading:
    """The reading without spans of other labels."""
    return Reading(tuple(each for each in reading.spans if each.label in labels), reading.values)


def _units_by_name(rated: Iterable[Sequence[Mapping[str, str]]]) -> Mapping[str, Units]:
    units: dict[str, Counter[tuple[str | None, ...]]] = defaultdict(Counter)
    for values in rated:
        for name in set().union(*values):
            units[name][tuple(each.get(name) for each in values)] += 1
    return units
