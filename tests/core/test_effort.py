from __future__ import annotations

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.effort import TimedNote, measure_effort, weighted_median


def arm(
    n: int, *, rate: float, is_assisted: bool, seed: int, n_chars: tuple[int, int] = (500, 1500)
) -> list[TimedNote]:
    """Notes of a patient each that take about `rate` seconds for 1,000 characters, one span in each 100."""
    rng = random.Random(seed)
    made = []
    for number in range(n):
        length = rng.randint(*n_chars)
        seconds = rate * length / 1000 * rng.uniform(0.8, 1.2)
        made.append(TimedNote(f"{is_assisted}{number}", is_assisted, length, length // 100, seconds, length // 50))
    return made


def test_a_planted_ratio_is_recovered_whatever_the_notes_lengths() -> None:
    """The notes read without are twice as long: by the note reading without would seem to take four times as long."""
    notes = arm(200, rate=30, is_assisted=True, seed=1)
    notes += arm(100, rate=60, is_assisted=False, seed=2, n_chars=(1000, 3000))
    effort = measure_effort(notes, n_resamples=200)
    assert effort.ratio.value == pytest.approx(0.5, abs=0.02)
    assert effort.saved.interval.low < 0.5 < effort.saved.interval.high
    assert effort.saved_seconds.value == pytest.approx(30, abs=1.5)
    assert effort.control.per_note.value == pytest.approx(120, abs=8)
    assert effort.assisted.per_note.value == pytest.approx(30, abs=2)
    assert effort.assisted.per_span.value == pytest.approx(3, abs=0.2)
    assert effort.assisted.actions_per_span.value == pytest.approx(2, abs=0.1)
    assert effort.control.per_chars_median.value == pytest.approx(60, abs=4)


def test_nothing_is_compared_where_an_arm_has_fewer_than_ten_notes() -> None:
    notes = arm(50, rate=30, is_assisted=True, seed=1) + arm(9, rate=60, is_assisted=False, seed=2)
    effort = measure_effort(notes, n_resamples=20)
    assert effort.ratio.value is None
    assert effort.ratio.caveat == "not enough data: 9 notes were read without, 10 are wanted"
    assert (effort.control.per_note.value, effort.assisted.per_note.value is None) == (None, False)


def test_a_note_without_a_span_has_no_time_a_span() -> None:
    notes = [note._replace(n_spans=0) for note in arm(10, rate=30, is_assisted=True, seed=1)]
    found = measure_effort(notes, n_resamples=20).assisted
    assert (found.per_span.value, found.per_span_median.value) == (None, None)
    assert found.per_note.value is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_weighted_median_is_the_median_of_the_values_written_out(rows: list[tuple[int, int]]) -> None:
    values, weights = [float(value) for value, _ in rows], [weight for _, weight in rows]
    written_out = [value for value, weight in zip(values, weights, strict=True) for _ in range(weight)]
    expected = median(written_out) if written_out else None
    assert weighted_median(values, range(len(rows)))(weights) == expected


def test_the_json_has_every_figure() -> None:
    notes = arm(10, rate=30, is_assisted=True, seed=1) + arm(10, rate=60, is_assisted=False, seed=2)
    data = measure_effort(notes, n_untimed=1, n_unread=2, is_chosen=True, n_resamples=20).to_json()
    assert (data["n_untimed"], data["n_unread"], data["is_chosen"]) == (1, 2, True)
    assert data["assisted"]["n_notes"] == 10 and set(data["ratio"]) == {"value", "interval", "caveat"}
