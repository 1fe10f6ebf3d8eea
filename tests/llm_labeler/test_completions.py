from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_labeler.backends.completions import AnswerError, read_answer


def completion(content: str, pieces: list[bytes], finish: str = "stop") -> dict[str, Any]:
    entries = [
        {
            "token": piece.decode(errors="replace"),
            "bytes": list(piece),
            "logprob": -0.5,
            "top_logprobs": [{"token": "x", "bytes": list(b"x"), "logprob": -1.5}] * 3,
        }
        for piece in pieces
    ]
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": finish, "logprobs": {"content": entries}}]}


@given(st.text(max_size=20), st.data())
def test_tokens_cut_anywhere_join_to_the_text(text: str, data: st.DataObject):
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=6)) | {0, len(raw)})
    pieces = [raw[start:end] for start, end in itertools.pairwise(cuts)]
    answer = read_answer(completion(text, pieces), n_top=1)
    assert "".join(token.text for token in answer.tokens) == answer.text == text


def test_a_character_of_several_tokens_comes_with_the_last():
    first, rest = "é".encode()[:1], "é".encode()[1:]
    answer = read_answer(completion('["é"]', [b'["', first, rest, b'"]']), n_top=0)
    assert [token.text for token in answer.tokens] == ['["', "", "é", '"]']


def test_an_end_of_turn_and_trimmed_space_are_no_part_of_the_answer():
    answer = read_answer(completion("[]", [b"\n [", b"] ", b"<end_of_turn>", b""]), n_top=0)
    assert [token.text for token in answer.tokens] == ["[", "]"]


def test_a_thought_is_left_out_whether_the_server_does_it_or_not():
    pieces = [b"<unused94>", b"thought\n", b"a [] b", b"<unused95>", b"[", b"]"]
    for content in ("<unused94>thought\na [] b<unused95>[]", "[]"):
        answer = read_answer(completion(content, pieces), n_top=0)
        assert (answer.text, [token.text for token in answer.tokens]) == ("[]", ["[", "]"])


def test_a_thought_without_an_end_leaves_nothing():
    answer = read_answer(completion("<unused94>thought", [b"<unused94>", b"thought"], finish="length"), n_top=0)
    assert (answer.text, answer.tokens, answer.finish_reason) == ("", (), "length")


def test_as_many_alternatives_are_kept_as_were_asked_for():
    answer = read_answer(completion("[]", [b"[]"]), n_top=2)
    assert answer.tokens[0].top == (("x", -1.5), ("x", -1.5))


def test_tokens_that_are_not_the_texts_give_no_scores_rather_than_wrong_ones():
    answer = read_answer(completion('["é"]', [b'["', "\ufffd".encode(), b'"]']), n_top=0)
    assert (answer.text, answer.tokens) == ('["é"]', ())


@pytest.mark.parametrize("given", [None, [], {}, {"choices": []}, {"choices": [{"message": "x"}]}, {"error": "chest"}])
def test_another_form_is_refused_without_its_text(given: Any):
    with pytest.raises(AnswerError, match="in another form") as refused:
        read_answer(given, n_top=0)
    assert "chest" not in str(refused.value)


def test_an_answer_without_log_probabilities_is_refused():
    with pytest.raises(AnswerError, match="gives no log-probabilities"):
        read_answer({"choices": [{"message": {"content": "[]"}, "finish_reason": "stop"}]}, n_top=0)
