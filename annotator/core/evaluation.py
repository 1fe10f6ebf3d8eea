"""What a labeler found, held against gold spans: precision and recall by label, and how well its scores tell."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import NamedTuple

from annotator.core.intervals import N_RESAMPLES, Interval, Statistic, intervals, weighted_ratio
from annotator.core.matching import Labelled, overlap_matches, strict_matches
from annotator.core.ranking import (
    Bin,
    RiskPoint,
    auroc,
    brier,
    ece,
    reliability,
    risk_coverage,
    risk_coverage_area,
    weighted_auroc,
)
from annotator.core.scoring import number
from annotator.core.spans import Span

# Names of statistics; no label is empty or begins with a sign.
_STRICT, _OVERLAP, _ALL, _SCORE = "strict", "overlap", "*all", "*score"


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span of a labeler, with its score and signals."""

    span: Span
    label: str
    score: float
    signals: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluatedNote:
    """A note's gold and what was found in it; quotes without a place are counted, the invented among them too."""

    gold: Sequence[Labelled]
    found: Sequence[FoundSpan]
    n_unaligned: int = 0
    n_invented: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """Spans found, gold spans, and how many found ones are right; what has no denominator is 0, as in nervaluate."""

    n_found: int
    n_gold: int
    n_right: int
    f1_interval: Interval | None = None

    @property
    def precision(self) -> float:
        return self.n_right / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        return self.n_right / self.n_gold if self.n_gold else 0.0

    @property
    def f1(self) -> float:
        total = self.n_found + self.n_gold
        return 2 * self.n_right / total if total else 0.0


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    strict: Measure
    overlap: Measure


@dataclass(frozen=True, slots=True)
class Ranked:
    """How well a number ranks the spans that have it: right is a strict match, or an overlap."""

    n: int
    n_right: int
    n_right_overlap: int
    auroc: float | None
    auroc_overlap: float | None


@dataclass(frozen=True, slots=True)
class ScoreMeasures:
    """How well the score tells; right is a strict match but where `overlap` is said."""

    n: int
    n_right: int
    auroc: float | None
    auroc_interval: Interval | None
    auroc_overlap: float | None
    auroc_overlap_interval: Interval | None
    ece: float | None
    brier: float | None
    bins: tuple[Bin, ...]
    risk_coverage: tuple[RiskPoint, ...]
    risk_coverage_area: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All measures over notes. `strict` and `overlap` are micro, over all labels."""

    n_notes: int
    n_quotes: int
    n_unaligned: int
    n_invented: int
    strict: Measure
    overlap: Measure
    labels: Mapping[str, LabelMeasures]
    score: ScoreMeasures
    signals: Mapping[str, Ranked]

    @property
    def unaligned_rate(self) -> float | None:
        return self.n_unaligned / self.n_quotes if self.n_quotes else None

    @property
    def invented_rate(self) -> float | None:
        return self.n_invented / self.n_quotes if self.n_quotes else None


def is_in_text(quote: str, text: str) -> bool:
    """Whether the quote stands in the text, but for case, white space and Unicode form."""
    return _plain(quote) in _plain(text)


def evaluate(
    notes: Sequence[EvaluatedNote], labels: Sequence[str], *, seed: int = 0, n_resamples: int = N_RESAMPLES
) -> Evaluation:
    """The measures of `notes` over `labels`, in that order; what has another label is left out."""
    tallies: list[dict[str, Tally]] = []
    spans: list[_Judged] = []
    for place, note in enumerate(notes):
        gold, judged = _of_labels(place, note, labels)
        tallies.append(_tallied(gold, judged))
        spans += judged
    columns = {label: _Columns.of(tally.get(label, Tally()) for tally in tallies) for label in labels}
    columns[_ALL] = _Columns.of(reduce(Tally.plus, tally.values(), Tally()) for tally in tallies)
    statistics: dict[tuple[str, str], Statistic] = {}
    for label, column in columns.items():
        statistics[_STRICT, label], statistics[_OVERLAP, label] = column.strict_f1, column.overlap_f1
    statistics[_STRICT, _SCORE], statistics[_OVERLAP, _SCORE] = _score_statistics(spans)
    found = intervals(len(notes), statistics, seed=seed, n_resamples=n_resamples)
    measures = {
        label: column.measures(strict=found[_STRICT, label], overlap=found[_OVERLAP, label])
        for label, column in columns.items()
    }
    micro = measures.pop(_ALL)
    return Evaluation(
        n_notes=len(notes),
        n_quotes=len(spans) + sum(note.n_unaligned for note in notes),
        n_unaligned=sum(note.n_unaligned for note in notes),
        n_invented=sum(note.n_invented for note in notes),
        strict=micro.strict,
        overlap=micro.overlap,
        labels=measures,
        score=_score_measures(spans, strict=found[_STRICT, _SCORE], overlap=found[_OVERLAP, _SCORE]),
        signals=_ranked_signals(spans),
    )


def note_tallies(note: EvaluatedNote, labels: Sequence[str]) -> dict[str, Tally]:
    """The note's counts by label, of those of `labels` that occur in it."""
    gold, judged = _of_labels(0, note, labels)
    return _tallied(gold, judged)


