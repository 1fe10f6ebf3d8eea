from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.prompting import Item, note_of, render_answer
from annotator.core.schema import schema_from_json
from annotator.core.scoring import score_of
from annotator.core.spans import Span
from annotator.core.tokens import token_spans
from llm_labeler.align import Alignment
from llm_labeler.backends import Answer, Backend, BackendAway, BackendError, Constraint, Request, Token
from llm_labeler.pipeline import DEFAULT, Decoding, LabelResult, label_note, label_notes

SCHEMA = schema_from_json(
    {
        "labels": [{"name": "Problem", "definition": "p"}, {"name": "Test", "definition": "t"}],
        "attributes": [{"name": "assertion", "values": ["present", "absent"], "labels": ["Problem"]}],
    }
)


class Scripted:
    """A model that answers each chunk by a function, one character a token."""

    name, model_id, revision, device = "scripted", "scripted", "1", "CPU"

    def __init__(self, answer: Callable[[str], str], max_chars: int | None = None, group_size: int = 1000) -> None:
        self._answer = answer
        self._max_chars = max_chars
        self.group_size = group_size
        self.calls: list[list[str]] = []

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        notes = [note_of(request.messages) for request in requests]
        self.calls.append(notes)
        return [[self._answered(note)] * request.n for note, request in zip(notes, requests, strict=True)]

    def _answered(self, note: str) -> Answer:
        text = self._answer(note)
        is_cut = self._max_chars is not None and len(text) > self._max_chars
        text = text[: self._max_chars] if is_cut else text
        return Answer(text, tuple(Token(c, -0.01) for c in text), "length" if is_cut else "stop")


def words(wanted: str, label: str = "Problem") -> Callable[[str], str]:
    """An answer that quotes each occurrence of `wanted`."""
    return lambda note: render_answer([Item(wanted, label)] * note.count(wanted))


def label(text: str, backend: Backend, **decoding: Any) -> LabelResult:
    return label_note(text=text, schema=SCHEMA, backend=backend, decoding=Decoding(**decoding))


def test_a_span_lies_where_the_note_reads_so() -> None:
    result = label("No rash.\nA \U0001f600 rash.", Scripted(words("rash")))
    assert [found.span for found in result.spans] == [Span.of(3, 7), Span.of(13, 17)]
    assert result.problems == ()
    assert result.n_truncated == 0


def test_windows_go_to_the_model_in_groups() -> None:
    backend = Scripted(words("rash"), group_size=4)
    result = label("A rash here. " * 20, backend, window=60, overlap=20)
    assert {len(group) for group in backend.calls[:-1]} == {4}
    assert result.n_chunks == sum(map(len, backend.calls)) > 4


def test_what_two_chunks_share_is_one_span() -> None:
    text = "A rash here. " * 20
    result = label(text, Scripted(words("rash")), window=60, overlap=30)
    assert [found.span.start for found in result.spans] == [n * 13 + 2 for n in range(20)]


PIECES = st.sampled_from(["rash", " ", ". ", "\n", "\r\n", "\U0001f600", "e\u0301", "İ", "PLAN:\n", "no "])


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(8, 60))
def test_every_token_comes_back_in_its_own_place(text: str, max_chars: int) -> None:
    def every_token(note: str) -> str:
        return render_answer([Item(note[start:end], "Test") for start, end in token_spans(note)])

    result = label(text, Scripted(every_token), window=max_chars, overlap=0)
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
        "A rash here. " * 20, Scripted(lambda note: render_answer([Item("aspirin", "Test")])), window=60, overlap=0
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
    assert rash.score == score_of(rash.signals) > 0


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
    result = label(text, backend, window=400, overlap=0)
    assert len(backend.calls) == 2
    assert len(result.spans) == 20
    assert result.n_truncated == 0


def test_an_answer_that_stays_cut_is_salvaged_and_marked() -> None:
    result = label("A rash here today. " * 5, Scripted(words("rash"), max_chars=110))
    assert result.n_truncated == 1
    assert len(result.spans) == 3
    assert result.problems


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_a_blank_note_is_never_sent(text: str) -> None:
    backend = Scripted(words("rash"))
    assert label(text, backend) == LabelResult((), (), (), 0, 0)
    assert backend.calls == []


