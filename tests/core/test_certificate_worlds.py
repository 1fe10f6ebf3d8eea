"""The worlds that certificates are tried on, and the whole protocol gone through in one of them."""

from __future__ import annotations

import numpy as np
import pytest

from annotator.core.certificates import Ladder, Promise, Rung
from bench.certificate_worlds import Walk, adversarial_errors, oracle_size, run_world

PROMISE = Promise(0.95)
LADDER = Ladder(PROMISE, tuple(Rung("A" if size > 150 else "B", size, 0.02) for size in (100, 150, 200, 300, 450, 700)))


def test_a_flat_world_has_one_error_too_many_in_every_region() -> None:
    errors = adversarial_errors("flat", LADDER, 700).cumsum()
    assert [int(errors[size - 1]) for size in range(1, 701)] == [PROMISE.breaking(size) for size in range(1, 701)]


def test_a_cliff_is_clean_up_to_a_rung_and_has_one_error_too_many_beyond() -> None:
    errors = adversarial_errors("cliff", LADDER, 700).cumsum()
    assert errors[449] == 0
    assert errors[699] == PROMISE.breaking(700)


def test_a_reversed_world_is_bad_in_the_strict_regions_and_good_in_the_loose_ones() -> None:
    errors = adversarial_errors("reversed", LADDER, 2000).cumsum()
    assert errors[199] == PROMISE.breaking(200)
    assert errors[1999] < PROMISE.breaking(2000)


def test_the_oracle_takes_the_largest_region_that_keeps_the_promise() -> None:
    wrong = np.array([False] * 19 + [True] + [False] * 10 + [True] * 5)
    assert oracle_size(wrong, PROMISE) == 30
    assert oracle_size(np.array([True] * 5), PROMISE) == 0


def test_in_a_clean_batch_rungs_pass_in_turn_and_what_is_left_is_accepted() -> None:
    walk = Walk(np.random.default_rng(1), LADDER, np.zeros(700, dtype=bool))
    stop = walk.stop()
    assert walk.passed(walk.length) == set(range(6))
    assert 61 <= stop < 400
    assert not walk.is_any_false([False] * 6)
    assert walk.is_any_false([True] * 6)


@pytest.mark.parametrize("notes", ["seen", "unseen"])
def test_a_world_is_the_same_for_the_same_seed_and_saves_work(notes) -> None:
    first, again = (run_world(3, 3, 2000, PROMISE, "ordinary", notes) for _ in range(2))
    assert first == again
    assert first.world == "beta(8,.5)"
    assert 0 < first.audits_inside < first.certified <= 2000
    assert 0 < first.net < first.oracle
    assert first.revocations is not None or first.is_false


def test_an_adversarial_world_is_followed_to_the_end() -> None:
    outcome = run_world(3, 1, 1000, PROMISE, "flat", "unseen")
    assert outcome.certified == 0
    assert 0 < outcome.audits <= 700
