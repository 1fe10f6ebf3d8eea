from __future__ import annotations

import numpy as np
import pytest

from annotator.core.calibration import Case
from annotator.core.ranking import auroc, brier, ece, reliability
from annotator.core.reliability_curve import measure_calibration


def cases_of(n: int, *, seed: int = 1, n_notes: int = 40, stretch: float = 2.0) -> list[Case]:
    """Cases whose raw scores are too sure of themselves: their logits are `stretch` times the true ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.5, 1.2, n)
    right = rng.random(n) < 1 / (1 + np.exp(-logits))
    scores = 1 / (1 + np.exp(-stretch * logits))
    return [
        Case(("Problem", "Dose")[at % 2], float(scores[at]), f"note {at % n_notes}", bool(right[at])) for at in range(n)
    ]


def test_a_curve_is_nearer_to_the_truth_than_the_raw_score() -> None:
    overall = measure_calibration(cases_of(1500), n_resamples=50).overall
    assert overall.n == 1500
    assert overall.n_notes == 40
    assert overall.ece.value is not None
    assert overall.raw_ece.value is not None
    assert overall.ece.interval is not None
    assert overall.ece.value < 0.04 < 0.08 < overall.raw_ece.value
    assert overall.ece.interval.low <= overall.ece.value <= overall.ece.interval.high


def test_figures_are_those_of_the_same_confidences_elsewhere() -> None:
    """Held-out confidences of one fold's note are those that its other notes' curve gives."""
    cases = cases_of(400)
    overall = measure_calibration(cases, n_resamples=20).overall
    from annotator.core.reliability_curve import _held_out

    confidences = _held_out(cases, "platt", 0)
    right = [case.is_right for case in cases]
    assert overall.auroc.value == pytest.approx(auroc(confidences, right))
    assert overall.brier.value == pytest.approx(brier(confidences, right))
    bins = reliability(confidences, right)
    assert overall.ece.value == pytest.approx(ece(bins))
    assert [(one.n, one.mean_confidence, one.share_right) for one in overall.bins] == [
        (one.n, pytest.approx(one.mean_score), pytest.approx(one.share_right)) for one in bins
    ]
    assert overall.raw_ece.value == pytest.approx(ece(reliability([case.score for case in cases], right)))


def test_no_case_is_measured_by_a_curve_of_its_own_note() -> None:
    """One note's cases are all wrong where others are right: a curve that knew them would say so."""
    cases = [*cases_of(400), *(Case("Odd", 0.9, "odd", False) for _ in range(40))]
    odd = measure_calibration(cases, n_resamples=0).groups["label"]["Odd"]
    assert odd.bins[0].share_right == 0
    assert odd.bins[0].mean_confidence > 0.6
    assert odd.n_notes == 1


def test_labels_and_given_groups_have_their_own_figures() -> None:
    cases = cases_of(400)
    sections = ["Plan" if at < 390 else "History" for at in range(400)]
    report = measure_calibration(cases, groups={"section": sections}, n_resamples=20)
    assert list(report.groups) == ["label", "section"]
    assert {name: one.n for name, one in report.groups["label"].items()} == {"Dose": 200, "Problem": 200}
    assert report.groups["section"]["Plan"].ece.value is not None
    few = report.groups["section"]["History"]
    assert (few.n, few.caveat, few.ece.value, few.bins) == (10, "not enough data", None, ())


def test_groups_of_another_number_of_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="1 groups of 400 cases"):
        measure_calibration(cases_of(400), groups={"section": ["Plan"]}, n_resamples=0)


def test_few_notes_give_figures_without_intervals() -> None:
    overall = measure_calibration(cases_of(200, n_notes=6), n_resamples=20).overall
    assert overall.ece.value is not None
    assert overall.ece.interval is None
    assert overall.ece.caveat == "no interval: fewer than 10 notes"


@pytest.mark.parametrize("n_notes", [4, 20])
def test_too_few_notes_or_cases_of_a_kind_give_numbers_only(n_notes) -> None:
    cases = [Case("Problem", 0.5, f"note {at % n_notes}", at >= 11) for at in range(300)]
    overall = measure_calibration(cases, n_resamples=0).overall
    assert (overall.n, overall.n_right, overall.caveat) == (300, 289, "not enough data")
    assert overall.auroc.value is None


def test_a_group_that_is_all_right_has_no_auroc() -> None:
    cases = [*cases_of(400), *(Case("Sure", 0.99, f"note {at}", True) for at in range(40))]
    sure = measure_calibration(cases, n_resamples=20).groups["label"]["Sure"]
    assert sure.auroc.value is None
    assert sure.brier.value is not None


def test_without_any_case_there_is_a_report_all_the_same() -> None:
    report = measure_calibration([])
    assert report.overall.n == 0
    assert report.groups == {"label": {}}


def test_bins_have_intervals_over_notes() -> None:
    overall = measure_calibration(cases_of(600), n_resamples=100).overall
    assert len(overall.bins) == 10
    for one in overall.bins:
        assert one.interval is not None
        assert one.interval.low <= one.share_right <= one.interval.high