def test_a_model_that_goes_in_circles_is_stopped_soon() -> None:
    seen: list[int] = []

    class Watched(Scripted):
        def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
            seen.extend(request.max_tokens for request in requests)
            return super().generate(requests)

    label("A rash.", Watched(words("rash")))
    label("A rash. " * 300, Watched(words("rash")), window=2000, overlap=0, max_tokens=500)
    assert seen == [128 + 7, 500, 500]


def test_a_model_that_leaves_out_an_answer_is_refused() -> None:
    class Silent(Scripted):
        def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
            return [[] for _ in requests]

    with pytest.raises(BackendError, match="scripted"):
        label("A rash.", Silent(words("rash")))


# Several notes


SHORT, MIDDLE, LONG = "A rash.", "A rash here. " * 10, "A rash here. " * 40
ALL = Decoding(window=60, overlap=0)


def texts_of(backend: Backend, texts: Sequence[str], decoding: Decoding = ALL, **options: Any) -> list[tuple[int, int]]:
    """(place of the note, spans found), in the order in which notes came out."""
    found = label_notes(texts=texts, schema=SCHEMA, backend=backend, decoding=decoding, **options)
    return [(place, len(result.spans)) for place, result in found]


def test_notes_come_out_shortest_first_as_their_last_window_is_read() -> None:
    backend = Scripted(words("rash"), group_size=4)
    out = label_notes(texts=[LONG, "", SHORT, MIDDLE], schema=SCHEMA, backend=backend, decoding=ALL)
    seen = [(place, len(backend.calls)) for place, _ in out]
    assert [place for place, _ in seen] == [1, 2, 3, 0]
    assert [n_calls for _, n_calls in seen] == [0, 1, 1, len(backend.calls)]


def test_windows_of_several_notes_share_a_group() -> None:
    backend = Scripted(words("rash"), group_size=8)
    assert texts_of(backend, [SHORT] * 3 + [MIDDLE]) == [(0, 1), (1, 1), (2, 1), (3, 10)]
    assert len(backend.calls) == 1


@given(st.lists(st.sampled_from(["", " ", SHORT, MIDDLE, LONG, "No."]), max_size=6), st.integers(1, 9))
def test_notes_read_together_are_what_they_are_alone(texts: list[str], group_size: int) -> None:
    together = label_notes(texts=texts, schema=SCHEMA, backend=Scripted(words("rash"), 300, group_size), decoding=ALL)
    found = dict(together)
    alone = Scripted(words("rash"), 300)
    assert found == {
        place: label_note(text=text, schema=SCHEMA, backend=alone, decoding=ALL) for place, text in enumerate(texts)
    }


def test_a_note_that_is_not_kept_is_read_no_further() -> None:
    asked: list[list[int]] = []

    def keep(places: Sequence[int]) -> Collection[int]:
        asked.append(list(places))
        return [place for place in places if place != 1]

    backend = Scripted(words("rash"), group_size=2)
    assert texts_of(backend, [SHORT, MIDDLE, LONG], keep=keep) == [(0, 1), (2, 40)]
    assert asked[:2] == [[0, 1], [2]]
    assert sum(map(len, backend.calls)) == 1 + len(LONG) // 52


class Failing(Scripted):
    """Raises at each note that holds `word`."""

    def __init__(self, word: str, error: Exception, **options: Any) -> None:
        super().__init__(words("rash"), **options)
        self._word, self._error = word, error

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        if any(self._word in note_of(request.messages) for request in requests):
            raise self._error
        return super().generate(requests)


def test_a_note_that_the_model_fails_at_does_not_cost_the_others() -> None:
    failed: list[tuple[int, Exception]] = []
    error = BackendError("out of memory: a smaller window is wanted")
    backend = Failing("bad", error, group_size=8)
    texts = [SHORT, "A bad rash. " * 9, MIDDLE]
    assert texts_of(backend, texts, failed=lambda *given: failed.append(given)) == [(0, 1), (2, 10)]
    assert failed == [(1, error)]
    with pytest.raises(BackendError, match="out of memory"):
        texts_of(backend, texts)