class _Judged(NamedTuple):
    found: FoundSpan
    note: int
    is_strict: bool
    is_overlap: bool


class Tally(NamedTuple):
    """Counts of one label in one note; `n_strict` and `n_overlap` are right."""

    n_found: int = 0
    n_gold: int = 0
    n_strict: int = 0
    n_overlap: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(*map(add, self, other))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Tallies note by note, as columns, so that a resample is summed quickly."""

    n_found: Sequence[int]
    n_gold: Sequence[int]
    n_strict: Sequence[int]
    n_overlap: Sequence[int]

    @classmethod
    def of(cls, tallies: Iterable[Tally]) -> _Columns:
        rows = list(tallies)
        return cls(*([row[place] for row in rows] for place in range(len(Tally._fields))))

    @property
    def strict_f1(self) -> Statistic:
        return self._f1(self.n_strict)

    @property
    def overlap_f1(self) -> Statistic:
        return self._f1(self.n_overlap)

    def measures(self, *, strict: Interval | None, overlap: Interval | None) -> LabelMeasures:
        n_found, n_gold = sum(self.n_found), sum(self.n_gold)
        return LabelMeasures(
            strict=Measure(n_found, n_gold, sum(self.n_strict), strict),
            overlap=Measure(n_found, n_gold, sum(self.n_overlap), overlap),
        )

    def _f1(self, n_right: Sequence[int]) -> Statistic:
        return weighted_ratio([2 * n for n in n_right], list(map(add, self.n_found, self.n_gold)))


def _of_labels(place: int, note: EvaluatedNote, labels: Sequence[str]) -> tuple[list[Labelled], list[_Judged]]:
    gold = [labelled for labelled in note.gold if labelled.label in labels]
    return gold, _judged(place, gold, [each for each in note.found if each.label in labels])


def _judged(note: int, gold: Sequence[Labelled], found: Sequence[FoundSpan]) -> list[_Judged]:
    places = [Labelled(each.span, each.label) for each in found]
    matches = zip(found, strict_matches(gold, places), overlap_matches(gold, places), strict=True)
    return [_Judged(each, note, is_strict, is_overlap) for each, is_strict, is_overlap in matches]


def _tallied(gold: Sequence[Labelled], judged: Sequence[_Judged]) -> dict[str, Tally]:
    n_gold = Counter(labelled.label for labelled in gold)
    n_found = Counter(each.found.label for each in judged)
    n_strict = Counter(each.found.label for each in judged if each.is_strict)
    n_overlap = Counter(each.found.label for each in judged if each.is_overlap)
    return {
        label: Tally(n_found[label], n_gold[label], n_strict[label], n_overlap[label]) for label in n_gold | n_found
    }


def _score_statistics(spans: Sequence[_Judged]) -> tuple[Statistic, Statistic]:
    """AUROC of the score as functions of the notes' weights: strict, overlap."""
    scores = [each.found.score for each in spans]
    notes = [each.note for each in spans]
    return (
        weighted_auroc(scores, [each.is_strict for each in spans], notes),
        weighted_auroc(scores, [each.is_overlap for each in spans], notes),
    )


def _score_measures(spans: Sequence[_Judged], *, strict: Interval | None, overlap: Interval | None) -> ScoreMeasures:
    scores = [each.found.score for each in spans]
    right = [each.is_strict for each in spans]
    bins = reliability(scores, right)
    return ScoreMeasures(
        n=len(spans),
        n_right=sum(right),
        auroc=auroc(scores, right),
        auroc_interval=strict,
        auroc_overlap=auroc(scores, [each.is_overlap for each in spans]),
        auroc_overlap_interval=overlap,
        ece=ece(bins),
        brier=brier(scores, right),
        bins=bins,
        risk_coverage=risk_coverage(scores, right),
        risk_coverage_area=risk_coverage_area(scores, right),
    )


def _ranked_signals(spans: Sequence[_Judged]) -> dict[str, Ranked]:
    """The signals that are numbers, by name, each over the spans that have it."""
    rows: dict[str, list[tuple[float, bool, bool]]] = defaultdict(list)
    for each in spans:
        for name in each.found.signals:
            value = number(each.found.signals, name)
            if value is not None:
                rows[name].append((value, each.is_strict, each.is_overlap))
    ranked = {}
    for name in sorted(rows):
        values, strict, overlap = zip(*rows[name], strict=True)
        ranked[name] = Ranked(
            n=len(values),
            n_right=sum(strict),
            n_right_overlap=sum(overlap),
            auroc=auroc(values, strict),
            auroc_overlap=auroc(values, overlap),
        )
    return ranked


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
