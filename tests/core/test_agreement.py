from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.agreement import (
    ALL_LABELS,
    GOLD,
    Agreement,
    Comparison,
    Kind,
    Pair,
    Tally,
    measure_agreement,
    note_cells,
)
from annotator.core.identifiers import LABEL
from annotator.core.readings import Reading, ReadNote, ReadSpan, token_units, units_of_label
from annotator.core.reliability import coincidences, krippendorff_alpha
from annotator.core.spans import Span

LABELS = ("Problem", "Test")
TEXT = "no chest pain today, a chest X ray was done and was clear"


def span(start: int, end: int, label: str = "Problem", **attributes: str) -> ReadSpan:
    return ReadSpan(Span.of(start, end), label, attributes)


def note(
    number: int = 1, patient: str = "", labelers: dict | None = None, gold: list | None = None, **annotators: list
) -> ReadNote:
    return ReadNote(
        document=f"note-{number}",
        patient=patient,
        text=TEXT,
        annotators={name: Reading(spans) for name, spans in annotators.items()},
        labelers={name: Reading(spans) for name, spans in (labelers or {}).items()},
        gold=Reading(gold) if gold is not None else None,
    )


def measured(*notes: ReadNote, n_resamples: int = 0) -> Agreement:
    return measure_agreement(notes, LABELS, n_resamples=n_resamples)


def compared(*notes: ReadNote) -> Comparison:
    (comparison,) = measured(*notes).comparisons
    return comparison


def test_a_pair_computed_by_hand() -> None:
    """Of a's four and b's three spans one is equal; one more overlaps, another only under a different label."""
    found = compared(
        note(
            a=[span(3, 13), span(23, 28), span(23, 34, "Test"), span(48, 57)],
            b=[span(3, 13), span(23, 34), span(48, 57, "Test")],
        )
    )
    assert found.pair == Pair(Kind.ANNOTATORS, "a", "b")
    strict, overlap = found.scores.strict, found.scores.overlap
    assert (strict.precision, strict.recall, strict.f1.value) == (1 / 3, 1 / 4, pytest.approx(2 / 7))
    assert (overlap.precision, overlap.recall, overlap.f1.value) == (2 / 3, 2 / 4, pytest.approx(4 / 7))
    assert found.labels["Problem"].tally == Tally(n_a=3, n_b=2, n_strict=1, n_overlap=2)
    assert found.labels["Test"].strict.f1.value == 0


def test_discontinuous_nested_and_repeated_spans_by_hand() -> None:
    apart = ReadSpan(Span(((3, 8), (20, 25))), "Problem", {})
    # The gap is no part of it; its second fragment is.
    assert compared(note(a=[apart], b=[span(3, 25)])).scores.tally == Tally(1, 1, 0, 1)
    assert compared(note(a=[apart], b=[span(9, 19)])).scores.tally == Tally(1, 1, 0, 0)
    assert compared(note(a=[apart], b=[apart])).scores.tally == Tally(1, 1, 1, 1)
    # The inner span finds the outer one taken by its equal.
    assert compared(note(a=[span(3, 13)], b=[span(3, 13), span(3, 8)])).scores.tally == Tally(1, 2, 1, 1)
    assert compared(note(a=[span(3, 13)], b=[span(3, 13), span(3, 13)])).scores.tally == Tally(1, 2, 1, 1)
    assert compared(note(a=[span(3, 13), span(3, 8)], b=[span(3, 13), span(9, 13)])).scores.tally == Tally(2, 2, 1, 2)


def test_only_notes_that_both_have_read_count() -> None:
    found = measured(
        note(1, a=[span(3, 13)], b=[span(3, 13)]),
        note(2, a=[span(3, 13)], b=[], c=[span(3, 13)]),
        note(3, a=[span(3, 13)]),
    )
    pairs = {each.pair[1:]: each for each in found.comparisons}
    assert {pair: each.n_documents for pair, each in pairs.items()} == {("a", "b"): 2, ("a", "c"): 1, ("b", "c"): 1}
    assert pairs["a", "b"].scores.tally == Tally(2, 1, 1, 1)
    assert found.n_documents == 2
    assert [pair.b for pair, _ in found.documents["note-2"]] == ["b", "c", "c"]
    assert found.documents["note-1"][0][1].strict.f1.value == 1


