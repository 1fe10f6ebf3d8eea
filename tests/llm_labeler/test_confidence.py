from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.schema import schema_from_json
from annotator.core.scoring import score_of
from annotator.core.spans import Span
from llm_labeler.align import Aligned, Alignment
from llm_labeler.backends import Answer, Token
from llm_labeler.confidence import TokenPlaces, span_signals
from llm_labeler.parse import parse_answer

LABELS = ("Medication", "Test", "Test result", "Treatment", "Problem")
SCHEMA = schema_from_json({"labels": [{"name": name, "definition": "d"} for name in LABELS]})
FOUND = Aligned(Span.of(0, 7), Alignment.EXACT, 2)


def answer(*tokens: tuple[str, float]) -> Answer:
    return Answer("".join(text for text, _ in tokens), tuple(Token(*token) for token in tokens), "stop")


def signals(given: Answer) -> dict[str, float | int | str]:
    item = parse_answer(given.text, SCHEMA).items[0]
    return span_signals(item, FOUND, TokenPlaces(given), LABELS)


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


def test_the_first_token_and_the_end_of_a_quote_are_told_apart() -> None:
    found = signals(
        answer(
            ('[{"text":"', 0.0),
            *[("asp", -0.5), ("irin", -0.1), ('","', -0.3)],
            ('label":"', 0.0),
            ("Medication", -0.2),
            ('"}]', 0.0),
        )
    )
    assert (found["start_logprob"], found["end_logprob"]) == (-0.5, -0.3)
    assert (found["n_chars"], found["is_masked"]) == (7, 0)


def test_a_token_that_ends_within_a_character_counts_for_that_character() -> None:
    found = signals(
        answer(
            *[('[{"text":"', 0.0), ("", -6.0), ("℃", -0.01), ("x", -0.02), ("", -2.0), ("℃", -0.03)],
            *[('","', -0.3), ('label":"', 0.0), ("Medication", -0.2), ('"}]', 0.0)],
        )
    )
    assert (found["start_logprob"], found["quote_min_logprob"], found["end_logprob"]) == (-6.0, -6.0, -0.3)
    assert found["quote_mean_logprob"] == pytest.approx((-6.0 - 0.01 - 0.02 - 2.0 - 0.03) / 5)


def test_an_end_within_what_is_forced_says_nothing() -> None:
    found = signals(
        answer(('[{"text":"', 0.0), ("aspirin", -0.5), ('","label":"', -0.3), ("Medication", -0.2), ('"}]', 0.0))
    )
    assert found["end_logprob"] == -0.3
    whole = signals(answer(('[{"text":"aspirin","label":"', 0.0), ("Medication", -0.2), ('"}]', 0.0)))
    assert not {"start_logprob", "end_logprob"} & set(whole)


def test_the_tokens_of_all_pieces_count() -> None:
    found = signals(
        answer(
            ('[{"text":["', 0.0),
            ("left", -0.5),
            ('","', 0.0),
            ("wrist", -0.7),
            ('"],', -0.4),
            ('"label":"', 0.0),
            ("Medication", -0.2),
            ('"}]', 0.0),
        )
    )
    assert (found["start_logprob"], found["end_logprob"]) == (-0.5, -0.4)
    assert found["quote_mean_logprob"] == pytest.approx(-0.6)


# The share of the label among those allowed

Top = tuple[tuple[str, float], ...]


def labelled(*tokens: tuple[str, Top], end: str = '"}]') -> dict[str, float | int | str]:
    """The signals of an answer whose label is written in these tokens, each with its alternatives (probabilities)."""
    made = [Token('[{"text":"', 0.0, (("x", -9.0),)), Token("aspirin", -0.1), Token('","label":"', 0.0)]
    for text, top in tokens:
        chances = tuple((alternative, math.log(p)) for alternative, p in top)
        made.append(Token(text, dict(chances)[text], chances))
    if end:
        made.append(Token(end, 0.0, ((end, 0.0),)))
    return signals(Answer("".join(token.text for token in made), tuple(made), "stop"))


def test_the_margin_is_over_the_allowed_labels_and_names_the_runner_up() -> None:
    found = labelled(("Problem", (("Problem", 0.4), ("Med", 0.2), ("The", 0.3), ("Medi", 0.1))))
    assert found["label_share"] == pytest.approx(4 / 7)
    assert found["label_margin"] == pytest.approx(1 / 7)
    assert found["runner_up"] == "Medication"


def test_alternatives_count_up_to_the_token_where_labels_part() -> None:
    found = labelled(
        ("T", (("T", 0.8), ("Problem", 0.2))),
        ("reat", (("reat", 0.25), ("est", 0.75))),
        ("ment", (("ment", 0.5), ("ed", 0.5))),
    )
    # Treatment .8 × .25, Test or Test result .8 × .75, Problem .2; what follows "Treat" is no other label.
    assert found["label_share"] == pytest.approx(0.2)
    assert found["label_margin"] == pytest.approx(0.2 - 0.6)
    assert "runner_up" not in found, "two labels begin so"


def test_a_label_counts_in_whatever_tokens_it_could_be_written() -> None:
    found = labelled(("P", (("P", 0.2), ("Problem", 0.4), ("Med", 0.4))), ("roblem", (("roblem", 1.0),)))
    assert found["label_share"] == pytest.approx(0.6)


def test_a_label_that_begins_another_parts_from_it_at_its_end() -> None:
    top = (('"}]', 0.9), (" result", 0.1))
    found = labelled(("Test", (("Test", 1.0),)), ('"}]', top), end="")
    assert found["label_share"] == pytest.approx(0.9)
    assert found["runner_up"] == "Test result"


def test_a_label_with_no_rival_has_the_whole_margin() -> None:
    found = labelled(("Problem", (("Problem", 0.9), ("problem", 0.1))))
    assert (found["label_share"], found["label_margin"]) == (1.0, 1.0)
    assert "runner_up" not in found


def test_without_alternatives_there_is_no_margin() -> None:
    found = signals(answer(('[{"text":"', 0.0), ("aspirin", -0.1), ('","label":"', 0.0), ("Test", -0.2), ('"}]', 0.0)))
    assert not {"label_share", "label_margin", "runner_up"} & set(found)


@given(st.lists(st.text(max_size=4), max_size=8), st.data())
def test_the_tokens_of_a_place_are_those_that_overlap_it(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    places = TokenPlaces(Answer(text, tuple(Token(piece, -float(n)) for n, piece in enumerate(pieces)), "stop"))
    wanted, offset, is_own = [], 0, True
    for n, piece in enumerate(pieces):
        if offset < end and (start < offset + len(piece) if piece else start <= offset):
            wanted.append(-float(n))
            is_own = is_own and offset >= start - 2 and offset + len(piece) <= end + 2
        offset += len(piece)
    assert places.logprobs((start, end)) == (wanted if is_own and start < end else [])
