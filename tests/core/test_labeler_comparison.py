"""Two labelers on the same notes, against figures worked by hand and a bootstrap written as a plain loop."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from annotator.core.evaluation import EvaluatedNote, FoundSpan, evaluate
from annotator.core.labeler_comparison import (
    ALL,
    CANDIDATE,
    CURRENT,
    FALSE,
    FOUND,
    ComparedNote,
    Parting,
    Reading,
    Side,
    compare_labelers,
    draw_patients,
    partings,
)
from annotator.core.matching import Labelled
from annotator.core.spans import Span

LABELS = ("Problem", "Test")


def gold(start: int, end: int, label: str = "Problem") -> Labelled:
    return Labelled(Span.of(start, end), label)


def found(start: int, end: int, label: str = "Problem", score: float = 0.5) -> FoundSpan:
    return FoundSpan(Span.of(start, end), label, score)


# Gold: four spans. The candidate finds three to the letter and makes one false; the current one finds one to the
# letter, one with other bounds, and makes one false.
NOTES = [
    ComparedNote(
        patient="a",
        gold=[gold(0, 5), gold(10, 20), gold(30, 35, "Test")],
        candidate=Reading([found(0, 5, score=0.9), found(10, 20, score=0.8), found(40, 44, score=0.1)]),
        current=Reading([found(0, 5, score=0.4), found(10, 15, score=0.6), found(50, 55)], n_unaligned=2, n_invented=1),
    ),
    ComparedNote(patient="b", gold=[gold(0, 5, "Test")], candidate=Reading([found(0, 5, "Test")]), current=Reading([])),
]


def test_both_are_measured_in_all_and_by_label() -> None:
    report = compare_labelers(NOTES, LABELS, n_draws=50).to_json()
    overall = report["overall"]
    assert (report["n_notes"], report["n_patients"]) == (2, 2)
    assert overall["strict"]["candidate"] == {
        "n_found": 4,
        "n_gold": 4,
        "n_right": 3,
        "precision": 0.75,
        "recall": 0.75,
        "f1": 0.75,
    }
    assert overall["strict"]["current"]["f1"] == pytest.approx(2 / 7)
    assert overall["overlap"]["current"]["f1"] == pytest.approx(4 / 7)
    assert overall["strict"]["difference"]["value"] == pytest.approx(0.75 - 2 / 7)
    of_test = report["labels"]["Test"]["strict"]
    assert of_test["candidate"]["f1"] == pytest.approx(2 / 3)
    assert of_test["current"]["f1"] == 0.0


def test_invented_quotes_are_a_share_of_all_quotes() -> None:
    sides = compare_labelers(NOTES, LABELS, n_draws=0).to_json()["sides"]
    assert (sides[CURRENT]["n_quotes"], sides[CURRENT]["n_invented"], sides[CURRENT]["invented_rate"]) == (5, 1, 0.2)
    assert (sides[CANDIDATE]["n_quotes"], sides[CANDIDATE]["invented_rate"]) == (4, 0.0)


def test_the_score_of_each_is_held_against_what_is_right() -> None:
    score = compare_labelers(NOTES, LABELS, n_draws=0).to_json()["sides"][CANDIDATE]["score"]
    assert (score["n"], score["n_right"], score["auroc"]) == (4, 3, 1.0)
    assert score["brier"] == pytest.approx((0.01 + 0.04 + 0.01 + 0.25) / 4)


def test_draws_are_of_whole_patients_and_the_same_for_a_seed() -> None:
    weights = draw_patients(7, n_draws=30, seed=3)
    assert weights.shape == (30, 7)
    assert set(weights.sum(1).tolist()) == {7}
    assert (weights == draw_patients(7, n_draws=30, seed=3)).all()
    assert (weights != draw_patients(7, n_draws=30, seed=4)).any()


def test_the_interval_is_that_of_a_plain_loop_over_resampled_patients() -> None:
    notes = _random_notes(n_patients=12, seed=5)
    compared = compare_labelers(notes, LABELS, seed=9, n_draws=80)
    patients = list(dict.fromkeys(note.patient for note in notes))
    by_patient = {patient: [note for note in notes if note.patient == patient] for patient in patients}
    for scheme in ("strict", "overlap"):
        for label in (ALL, *LABELS):
            differences = []
            for weights in draw_patients(len(patients), n_draws=80, seed=9):
                drawn = [note for patient, n in zip(patients, weights, strict=True) for note in by_patient[patient] * n]
                differences.append(_f1(drawn, CANDIDATE, scheme, label) - _f1(drawn, CURRENT, scheme, label))
            differences.sort()
            difference = compared.differences[scheme, label]
            assert difference.interval == pytest.approx((differences[2], differences[77]))
            n_better = sum(value > 0 for value in differences) + sum(value == 0 for value in differences) / 2
            assert difference.chance_better == pytest.approx(n_better / 80)
            assert not difference.caveat


def test_what_is_the_same_for_both_differs_by_nothing_for_sure() -> None:
    notes = [replace(note, current=note.candidate) for note in _random_notes(n_patients=10, seed=1)]
    difference = compare_labelers(notes, LABELS, n_draws=100).differences["strict", ALL]
    assert (difference.value, difference.interval, difference.chance_better) == (0.0, (0.0, 0.0), 0.5)


def test_an_interval_over_few_patients_is_called_rough_and_one_patient_has_none() -> None:
    two = compare_labelers(NOTES, LABELS, n_draws=50).differences["strict", ALL]
    assert "rough" in two.caveat
    one = compare_labelers(NOTES[:1], LABELS, n_draws=50).differences["strict", ALL]
    assert one.interval is None
    assert "fewer than 2 patients" in one.caveat


def test_a_label_that_nobody_has_has_no_difference() -> None:
    difference = compare_labelers(NOTES, (*LABELS, "Drug"), n_draws=50).differences["strict", "Drug"]
    assert difference.value is None
    assert difference.caveat == "nothing of it in these notes"


def test_a_label_of_one_patient_among_many_has_no_interval() -> None:
    plain = [ComparedNote(str(n), [gold(0, 5)], Reading([found(0, 5)]), Reading([])) for n in range(3)]
    rare = ComparedNote("z", [gold(0, 5, "Test")], Reading([found(0, 5, "Test")]), Reading([]))
    difference = compare_labelers([*plain, rare], LABELS, n_draws=200).differences["strict", "Test"]
    assert (difference.value, difference.interval) == (1.0, None)
    assert "too few of the patients" in difference.caveat


def test_other_labels_are_left_out() -> None:
    report = compare_labelers(NOTES, ("Test",), n_draws=10).to_json()
    assert report["overall"]["strict"]["candidate"]["n_gold"] == 2
    assert partings(NOTES[0], ("Test",)) == []


def test_no_note_makes_a_report_without_figures() -> None:
    report = compare_labelers([], LABELS).to_json()
    assert report["overall"]["strict"]["difference"]["value"] is None


def test_they_part_where_only_one_found_a_gold_span_or_made_a_false_one() -> None:
    assert partings(NOTES[0], LABELS) == [
        Parting(CANDIDATE, FOUND, gold(10, 20)),
        Parting(CANDIDATE, FALSE, gold(40, 44)),
        Parting(CURRENT, FALSE, gold(50, 55)),
    ]
    assert partings(NOTES[1], LABELS) == [Parting(CANDIDATE, FOUND, gold(0, 5, "Test"))]


def test_a_false_span_that_both_made_with_other_bounds_parts_them_not() -> None:
    note = ComparedNote("a", [], Reading([found(0, 8)]), Reading([found(2, 9), found(2, 9, "Test")]))
    assert partings(note, LABELS) == [Parting(CURRENT, FALSE, gold(2, 9, "Test"))]


def _f1(notes: list[ComparedNote], side: Side, scheme: str, label: str) -> float:
    evaluation = evaluate([note.of(side) for note in notes], LABELS, n_resamples=0)
    measures: Any = evaluation if label == ALL else evaluation.labels[label]
    return float(getattr(measures, scheme).f1)


def _random_notes(*, n_patients: int, seed: int) -> list[ComparedNote]:
    """Every patient has gold of both labels, so that no draw is without."""
    rng = random.Random(seed)

    def reading(spans: list[Labelled], chance: float) -> Reading:
        kept = [FoundSpan(one.span, one.label, rng.random()) for one in spans if rng.random() < chance]
        moved = [found(one.span.start, one.span.end - 1, one.label) for one in spans if rng.random() < 0.2]
        return Reading(kept + [one for one in moved if one.span not in {each.span for each in kept}])

    notes = []
    for patient in range(n_patients):
        for _ in range(rng.randint(1, 3)):
            spans = [gold(20 * place, 20 * place + 5, LABELS[place % 2]) for place in range(rng.randint(2, 8))]
            notes.append(ComparedNote(str(patient), spans, reading(spans, 0.7), reading(spans, 0.5)))
    return notes


def test_the_helper_of_one_side_holds_what_that_side_found() -> None:
    assert NOTES[0].of(CURRENT) == EvaluatedNote(NOTES[0].gold, NOTES[0].current.found, 2, 1)
