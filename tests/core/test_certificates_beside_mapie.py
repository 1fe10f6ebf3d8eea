"""Certificates beside two tests that were not made here: MAPIE's precision controller, and the textbook's."""

from __future__ import annotations

import warnings
from math import exp

import numpy as np
import pytest
from scipy.stats import binom

from annotator.core.certificates import Promise, fewest_audits, log_evidence

# So large that drawing with and without replacement are the same, as both tests take it.
SIZE = 1_000_000
AUDITS = [
    (target, n, x)
    for target in (0.9, 0.95, 0.98)
    for n in (80, 150, 400, 1000)
    for x in (0, 1, 3, 10, 20)
    if x < 0.9 * n * (1 - target)
]


def chance_in_mapie(n: int, x: int, target: float) -> float:
    """What MAPIE's Learn-then-Test gives for "precision is below target", from `n` audits with `x` wrong ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mapie.risk_control import BinaryClassificationController

        controller = BinaryClassificationController(
            predict_function=lambda rows: np.tile([0.0, 1.0], (len(rows), 1)),
            risk="precision",
            target_level=target,
            confidence_level=0.95,
            list_predict_params=np.array([0.5]),
        )
        controller.calibrate(np.zeros((n, 1)), np.array([0] * x + [1] * (n - x)))
    return float(np.ravel(controller.p_values)[0])


@pytest.mark.slow
def test_one_look_claims_no_more_than_mapie_does_and_not_much_less() -> None:
    """Ours holds at all looks and has to pay for that: at levels that matter, no more than a factor of fifteen."""
    for target, n, x in AUDITS:
        theirs = chance_in_mapie(n, x, target)
        ours = exp(-log_evidence(n_audited=n, n_wrong=x, size=SIZE, target=target))
        assert theirs <= ours
        if theirs >= 1e-3:
            assert ours <= 15 * theirs


@pytest.mark.parametrize(("target", "n", "x"), AUDITS)
def test_one_look_claims_no_more_than_the_exact_test_does(target, n, x) -> None:
    ours = exp(-log_evidence(n_audited=n, n_wrong=x, size=SIZE, target=target))
    assert binom.cdf(x, n, 1 - target) <= ours


@pytest.mark.parametrize("target", [0.9, 0.95, 0.98])
def test_looking_all_the_time_costs_less_than_twice_the_audits_of_a_test_that_looks_once(target) -> None:
    for x in (0, 2, 5):
        ours = fewest_audits(np.array([x]), size=SIZE, promise=Promise(target), threshold=-np.log(0.05))[0]
        theirs = next(n for n in range(x + 1, 10_000) if binom.cdf(x, n, 1 - target) <= 0.05)
        assert theirs <= ours < 2 * theirs
