from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.core.cases import Case, Kind, Reading, SaidSpan, SaidTie, Version, agreement, compare
from annotator.core.spans import Span

LENGTH = 30


@st.composite
def spans(draw: st.DrawFn) -> Span:
    cuts = sorted(draw(st.sets(st.integers(0, LENGTH), min_size=2, max_size=6)))
    return Span(tuple(zip(cuts[::2], cuts[1::2], strict=False)))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Distinct (span, label) pairs with an attribute, ties between them, and a value of the note."""
    pairs = draw(st.sets(st.tuples(spans(), st.sampled_from("PM")), max_size=5))
    said = [SaidSpan(span, label, (("a", draw(st.sampled_from("xy"))),)) for span, label in pairs]
    places = st.sampled_from([str(each.span) for each in said]) if said else st.nothing()
    ties = draw(st.sets(st.builds(SaidTie, st.sampled_from("rt"), places, places), max_size=3)) if said else set()
    values = draw(st.dictionaries(st.just("smoking"), st.sampled_from(["never", "former"]), max_size=1))
    return Reading(frozenset(said), frozenset(ties), values)


several = st.lists(readings(), min_size=2, max_size=4)


def told(cases: list[Case]) -> list[tuple[str, Kind, str, set[Version]]]:
    return [(case.key, case.kind, case.digest, set(case.versions)) for case in cases]


@settings(max_examples=30)
@given(several)
def test_every_span_of_every_reading_is_in_exactly_one_case(given_readings: list[Reading]) -> None:
    for place, reading in enumerate(given_readings):
        found = [
            said
            for case in compare(given_readings)
            for version in case.versions
            if place in version.readers
            for said in version.spans
        ]
        assert sorted(found) == sorted(reading.spans)


@settings(max_examples=30)
@given(several)
def test_a_case_is_agreed_where_every_reading_says_the_same_and_only_there(given_readings: list[Reading]) -> None:
    cases = compare(given_readings)
    everybody = list(range(len(given_readings)))
    for case in cases:
        assert sorted(place for version in case.versions for place in version.readers) == everybody
        assert case.is_agreed == (len(set(case.versions)) == 1)
        assert not (case.is_agreed and case.versions[0].is_empty)
    assert all(case.is_agreed for case in compare([given_readings[0]] * 3))


@settings(max_examples=30)
@given(several)
def test_the_order_of_readings_makes_no_difference(given_readings: list[Reading]) -> None:
    first = told(compare(given_readings))
    assert all(told(compare(order)) == first for order in permutations(given_readings))


@settings(max_examples=30)
@given(several)
def test_cases_have_keys_of_their_own_and_stand_in_the_order_of_the_text(given_readings: list[Reading]) -> None:
    cases = compare(given_readings)
    assert len({case.key for case in cases}) == len(cases)
    starts = [case.start for case in cases if not case.key.startswith("value")]
    assert starts == sorted(starts)
    for case in cases:
        assert len({version.digest for version in case.versions}) == len(case.versions)


@settings(max_examples=30)
@given(several)
def test_what_one_case_marks_no_other_does(given_readings: list[Reading]) -> None:
    of_spans = [case for case in compare(given_readings) if case.key.startswith("span")]
    marked = [
        {
            at
            for version in case.versions
            for said in version.spans
            for pair in said.span.fragments
            for at in range(*pair)
        }
        for case in of_spans
    ]
    assert sum(map(len, marked)) == len(set().union(*marked))


def reading(*said: tuple[int, int, str] | tuple[int, int, str, str], **values: str) -> Reading:
    spans = [
        SaidSpan(Span.of(start, end), label, tuple(("a", value) for value in more)) for start, end, label, *more in said
    ]
    return Reading(frozenset(spans), values=values)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ([(0, 5, "P")], [(0, 5, "P")], Kind.AGREED),
        ([(0, 5, "P")], [(0, 5, "M")], Kind.LABEL),
        ([(0, 5, "P")], [(0, 4, "P")], Kind.EDGES),
        ([(0, 5, "P")], [(0, 4, "M")], Kind.LABEL_AND_EDGES),
        ([(0, 5, "P", "x")], [(0, 5, "P", "y")], Kind.ATTRIBUTES),
        ([(0, 5, "P", "x")], [(0, 5, "M", "y")], Kind.LABEL),
        ([(0, 5, "P")], [], Kind.INCOMPLETE),
        ([(0, 5, "P"), (2, 4, "M")], [(0, 5, "P")], Kind.NESTED),
        ([(0, 5, "P"), (2, 4, "M")], [(0, 5, "P"), (2, 4, "P")], Kind.LABEL),
        ([(0, 5, "P"), (4, 8, "M")], [(0, 8, "P")], Kind.NESTED),
    ],
)
def test_how_two_readings_differ(one: list, other: list, kind: Kind) -> None:
    (case,) = compare([reading(*one), reading(*other)])
    assert case.kind == kind


def test_equal_versions_are_one_and_a_third_may_mark_nothing() -> None:
    (case,) = compare([reading((0, 5, "P")), reading((0, 5, "M")), reading((0, 5, "M"))])
    assert [version.readers for version in case.versions] == [(0,), (1, 2)]
    (case,) = compare([reading((0, 5, "P")), reading(), reading((0, 5, "P"))])
    assert case.kind == Kind.INCOMPLETE
    (case,) = compare([reading((0, 5, "P")), reading(), reading((0, 5, "M"))])
    assert (case.kind, len(case.versions)) == (Kind.LABEL, 3)


def test_both_is_offered_where_it_can_be_said_and_is_something_new() -> None:
    def both(one: Reading, other: Reading) -> Version | None:
        (case,) = compare([one, other])
        return case.both

    assert len(both(reading((0, 5, "P")), reading((0, 5, "M"))).spans) == 2
    assert both(reading((0, 5, "P", "x")), reading((0, 5, "P", "y"))) is None
    assert both(reading((0, 5, "P")), reading()) is None
    assert both(reading(smoking="never"), reading(smoking="former")) is None


def test_a_digest_counts_who_says_what_and_not_where_else_they_differ() -> None:
    def digest(*given_readings: Reading) -> str:
        return compare(given_readings)[0].digest

    problem, medication = reading((0, 5, "P")), reading((0, 5, "M"))
    assert digest(problem, medication) == digest(medication, problem)
    assert digest(problem, medication) == digest(reading((0, 5, "P"), (9, 12, "M")), medication)
    assert digest(problem, problem, medication) != digest(problem, medication, medication)


def test_a_relation_whose_ends_have_other_bounds_is_the_same_relation() -> None:
    def tied(end: int, *more: tuple[int, int, str]) -> Reading:
        spans = reading((0, end, "P"), (10, 14, "M"), *more).spans
        return Reading(spans, frozenset([SaidTie("treats", "10 14", f"0 {end}")]))

    cases = compare([tied(5), tied(4)])
    assert [(case.key, case.kind) for case in cases] == [
        ("span 0 5", Kind.EDGES),
        ("span 10 14", Kind.AGREED),
        ("tie span 0 5 span 10 14", Kind.AGREED),
    ]
    lone = Reading(tied(5).spans)
    assert compare([tied(5), lone])[-1].kind == Kind.INCOMPLETE
    # Where a reading has several spans in the case, its end is told by its own place.
    assert compare([tied(5), tied(4, (2, 3, "M"))])[-1].kind == Kind.RELATION


def test_the_labels_of_the_note_come_last() -> None:
    cases = compare([reading((3, 5, "P"), smoking="never"), reading((3, 5, "P"), smoking="former", pregnant="no")])
    assert [(case.key, case.kind) for case in cases] == [
        ("span 3 5", Kind.AGREED),
        ("value pregnant", Kind.INCOMPLETE),
        ("value smoking", Kind.VALUE),
    ]


def test_the_versions_that_differ_most_are_shown_first() -> None:
    near, far = reading((0, 5, "P"), (2, 4, "M")), reading((1, 3, "M"))
    (case,) = compare([reading((0, 5, "P")), near, far])
    assert [version.readers for version in case.most_different()] == [(0,), (2,)]


def test_agreement_is_f1_of_spans_and_labels() -> None:
    one, other = reading((0, 5, "P"), (6, 9, "M")), reading((0, 5, "P", "x"), (6, 9, "P"), (10, 12, "M"))
    assert agreement(one, other) == pytest.approx(2 / 5)
    assert agreement(Reading(), Reading()) == 1.0
