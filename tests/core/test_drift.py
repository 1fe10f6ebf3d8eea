from __future__ import annotations

from math import log

import pytest

from annotator.core.drift import chi_square_p, drift, stability_index
from annotator.core.estimates import sums_of


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    [(3.841, 1, 0.05), (5.991, 2, 0.05), (6.635, 1, 0.01), (16.919, 9, 0.05), (23.209, 10, 0.01), (0.0, 3, 1.0)],
)
def test_chi_square_is_that_of_the_tables(statistic: float, degrees: int, p: float) -> None:
    assert chi_square_p(statistic, degrees) == pytest.approx(p, abs=5e-5)


def test_the_stability_index_by_hand() -> None:
    # (99.5 + 0.5) / 200 and so on: shares .5, .5 and .25, .75.
    assert stability_index([99.5, 99.5], [49.5, 149.5]) == pytest.approx(-0.25 * log(0.5) + 0.25 * log(1.5))


def shares(*notes: dict[str, int]):
    labels = {label for note in notes for label in note}
    return {label: sums_of([(note.get(label, 0), sum(note.values())) for note in notes]) for label in labels}


def test_other_labels_are_a_drift_and_the_same_are_none() -> None:
    before = shares(*[{"Problem": 5, "Dose": 5}, {"Problem": 6, "Dose": 4}, {"Problem": 4, "Dose": 6}] * 6)
    after = shares(*[{"Problem": 8, "Dose": 2}, {"Problem": 7, "Dose": 3}, {"Problem": 9, "Dose": 1}] * 6)
    assert drift(before, before).p_value == 1.0
    assert drift(before, after).p_value < 0.001
    assert drift(before, after).stability_index > 0.25


def test_notes_that_resemble_themselves_count_less() -> None:
    mixed = [shares(*[{"Problem": n, "Dose": 10 - n}] * 20) for n in (5, 6)]
    apart = [
        shares(*[{"Problem": 10}] * n, *[{"Dose": 10}] * (20 - n)) for n in (10, 12)
    ]  # the same counts, but notes are all of one label
    assert drift(*mixed).p_value < 0.06
    assert drift(*apart).p_value > 0.4


def test_few_notes_few_spans_and_one_label_have_no_drift() -> None:
    many = shares(*[{"Problem": 5, "Dose": 5}] * 10)
    assert drift(many, shares(*[{"Problem": 9, "Dose": 9}] * 9)) is None
    assert drift(many, shares(*[{"Problem": 2, "Dose": 2}] * 12)) is None
    assert drift(shares(*[{"Problem": 9}] * 10), shares(*[{"Problem": 9}] * 10)) is None
    assert drift({}, many) is None
