from __future__ import annotations

from math import comb, inf, lgamma, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta as beta_law

from annotator.core.certificates import (
    Ladder,
    Promise,
    Rung,
    claimed,
    delivered_precision,
    evidence_by_rung,
    fewest_audits,
    ladder_evidence,
    log_evidence,
    log_evidences,
    lower_bound,
    unchecked_precision,
)


def crossing_chance(*, size: int, n_errors: int, target: float, alpha: float) -> float:
    """How likely the evidence of a region with so many errors ever passes, exactly: by the labels' chances in turn."""
    promise = Promise(target)
    x = np.arange(n_errors + 1)
    alive = np.zeros(n_errors + 1)
    alive[0] = 1.0
    crossed = 0.0
    for n in range(size):
        wrong = np.clip((n_errors - x) / (size - n), 0, 1)
        after = alive * (1 - wrong)
        after[1:] += (alive * wrong)[:-1]
        evidence = log_evidences(n + 1, x, size=size, breaking=promise.breaking(size), error=promise.error)
        passes = evidence >= -log(alpha)
        crossed += after[passes].sum()
        alive = np.where(passes, 0.0, after)
    return float(crossed)


@pytest.mark.parametrize(("size", "target"), [(300, 0.95), (450, 0.98), (200, 0.9)])
def test_a_region_with_one_error_too_many_passes_by_chance_just_less_often_than_alpha(size, target) -> None:
    n_errors = Promise(target).breaking(size)
    assert 0.043 <= crossing_chance(size=size, n_errors=n_errors, target=target, alpha=0.05) <= 0.05


def test_a_region_with_more_errors_passes_still_less_often() -> None:
    at_the_limit, above = (crossing_chance(size=300, n_errors=m, target=0.95, alpha=0.05) for m in (16, 20))
    assert above < at_the_limit / 2


def test_a_region_with_few_errors_passes_almost_surely() -> None:
    assert crossing_chance(size=600, n_errors=6, target=0.95, alpha=0.05) > 0.99


