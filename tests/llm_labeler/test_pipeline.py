from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.prompting import Item, note_of, render_answer
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.core.tokens import token_spans
from llm_labeler.align import Alignment
from llm_labeler.backends import Answer, Backend, BackendError, Request, Token
from llm_labeler.pipeline import LabelResult, label_note

SCHEMA = schema_from_json(
    {
        "labels": [{"name": "Problem", "definition": "p"}, {"name": "Test", "definition": "t"}],
        "attributes": [{"name": "assertion", "values": ["present", "absent"], "labels": ["Problem"]}],
    }
)


class Scripted:
    """A model that answers each chunk by a function, one character a token."""

    name, model_id, revision = "scripted", "scripted", "1"

    def __init__(self, answer: Callable[[str], str], max_chars: int | None = None) -> None:
        self._answer = answer
        self._max_chars = max_chars
        self.calls: list[list[str]] = []

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        notes = [note_of(request.messages) for request in requests]
        self.calls.append(notes)
        return [[self._answered(note)] for note in notes]

    def _answered(self, note: str) -> Answer:
        text = self._answer(note)
        is_cut = self._max_chars is not None and len(text) > self._max_chars
        text = text[: self._max_chars] if is_cut else text
        return Answer(text, tuple(Token(c, -0.01) for c in text), "length" if is_cut else "stop")


def words(wanted: str, label: str = "Problem") -> Callable[[str], str]:
    """An answer that quotes each occurrence of `wanted`."""
    return lambda note: render_answer([Item(wanted, label)] * note.count(wanted))


def label(text: str, backend: Backend, **options: int) -> LabelResult:
    return label_note(text=text, schema=SCHEMA, backend=backend, **options)


def test_a_span_lies_where_the_note_reads_so() -> None:
    result = label("No rash.\nA \U0001f600 rash.", Scripted(words("rash")))
    assert [found.span for found in result.spans] == [Span.of(3, 7), Span.of(13, 17)]
    assert result.problems == ()
    assert not result.is_truncated


def test_all_chunks_go_to_the_model_in_one_call() -> None:
    backend = Scripted(words("rash"))
    result = label("A rash here. " * 20, backend, max_chars=60, overlap=20)
    assert len(backend.calls) == 1
    assert result.n_chunks == len(backend.calls[0]) > 4


def test_what_two_chunks_share_is_one_span() -> None:
    text = "A rash here. " * 20
    result = label(text, Scripted(words("rash")), max_chars=60, overlap=30)
    assert [found.span.start for found in result.spans] == [n * 13 + 2 for n in range(20)]


PIECES = st.sampled_from(["rash", " ", ". ", "\n", "\r\n", "\U0001f600", "e\u0301", "İ", "PLAN:\n", "no "])


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(8, 60))
def test_every_token_comes_back_in_its_own_place(text: str, max_chars: int) -> None:
    def every_token(note: str) -> str:
        return render_answer([Item(note[start:end], "Test") for start, end in token_spans(note)])

    result = label(text, Scripted(every_token), max_chars=max_chars, overlap=0)
    found = [(item.span.start, item.span.end) for item in result.spans]
    if all(end - start <= max_chars for start, end in token_spans(text)):
        assert found == token_spans(text)
    assert all(item.span.surface(text) == item.quote for item in result.spans)


def test_an_invented_quote_is_kept_without_a_place_and_last() -> None:
    answer = render_answer([Item("aspirin", "Test"), Item("rash", "Problem")])
    first, last = label("A rash.", Scripted(lambda note: answer)).spans
    assert (last.span, last.alignment, last.quote) == (None, Alignment.UNALIGNED, "aspirin")
    assert first.quote == "rash"


def test_an_invented_quote_of_several_chunks_is_kept_once() -> None:
    result = label(
        "A rash here. " * 20, Scripted(lambda note: render_answer([Item("aspirin", "Test")])), max_chars=60, overlap=0
    )
    assert len(result.spans) == 1


def test_a_discontinuous_quote_is_one_span_of_its_pieces() -> None:
    text = "Also stiffness in the left and right wrists."
    answer = render_answer([Item(("stiffness in the left", "wrists"), "Problem")])
    (found,) = label(text, Scripted(lambda note: answer)).spans
    assert found.span == Span(((5, 26), (37, 43)))
    assert found.span.surface(text) == found.quote


def test_spans_come_by_start_and_then_longest_first() -> None:
    answer = render_answer([Item("pain", "Problem"), Item("chest", "Test"), Item("chest pain", "Problem")])
    result = label("chest pain", Scripted(lambda note: answer))
    assert [found.quote for found in result.spans] == ["chest pain", "chest", "pain"]


def test_attributes_are_completed_and_the_score_is_the_labels() -> None:
    answer = render_answer([Item("rash", "Problem", {"assertion": "absent"}), Item("fever", "Problem")])
    rash, fever = label("No rash. Fever: fever", Scripted(lambda note: answer)).spans
    assert rash.attributes == {"assertion": "absent"}
    assert fever.attributes == {"assertion": "present"}
    assert rash.score == pytest.approx(math.exp(-0.07))


def test_a_label_outside_the_schema_is_a_problem_and_no_span() -> None:
    result = label("A rash.", Scripted(lambda note: '[{"text":"rash","label":"Finding"}]'))
    assert result.spans == ()
    assert result.problems == ("chunk 1: item 1: its label is not in the schema",)


def test_problems_hold_no_note_text() -> None:
    result = label("secret rash", Scripted(lambda note: f'[{{"text":"{note}","label":"{note}"}},{{"text":"{note}'))
    assert result.problems
    assert not any("secret" in problem or "rash" in problem for problem in result.problems)


def test_a_chunk_whose_answer_is_cut_is_asked_again_in_halves() -> None:
    text = "A rash here today. " * 20
    backend = Scripted(words("rash"), max_chars=500)
    result = label(text, backend, max_chars=400, overlap=0)
    assert len(backend.calls) == 2
    assert len(result.spans) == 20
    assert not result.is_truncated


def test_an_answer_that_stays_cut_is_salvaged_and_marked() -> None:
    result = label("A rash here today. " * 5, Scripted(words("rash"), max_chars=110))
    assert result.is_truncated
    assert len(result.spans) == 3
    assert result.problems


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_a_blank_note_is_never_sent(text: str) -> None:
    backend = Scripted(words("rash"))
    assert label(text, backend) == LabelResult((), (), 0, False)
    assert backend.calls == []


def test_a_model_that_leaves_out_an_answer_is_refused() -> None:
    class Silent(Scripted):
        def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
            return [[] for _ in requests]

    with pytest.raises(BackendError, match="scripted"):
        label("A rash.", Silent(words("rash")))
