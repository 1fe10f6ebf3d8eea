"""How far a project's readers agree, summed up from what was counted note by note when they had read."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from django.db.models import Count, F
from django.utils import timezone

from annotator.core.agreement import ALL_LABELS, GOLD, MOST_GROUPS, Counts, Kind, Pair, Tally
from annotator.core.tallies import Coefficients, Sums
from annotator.projects.models import Project
from annotator.quality.reports import coefficient_json, scores_json
from annotator.readings.models import MODEL, Adjudication, Comparison, Difference, ReaderPair, TokenRatings
from annotator.review.differing import of_finished_notes

# Fewer than the command draws: of a small project the page counts while it is waited for.
N_RESAMPLES = 200
PEOPLE = "people"
NONE = ""


def start_of(days: int, now: datetime) -> datetime | None:
    """When a period of so many days began; None for all time."""
    return now - timedelta(days=days) if days else None


def measure_project(
    *,
    project: Project,
    labels: Sequence[str],
    since: datetime | None,
    round_id: str = "",
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """All figures of the page, as JSON; people and labelers go by what `ReaderPair.key` calls them. Six queries.

    Of spans with other labels than `labels` nothing is said. Memory grows with pairs, labels and patients, not with
    notes, but for one number a note.
    """
    known = {row.pk: row for row in ReaderPair.objects.filter(project=project)}
    pairs = {pair_id: row.pair for pair_id, row in known.items()}
    by_pair: dict[int, Counts] = defaultdict(Counts)
    pooled: dict[str, Counts] = defaultdict(Counts)
    weeks: dict[str, Tally] = defaultdict(Tally)
    guidelines = list(project.guidelines.order_by("number").values_list("number", "created_at"))
    by_guideline: dict[int, Counts] = defaultdict(Counts)
    patients: dict[int, int] = {}
    several: set[int] = set()
    rows = Comparison.objects.filter(project=project)
    rows = of_finished_notes(rows, project=project, since=since, round_id=round_id).order_by("pk")
    for pair_id, document, number, at, counts in rows.values_list(
        "pair_id", "document_id", "patient", "at", "counts"
    ).iterator(chunk_size=2000):
        pair, patient = pairs[pair_id], patients.setdefault(number, len(patients))
        tallies = _tallies(counts, labels)
        in_all = _in_all(tallies)
        by_pair[pair_id].add(ALL_LABELS, patient, in_all)
        pool = pooled[_pool(pair)]
        for label, tally in {ALL_LABELS: in_all, **tallies}.items():
            pool.add(label, patient, tally)
        if pair.kind == Kind.ANNOTATORS:
            several.add(document)
            day = timezone.localdate(at)
            monday = (day - timedelta(days=day.weekday())).isoformat()
            weeks[monday] = weeks[monday].plus(in_all)
            by_guideline[bisect_right(guidelines, at, key=lambda version: version[1])].add(ALL_LABELS, patient, in_all)
    confusion = _confusion(project, since, round_id)
    return {
        "of_labels": list(labels),
        "n_documents": len(several),
        "n_waiting": Adjudication.objects.filter(document__project=project, status=Adjudication.Status.WAITING).count(),
        "pools": {name: _pool_json(counts, labels, n_resamples) for name, counts in pooled.items()},
        "pairs": [
            {
                "id": known[pair_id].public_id,
                **_pair_json(pairs[pair_id], counts, n_resamples),
                "gap": _gap(confusion.get(pair_id, {})),
            }
            for pair_id, counts in by_pair.items()
        ],
        "confusion": _confusion_json(confusion),
        "guidelines": [
            [guidelines[place - 1][0] if place else 0, _pair_json(Pair(Kind.ANNOTATORS, "", ""), counts, n_resamples)]
            for place, counts in sorted(by_guideline.items())
        ],
        "weeks": sorted([week, *tally] for week, tally in weeks.items()),
        **_coefficients(project, labels, since, round_id, n_resamples),
    }


def _pool(pair: Pair) -> str:
    """What a comparison is summed up in: people among themselves, people with gold, each labeler with people."""
    if pair.kind == Kind.ANNOTATORS:
        return PEOPLE
    return pair.b if pair.kind == Kind.LABELER else f"{GOLD} {pair.b}" if is_labeler(pair.b) else GOLD


def is_labeler(name: str) -> bool:
    """Whether that names a labeler among those who are compared."""
    return name.startswith(MODEL)


def _pool_json(counts: Counts, labels: Sequence[str], n_resamples: int) -> dict[str, Any]:
    """Figures over all labels, and of each."""
    found = counts.comparison(Pair(Kind.ANNOTATORS, "", ""), labels, seed=0, n_resamples=n_resamples)
    return {
        "n_patients": found.n_patients,
        **scores_json(found.scores),
        "labels": {label: scores_json(scores) for label, scores in found.labels.items()},
    }


def _pair_json(pair: Pair, counts: Counts, n_resamples: int) -> dict[str, Any]:
    found = counts.comparison(pair, (), seed=0, n_resamples=n_resamples)
    return {
        "kind": pair.kind,
        "a": pair.a,
        "b": pair.b,
        "n_documents": found.n_documents,
        "n_patients": found.n_patients,
        **scores_json(found.scores),
    }


def measure_pair(
    *,
    project: Project,
    row: ReaderPair,
    labels: Sequence[str],
    since: datetime | None,
    round_id: str = "",
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """What the page tells of one pair beside its F1, as JSON: F1 of each label, kappa, and its confusion. Two queries.

    Of a labeler there are no ratings, and so no kappa.
    """
    counts, sums, patients = Counts(), Sums(), dict[int, int]()
    rows = Comparison.objects.filter(pair=row)
    found = of_finished_notes(rows, project=project, since=since, round_id=round_id).order_by("pk")
    for number, told, ratings in found.values_list("patient", "counts", "ratings").iterator(chunk_size=2000):
        patient = patients.setdefault(number, len(patients))
        tallies = _tallies(told, labels)
        for label, tally in {ALL_LABELS: _in_all(tallies), **tallies}.items():
            counts.add(label, patient, tally)
        sums.add(group=patient % MOST_GROUPS, tallies=ratings)
    confusion = _confusion(project, since, round_id, row)
    return {
        **_pool_json(counts, labels, n_resamples),
        "coefficients": _coefficients_json(sums.of_two(labels, seed=0, n_resamples=n_resamples)),
        "confusion": _confusion_json(confusion),
    }


def _tallies(counts: Mapping[str, Sequence[int]], labels: Sequence[str]) -> dict[str, Tally]:
    return {label: Tally(*counts[label]) for label in labels if label in counts}


def _in_all(tallies: Mapping[str, Tally]) -> Tally:
    return reduce(Tally.plus, tallies.values(), Tally())


def _confusion(
    project: Project, since: datetime | None, round_id: str, pair: ReaderPair | None = None
) -> Mapping[int, Counter[tuple[str, str]]]:
    """By pair of people, or of one pair, how often one gives which label, or none, where the other gives which. One
    query.
    """
    rows = Difference.objects.exclude(label_a=F("label_b"))
    # Of a pair without its project: else SQLite takes the index of all the project's differences.
    rows = rows.filter(pair=pair) if pair else rows.filter(project=project, pair__kind=Kind.ANNOTATORS)
    counted = (
        of_finished_notes(rows, project=project, since=since, round_id=round_id)
        .order_by()
        .values_list("pair_id", "label_a", "label_b")
        .annotate(n=Count("pk"))
    )
    found: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
    for pair_id, label_a, label_b, n in counted:
        found[pair_id][label_a, label_b] = n
    return found


def _confusion_json(confusion: Mapping[int, Counter[tuple[str, str]]]) -> list[list[Any]]:
    return [[*labels, n] for labels, n in sorted(sum(confusion.values(), Counter()).items())]


def _gap(confusion: Mapping[tuple[str, str], int]) -> list[Any] | None:
    """What differs most often, whoever says which: two labels, or one and nothing, how often, and out of how many."""
    either: Counter[tuple[str, str]] = Counter()
    for (label_a, label_b), n in confusion.items():
        either[min(label_a, label_b), max(label_a, label_b)] += n
    if not either:
        return None
    (labels, n) = max(either.items(), key=lambda item: (item[1], item[0]))
    return [*labels, n, either.total()]


def _coefficients(
    project: Project, labels: Sequence[str], since: datetime | None, round_id: str, n_resamples: int
) -> dict[str, Any]:
    """Alpha and Fleiss' kappa of all that people rate, and of how many notes no ratings are kept yet. One query."""
    rows = TokenRatings.objects.filter(project=project)
    rows = of_finished_notes(rows, project=project, since=since, round_id=round_id).order_by("pk")
    patients: dict[int, int] = {}
    sums, n_older = Sums(), 0
    for number, ratings in rows.values_list("patient", "ratings").iterator(chunk_size=2000):
        group = patients.setdefault(number, len(patients)) % MOST_GROUPS
        if ratings is None:
            n_older += 1
        else:
            sums.add(group=group, tallies=ratings)
    found = _coefficients_json(sums.of_all(labels, seed=0, n_resamples=n_resamples))
    return {"coefficients": found, "n_older": n_older}


def _coefficients_json(found: Coefficients) -> dict[str, Any]:
    return {
        rated: {
            name: {figure: coefficient_json(each) for figure, each in figures.items()}
            for name, figures in by_name.items()
        }
        for rated, by_name in found.items()
    }
