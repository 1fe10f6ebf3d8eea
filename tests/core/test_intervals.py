from __future__ import annotations

import pytest

from annotator.core.intervals import FEWEST_NOTES, intervals, weighted_ratio


def test_the_interval_of_a_share_is_that_of_the_normal_distribution() -> None:
    n_notes, share = 400, 0.3
    values = [note < share * n_notes for note in range(n_notes)]

    def mean(weights):
        return sum(w for w, value in zip(weights, values, strict=True) if value) / n_notes

    low, high = intervals(n_notes, {"share": mean}, seed=3)["share"]
    half = 1.96 * (share * (1 - share) / n_notes) ** 0.5
    assert low == pytest.approx(share - half, abs=0.006)
    assert high == pytest.approx(share + half, abs=0.006)


def test_an_interval_is_the_same_for_the_same_seed() -> None:
    values = [value**2 for value in range(20)]
    statistics = {"sum": lambda weights: sum(w * v for w, v in zip(weights, values, strict=True))}
    assert intervals(20, statistics, seed=1) == intervals(20, statistics, seed=1) != intervals(20, statistics, seed=2)


def test_few_notes_have_no_interval() -> None:
    assert intervals(FEWEST_NOTES - 1, {"one": lambda weights: 1.0}) == {"one": None}
    assert intervals(FEWEST_NOTES, {"one": lambda weights: 1.0}) == {"one": (1.0, 1.0)}
    assert intervals(2, {"one": lambda weights: 1.0}, fewest=2) == {"one": (1.0, 1.0)}


def test_what_is_rarely_defined_has_no_interval() -> None:
    assert intervals(20, {"rare": lambda weights: 1.0 if weights[0] else None}) == {"rare": None}


def test_a_weighted_ratio_is_one_of_sums() -> None:
    ratio = weighted_ratio([1, 0, 4], [2, 5, 4])
    assert ratio([1, 1, 1]) == pytest.approx(5 / 11)
    assert ratio([0, 2, 1]) == pytest.approx(4 / 14)
    assert ratio([0, 0, 0]) is None