@pytest.mark.parametrize(
    ("size", "target"),
    [(60, 0.95), (200, 0.95), (500, 0.95), (100, 0.98), (400, 0.98), (1000, 0.98), (50, 0.9), (150, 0.9), (80, 0.8)],
)
def test_the_evidence_is_expected_to_stay_below_one_at_the_limit(size, target) -> None:
    """The whole law of what a sample shows, by counting (Waudby-Smith & Ramdas 2020)."""
    m = Promise(target).breaking(size)
    for n in (1, 5, size // 4, size // 2, size - 1):
        x = range(max(0, n - (size - m)), min(n, m) + 1)
        chances = [comb(m, k) * comb(size - m, n - k) / comb(size, n) for k in x]
        evidence = np.exp([log_evidence(n_audited=n, n_wrong=k, size=size, target=target) for k in x])
        assert sum(chances) == pytest.approx(1)
        assert float(np.dot(chances, evidence)) <= 1


def test_the_evidence_is_the_formula_term_by_term() -> None:
    size, target, n, x = 1500, 0.95, 220, 3
    m, limit, b = 76, 0.05, 60 / 0.05
    mixture = 0.0
    for share in (0.2, 0.4, 0.6, 0.8):
        a = 60 * share
        log_beta = [lgamma(p) + lgamma(q) - lgamma(p + q) for p, q in ((a + x, b + n - x), (a, b))]
        cut = beta_law.cdf(limit, a + x, b + n - x) / beta_law.cdf(limit, a, b)
        mixture += 0.25 * np.exp(log_beta[0] - log_beta[1]) * cut
    expected = log(mixture) - log(comb(size - n, m - x) / comb(size, m))
    assert log_evidence(n_audited=n, n_wrong=x, size=size, target=target) == pytest.approx(expected, abs=1e-6)


def test_arrays_hold_what_single_looks_do() -> None:
    ladder = Ladder(Promise(0.95), (Rung("B", 200, 0.01), Rung("A", 500, 0.01), Rung("A", 900, 0.02)))
    n, x = [[10, 40, 60], [60, 150, 300]], [[0, 1, 2], [1, 4, 30]]
    expected = [
        [
            log_evidence(n_audited=n, n_wrong=x, size=rung.size, target=0.95)
            for n, x, rung in zip(ns, xs, ladder.rungs, strict=True)
        ]
        for ns, xs in zip(n, x, strict=True)
    ]
    assert np.array_equal(ladder_evidence(ladder, n, x), np.array(expected))
    assert evidence_by_rung(ladder, n[0], x[0]) == expected[0]


def test_too_many_wrong_ones_say_nothing_and_too_few_left_say_everything() -> None:
    assert log_evidence(n_audited=20, n_wrong=2, size=100, target=0.95) == -inf
    assert log_evidence(n_audited=100, n_wrong=6, size=100, target=0.95) == -inf
    assert log_evidence(n_audited=96, n_wrong=1, size=100, target=0.95) == inf
    assert log_evidence(n_audited=0, n_wrong=0, size=100, target=0.95) == pytest.approx(0, abs=1e-9)


def test_counts_that_cannot_be_are_refused() -> None:
    for counts in ({"n_audited": 5, "n_wrong": 6}, {"n_audited": 101, "n_wrong": 0}, {"n_audited": 5, "n_wrong": -1}):
        with pytest.raises(ValueError, match="wrong of"):
            log_evidence(**counts, size=100, target=0.95)
        with pytest.raises(ValueError, match="wrong of"):
            lower_bound(**counts, size=100, promise=Promise(0.95))


def test_a_promise_counts_its_errors_exactly() -> None:
    assert [Promise(0.95).allowed(size) for size in (19, 20, 999, 1000)] == [0, 1, 49, 50]
    assert [Promise(0.9).allowed(size) for size in (10, 30, 70)] == [1, 3, 7]
    assert Promise(0.98).breaking(150) == 4
    assert Promise(0.95).error == pytest.approx(0.05)


@pytest.mark.parametrize("values", [(0.0, 0.05), (1.0, 0.05), (0.95, 0.0), (95, 0.05)])
def test_a_promise_without_sense_is_refused(values) -> None:
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        Promise(*values)


@given(st.integers(30, 3000), st.integers(0, 12), st.sampled_from([0.9, 0.95, 0.98]))
def test_the_fewest_audits_pass_and_one_less_does_not(size, n_wrong, target) -> None:
    promise, threshold = Promise(target), -log(0.045)
    n = int(fewest_audits(np.array([n_wrong]), size=size, promise=promise, threshold=threshold)[0])

    def passes(n_audited: int) -> bool:
        return log_evidence(n_audited=n_audited, n_wrong=n_wrong, size=size, target=target) >= threshold

    if n <= size:
        assert passes(n)
        assert passes(min(n + 1, size))
    if n_wrong < n <= size + 1:
        assert not passes(n - 1)


def test_the_fewest_audits_without_an_error_are_those_of_the_reference() -> None:
    """ln(1/.045) / -ln(target) is the floor that no bet goes below: 61 and 154."""
    for target, floor in ((0.95, 61), (0.98, 154)):
        found = fewest_audits(np.array([0]), size=100_000, promise=Promise(target), threshold=-log(0.045))
        assert floor <= found[0] <= 1.6 * floor


def ladder_of(*chains: str) -> Ladder:
    return Ladder(Promise(0.95), tuple(Rung(chain, 100 * place, 0.01) for place, chain in enumerate(chains, 1)))


@pytest.mark.parametrize(
    ("passed", "index"),
    [
        ((), None),
        ((0,), 0),
        ((1,), None),
        ((0, 1), 1),
        ((2,), 2),
        ((2, 4), 2),
        ((2, 3, 4), 4),
        ((3, 4), None),
        ((0, 1, 3, 4), 1),
        ((0, 2, 3), 3),
    ],
)
def test_a_rung_counts_after_those_before_it_in_its_chain(passed, index) -> None:
    assert claimed(ladder_of("B", "B", "A", "A", "A"), set(passed)) == index


def test_the_chains_share_the_chance_of_a_false_claim() -> None:
    both, one = ladder_of("B", "A", "A"), ladder_of("A", "A")
    assert (both.alpha("A"), both.alpha("B")) == pytest.approx((0.045, 0.005))
    assert one.alpha("A") == 0.05
    assert both.threshold(0) == pytest.approx(-log(0.005))
    assert both.largest == 300


def test_a_ladder_without_rungs_or_out_of_order_is_refused() -> None:
    for rungs in ((), (Rung("A", 200, 0.0), Rung("A", 100, 0.0)), (Rung("A", 100, 0.0), Rung("A", 100, 0.0))):
        with pytest.raises(ValueError, match="a ladder has rungs"):
            Ladder(Promise(0.95), rungs)


@pytest.mark.parametrize(
    ("size", "n", "x", "unchecked", "delivered"), [(1679, 555, 16, 0.940, 0.960), (8960, 796, 24, 0.948, 0.953)]
)
def test_the_companions_are_those_of_the_reference(size, n, x, unchecked, delivered) -> None:
    assert unchecked_precision(n_audited=n, n_wrong=x, size=size, target=0.95) == pytest.approx(unchecked, abs=6e-4)
    assert delivered_precision(n_wrong=x, size=size, target=0.95) == pytest.approx(delivered, abs=6e-4)


@given(st.integers(20, 400), st.data())
def test_the_companions_are_what_the_worst_kept_promise_leaves(size, data) -> None:
    promise = Promise(0.9)
    n_errors = promise.allowed(size)
    n = data.draw(st.integers(0, size))
    x = data.draw(st.integers(max(0, n - (size - n_errors)), min(n, n_errors)))
    unchecked = unchecked_precision(n_audited=n, n_wrong=x, size=size, target=0.9)
    if n == size:
        assert unchecked is None
    else:
        assert unchecked == pytest.approx(1 - (n_errors - x) / (size - n))
    assert delivered_precision(n_wrong=x, size=size, target=0.9) == pytest.approx(1 - (n_errors - x) / size)


def test_the_lower_bound_reaches_the_promise_where_the_evidence_does() -> None:
    promise, size = Promise(0.95), 800
    for x in (0, 2, 5):
        n = int(fewest_audits(np.array([x]), size=size, promise=promise, threshold=-log(0.05))[0])
        before, at = (lower_bound(n_audited=k, n_wrong=x, size=size, promise=promise) for k in (n - 1, n))
        assert before < 0.95 <= at


def test_the_lower_bound_of_all_is_their_precision() -> None:
    assert lower_bound(n_audited=200, n_wrong=7, size=200, promise=Promise(0.95)) == pytest.approx(1 - 7 / 200)
    assert lower_bound(n_audited=0, n_wrong=0, size=200, promise=Promise(0.95)) == 0.0


def test_the_lower_bound_is_too_high_at_any_look_just_as_rarely_as_alpha_says() -> None:
    """Exactly, for a region with more errors than promised: the bound must stay below its precision."""
    promise, size, n_errors, alpha = Promise(0.95), 60, 5, 0.1
    alive = np.zeros(n_errors + 1)
    alive[0] = 1.0
    x = np.arange(n_errors + 1)
    missed = 0.0
    for n in range(size):
        wrong = np.clip((n_errors - x) / (size - n), 0, 1)
        after = alive * (1 - wrong)
        after[1:] += (alive * wrong)[:-1]
        possible = [k for k in x if k <= n + 1 and n_errors - k <= size - n - 1]
        for k in possible:
            bound = lower_bound(n_audited=n + 1, n_wrong=int(k), size=size, promise=promise, alpha=alpha)
            if bound > 1 - n_errors / size + 1e-12:
                missed += after[k]
                after[k] = 0.0
        alive = after
    assert 0 < missed <= alpha