def test_what_cannot_be_said_is_not_said() -> None:
    found = compared(note(a=[span(3, 13)], b=[]))
    assert (found.scores.strict.precision, found.scores.strict.recall, found.scores.strict.f1.value) == (None, 0, 0)
    none = compared(note(a=[], b=[])).scores.strict.f1
    assert (none.value, none.interval, none.caveat) == (None, None, "not defined: neither has a span")
    tokens = measured(note(a=[], b=[])).tokens
    assert tokens.alpha.estimate.value is None
    assert tokens.alpha.estimate.caveat.startswith("not defined")
    assert measured(note(a=[])).tokens is None


@pytest.mark.parametrize(
    ("patients", "n_patients", "has_interval", "caveat"),
    [
        (["p", "p", "p"], 1, False, "no interval: fewer than 2 patients"),
        (["", "", "p"], 3, True, "a rough interval: fewer than 10 patients"),
        ([f"p{n}" for n in range(10)], 10, True, ""),
    ],
)
def test_an_interval_is_over_patients(patients: list[str], n_patients: int, has_interval: bool, caveat: str) -> None:
    notes = [note(n, patient, a=[span(3, 13)], b=[span(3, 13 + n % 2)]) for n, patient in enumerate(patients)]
    (found,) = measured(*notes, n_resamples=200).comparisons
    f1 = found.scores.strict.f1
    assert found.n_patients == n_patients
    assert (f1.interval is not None, f1.caveat) == (has_interval, caveat)
    if f1.interval and f1.value:
        assert f1.interval.low <= f1.value <= f1.interval.high


def test_a_label_that_few_patients_have_gets_no_interval() -> None:
    notes = [note(n, a=[span(3, 13)], b=[span(3, 13)]) for n in range(12)]
    notes.append(note(12, a=[span(3, 13, "Test")], b=[span(3, 13, "Test")]))
    (found,) = measured(*notes, n_resamples=200).comparisons
    test = found.labels["Test"].strict.f1
    assert (test.value, test.interval, test.caveat) == (1, None, "no interval: it rests on too few of the patients")


def test_labelers_and_gold_are_held_against_the_reference() -> None:
    found = measured(
        note(a=[span(3, 13), span(23, 28)], labelers={"Rules #1": [span(3, 13)]}, gold=[span(3, 13), span(48, 57)])
    )
    assert {each.pair: each.scores.tally for each in found.comparisons} == {
        Pair(Kind.LABELER, "a", "Rules #1"): Tally(2, 1, 1, 1),
        Pair(Kind.GOLD, GOLD, "a"): Tally(2, 2, 1, 1),
        Pair(Kind.GOLD, GOLD, "Rules #1"): Tally(2, 1, 1, 1),
    }
    assert (found.n_documents, found.tokens) == (0, None)


def test_other_labels_are_left_out() -> None:
    assert compared(note(a=[span(3, 13, "Drug")], b=[span(3, 13)])).scores.tally == Tally(0, 1, 0, 0)


def test_a_token_has_all_labels_that_lie_on_it() -> None:
    one = Reading([span(3, 13), span(5, 6, "Test")])
    other = Reading([span(9, 13), ReadSpan(Span(((0, 2), (14, 19))), "Test", {})])
    units = token_units("no chest pain today", [one, other])
    both, problem, test = frozenset({"Problem", "Test"}), frozenset({"Problem"}), frozenset({"Test"})
    none: frozenset[str] = frozenset()
    assert {ratings: n for ratings, n in units.items() if n} == {
        (none, test): 2,
        (both, none): 1,
        (problem, problem): 1,
    }
    assert units_of_label(units, "Problem") == {(False, False): 2, (True, False): 1, (True, True): 1}


