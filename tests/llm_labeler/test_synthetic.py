from __future__ import annotations

import random
import re
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.chunks import SMALL_WINDOW
from annotator.core.prompting import note_of, render_answer
from annotator.core.spans import Span
from annotator.core.text import normal_text
from llm_labeler.align import Quote, align
from llm_labeler.parse import parse_answer
from llm_labeler.synthetic.notes import full_schema, note_of_rule, notes, rows
from llm_labeler.synthetic.rules import Grammar, GrammarError, load_grammar, read_grammar

DEMO = Path(__file__).parents[2] / "annotator" / "demo" / "notes"
WORD = re.compile(r"\w+")


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return load_grammar()


def grammar_of(text: str) -> Grammar:
    return read_grammar([(f"line {number}", line) for number, line in enumerate(text.splitlines(), 1)])


def written(text: str, rule: str = "note_a", seed: int = 1) -> tuple[str, list[tuple[str, str, str]]]:
    note = note_of_rule(grammar_of(text), rule, random.Random(seed))
    return note.text, [(gold.label, gold.assertion, gold.span.surface(note.text)) for gold in note.spans]


def eight_grams(text: str) -> set[tuple[str, ...]]:
    words = WORD.findall(text.lower())
    return set(zip(*(words[start:] for start in range(8)), strict=False))


def test_marks_become_spans_by_start_and_longest_first() -> None:
    text, spans = written(
        "@note_a\nDenies [P-absent:pain in the [A:{side} knee]], on [M:aspirin] [D:75 mg od].\n@side\nleft"
    )
    assert text == "Denies pain in the left knee, on aspirin 75 mg od."
    assert spans == [
        ("Problem", "absent", "pain in the left knee"),
        ("Anatomy", "", "left knee"),
        ("Medication", "", "aspirin"),
        ("Dosage", "", "75 mg od"),
    ]


def test_pieces_of_one_number_are_one_span() -> None:
    _, spans = written("@note_a\n[P#1:stiffness in the] left and [P#1:right wrist]")
    assert spans == [("Problem", "", "stiffness in the right wrist")]


def test_slots_are_filled_cased_and_left_out() -> None:
    drawn = {
        written("@note_a\n{x|cap} {?y}{int 3 3} {dec 1.5 1.5}\\n\\[z\\]\n@x\nab\n@y\nq", seed=seed)[0]
        for seed in range(40)
    }
    assert {"Ab q 3 1.5\n[z]", "Ab 3 1.5\n[z]"} <= drawn


def test_a_span_over_a_line_end_is_in_pieces_as_brat_writes_it() -> None:
    note = note_of_rule(grammar_of("@note_a\n[P:swelling of the\\n left knee]"), "note_a", random.Random(1))
    assert note.spans[0].span == Span(((0, 15), (17, 26)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pain", "a rule's '@name' must come first"),
        ("@note_a\n[X:pain]", "line 2: '\\[' opens no mark at column 1"),
        ("@note_a\n[M-absent:pain]", "opens no mark"),
        ("@note_a\n[P:pain", "a mark is not closed"),
        ("@note_a\npain]", "closes nothing at column 5"),
        ("@note_a\n{no such}", "opens no slot"),
        ("@note_a\n@note_b\nx", "@note_a has no alternative"),
        ("@note_a\nx\n@note_a\ny", "each name once"),
    ],
)
def test_a_faulty_rule_is_named(text: str, fault: str) -> None:
    with pytest.raises(GrammarError, match=fault):
        grammar_of(text)


def test_a_rule_in_circles_is_named() -> None:
    with pytest.raises(GrammarError, match="@note_a goes round in circles"):
        written("@note_a\n{note_a}")


def test_our_grammar_has_no_faults(grammar: Grammar) -> None:
    assert grammar.faults() == []


def test_the_same_seed_draws_the_same_notes(grammar: Grammar) -> None:
    assert list(islice(notes(grammar, 5), 20)) == list(islice(notes(grammar, 5), 20))
    assert list(islice(notes(grammar, 5), 5)) != list(islice(notes(grammar, 6), 5))


@given(seed=st.integers(0, 10_000))
def test_every_answer_leads_back_to_its_spans(grammar: Grammar, seed: int) -> None:
    note = next(notes(grammar, seed))
    for gold in note.spans:
        surface = gold.span.surface(note.text)
        assert surface.strip() == surface and surface
    for row in rows(iter([note]), seed):
        window = note_of([{"role": "user", "content": row.prompt}])
        assert len(window) <= SMALL_WINDOW
        parsed = parse_answer(row.answer, full_schema())
        assert not parsed.problems
        quotes = [Quote(item.quotes, "\0".join((item.label, *item.quotes))) for item in parsed.items]
        assert all(found.span is not None for found in align(window, quotes))


def test_windows_without_a_span_are_answered_with_an_empty_list(grammar: Grammar) -> None:
    answers = [row.answer for row in islice(rows(notes(grammar, 1), 1), 600)]
    assert 0.05 < answers.count(render_answer([])) / len(answers) < 0.35


def test_no_eight_words_of_the_demo_notes_are_in_what_was_trained_on(grammar: Grammar) -> None:
    demo = set().union(
        *(eight_grams(normal_text(file.read_bytes().decode()).text) for file in sorted(DEMO.glob("*.txt")))
    )
    shared = {gram for note in islice(notes(grammar, 1), 2000) for gram in eight_grams(note.text)} & demo
    assert not shared
