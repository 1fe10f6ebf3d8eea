from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from annotator.core.assigning import CannotAssign, Note, draw_readers, one_of_each, workloads


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[Note], list[int | None], int, int]:
    """Notes, what is asked of their readers, how many read each, and a seed."""
    strata, patients = st.sampled_from(["", "Discharge", "Radiology"]), st.sampled_from(["", "p1", "p2", "p3"])
    kinds = draw(st.lists(st.tuples(strata, patients), min_size=1, max_size=40))
    asked = draw(st.lists(st.none() | st.integers(0, 50), min_size=1, max_size=7))
    notes = [Note(id=number, stratum=kind[0], patient=kind[1]) for number, kind in enumerate(kinds)]
    return notes, asked, draw(st.integers(1, 4)), draw(st.integers(0, 5))


@given(rounds())
def test_no_note_goes_beyond_its_readers_and_nobody_reads_it_twice(
    case: tuple[list[Note], list[int | None], int, int],
) -> None:
    notes, asked, n_readers, seed = case
    try:
        loads = workloads(n_notes=len(notes), n_readers=n_readers, asked=asked, seed=seed)
    except CannotAssign:
        assume(False)
    drawn = draw_readers(notes=notes, loads=loads, n_readers=n_readers, seed=seed)
    assert all(len(readers) == len(set(readers)) == n_readers for readers in drawn)
    counts = Counter(reader for readers in drawn for reader in readers)
    assert [counts[reader] for reader in range(len(asked))] == loads
    assert all(load <= most for load, most in zip(loads, asked, strict=True) if most is not None)
    without = one_of_each(drawn, seed=seed)
    assert all(reader in readers for reader, readers in zip(without, drawn, strict=True))
    assert drawn == draw_readers(notes=notes, loads=loads, n_readers=n_readers, seed=seed)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(1, 8), st.integers(0, 3))
def test_equal_shares_differ_by_one(n_notes: int, n_people: int, n_readers: int, seed: int) -> None:
    assume(n_readers <= n_people)
    loads = workloads(n_notes=n_notes, n_readers=n_readers, asked=[None] * n_people, seed=seed)
    assert sum(loads) == n_notes * n_readers
    assert max(loads) - min(loads) <= 1


def drawn_for(notes: list[Note], asked: list[int | None], n_readers: int) -> list[tuple[int, ...]]:
    loads = workloads(n_notes=len(notes), n_readers=n_readers, asked=asked, seed=1)
    return draw_readers(notes=notes, loads=loads, n_readers=n_readers, seed=1)


@pytest.mark.parametrize(("n_notes", "n_people", "n_readers"), [(240, 5, 2), (240, 7, 3), (100, 3, 2), (90, 10, 2)])
def test_every_two_readers_share_as_many_notes(n_notes: int, n_people: int, n_readers: int) -> None:
    drawn = drawn_for([Note(id=number) for number in range(n_notes)], [None] * n_people, n_readers)
    shared = Counter(pair for readers in drawn for pair in combinations(sorted(readers), 2))
    counts = [shared[pair] for pair in combinations(range(n_people), 2)]
    assert max(counts) - min(counts) <= 1


def test_what_is_asked_for_is_given_and_the_rest_shared() -> None:
    assert workloads(n_notes=100, n_readers=2, asked=[40, None, 20, None], seed=3) == [40, 70, 20, 70]
    assert workloads(n_notes=100, n_readers=1, asked=[100, 50, 50], seed=3) == [50, 25, 25]


def test_each_reader_gets_each_type_in_proportion() -> None:
    notes = [Note(id=number, stratum="Radiology" if number % 4 else "Discharge") for number in range(200)]
    drawn = drawn_for(notes, [30, None, None, None], 2)
    for stratum, share in (("Radiology", 0.75), ("Discharge", 0.25)):
        counts = Counter(
            reader for note, readers in zip(notes, drawn, strict=True) if note.stratum == stratum for reader in readers
        )
        for reader, load in enumerate(workloads(n_notes=200, n_readers=2, asked=[30, None, None, None], seed=1)):
            assert abs(counts[reader] - share * load) <= 2


def test_a_patient_stays_with_the_same_readers_where_loads_allow() -> None:
    notes = [Note(id=number, patient=f"p{number // 3}") for number in range(120)]
    drawn = drawn_for(notes, [None] * 6, 2)
    readers_of = [
        len({reader for readers in drawn[start : start + 3] for reader in readers}) for start in range(0, 120, 3)
    ]
    assert sum(readers_of) / len(readers_of) < 2.4


def test_readings_without_suggestions_are_shared_too() -> None:
    drawn = drawn_for([Note(id=number) for number in range(120)], [None] * 4, 2)
    counts = Counter(one_of_each(drawn, seed=2))
    assert sum(counts.values()) == 120
    assert max(counts.values()) - min(counts.values()) <= 4


@pytest.mark.parametrize(
    ("n_readers", "asked", "why"),
    [
        (3, [None, None], "3 different people are to read each note, and the round has 2"),
        (2, [100, 50], "100 notes × 2 readers are 200 readings, and these readers take 150"),
        (2, [10, None], "these readers take 110"),
        (1, [70, 50, None], "the numbers asked for make 120 readings, and there are 100"),
    ],
)
def test_a_round_that_cannot_be_read_is_refused_in_numbers(n_readers: int, asked: list[int | None], why: str) -> None:
    with pytest.raises(CannotAssign, match=why):
        workloads(n_notes=100, n_readers=n_readers, asked=asked, seed=1)
