from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.brat import BINARY, MAX_FAULTS, parse_ann, write_ann
from annotator.core.foreign import ForeignRelation, ForeignSpan
from annotator.core.spans import Span

NOTE = "Chest pain, no fever.\nOn aspirin 81 mg."


def test_reads_spans_with_their_attributes() -> None:
    found = parse_ann(
        "T1\tProblem 0 10\tChest pain\nT2\tProblem 15 20\tfever\nA1\tassertion T2 absent\nM1\tNegation T2\n"
    )
    assert found.spans == (
        ForeignSpan(where="line 1", span=Span.of(0, 10), label="Problem", surface="Chest pain"),
        ForeignSpan(
            where="line 2",
            span=Span.of(15, 20),
            label="Problem",
            surface="fever",
            attributes={"assertion": "absent", "Negation": BINARY},
        ),
    )


def test_reads_discontinuous_spans() -> None:
    (span,) = parse_ann("T1\tDosage 3 10;11 13\taspirin 81\n").spans
    assert span.span.fragments == ((3, 10), (11, 13))


def test_attribute_of_an_event_goes_to_its_trigger() -> None:
    found = parse_ann("T1\tSymptom 0 5\tChest\nE3\tSymptom:T1 Place:T1\nA1\tPOLARITY E3 NEG\n")
    assert found.spans[0].attributes == {"POLARITY": "NEG"}


def test_counts_lines_of_other_kinds_and_passes_over_blank_ones() -> None:
    content = "T1\tA 0 1\tx\nE1\tA:T1\nE2\tA:T1\n*\tEquiv T1 T2\n#1\tAnnotatorNotes T1\thm\nN1\tRef T1 a:1\tx\n"
    found = parse_ann(content + "\n  \nA1\tsure R1\n")
    assert (len(found.spans), dict(found.losses)) == (
        1,
        {"equivalences": 1, "notes of annotators": 1, "normalisations": 1},
    )


def test_reads_relations_of_spans_and_of_events() -> None:
    spans = "T1\tDrug 0 1\tx\nT2\tDose 1 2\ty\nE1\tDrug:T1\nT3\tDose x 2\tz\n"
    found = parse_ann(f"R1\tdose_of Arg1:T2 Arg2:T1\n{spans}R2\tdose_of Arg1:T2 Arg2:E1\nR3\tof Arg1:T3 Arg2:T1\n")
    assert [(each.where, each.type, each.head, each.tail) for each in found.relations] == [
        ("line 1", "dose_of", 1, 0),
        ("line 6", "dose_of", 1, 0),
    ]
    assert len(found.faults) == 1  # the wrong span; its relation is no fault of its own


def test_an_empty_file_has_no_span() -> None:
    assert parse_ann("").spans == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T1 Problem 0 4 secret", "a span is written 'T1<tab>LABEL START END<tab>TEXT'"),
        ("T1\tProblem 0 6", "a span is written 'T1<tab>LABEL START END<tab>TEXT'"),
        ("T1\tProblem\tsecret", "a span is written 'T1<tab>LABEL START END<tab>TEXT'"),
        ("T1\tProblem 0 x\tsecret", "fragments are written 'START END', joined by ';'"),
        ("T1\tProblem 0 6;4 9\tsecret", "fragment 4-9 starts before the one ahead of it ends (6)"),
        ("T1\tProblem 6 6\tsecret", "fragment 6-6 is empty or negative: 0 <= start < end is wanted"),
        (f"T1\tProblem 0 {'9' * 5000}\tsecret", "an offset is too large"),
        (f"T1\t{'L' * 101} 0 6\tsecret", "a label has 1 to 100 printable characters, this one 101"),
        ("T1\tA\0B 0 6\tsecret", "a label has 1 to 100 printable characters, this one 3"),
        ("T0\tProblem 0 6\tsecret", "the id of this span was given in line 1"),
        ("A1\tsecret", "an attribute is written 'A1<tab>NAME T1 VALUE' or 'A1<tab>NAME T1'"),
        ("A1\tassertion T9 secret", "the attribute's span is not defined in this file"),
        ("A1\tassertion T0 secret", "the span has another value of this attribute already"),
        ("R1\tsecret Arg1:T0", "a relation is written 'R1<tab>TYPE Arg1:T1 Arg2:T2'"),
        ("R1\tsecret Arg1:T0 Arg2:T9", "a span of the relation is not defined in this file"),
        (f"R1\t{'r' * 101} Arg1:T0 Arg2:T0", "a relation's type has 1 to 100 printable characters, this one 101"),
        ("secret", "starts with none of T A M E R * # N"),
    ],
)
def test_a_wrong_line_is_named_and_not_quoted(line: str, message: str) -> None:
    found = parse_ann(f"T0\tProblem 0 6\tsecret\nA0\tassertion T0 absent\n\n{line}\n")
    assert found.faults == (f"line 4: {message}",)
    assert len(found.spans) == 1
    assert "secret" not in found.faults[0]


