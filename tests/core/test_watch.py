from __future__ import annotations

import random
from itertools import accumulate, product
from math import comb, exp, inf, log

import pytest

from annotator.core.watch import audits_to_detect, doubts, doubts_in_batch, revoked_at


def chance_of(wrong, rate: float) -> float:
    return rate ** sum(wrong) * (1 - rate) ** (len(wrong) - sum(wrong))


@pytest.mark.parametrize("target", [0.9, 0.95, 0.98, 0.5])
def test_doubt_is_expected_to_be_one_at_the_limit_and_less_below_it(target) -> None:
    """Over every sequence of so many audits."""
    for length in (1, 4, 8):
        found = {wrong: exp(doubts(wrong, target=target)[-1]) for wrong in product((0, 1), repeat=length)}
        at, below = (
            sum(chance_of(wrong, rate) * value for wrong, value in found.items())
            for rate in (1 - target, (1 - target) / 2)
        )
        assert at == pytest.approx(1)
        assert below < 1


def test_doubt_does_not_grow_by_one_more_audit_whatever_came_before() -> None:
    rng = random.Random(3)
    for _ in range(20):
        before = [rng.random() < 0.2 for _ in range(rng.randrange(1, 60))]
        now = exp(doubts(before, target=0.95)[-1])
        right, wrong = (exp(doubts([*before, last], target=0.95)[-1]) for last in (False, True))
        assert 0.95 * right + 0.05 * wrong == pytest.approx(now)


def test_what_goes_wrong_revokes_and_what_goes_well_does_not() -> None:
    assert revoked_at(doubts([False] * 500, target=0.95), delta=0.05) is None
    found = revoked_at(doubts([True] * 10, target=0.95), delta=0.05)
    assert found is not None
    assert found <= 4
    assert revoked_at([0.0, 2.99, 3.0, 9.9], delta=0.05) == 3


def test_a_fall_after_long_is_found_about_as_soon_as_one_from_the_start() -> None:
    """Every fifth is wrong from then on, of which the promise allows every twentieth."""
    bad = [at % 5 == 0 for at in range(600)]
    at_once = revoked_at(doubts(bad, target=0.95), delta=0.05)
    later = revoked_at(doubts([False] * 2000 + bad, target=0.95), delta=0.05)
    assert at_once is not None
    assert later is not None
    assert at_once < 60
    assert later - 2000 < at_once + 80


def test_one_audit_more_is_all_that_a_repeat_needs() -> None:
    wrong = [at % 7 == 0 for at in range(50)]
    assert doubts(wrong, target=0.9)[:20] == doubts(wrong[:20], target=0.9)


@pytest.mark.parametrize(("size", "n_allowed"), [(12, 2), (14, 0), (10, 5)])
def test_doubt_in_a_batch_stays_below_one_at_the_limit_and_under_it(size, n_allowed) -> None:
    """By the whole law of what a sample shows."""
    for n_errors in range(n_allowed + 1):
        for n in (1, size // 2, size):
            total = 0.0
            for wrong in product((False, True), repeat=n):
                x = sum(wrong)
                if x <= n_errors and n - x <= size - n_errors:
                    chance = comb(size - n, n_errors - x) / comb(size, n_errors)
                    total += chance * exp(doubts_in_batch(wrong, size=size, n_allowed=n_allowed)[-1])
            assert total <= 1 + 1e-9


def test_doubt_in_a_batch_is_reached_by_chance_no_more_often_than_delta() -> None:
    size, n_allowed, delta, n_runs = 60, 6, 0.1, 400
    labels = [at < n_allowed for at in range(size)]
    rng = random.Random(8)
    n_false = 0
    for _ in range(n_runs):
        rng.shuffle(labels)
        n_false += revoked_at(doubts_in_batch(labels, size=size, n_allowed=n_allowed), delta=delta) is not None
    # Three standard deviations of a share at the bound.
    assert 0 < n_false / n_runs <= delta + 3 * (delta * (1 - delta) / n_runs) ** 0.5


def test_more_errors_than_allowed_are_proof() -> None:
    assert doubts_in_batch([True, True], size=50, n_allowed=1)[-1] == inf
    assert doubts_in_batch([False, False], size=50, n_allowed=1)[-1] == -inf


def test_a_batch_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="3 audits of 2"):
        doubts_in_batch([False] * 3, size=2, n_allowed=1)
    with pytest.raises(ValueError, match="allowed of"):
        doubts_in_batch([False], size=2, n_allowed=-1)


def test_a_rest_that_may_all_be_wrong_cannot_break_the_promise() -> None:
    assert doubts_in_batch([True, True], size=2, n_allowed=3) == [-inf, -inf]
    assert doubts_in_batch([], size=0, n_allowed=1) == []


def test_a_larger_fall_is_found_sooner_and_a_late_one_later() -> None:
    five, ten = (audits_to_detect(target=0.95, drop=drop, delta=0.05) for drop in (0.05, 0.10))
    assert ten < five / 2
    assert audits_to_detect(target=0.95, drop=0.1, delta=0.05, is_late=True) > ten
    assert audits_to_detect(target=0.95, drop=0.1, delta=0.01) > ten
    with pytest.raises(ValueError, match="a drop of"):
        audits_to_detect(target=0.95, drop=0.0, delta=0.05)


@pytest.mark.parametrize("drop", [0.05, 0.10])
def test_the_audits_that_a_fall_takes_are_about_those_that_are_said(drop) -> None:
    rng = random.Random(5)
    times = []
    for _ in range(20):
        wrong = [rng.random() < 0.05 + drop for _ in range(1000)]
        times.append(revoked_at(doubts(wrong, target=0.95), delta=0.05) or 1000)
    said = audits_to_detect(target=0.95, drop=drop, delta=0.05)
    assert 0.6 * said < sum(times) / len(times) < 1.4 * said


def test_the_logarithm_is_that_of_the_mixture() -> None:
    """Two audits by hand: all bets that begin with the first, with the second, and those still waiting."""
    rates = [0.08, 0.11, 0.17, 0.29]
    first = sum(rate / 0.05 for rate in rates) / 4
    both = sum(rate / 0.05 * (1 - rate) / 0.95 for rate in rates) / 4
    second = sum((1 - rate) / 0.95 for rate in rates) / 4
    waiting = list(accumulate([0.5, 499 / 500], lambda a, b: a * b))
    expected = [0.5 * first + waiting[0], 0.5 * both + 0.5 / 500 * second + waiting[1]]
    assert doubts([True, False], target=0.95) == pytest.approx([log(value) for value in expected])
