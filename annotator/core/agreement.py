"""How far people, labelers and the adjudicated gold agree on the same notes: `docs/agreement.md` defines each figure.

Spans are compared by precision, recall and F1 of each pair, never by a bare kappa: nobody can count the spans that both
left out (Hripcsak & Rothschild 2005). Kappa and alpha are of what has units: tokens, attributes of spans that are
equal, labels of the note.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from itertools import combinations, product
from operator import add
from typing import NamedTuple

from annotator.core.identifiers import LABEL
from annotator.core.intervals import N_RESAMPLES, Estimate, Statistic, estimates, weighted_ratio
from annotator.core.matching import n_overlap_pairs, n_strict_pairs
from annotator.core.readings import (
    Reading,
    ReadNote,
    attribute_units,
    only_labels,
    token_units,
    units_of_label,
    value_units,
)
from annotator.core.reliability import Ratings, Reliability, Units
from annotator.core.spans import Span

# More patients are dealt into so many groups, which are drawn whole: that keeps an interval's cost from growing.
MOST_GROUPS = 500
ALL_LABELS = ""
GOLD = "gold"
_STRICT, _OVERLAP = "strict", "overlap"
_NO_SPANS = "not defined: neither has a span"


class Kind(StrEnum):
    """Who is compared: two annotators; a labeler with an annotator, or either with gold, who are the reference."""

    ANNOTATORS = "annotators"
    LABELER = "labeler"
    GOLD = "gold"


class Pair(NamedTuple):
    """Two readers; `a` is the reference of precision and recall."""

    kind: Kind
    a: str
    b: str


class Tally(NamedTuple):
    """Spans of a and of b, and how many pairs of them are equal and overlap."""

    n_a: int = 0
    n_b: int = 0
    n_strict: int = 0
    n_overlap: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(*map(add, self, other))


class Cell(NamedTuple):
    """A pair's tally of one label in one note, or of ALL_LABELS, which each note that both have read has one of.

    Tallies add up over notes, so cells can be kept, and summed by pair and label whenever they are asked for.
    """

    pair: Pair
    label: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of b against a; None where there is no span to divide by."""

    precision: float | None
    recall: float | None
    f1: Estimate


@dataclass(frozen=True, slots=True)
class Scores:
    """A tally as figures."""

    tally: Tally
    strict: Score
    overlap: Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pair over the notes that both have read."""

    pair: Pair
    n_documents: int
    n_patients: int
    scores: Scores
    labels: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class Agreement:
    """All figures. `documents` has the annotators' pairs of each note; `n_documents` have two annotators or more."""

    n_documents: int
    n_patients: int
    comparisons: Sequence[Comparison]
    documents: Mapping[str, Sequence[tuple[Pair, Scores]]]
    tokens: Reliability | None
    token_labels: Mapping[str, Reliability]
    attributes: Mapping[str, Reliability]
    document_labels: Mapping[str, Reliability]


def measure_agreement(
    notes: Iterable[ReadNote], labels: Sequence[str], *, seed: int = 0, n_resamples: int = N_RESAMPLES
) -> Agreement:
    """The agreement of the notes' readers on spans of `labels`; what has another label is left out.

    Streams: memory grows with pairs, labels and patients up to MOST_GROUPS, and by one tally for a pair's note.
    """
    patients: dict[str | tuple[str], int] = {}
    counts: dict[Pair, Counts] = defaultdict(Counts)
    documents: dict[str, list[tuple[Pair, Scores]]] = {}
    ratings: dict[tuple[_Rated, str], Ratings] = defaultdict(Ratings)
    several: set[int] = set()
    for note in (_narrowed(note, labels) for note in notes):
        patient = patients.setdefault(note.patient or (note.document,), len(patients))
        for pair, label, tally in note_cells(note):
            counts[pair].add(label, patient, tally)
            if pair.kind == Kind.ANNOTATORS and label == ALL_LABELS:
                documents.setdefault(note.document, []).append((pair, _scores(tally)))
        if len(note.annotators) > 1:
            several.add(patient)
            for rated, units in _rated_units(note, labels):
                ratings[rated].add(patient=patient % MOST_GROUPS, raters=sorted(note.annotators), units=units)
    found = {rated: each.reliability(seed=seed, n_resamples=n_resamples) for rated, each in ratings.items()}
    return Agreement(
        n_documents=len(documents),
        n_patients=len(several),
        comparisons=[
            counts[pair].comparison(pair, labels, seed=seed, n_resamples=n_resamples) for pair in sorted(counts)
        ],
        documents=documents,
        tokens=found.get((_Rated.TOKENS, ALL_LABELS)),
        token_labels={label: found[_Rated.TOKENS, label] for label in labels if (_Rated.TOKENS, label) in found},
        attributes=_named(found, _Rated.ATTRIBUTE),
        document_labels=_named(found, _Rated.DOCUMENT_LABEL),
    )


def note_cells(note: ReadNote) -> Iterator[Cell]:
    """The cells of one note: of each label that a pair has a span of, and of all labels."""
    for pair, a, b in _pairs(note):
        in_all = Tally()
        for label in sorted(a.keys() | b.keys()):
            ours, theirs = a.get(label, ()), b.get(label, ())
            tally = Tally(len(ours), len(theirs), n_strict_pairs(ours, theirs), n_overlap_pairs(ours, theirs))
            in_all = in_all.plus(tally)
            yield Cell(pair, label, tally)
        yield Cell(pair, ALL_LABELS, in_all)