def test_every_wrong_line_is_named_up_to_a_limit() -> None:
    found = parse_ann("T1\tProblem 0 x\tpain\nA1\tassertion T1 absent\nT2\tProblem 0 1\tx\n" + "boo\n" * 60)
    assert found.faults[:2] == (
        "line 1: fragments are written 'START END', joined by ';'",
        "line 4: starts with none of T A M E R * # N",
    )
    assert (len(found.faults), found.faults[-1]) == (MAX_FAULTS + 1, "and 11 more wrong lines")
    assert len(found.spans) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_they_like(line_end: str) -> None:
    assert len(parse_ann(line_end.join(["T1\tA 0 1\tx", "T2\tA 1 2\ty", ""])).spans) == 2


def test_a_line_end_inside_a_span_is_written_as_a_space() -> None:
    written = write_ann(text=NOTE, spans=[ForeignSpan(where="", span=Span.of(15, 24), label="Problem")])
    assert written == "T1\tProblem 15 24\tfever. On\n"


TEXTS = st.text(alphabet=st.sampled_from("ab é\u0301😀\u2028\x0b\t\n\r"), min_size=2, max_size=40)


@st.composite
def notes(draw: st.DrawFn) -> tuple[str, list[ForeignSpan]]:
    text = draw(TEXTS)
    spans = []
    for _ in range(draw(st.integers(0, 4))):
        n_fragments = draw(st.integers(1, min(3, len(text) // 2)))
        cuts = st.lists(st.integers(0, len(text)), min_size=2 * n_fragments, max_size=2 * n_fragments, unique=True)
        ends = sorted(draw(cuts))
        span = Span(tuple(zip(ends[::2], ends[1::2], strict=True)))
        attributes = draw(st.dictionaries(st.sampled_from(["assertion", "Negation"]), st.sampled_from(["no", BINARY])))
        spans.append(ForeignSpan(where="", span=span, label=draw(st.sampled_from("AB")), attributes=attributes))
    return text, spans


@given(notes())
def test_what_is_written_is_read_back(note: tuple[str, list[ForeignSpan]]) -> None:
    text, spans = note
    found = parse_ann(write_ann(text=text, spans=spans)).spans
    assert [(one.span, one.label, one.attributes) for one in found] == [
        (one.span, one.label, one.attributes) for one in spans
    ]
    assert all((one.surface or "").split() == one.span.surface(text).split() for one in found)


def test_relations_come_back_and_remarks_are_left_to_brat() -> None:
    spans = [ForeignSpan(where="", span=Span.of(0, 4), label="A"), ForeignSpan(where="", span=Span.of(5, 9), label="B")]
    tie = ForeignRelation(where="", type="seen_with", head=1, tail=0)
    written = write_ann(text="left knee", spans=spans, relations=[tie], notes=[(1, "which one?")])
    assert written.endswith("R1\tseen_with Arg1:T2 Arg2:T1\n#1\tAnnotatorNotes T2\twhich one?\n")
    found = parse_ann(written)
    assert [(own.type, own.head, own.tail) for own in found.relations] == [("seen_with", 1, 0)]
    assert (found.losses, found.faults) == ({"notes of annotators": 1}, ())


def test_arguments_of_an_event_are_relations_from_its_trigger() -> None:
    spans = "T1\tStart 0 1\tx\nT2\tDrug 1 2\ty\nT3\tDose 2 3\tz\n"
    found = parse_ann(f"E1\tStart:T1 Theme:E2 Theme2:T3\n{spans}E2\tDrug:T2\n")
    assert [(each.where, each.type, each.head, each.tail) for each in found.relations] == [
        ("line 1", "Theme", 0, 1),
        ("line 1", "Theme", 0, 2),
    ]
    assert not found.faults
    assert parse_ann("E1\tStart\n").faults == ("line 1: an event is written 'E1<tab>TYPE:T1 ROLE:T2'",)
