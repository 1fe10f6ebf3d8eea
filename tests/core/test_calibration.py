from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from annotator.core.calibration import Calibration, Case, NotEnoughCases, fit_calibration, is_due, logit

OFFSETS = {"Problem": -1.0, "Dose": 1.0}


def cases_of(n: int, *, seed: int = 1, slope: float = 0.8, offsets: dict[str, float] | None = None) -> list[Case]:
    """Right with the chance of a logistic curve over the score's logit, moved by the label's offset."""
    rng = np.random.default_rng(seed)
    names = list(offsets or {"Problem": 0.0})
    found = []
    for at in range(n):
        name = names[at % len(names)]
        value = rng.normal(0, 1.5)
        chance = 1 / (1 + np.exp(-(slope * value + (offsets or {}).get(name, 0.3))))
        found.append(Case(name, float(1 / (1 + np.exp(-value))), f"note {at // 10}", bool(rng.random() < chance)))
    return found


def test_the_curve_is_the_one_that_the_cases_came_from() -> None:
    fitted = fit_calibration(cases_of(4000))
    assert fitted.pooled.slope == pytest.approx(0.8, abs=0.08)
    assert fitted.pooled.intercept == pytest.approx(0.3, abs=0.08)
    assert fitted.confidence(label="any", score=0.5) == pytest.approx(1 / (1 + np.exp(-0.3)), abs=0.02)


def test_a_label_with_enough_of_both_has_its_own_curve_and_others_the_pooled_one() -> None:
    rare = [Case("Allergy", 0.6, "note 1", at % 2 == 0) for at in range(8)]
    fitted = fit_calibration([*cases_of(4000, offsets=OFFSETS), *rare])
    assert list(fitted.labels) == ["Dose", "Problem"]
    assert fitted.labels["Dose"].intercept - fitted.labels["Problem"].intercept == pytest.approx(2.0, abs=0.2)
    for label in ("Allergy", "never seen"):
        assert fitted.confidence(label=label, score=0.7) == fitted.pooled.confidence(0.7)
    assert fitted.confidence(label="Dose", score=0.7) > fitted.confidence(label="Problem", score=0.7)


def test_a_label_with_few_cases_is_drawn_towards_the_others() -> None:
    many = cases_of(2000)
    few = [Case("Dose", 0.5, "note", at < 10) for at in range(40)]
    fitted = fit_calibration([*many, *few])
    alone, together = logit(10 / 40), fitted.pooled.intercept
    assert alone < fitted.labels["Dose"].intercept < together


def test_cases_that_are_all_right_above_some_score_still_have_a_finite_curve() -> None:
    cases = [Case("Problem", at / 100, "note", at >= 50) for at in range(100)]
    fitted = fit_calibration(cases)
    assert 0 < fitted.confidence(label="Problem", score=0.01) < 0.05
    assert 0.95 < fitted.confidence(label="Problem", score=0.99) < 1


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_the_same_cases_in_another_order_make_the_same_curves(kind) -> None:
    cases = cases_of(500, offsets=OFFSETS)
    first, second = fit_calibration(cases, kind=kind), fit_calibration(cases[::-1], kind=kind, seed=9)
    assert first.to_json() == second.to_json()


def test_a_case_of_twice_the_weight_is_two_cases() -> None:
    cases = cases_of(60)
    doubled = [Case(case.label, case.score, case.note, case.is_right, weight=2.0) for case in cases]
    assert fit_calibration(doubled).pooled.slope == pytest.approx(fit_calibration(cases + cases).pooled.slope)


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_curves_come_back_from_json_as_they_were(kind) -> None:
    fitted = fit_calibration(cases_of(600, offsets=OFFSETS), kind=kind)
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json(), sort_keys=True)))
    assert again == fitted
    assert list(again.labels) == list(fitted.labels)
    draws = [one.draws(label="Dose", scores=[0.9, 0.2], n_draws=3, seed=1) for one in (fitted, again)]
    assert np.array_equal(*draws)


def test_curves_of_another_version_are_refused() -> None:
    with pytest.raises(ValueError, match="version 99"):
        Calibration.from_json({"version": 99})