_Spans = Mapping[str, Sequence[Span]]


def _pairs(note: ReadNote) -> Iterator[tuple[Pair, _Spans, _Spans]]:
    """Who is compared, with the spans of both by label."""
    annotators = {name: _by_label(reading) for name, reading in sorted(note.annotators.items())}
    labelers = {name: _by_label(reading) for name, reading in sorted(note.labelers.items())}
    finders = {name for name, reading in note.labelers.items() if reading.is_of_identifiers}
    for a, b in combinations(annotators, 2):
        yield Pair(Kind.ANNOTATORS, a, b), annotators[a], annotators[b]
    for a, b in product(annotators, labelers):
        yield Pair(Kind.LABELER, a, b), _asked(annotators[a], b in finders), _asked(labelers[b], b in finders)
    if note.gold is not None:
        gold = _by_label(note.gold)
        for b, spans in annotators.items():
            yield Pair(Kind.GOLD, GOLD, b), gold, spans
        for b, spans in labelers.items():
            yield Pair(Kind.GOLD, GOLD, b), _asked(gold, b in finders), _asked(spans, b in finders)


def _asked(spans: _Spans, is_finder: bool) -> _Spans:
    """What a labeler is asked for: identifiers alone, or all but these."""
    return {label: found for label, found in spans.items() if (label == LABEL) == is_finder}


def _by_label(reading: Reading) -> _Spans:
    spans: dict[str, list[Span]] = defaultdict(list)
    for span, label, _ in reading.spans:
        spans[label].append(span)
    return spans


class _Rated(StrEnum):
    """What readers rate."""

    TOKENS = "tokens"
    ATTRIBUTE = "attribute"
    DOCUMENT_LABEL = "document label"


def _rated_units(note: ReadNote, labels: Sequence[str]) -> Iterator[tuple[tuple[_Rated, str], Units]]:
    """What the note's annotators rate, by kind and name."""
    readings = [note.annotators[name] for name in sorted(note.annotators)]
    tokens = token_units(note.text, readings)
    yield (_Rated.TOKENS, ALL_LABELS), tokens
    for label in labels:
        yield (_Rated.TOKENS, label), units_of_label(tokens, label)
    for name, units in attribute_units(readings).items():
        yield (_Rated.ATTRIBUTE, name), units
    for name, units in value_units(readings).items():
        yield (_Rated.DOCUMENT_LABEL, name), units


def _named(found: Mapping[tuple[_Rated, str], Reliability], rated: _Rated) -> dict[str, Reliability]:
    return {name: each for (kind, name), each in sorted(found.items()) if kind == rated}


def _narrowed(note: ReadNote, labels: Sequence[str]) -> ReadNote:
    return replace(
        note,
        annotators={name: only_labels(reading, labels) for name, reading in note.annotators.items()},
        labelers={name: only_labels(reading, labels) for name, reading in note.labelers.items()},
        gold=note.gold and only_labels(note.gold, labels),
    )


class Counts:
    """What the cells of a pair, or of several, add up to, by label and group of patients."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[int, Tally]] = defaultdict(dict)
        self._patients: set[int] = set()
        self._n_documents = 0

    def add(self, label: str, patient: int, tally: Tally) -> None:
        group = patient % MOST_GROUPS
        by_group = self._tallies[label]
        by_group[group] = by_group.get(group, Tally()).plus(tally)
        if label == ALL_LABELS:
            self._patients.add(patient)
            self._n_documents += 1

    def comparison(self, pair: Pair, labels: Sequence[str], *, seed: int, n_resamples: int) -> Comparison:
        """The figures, of all labels and of `labels`. A patient of whom both have read a note counts, whether or not a
        span is in it.
        """
        groups = list(self._tallies[ALL_LABELS])
        rows = {
            label: [self._tallies[label].get(group, Tally()) for group in groups] for label in (ALL_LABELS, *labels)
        }
        statistics: dict[tuple[str, str], Statistic] = {}
        for label, tallies in rows.items():
            n_spans = [tally.n_a + tally.n_b for tally in tallies]
            statistics[label, _STRICT] = weighted_ratio([2 * tally.n_strict for tally in tallies], n_spans)
            statistics[label, _OVERLAP] = weighted_ratio([2 * tally.n_overlap for tally in tallies], n_spans)
        found = estimates(len(groups), statistics, undefined=_NO_SPANS, seed=seed, n_resamples=n_resamples)
        scores = {
            label: _scores(reduce(Tally.plus, tallies), found[label, _STRICT], found[label, _OVERLAP])
            for label, tallies in rows.items()
        }
        return Comparison(pair, self._n_documents, len(self._patients), scores.pop(ALL_LABELS), scores)


def _scores(tally: Tally, strict: Estimate | None = None, overlap: Estimate | None = None) -> Scores:
    return Scores(tally, _score(tally, tally.n_strict, strict), _score(tally, tally.n_overlap, overlap))


def _score(tally: Tally, n_pairs: int, f1: Estimate | None) -> Score:
    """A score; without an estimate of its F1, as of a single note, F1 has no interval."""
    n_spans = tally.n_a + tally.n_b
    return Score(
        precision=n_pairs / tally.n_b if tally.n_b else None,
        recall=n_pairs / tally.n_a if tally.n_a else None,
        f1=f1 or Estimate(2 * n_pairs / n_spans if n_spans else None, None, "" if n_spans else _NO_SPANS),
    )