def test_token_coefficients_are_of_all_tokens() -> None:
    found = measured(note(1, a=[span(3, 13)], b=[span(9, 13)]), note(2, a=[], b=[]))
    # 14 tokens a note: one of both, one of a alone, 26 of neither.
    assert found.tokens.alpha.n_units == found.token_labels["Problem"].alpha.n_units == 28
    by_chance = (2 * 1 + 26 * 27) / 28**2
    expected = (27 / 28 - by_chance) / (1 - by_chance)
    assert found.token_labels["Problem"].cohen["a", "b"].estimate.value == pytest.approx(expected)
    assert found.tokens.cohen["a", "b"].estimate.value == pytest.approx(expected)
    units = {(True, True): 1, (True, False): 1, (False, False): 26}
    assert found.tokens.alpha.estimate.value == pytest.approx(krippendorff_alpha(coincidences(units)))
    assert found.token_labels["Test"].alpha.estimate.value is None


def test_attributes_are_compared_where_spans_are_equal() -> None:
    a = [span(3, 13, assertion="absent"), span(23, 28, assertion="present"), span(48, 57, assertion="present")]
    b = [span(3, 13, assertion="absent"), span(23, 28, assertion="absent"), span(48, 56, assertion="absent")]
    found = measured(note(a=a, b=b)).attributes["assertion"]
    assert found.alpha.n_units == 2
    assert found.cohen["a", "b"].estimate.value == pytest.approx((0.5 - 0.5) / 0.5)


def test_labels_of_the_note_are_compared_where_both_give_one() -> None:
    values = [("never", "never"), ("never", "former"), ("former", "former"), ("former", None)]
    notes = [
        ReadNote(
            document=str(number),
            patient="",
            text=TEXT,
            annotators={
                name: Reading(values={"smoking": value} if value else {})
                for name, value in zip("ab", pair, strict=True)
            },
        )
        for number, pair in enumerate(values)
    ]
    found = measured(*notes).document_labels["smoking"]
    assert found.alpha.n_units == 3
    assert found.cohen["a", "b"].estimate.value == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))


drawn_span = st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from(LABELS))
readings = st.lists(drawn_span.map(lambda drawn: span(drawn[0], drawn[0] + drawn[1], drawn[2])), max_size=6)


@given(one=readings, other=readings, seed=st.integers(0, 5))
def test_tallies_are_symmetric_and_order_is_nothing(one: list[ReadSpan], other: list[ReadSpan], seed: int) -> None:
    shuffled = random.Random(seed).sample(other, len(other))
    cells = {cell.label: cell.tally for cell in note_cells(note(a=one, b=other))}
    swapped = {cell.label: cell.tally for cell in note_cells(note(a=shuffled, b=one))}
    assert swapped == {label: Tally(t.n_b, t.n_a, t.n_strict, t.n_overlap) for label, t in cells.items()}
    every = cells.pop(ALL_LABELS)
    assert every == tuple(map(sum, zip(Tally(), *cells.values(), strict=True)))
    assert every.n_strict <= every.n_overlap <= min(every.n_a, every.n_b)


@given(spans=readings.filter(bool))
def test_who_says_the_same_agrees_wholly(spans: list[ReadSpan]) -> None:
    found = measured(note(a=spans, b=spans[::-1]))
    scores = found.comparisons[0].scores
    assert scores.strict.f1.value == scores.overlap.f1.value == 1
    alpha = found.tokens.alpha.estimate.value
    assert alpha is None or alpha == pytest.approx(1)


def test_a_labeler_is_compared_on_what_it_is_asked_for() -> None:
    found = [span(3, 13), span(0, 2, LABEL)]
    read = replace(
        note(a=found, labelers={"rules": [span(3, 13)]}, gold=found),
        labelers={"rules": Reading([span(3, 13)]), "finder": Reading([span(0, 2, LABEL)], is_of_identifiers=True)},
    )
    tallies = {(cell.pair.a, cell.pair.b): cell.tally for cell in note_cells(read) if cell.label == ALL_LABELS}
    assert tallies == {
        ("a", "finder"): Tally(1, 1, 1, 1),
        ("a", "rules"): Tally(1, 1, 1, 1),
        (GOLD, "a"): Tally(2, 2, 2, 2),
        (GOLD, "finder"): Tally(1, 1, 1, 1),
        (GOLD, "rules"): Tally(1, 1, 1, 1),
    }
