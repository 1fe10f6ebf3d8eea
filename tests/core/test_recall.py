from __future__ import annotations

import random

import pytest

from annotator.core.matching import Labelled
from annotator.core.recall import BlindNote, measure_recall, missed_spans
from annotator.core.spans import Span

LABELS = ("Problem", "Medication")


def at(start: int, label: str = "Problem", length: int = 5) -> Labelled:
    return Labelled(Span.of(start, start + length), label)


def notes(n: int, *, share: float, n_spans: int = 10, seed: int = 1) -> list[BlindNote]:
    """Notes of a patient each, of whose spans that share was suggested."""
    rng = random.Random(seed)
    made = []
    for number in range(n):
        gold = [at(10 * place) for place in range(n_spans)]
        made.append(BlindNote(f"p{number}", gold, [span for span in gold if rng.random() < share]))
    return made


def test_a_planted_share_is_recovered_within_its_interval() -> None:
    recall = measure_recall(notes(200, share=0.8), LABELS, n_resamples=200)
    found = recall.overall.strict
    assert found.value == pytest.approx(0.8, abs=0.02)
    assert found.interval.low < 0.8 < found.interval.high
    assert (recall.n_notes, recall.n_patients, recall.overall.n_gold) == (200, 200, 2000)


def test_other_bounds_count_as_overlap_and_another_label_as_nothing() -> None:
    gold = [at(0), at(20), at(40, "Medication"), at(60)]
    suggested = [at(0), at(18), at(40, "Problem")]
    recall = measure_recall([BlindNote(f"p{number}", gold, suggested) for number in range(10)], LABELS, n_resamples=20)
    assert (recall.overall.n_strict, recall.overall.n_overlap, recall.overall.n_gold) == (10, 20, 40)
    problem, medication = recall.labels
    assert (problem.strict.value, problem.overlap.value) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert medication.overlap.value == 0.0


def test_a_label_without_a_span_has_no_figure() -> None:
    recall = measure_recall(notes(10, share=1.0), LABELS, n_resamples=20)
    assert recall.labels[1].strict.value is None and "no span" in recall.labels[1].strict.caveat


def test_nothing_is_said_below_ten_notes() -> None:
    recall = measure_recall(notes(9, share=0.8), LABELS, n_waiting=2)
    assert recall.caveat == "not enough data: 9 blind notes were gone through, 10 are wanted"
    assert (recall.overall.strict.value, recall.overall.n_gold, recall.n_more, recall.n_waiting) == (None, 90, None, 2)


def test_more_notes_are_wanted_the_wider_the_interval_is() -> None:
    few, many = (measure_recall(notes(n, share=0.8), LABELS, n_resamples=200) for n in (20, 2000))
    assert many.n_more == 0
    # A share of .8 is known to 3 points by 1.96² · .8 · .2 / .03² = 683 spans, 69 notes, where notes tell no more.
    assert few.n_more is not None and 20 <= few.n_more <= 110


def test_a_perfect_share_in_few_spans_is_not_taken_for_known() -> None:
    recall = measure_recall(notes(10, share=1.0, n_spans=1), LABELS, n_resamples=20)
    assert recall.overall.strict.interval == (1.0, 1.0)
    assert recall.n_more is not None and recall.n_more > 100


def test_a_patient_is_drawn_with_all_notes() -> None:
    alike = [note._replace(patient=f"p{number // 10}") for number, note in enumerate(notes(40, share=0.5))]
    assert measure_recall(alike, LABELS, n_resamples=20).n_patients == 4


def test_missed_spans_are_told_with_what_was_suggested_there() -> None:
    note = BlindNote("p", [at(40, "Medication"), at(0), at(20), at(60)], [at(0), at(18), at(41, "Problem")])
    assert [(missed.found, missed.suggested) for missed in missed_spans(note)] == [
        (at(40, "Medication"), "Problem"),
        (at(60), ""),
    ]


def test_the_json_has_every_figure() -> None:
    data = measure_recall(notes(10, share=0.8), LABELS, n_resamples=20).to_json()
    assert set(data) == {"n_notes", "n_patients", "n_waiting", "n_more", "caveat", "overall", "labels"}
    assert data["labels"]["Problem"]["strict"]["value"] == data["overall"]["strict"]["value"]
