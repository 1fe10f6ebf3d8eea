from __future__ import annotations

import random

from annotator.core.residual_risk import TwoLooks, left_behind, missed_share


def looks(n_patients: int, *, n: int, labeler: float, person: float, seed: int = 3) -> tuple[list[TwoLooks], int]:
    """Patients of one note with `n` identifiers each, which both find independently; and how many neither found."""
    draw = random.Random(seed)
    patients, n_left = [], 0
    for _ in range(n_patients):
        found = [(draw.random() < labeler, draw.random() < person) for _ in range(n)]
        n_left += found.count((False, False))
        patients.append(TwoLooks(1, found.count((True, True)), found.count((True, False)), found.count((False, True))))
    return patients, n_left


def test_what_neither_found_is_estimated_where_both_find_independently() -> None:
    patients, n_left = looks(500, n=20, labeler=0.9, person=0.95)
    found = left_behind(patients)
    truth = 1000 * n_left / 500
    assert found.per_thousand.value is not None and found.per_thousand.interval is not None
    assert abs(found.per_thousand.value - truth) < 0.25 * truth
    low, high = found.per_thousand.interval
    assert low < truth < high
    assert (found.n_notes, found.per_thousand.caveat) == (500, "")


def test_nothing_is_said_without_notes_that_were_read_apart() -> None:
    found = left_behind([])
    assert found.per_thousand.value is None
    assert found.to_json()["per_thousand"]["caveat"].startswith("no note was read blind")


def test_nothing_is_said_of_too_few() -> None:
    found = left_behind([TwoLooks(1, 6, 1, 1)])
    assert found.per_thousand.value is None
    assert "fewer than 7" in found.per_thousand.caveat


def test_who_misses_nothing_leaves_nothing() -> None:
    assert left_behind([TwoLooks(1, 20, 0, 3)] * 12).per_thousand.value == 0.0


def test_the_share_that_people_added_is_of_all_that_was_found() -> None:
    assert missed_share([(1, 10), (0, 10)] * 6).value == 0.05
    assert missed_share([]).value is None