def test_each_note_of_a_group_that_failed_is_kept_before_it_is_read_alone() -> None:
    backend = Failing("bad", BackendError("out of memory"), group_size=8)
    asked: list[list[int]] = []

    def keep(places: Sequence[int]) -> Collection[int]:
        asked.append(list(places))
        return [place for place in places if len(asked) == 1 or place != 2]

    texts = [SHORT, "A bad rash.", "Another rash."]
    assert texts_of(backend, texts, keep=keep, failed=lambda *given: None) == [(0, 1)]
    assert asked == [[0, 1, 2], [0], [1], [2]]
    assert backend.calls == [[SHORT]]


def test_a_model_that_is_away_ends_the_whole() -> None:
    backend = Failing("bad", BackendAway("the server does not answer: start it"), group_size=1)
    failed: list[int] = []
    out = label_notes(
        texts=["A bad rash.", SHORT], schema=SCHEMA, backend=backend, failed=lambda place, _: failed.append(place)
    )
    assert next(out)[0] == 1
    with pytest.raises(BackendAway):
        next(out)
    assert failed == []


def test_what_is_wrong_with_one_notes_answer_stays_with_it() -> None:
    backend = Scripted(lambda note: "][" if "bad" in note else render_answer([Item("rash", "Problem")]), group_size=8)
    results = dict(label_notes(texts=["bad rash", SHORT], schema=SCHEMA, backend=backend))
    assert (results[0].spans, len(results[0].problems)) == ((), 1)
    assert (len(results[1].spans), results[1].problems) == (1, ())


def test_examples_are_chosen_for_each_window_of_each_note() -> None:
    seen: list[tuple[str, int]] = []

    def examples(window: str, place: int) -> Sequence[Any]:
        seen.append((window, place))
        return ()

    texts_of(Scripted(words("rash")), [SHORT, MIDDLE], examples=examples)
    assert seen[0] == (SHORT, 0)
    assert {place for _, place in seen[1:]} == {1}
    assert "".join(window for window, place in seen if place == 1) == MIDDLE


# Several readings


class Drawn(Scripted):
    """Answers at a temperature by the functions in turn, and greedily by the first."""

    def __init__(self, *answers: Callable[[str], str], **options: Any) -> None:
        super().__init__(answers[0], **options)
        self._answers = answers
        self.requests: list[Request] = []

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        self.requests += requests
        found = []
        for request in requests:
            drawn = self._answers[1:] if request.temperature else self._answers[:1]
            texts = [answer(note_of(request.messages)) for answer in drawn]
            found.append([Answer(text, tuple(Token(c, -0.01) for c in text), "stop") for text in texts])
        return found


def items(*pairs: tuple[str, str]) -> Callable[[str], str]:
    answer = render_answer([Item(*pair) for pair in pairs])
    return lambda note: answer


def test_each_span_tells_in_how_many_readings_it_was_found() -> None:
    backend = Drawn(
        items(("chest pain", "Problem"), ("ECG", "Test")),
        items(("chest pain", "Problem"), ("fever", "Problem")),
        items(("pain", "Problem"), ("fever", "Problem")),
        items(("acute chest pain", "Problem"), ("fever", "Test")),
    )
    result = label("No acute chest pain or fever. ECG", backend, n_passes=3)
    told = {
        (found.quote, found.label): (
            found.signals["agreement"],
            found.signals["exact_agreement"],
            found.signals.get("is_sampled"),
        )
        for found in result.spans
    }
    assert told == {
        ("chest pain", "Problem"): (0.75, 0.5, None),
        ("ECG", "Test"): (0.25, 0.25, None),
        ("fever", "Problem"): (0.5, 0.5, 1),
        ("fever", "Test"): (0.25, 0.25, 1),
        ("pain", "Problem"): (0.25, 0.25, 1),
    }
    assert {found.signals["n_readings"] for found in result.spans} == {4}


class Cut(Drawn):
    """The last `n_cut` of its drawn answers were cut off."""

    n_cut = 1

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        found = super().generate(requests)
        for request, drawn in zip(requests, found, strict=True):
            if request.temperature:
                drawn[-self.n_cut :] = [replace(answer, finish_reason="length") for answer in drawn[-self.n_cut :]]
        return found


