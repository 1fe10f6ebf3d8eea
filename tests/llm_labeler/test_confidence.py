from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from llm_labeler.align import Aligned, Alignment
from llm_labeler.backends import Answer, Token
from llm_labeler.confidence import TokenPlaces, score_of, span_signals
from llm_labeler.parse import parse_answer

SCHEMA = schema_from_json({"labels": [{"name": "Medication", "definition": "m"}]})
FOUND = Aligned(Span.of(0, 7), Alignment.EXACT, 2)


def answer(*tokens: tuple[str, float]) -> Answer:
    return Answer("".join(text for text, _ in tokens), tuple(Token(*token) for token in tokens), "stop")


def signals(given: Answer) -> dict[str, float | int | str]:
    item = parse_answer(given.text, SCHEMA).items[0]
    return span_signals(item, FOUND, TokenPlaces(given))


def test_the_signals_come_from_the_tokens_of_their_values() -> None:
    before = [('[{"', 0.0), ("text", -9.0), ('":"', -9.0)]
    between = [('","', -9.0), ("label", -9.0), ('":"', -9.0)]
    value, label = [("asp", -0.5), ("irin", -0.1)], [("Med", -0.2), ("ication", -0.1)]
    found = signals(answer(*before, *value, *between, *label, ('"}]', -9.0)))
    assert found["label_logprob"] == pytest.approx(-0.3)
    assert found["quote_mean_logprob"] == pytest.approx(-0.3)
    assert found["quote_min_logprob"] == pytest.approx(-0.5)
    assert found["n_occurrences"] == 2
    assert found["alignment"] == "exact"
    assert score_of(found) == pytest.approx(math.exp(-0.3))


def test_a_token_may_hang_over_its_value_by_the_quotation_mark() -> None:
    found = signals(
        answer(('[{"text":', 0.0), ('"aspirin', -0.4), ('","label":"', 0.0), ('Medication"', -0.7), ("}]", 0.0))
    )
    assert found["label_logprob"] == pytest.approx(-0.7)
    assert found["quote_min_logprob"] == pytest.approx(-0.4)


def test_a_token_that_holds_more_than_the_value_is_no_signal_of_it() -> None:
    found = signals(answer(('[{"text":"aspirin","label":"', -0.4), ("Medication", -0.7), ('"}]', 0.0)))
    assert "quote_mean_logprob" not in found
    assert found["label_logprob"] == pytest.approx(-0.7)


@pytest.mark.parametrize("tokens", [(), (Token("[{", 0.0),)])
def test_without_matching_tokens_there_are_no_scores(tokens: tuple[Token, ...]) -> None:
    found = signals(Answer('[{"text":"aspirin","label":"Medication","kind":"drug_name"}]', tokens, "stop"))
    assert "label_logprob" not in found
    assert score_of(found) == 0.0
    assert found["kind"] == "drug_name"


@given(st.lists(st.text(max_size=4), max_size=8), st.data())
def test_the_tokens_of_a_place_are_those_that_overlap_it(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    places = TokenPlaces(Answer(text, tuple(Token(piece, -float(n)) for n, piece in enumerate(pieces)), "stop"))
    wanted, offset, is_own = [], 0, True
    for n, piece in enumerate(pieces):
        if piece and offset < end and start < offset + len(piece):
            wanted.append(-float(n))
            is_own = is_own and offset >= start - 2 and offset + len(piece) <= end + 2
        offset += len(piece)
    assert places.logprobs((start, end)) == (wanted if is_own and start < end else [])
