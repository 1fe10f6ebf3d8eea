from __future__ import annotations

import pytest

from annotator.core.agreement import ALL_LABELS
from annotator.core.qualification import Figure, Matching, Standard, judge
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.core.spans import Span

LABELS = ("Problem", "Medication")


def read(*spans: tuple[int, int, str]) -> list[ReadSpan]:
    return [ReadSpan(Span.of(start, end), label, {}) for start, end, label in spans]


REFERENCE = read((0, 5, "Problem"), (10, 15, "Problem"), (20, 30, "Medication"))


def figures(said: list[ReadSpan], standard: Standard) -> dict[str, Figure]:
    notes = [ReadNote("n", "", "x" * 40, {"": Reading(said)}, gold=Reading(REFERENCE))]
    return {figure.label: figure for figure in judge(notes, LABELS, standard)}


@pytest.mark.parametrize(("matching", "f1"), [(Matching.STRICT, 0.5), (Matching.OVERLAP, 1.0)])
def test_a_label_is_judged_by_the_f1_that_is_asked_for(matching: Matching, f1: float) -> None:
    found = figures(read((0, 5, "Problem"), (10, 14, "Problem")), Standard(matching, 0.8, min_spans=2))
    assert found["Problem"] == Figure("Problem", 2, 2, 1 if matching == Matching.STRICT else 2, f1, 0.8)
    assert found["Problem"].is_enough == (f1 >= 0.8)


def test_a_label_with_few_spans_stands_in_nobodys_way() -> None:
    found = figures(REFERENCE[:2], Standard(Matching.STRICT, 0.8, min_spans=2))
    assert (found["Medication"].f1, found["Medication"].wanted, found["Medication"].is_enough) == (0.0, None, True)
    assert found[ALL_LABELS].wanted is None


def test_a_label_with_a_threshold_of_its_own_is_held_against_that() -> None:
    standard = Standard(Matching.STRICT, 0.9, min_spans=1, thresholds={"Problem": 0.5})
    found = figures(read((0, 5, "Problem"), (11, 15, "Problem"), (20, 30, "Medication")), standard)
    assert [(each.wanted, each.is_enough) for each in found.values()][:2] == [(0.5, True), (0.9, True)]


def test_all_labels_are_judged_together_where_none_has_enough_spans() -> None:
    found = figures(REFERENCE[:1], Standard(Matching.STRICT, 0.8, min_spans=3))
    assert (found[ALL_LABELS].f1, found[ALL_LABELS].wanted, found[ALL_LABELS].is_enough) == (0.5, 0.8, False)


def test_who_rightly_marks_nothing_has_read_well() -> None:
    notes = [ReadNote("n", "", "x", {"": Reading()}, gold=Reading())]
    *_, together = judge(notes, LABELS, Standard(Matching.STRICT, 0.8, min_spans=1))
    assert (together.f1, together.is_enough) == (None, True)