def test_a_drawn_answer_that_was_cut_off_takes_no_part_in_the_agreement() -> None:
    backend = Cut(*[items(("fever", "Problem"))] * 3, items())
    (found,) = label("No fever.", backend, n_passes=3).spans
    assert (found.signals["n_readings"], found.signals["agreement"]) == (3, 1.0)
    backend.n_cut = 3
    (found,) = label("No fever.", backend, n_passes=3).spans
    assert not {"n_readings", "agreement"} & found.signals.keys()


def test_passes_are_drawn_with_a_seed_and_the_first_answer_is_not() -> None:
    backend = Drawn(words("rash"), words("rash"), words("rash"))
    label("A rash.", backend, n_passes=2, seed=7, constraint=Constraint.JSON)
    assert [(one.n, one.temperature, one.seed) for one in backend.requests] == [(1, 0.0, 7), (2, 0.7, 7)]
    assert {one.constraint for one in backend.requests} == {Constraint.JSON}


def test_a_group_counts_all_answers_that_are_drawn() -> None:
    sizes: list[int] = []

    class Counted(Drawn):
        def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
            sizes.append(sum(request.n for request in requests))
            return super().generate(requests)

    label("A rash here. " * 20, Counted(*[words("rash")] * 4, group_size=9), window=60, overlap=0, n_passes=3)
    assert sizes == [8, 8, 4]


# Other opinions


def test_a_second_labeler_tells_of_the_spans_and_adds_none_but_its_own_beside_them() -> None:
    first = Scripted(items(("chest pain", "Problem"), ("ECG", "Test"), ("fever", "Problem")))
    second = Scripted(items(("pain", "Problem"), ("ECG", "Problem"), ("rash", "Problem")))
    second.name = "spacy"
    result = label_note(text="chest pain, rash, fever, ECG", schema=SCHEMA, backend=first, second=second)
    told = {
        found.quote: (
            found.signals["second"],
            found.signals["second_share"],
            found.signals.get("second_label"),
        )
        for found in result.spans
    }
    assert told == {
        "chest pain": ("spacy", 0.4, None),
        "ECG": ("spacy", 0.0, "Problem"),
        "fever": ("spacy", 0.0, None),
    }
    assert [(str(one.span), one.label) for one in result.others] == [
        ("6 10", "Problem"),
        ("12 16", "Problem"),
        ("25 28", "Problem"),
    ]


class Judge(Scripted):
    """Says yes to rash, and no to all else."""

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        if requests[0].max_tokens > 1:
            return super().generate(requests)
        self.calls.append([request.messages[0]["content"] for request in requests])
        return [[self._judged(request.messages[0]["content"])] for request in requests]

    def _judged(self, asked: str) -> Answer:
        yes = 0.8 if '"rash"' in asked else 0.1
        top = ((" Yes", math.log(yes)), ("No", math.log(0.9 - yes)), ("maybe", math.log(0.1)))
        return Answer(" Yes", (Token(" Yes", math.log(yes), top),), "length")


def test_spans_are_asked_about_once_more() -> None:
    backend = Judge(items(("rash", "Problem"), ("ECG", "Test"), ("invented", "Test")), group_size=1)
    result = label("A rash. ECG.", backend, is_rechecked=True)
    shares = {found.quote: found.signals.get("yes_share") for found in result.spans}
    assert shares == {"rash": pytest.approx(8 / 9), "ECG": pytest.approx(1 / 9), "invented": None}
    assert [len(call) for call in backend.calls] == [1, 1, 1]
    assert "Problem: p\n" in backend.calls[1][0]


def test_a_model_that_says_neither_yes_nor_no_tells_nothing() -> None:
    result = label("A rash.", Scripted(words("rash")), is_rechecked=True)
    assert "yes_share" not in result.spans[0].signals


def test_each_span_tells_how_often_its_words_stand_in_the_note() -> None:
    result = label("A rash here. Crash! " * 20, Scripted(words("rash here")), window=60, overlap=0)
    assert {found.signals["n_in_note"] for found in result.spans} == {20}


def test_a_stored_decoding_comes_back_and_what_is_not_ours_is_passed_over() -> None:
    stored = {"window": 300, "overlap": 0, "constraint": "json", "n_passes": 4, "signals": 2, "config": {"x": 1}}
    assert Decoding.from_json(stored) == Decoding(window=300, overlap=0, constraint=Constraint.JSON, n_passes=4)
    assert Decoding.from_json({}) == DEFAULT
