"""How well a score tells right from wrong, and how far it is a probability.

Scores are numbers, higher for what is thought right; `right` says what was. None stands for what is not defined.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import mul

from annotator.core.intervals import Statistic, Weights

N_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Neighbouring scores: how many, their mean, and which share of them is right."""

    n: int
    mean_score: float
    share_right: float


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """Of the best scored `coverage` (a share), `risk` is the share that is wrong."""

    coverage: float
    risk: float


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """The chance that a right one is scored above a wrong one, ties counted half.

    It is the Mann-Whitney U over the number of pairs (Hanley & McNeil 1982). None without a right and a wrong one.
    """
    return weighted_auroc(scores, right, range(len(scores)))([1] * len(scores))


def weighted_auroc(scores: Sequence[float], right: Sequence[bool], notes: Sequence[int]) -> Statistic:
    """The AUROC as a function of how often each note counts; `notes` says which note each score is of.

    What depends on scores alone is done once, so that a resample costs little.
    """
    rows = list(zip(scores, right, notes, strict=True))
    wrong = sorted((score, note) for score, is_right, note in rows if not is_right)
    wrong_scores, wrong_notes = [score for score, _ in wrong], [note for _, note in wrong]
    rights = [(score, note) for score, is_right, note in rows if is_right]
    right_notes = [note for _, note in rights]
    n_below = [bisect_left(wrong_scores, score) for score, _ in rights]
    n_up_to = [bisect_right(wrong_scores, score) for score, _ in rights]

    def statistic(weights: Weights) -> float | None:
        right_weights = [weights[note] for note in right_notes]
        wrong_weights = [0, *accumulate(map(weights.__getitem__, wrong_notes))]
        pairs = sum(right_weights) * wrong_weights[-1]
        above = sum(map(mul, right_weights, map(wrong_weights.__getitem__, n_below)))
        level = sum(map(mul, right_weights, map(wrong_weights.__getitem__, n_up_to)))
        return (above + level) / 2 / pairs if pairs else None

    return statistic


def brier(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """Mean squared distance of the score from 1 (right) or 0 (wrong): Brier 1950, half of his sum."""
    if not scores:
        return None
    return sum((score - is_right) ** 2 for score, is_right in zip(scores, right, strict=True)) / len(scores)


def reliability(scores: Sequence[float], right: Sequence[bool], n_bins: int = N_BINS) -> tuple[Bin, ...]:
    """Bins of equal mass, lowest scores first. Equal scores share a bin, so there may be fewer and uneven ones."""
    rows = sorted(zip(scores, right, strict=True))
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    n_before = 0
    for _, tied in groupby(rows, key=lambda row: row[0]):
        members = list(tied)
        middle = n_before + len(members) / 2
        bins[int(middle * n_bins / len(rows))] += members
        n_before += len(members)
    return tuple(
        Bin(
            n=len(members),
            mean_score=sum(score for score, _ in members) / len(members),
            share_right=sum(is_right for _, is_right in members) / len(members),
        )
        for members in bins.values()
    )


def ece(bins: Sequence[Bin]) -> float | None:
    """Expected calibration error: mean distance of score and share right, weighted by the bins' numbers.

    Naeini et al. 2015, over bins of equal mass (Nguyen & O'Connor 2015).
    """
    total = sum(found.n for found in bins)
    if not total:
        return None
    return sum(found.n * abs(found.share_right - found.mean_score) for found in bins) / total


def risk_coverage(scores: Sequence[float], right: Sequence[bool]) -> tuple[RiskPoint, ...]:
    """Risk at each coverage that a threshold can reach, smallest first (El-Yaniv & Wiener 2010)."""
    points = []
    n_covered = n_wrong = 0
    for _, tied in groupby(_best_first(scores, right), key=lambda row: row[0]):
        members = [is_right for _, is_right in tied]
        n_covered += len(members)
        n_wrong += members.count(False)
        points.append(RiskPoint(n_covered / len(scores), n_wrong / n_covered))
    return tuple(points)


def risk_curve(points: Sequence[RiskPoint], n_steps: int) -> list[RiskPoint]:
    """The risk at the coverages 1/n_steps, 2/n_steps, … 1; between thresholds equal scores come in mean order."""
    curve = []
    before, place = RiskPoint(0.0, 0.0), 0
    for step in range(1, n_steps + 1 if points else 1):
        coverage = step / n_steps
        while place + 1 < len(points) and points[place].coverage < coverage:
            before, place = points[place], place + 1
        after = points[place]
        share = (coverage - before.coverage) / (after.coverage - before.coverage)
        n_wrong = before.risk * before.coverage
        n_wrong += min(share, 1.0) * (after.risk * after.coverage - n_wrong)
        curve.append(RiskPoint(coverage, n_wrong / coverage))
    return curve


def risk_coverage_area(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """Mean risk over the coverages 1/n, 2/n, … 1 (Geifman, Uziel & El-Yaniv 2019); equal scores in mean order.

    It is 0 where all are right, and lower the better the score ranks.
    """
    if not scores:
        return None
    area = n_wrong = 0.0
    n_covered = 0
    for _, tied in groupby(_best_first(scores, right), key=lambda row: row[0]):
        members = [is_right for _, is_right in tied]
        share_wrong = members.count(False) / len(members)
        for _ in members:
            n_covered += 1
            n_wrong += share_wrong
            area += n_wrong / n_covered
    return area / len(scores)


def _best_first(scores: Sequence[float], right: Sequence[bool]) -> list[tuple[float, bool]]:
    return sorted(zip(scores, right, strict=True), key=lambda row: -row[0])
