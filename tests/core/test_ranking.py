from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.ranking import (
    Bin,
    RiskPoint,
    auroc,
    brier,
    ece,
    reliability,
    risk_coverage,
    risk_coverage_area,
    risk_curve,
    weighted_auroc,
)

rows = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.4, 0.7, 0.9]), st.booleans()), max_size=40)


def columns(pairs: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [score for score, _ in pairs], [is_right for _, is_right in pairs]


def test_auroc_of_hanley_and_mcneil_is_theirs() -> None:
    """Table I of their paper of 1982: 109 CT images rated 1 to 5; the area is .893."""
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    scores = [rating for counts in (normal, abnormal) for rating, n in enumerate(counts, 1) for _ in range(n)]
    right = [False] * sum(normal) + [True] * sum(abnormal)
    assert auroc(scores, right) == pytest.approx(0.893, abs=0.0005)


@given(pairs=rows)
def test_auroc_is_the_share_of_pairs_in_order(pairs: list[tuple[float, bool]]) -> None:
    high, low = [s for s, is_right in pairs if is_right], [s for s, is_right in pairs if not is_right]
    wins = [(h > w) + (h == w) / 2 for h in high for w in low]
    expected = sum(wins) / len(wins) if wins else None
    found = auroc(*columns(pairs))
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_score_that_says_nothing_has_an_auroc_of_a_half() -> None:
    assert auroc([0.5] * 4, [True, False, True, False]) == 0.5


def test_a_weight_counts_a_note_again() -> None:
    scores, right, notes = [0.9, 0.3, 0.6, 0.8], [True, False, True, False], [0, 0, 1, 1]
    twice = weighted_auroc(scores, right, notes)([2, 1])
    again = auroc([*scores, *scores[:2]], [*right, *right[:2]])
    assert again is not None
    assert twice == pytest.approx(again)
    assert weighted_auroc(scores, right, notes)([0, 0]) is None


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier([0.7, 0.2], [True, False]) == pytest.approx((0.09 + 0.04) / 2)
    assert brier([], []) is None


def test_bins_hold_equal_numbers_in_order() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, 0.9, 1.0]
    right = [False, False, True, False, True, True]
    assert reliability(scores, right, n_bins=3) == (
        Bin(2, pytest.approx(0.15), 0.0),
        Bin(2, pytest.approx(0.35), 0.5),
        Bin(2, pytest.approx(0.95), 1.0),
    )


def test_ece_is_the_mean_distance_of_the_bins() -> None:
    bins = (Bin(2, 0.15, 0.0), Bin(2, 0.35, 0.5), Bin(2, 0.95, 1.0))
    assert ece(bins) == pytest.approx((0.15 + 0.15 + 0.05) / 3)
    assert ece(()) is None


@given(pairs=rows, seed=st.integers(0, 5))
def test_the_order_of_spans_changes_no_measure(pairs: list[tuple[float, bool]], seed: int) -> None:
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    for measure in (auroc, brier, risk_coverage_area, lambda *c: ece(reliability(*c))):
        one, other = measure(*columns(pairs)), measure(*columns(shuffled))
        assert one == (None if other is None else pytest.approx(other))
    assert risk_coverage(*columns(pairs)) == risk_coverage(*columns(shuffled))


@given(pairs=rows)
def test_equal_scores_share_a_bin(pairs: list[tuple[float, bool]]) -> None:
    bins = reliability(*columns(pairs), n_bins=3)
    assert sum(found.n for found in bins) == len(pairs)
    assert len(bins) <= min(3, len({score for score, _ in pairs}))


def test_risk_falls_with_coverage_where_the_score_ranks() -> None:
    scores, right = [0.9, 0.8, 0.8, 0.1], [True, True, False, False]
    assert risk_coverage(scores, right) == (
        RiskPoint(0.25, 0.0),
        RiskPoint(0.75, pytest.approx(1 / 3)),
        RiskPoint(1.0, 0.5),
    )
    # 0, then half a wrong one of two, one of three, two of four.
    assert risk_coverage_area(scores, right) == pytest.approx((0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4)
    assert risk_coverage_area([], []) is None


def test_the_risk_curve_stands_at_equal_steps() -> None:
    points = risk_coverage([0.9, 0.8, 0.8, 0.1], [True, True, False, False])
    assert [(point.coverage, point.risk) for point in risk_curve(points, 4)] == [
        *((0.25, 0.0), (0.5, 0.25), (0.75, pytest.approx(1 / 3)), (1.0, 0.5))
    ]
    assert risk_curve((), 4) == []


@given(pairs=rows.filter(bool))
def test_the_risk_curve_ends_at_the_share_that_is_wrong(pairs: list[tuple[float, bool]]) -> None:
    curve = risk_curve(risk_coverage(*columns(pairs)), 7)
    assert len(curve) == 7
    assert curve[-1].risk == pytest.approx(sum(not is_right for _, is_right in pairs) / len(pairs))
    assert all(-1e-9 <= point.risk <= 1 + 1e-9 for point in curve)


@given(pairs=rows.filter(bool))
def test_the_area_is_the_mean_of_the_curve(pairs: list[tuple[float, bool]]) -> None:
    curve = risk_curve(risk_coverage(*columns(pairs)), len(pairs))
    assert risk_coverage_area(*columns(pairs)) == pytest.approx(sum(point.risk for point in curve) / len(pairs))
