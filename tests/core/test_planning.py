from __future__ import annotations

from math import log

import numpy as np
import pytest

from annotator.core.certificates import Ladder, Promise, Rung, fewest_audits
from annotator.core.planning import (
    TooFewCandidates,
    audits_needed,
    fewest_candidates,
    go_on,
    plan_ladder,
)

PROMISE = Promise(0.95)


def mean_errors_of(n: int, *, top: float = 0.002, bottom: float = 0.3, n_draws: int = 24) -> np.ndarray:
    """Draws of a batch whose errors grow from the most confident suggestion to the last, as fits differ."""
    factors = np.exp(np.random.default_rng(2).normal(0, 0.2, n_draws))
    errors = np.minimum(np.geomspace(top, bottom, n) * factors[:, None], 1.0)
    return errors.cumsum(1) / np.arange(1, n + 1)


def test_the_ladder_has_two_chains_around_the_planned_start() -> None:
    ladder = plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(6000))
    chains = [rung.chain for rung in ladder.rungs]
    sizes = [rung.size for rung in ladder.rungs]
    assert chains == sorted(chains, reverse=True)
    assert chains.count("B") >= 1
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= max(fewest_candidates(PROMISE), 180)
    assert sizes[-1] <= 6000
    assert ladder.alpha("A") + ladder.alpha("B") == pytest.approx(0.05)


def test_the_plan_reads_the_draws_only() -> None:
    first, second = (plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(3000)) for _ in range(2))
    assert first == second


def test_better_batches_and_easier_promises_have_larger_ladders() -> None:
    good = plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(20_000, top=0.01, bottom=0.5))
    poor = plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(20_000, top=0.02, bottom=0.9))
    strict = plan_ladder(promise=Promise(0.98), mean_errors=mean_errors_of(20_000, top=0.01, bottom=0.5))
    starts = [next(rung.size for rung in ladder.rungs if rung.chain == "A") for ladder in (good, poor, strict)]
    assert starts[0] > starts[1]
    assert starts[0] > starts[2]


def test_a_batch_without_prospects_still_has_a_ladder_from_the_smallest_region() -> None:
    ladder = plan_ladder(promise=PROMISE, mean_errors=np.full((24, 2000), 0.3))
    assert ladder.rungs[0].size == max(fewest_candidates(PROMISE), 60)
    assert {rung.chain for rung in ladder.rungs} == {"A"}
    assert ladder.rungs[0].expected_error == pytest.approx(0.3)


def test_a_batch_too_small_for_any_region_is_refused() -> None:
    wanted = fewest_candidates(PROMISE)
    assert len(plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(wanted)).rungs) == 1
    with pytest.raises(TooFewCandidates, match=f"{wanted - 1} candidates, and at least {wanted}") as refused:
        plan_ladder(promise=PROMISE, mean_errors=mean_errors_of(wanted - 1))
    assert (refused.value.n_candidates, refused.value.n_wanted) == (wanted - 1, wanted)


LADDER = Ladder(PROMISE, (Rung("B", 300, 0.01), Rung("A", 600, 0.01), Rung("A", 1200, 0.015), Rung("A", 2400, 0.02)))


def outlook_at(passed, n_audited, n_wrong):
    return go_on(ladder=LADDER, passed=passed, n_audited=n_audited, n_wrong=n_wrong)


def test_before_a_first_claim_there_is_no_reason_to_stop() -> None:
    assert outlook_at((), (0, 0, 0, 0), (0, 0, 0, 0)).is_worth_it
    assert outlook_at((2,), (200, 400, 800, 1600), (20, 40, 80, 160)).is_worth_it
    assert not outlook_at((), (300, 600, 1200, 2400), (30, 60, 120, 240)).is_worth_it


def test_a_larger_region_that_is_nearly_there_is_worth_it() -> None:
    outlook = outlook_at((0, 1), (30, 60, 120, 240), (0, 0, 1, 4))
    assert outlook.is_worth_it
    assert outlook.index in (2, 3)
    assert 0 < outlook.chance < 1
    assert 0 < outlook.n_audits < 1000
    assert outlook.n_gained > 0


def test_a_larger_region_that_is_bad_is_not_worth_it() -> None:
    outlook = outlook_at((0, 1), (75, 150, 300, 600), (0, 2, 30, 90))
    assert not outlook.is_worth_it
    assert outlook.index is None


def test_the_largest_region_once_claimed_ends_it() -> None:
    assert not outlook_at((0, 1, 2, 3), (30, 60, 120, 240), (0, 0, 0, 0)).is_worth_it


def test_a_claim_in_the_fall_back_chain_goes_on_to_the_main_one() -> None:
    outlook = outlook_at((0,), (120, 240, 480, 960), (0, 8, 16, 30))
    assert outlook.index != 0
    assert outlook_at((1, 2, 3), (100, 200, 400, 800), (3, 4, 5, 9)).is_worth_it is False


def test_a_rung_behind_the_claimed_one_is_no_reason_to_go_on() -> None:
    """The fall-back rung is smaller than what is claimed: whether it ever passes adds nothing."""
    assert outlook_at((1, 2, 3), (60, 120, 240, 480), (0, 0, 2, 4)).index is None


def test_what_going_on_promises_is_what_the_evidence_then_takes() -> None:
    """The audits are those with which the rung passes where errors come at the quantile's rate: about the fewest."""
    outlook = outlook_at((0, 1), (30, 60, 120, 240), (0, 0, 0, 0))
    wanted = fewest_audits(np.array([0]), size=LADDER.rungs[outlook.index].size, promise=PROMISE, threshold=-log(0.045))
    inside = (30, 60, 120, 240)[outlook.index]
    share = (LADDER.rungs[outlook.index].size - inside) / (2400 - 240)
    # Fewer than without one error there can be none; and the larger of the rungs still open wants the most.
    assert outlook.n_audits * share >= max(wanted[0] - inside, 0) * 0.9


def test_what_a_promise_costs_is_said_beforehand() -> None:
    costs = audits_needed(promise=PROMISE, mean_errors=mean_errors_of(5700), n_suggestions=6000)
    assert costs.chance == 1.0
    assert costs.share_accepted + costs.share_human == pytest.approx(1)
    assert 0.3 < costs.share_accepted < 0.95
    assert 0 < costs.n_audits_inside <= costs.n_audits < 5700
    assert costs.size - costs.n_audits_inside == pytest.approx(costs.share_accepted * 6000, rel=0.05)


def test_a_stricter_promise_costs_more_and_one_without_prospects_saves_nothing() -> None:
    errors = mean_errors_of(5700)
    easy, strict = (audits_needed(promise=Promise(at), mean_errors=errors, n_suggestions=6000) for at in (0.95, 0.98))
    assert strict.share_accepted < easy.share_accepted
    surer = audits_needed(promise=Promise(0.95, 0.01), mean_errors=errors, n_suggestions=6000)
    assert surer.share_accepted < easy.share_accepted
    hopeless = audits_needed(promise=PROMISE, mean_errors=np.full((24, 2000), 0.3), n_suggestions=2300)
    assert (hopeless.share_accepted, hopeless.chance, hopeless.size) == (0.0, 0.0, 0)
    assert hopeless.n_audits > 0
