from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.doubts import HIGH, LOW, LabelShares, Sign, label_shares, level, signs

SURE = {"label_logprob": math.log(0.95), "label_share": 0.96, "label_margin": 0.94, "runner_up": "Anatomy"}
FOUND = Sign("Found in the note to the letter", "4–9", is_doubt=False)
NAMES = ["label_logprob", "label_share", "label_margin", "runner_up", "start_logprob", "end_logprob", "second"]
NAMES += ["quote_min_logprob", "n_in_note", "n_occurrences", "n_readings", "agreement", "exact_agreement", "yes_share"]
NAMES += ["is_sampled", "kind", "second_share", "second_label"]


def said(alignment: str = "exact", **signals: Any) -> list[Sign]:
    return signs(label="Problem", alignment=alignment, place="4–9", signals=signals)


def words(**signals: Any) -> list[str]:
    return [sign.words for sign in said(**signals) if sign.is_doubt]


def test_a_suggestion_without_signals_says_how_it_was_found() -> None:
    assert said() == [FOUND]


def test_nothing_is_doubted_where_the_model_was_sure() -> None:
    assert said(**SURE, start_logprob=-0.1, end_logprob=-0.1, quote_min_logprob=-0.2, n_in_note=1) == [FOUND]


def test_doubts_come_first() -> None:
    found = said(alignment="normalized", **SURE, n_readings=5, agreement=1.0)
    assert [sign.is_doubt for sign in found] == [True, False]


@pytest.mark.parametrize(
    ("signals", "doubt"),
    [
        (
            {"label_share": 0.55, "label_margin": 0.15, "runner_up": "Anatomy"},
            "The model hesitated between Problem and Anatomy",
        ),
        ({"label_logprob": math.log(0.3)}, "The model was not sure of the label"),
        ({"label_logprob": math.log(0.45), "kind": "procedure_name"}, "A kind of match that is often wrong"),
        ({"start_logprob": math.log(0.3)}, "The model was not sure that a span begins here"),
        ({"end_logprob": math.log(0.3)}, "The model was not sure where the span ends"),
        ({"quote_min_logprob": math.log(0.05)}, "The model was not sure of a word in it"),
        ({"n_in_note": 4, "n_occurrences": 2}, "The same words occur 4 times in this note"),
        ({"n_readings": 5, "agreement": 0.4}, "2 of 5 readings found it"),
        ({"n_readings": 5, "agreement": 0.2, "is_sampled": 1}, "1 of 5 readings found it, not the first"),
        ({"yes_share": 0.2}, "Asked again, the model said no"),
        ({"second": "spacy", "second_share": 0.0}, "The dictionaries do not know it"),
        ({"second": "spacy", "second_share": 0.0, "second_label": "Test"}, "The dictionaries call it Test"),
        ({"second": "openai", "second_share": 0}, "The second labeler does not find it"),
    ],
)
def test_what_makes_a_score_low_is_said_in_words(signals: dict[str, Any], doubt: str) -> None:
    assert words(**signals) == [doubt]


@pytest.mark.parametrize(
    ("signals", "sign"),
    [
        ({"label_logprob": math.log(0.8), "kind": "drug_name"}, Sign("Kind of match", "drug name", False)),
        ({"n_in_note": 4, "n_occurrences": 1}, Sign("The same words occur 4 times in this note", "", False)),
        (
            {"n_readings": 5, "agreement": 1.0, "exact_agreement": 0.6},
            Sign("5 of 5 readings found it", "bounds differ", False),
        ),
        ({"yes_share": 0.9}, Sign("Asked again, the model said yes", "0.90", False)),
        ({"second": "spacy", "second_share": 1.0}, Sign("The dictionaries know it too", "1.00", False)),
        ({"second": "spacy", "second_share": 0.2}, Sign("The dictionaries know a part of it", "0.20", False)),
    ],
)
def test_what_speaks_for_a_span_is_said_too(signals: dict[str, Any], sign: Sign) -> None:
    assert said(**signals) == [sign, FOUND]


@pytest.mark.parametrize(
    ("alignment", "doubt"),
    [
        ("normalized", "Found but for case, spaces and signs"),
        ("fuzzy", "Found by near spelling only"),
        ("unaligned", "Not found in the note"),
        ("telepathic", "Found: telepathic"),
    ],
)
def test_how_it_was_found_is_doubted_where_it_was_not_to_the_letter(alignment: str, doubt: str) -> None:
    assert said(alignment) == [Sign(doubt, "4–9", is_doubt=True)]


@pytest.mark.parametrize(
    ("value", "word"),
    [(0.0, "Low"), (LOW - 0.01, "Low"), (LOW, "Medium"), (HIGH - 0.01, "Medium"), (HIGH, "High"), (1.0, "High")],
)
def test_a_number_has_a_word(value: float, word: str) -> None:
    assert level(value) == word


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ({}, None),
        ({"label_share": 0.9}, None),
        ({"label_share": 1.4, "label_margin": 0.1}, None),
        ({"label_share": 0.75, "label_margin": 0.5, "runner_up": "Test"}, ("Test", 0.25, 0.0)),
        ({"label_share": 0.5, "label_margin": 0.25, "runner_up": "Test"}, ("Test", 0.25, 0.25)),
        ({"label_share": 0.75, "label_margin": 0.7, "runner_up": "Test"}, ("", 0.0, 0.25)),
        ({"label_share": 0.5, "label_margin": 0.25}, ("", 0.0, 0.5)),
        ({"label_share": 0.75, "label_margin": -0.5, "runner_up": "Test"}, ("Test", 0.25, 0.0)),
    ],
)
def test_the_runner_up_is_named_where_the_signals_tell_of_one(
    signals: dict[str, Any], expected: tuple[str, float, float] | None
) -> None:
    found = label_shares(label="Problem", signals=signals)
    assert found == (expected and LabelShares("Problem", signals["label_share"], *expected))


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING))
def test_any_signals_can_be_said(signals: dict[str, Any]) -> None:
    assert said(**signals)
    shares = label_shares(label="Problem", signals=signals)
    assert shares is None or math.isclose(shares.share + shares.runner_up_share + shares.rest, 1.0)