def test_steps_rise_with_the_score_and_follow_the_cases() -> None:
    fitted = fit_calibration(cases_of(3000), kind="isotonic")
    found = [fitted.confidence(label="Problem", score=score / 100) for score in range(101)]
    assert found == sorted(found)
    assert fitted.confidence(label="Problem", score=0.5) == pytest.approx(1 / (1 + np.exp(-0.3)), abs=0.1)
    assert (found[0], found[-1]) == (fitted.pooled.steps[0][1], fitted.pooled.steps[-1][1])


def test_steps_of_a_label_with_few_cases_are_the_pooled_ones_moved() -> None:
    few = [Case("Dose", 0.5, "note", at < 30) for at in range(40)]
    fitted = fit_calibration([*cases_of(1000), *few], kind="isotonic")
    assert fitted.confidence(label="Dose", score=0.5) > fitted.confidence(label="new", score=0.5)
    assert len(fitted.labels["Dose"].steps) == len(fitted.pooled.steps)


@pytest.mark.parametrize(("kind", "n_wanted"), [("platt", 10), ("isotonic", 50)])
def test_too_few_cases_of_a_kind_are_refused_with_what_is_wanted(kind, n_wanted) -> None:
    cases = [Case("Problem", 0.5, "note", at >= n_wanted - 1) for at in range(500)]
    with pytest.raises(NotEnoughCases, match=f"{n_wanted - 1} wrong ones, and at least {n_wanted} of each") as refused:
        fit_calibration(cases, kind=kind)
    assert (refused.value.n_right, refused.value.n_wrong) == (501 - n_wanted, n_wanted - 1)
    with pytest.raises(NotEnoughCases):
        fit_calibration([], kind=kind)


def test_draws_are_mean_errors_of_the_most_confident_ones() -> None:
    fitted = fit_calibration(cases_of(2000, offsets=OFFSETS))
    labels, scores = ["Problem", "Dose", "new", "Dose"], [0.9, 0.9, 0.3, 0.1]
    draws = fitted.draws(label=labels, scores=scores, n_draws=400, seed=4)
    errors = sorted(1 - fitted.confidence(label=name, score=score) for name, score in zip(labels, scores, strict=True))
    assert draws.shape == (400, 4)
    assert draws.mean(0) == pytest.approx(np.cumsum(errors) / [1, 2, 3, 4], abs=0.01)
    assert np.array_equal(draws, fitted.draws(label=labels, scores=scores, n_draws=400, seed=4))
    assert not np.array_equal(draws, fitted.draws(label=labels, scores=scores, n_draws=400, seed=5))


def test_draws_spread_as_fits_to_other_cases_do() -> None:
    """A little more, since the covariance is widened: the standard deviation by the root of 1.5."""
    value = logit(0.9)
    fits = [fit_calibration(cases_of(300, seed=seed)).pooled for seed in range(40)]
    between = np.std([fit.intercept + fit.slope * value for fit in fits])
    errors = fit_calibration(cases_of(300)).draws(label="", scores=[0.9], n_draws=2000, seed=1)[:, 0]
    assert 0.9 * between < np.std(np.log((1 - errors) / errors)) < 1.6 * between


def test_equal_confidences_stand_in_the_order_of_scores() -> None:
    fitted = fit_calibration(cases_of(400), kind="isotonic")
    top = [score for score, value in fitted.pooled.steps if value == fitted.pooled.steps[-1][1]]
    up, down = (fitted.draws(label="", scores=order, n_draws=2, seed=1) for order in (top, top[::-1]))
    assert len(top) > 1
    assert np.allclose(up, down)


@pytest.mark.parametrize(
    ("n_cases", "n_at_last_fit", "expected"),
    [
        (49, None, False),
        (50, None, True),
        (730, None, True),
        (99, 50, False),
        (100, 50, True),
        (199, 130, False),
        (200, 130, True),
        (399, 200, False),
        (400, 200, True),
    ],
)
def test_a_fit_is_due_whenever_cases_have_doubled(n_cases, n_at_last_fit, expected) -> None:
    assert is_due(n_cases, n_at_last_fit) is expected


def test_applying_curves_and_watching_load_no_numbers_library() -> None:
    """Web processes do it."""
    code = (
        "import sys; from annotator.core import calibration, certificates, planning, reliability_curve, watch;"
        "calibration.Curve(0.0, 1.0, 1, 1).confidence(0.5); watch.doubts([True], target=0.95);"
        "sys.exit(bool({'numpy', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
