from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_labeler.spelling import MAX_PLACES, MAX_WORDS, Words

WORDS = st.text(st.sampled_from("abcdeq"), min_size=1, max_size=12)
LETTERS = st.sampled_from("abcdeqx")


def surfaces(text: str, quote: str) -> list[str]:
    return [text[start:end] for start, end in Words(text).find(quote)]


@given(st.lists(WORDS, min_size=1, max_size=12), st.data())
def test_one_edit_inside_a_word_of_eight_letters_is_forgiven(words: list[str], data: st.DataObject) -> None:
    text = " ".join([*words, "zyxwvuts", "zz"])
    word = list("zyxwvuts")
    place = data.draw(st.integers(1, 7))
    word[place : place + data.draw(st.integers(0, 1))] = data.draw(st.sampled_from([[], ["q"]]))
    assert surfaces(text, "".join(word)) == ["zyxwvuts"]


@given(st.lists(WORDS, max_size=12), st.lists(WORDS, min_size=1, max_size=5))
def test_what_is_found_pairs_word_by_word(text: list[str], quote: list[str]) -> None:
    found = surfaces(" ".join(text), " ".join(quote))
    assert len(set(found)) <= 1
    for surface in found:
        pairs = list(zip(surface.split(), quote, strict=True))
        assert all(
            a == b or (a[0] == b[0] and abs(len(a) - len(b)) <= 1 and min(len(a), len(b)) >= 5) for a, b in pairs
        )
        assert sum(a != b for a, b in pairs) <= 0.15 * sum(map(len, quote))


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("insulin glargine 14 units", "insulin glargine 15 units"),
        ("insulin glargine 2.5 units", "insulin glargine 25 units"),
        ("insulin glargine 2-5 units", "insulin glargine 2.5 units"),
        ("insulin glargine 10 units", "insulin glargine 10000 units"),
        ("metformin 2 1/2", "metformin 2"),
        ("metformin 1/2", "metformin 1"),
        ("haemoglobin <100", "haemoglobin 100"),
        ("base excess of -5", "base excess of 5"),
        ("covid19 infection", "covid18 infection"),
        ("no pleural effusion", "on pleural effusion"),
        ("not tender abdomen", "now tender abdomen"),
        ("without tenderness today", "within tenderness today"),
        ("severe hypercalcaemia", "severe hypocalcaemia"),
        ("known hypertension", "known hypotension"),
        ("febrile overnight", "afebrile overnight"),
        ("atypical pneumonia", "typical pneumonia"),
        ("inactive tuberculosis", "active tuberculosis"),
        ("left pleural effusion", "pleural effusion left"),
        ("pleural effusion", "pleural and effusion"),
        ("pain", "pian"),
        ("fever", "fevre"),
        ("x y", "x-y"),
        ("metoprolol", "atenolol"),
    ],
)
def test_another_meaning_is_not_a_near_spelling(text: str, quote: str) -> None:
    assert surfaces(text, quote) == []


def test_the_nearer_wording_is_taken_and_none_of_two_that_are_as_near() -> None:
    assert surfaces("small effusion; small effusions", "smal effusion") == []
    assert surfaces("small effusion, small effuson", "small effussion") == ["small effusion"]
    assert surfaces("effusions or effusion", "effusiox") == ["effusion"]
    assert surfaces("effusiony or effusionz", "effusionx") == []


def test_a_wording_is_found_at_each_of_its_places() -> None:
    assert surfaces("effusion left, effusion right", "efusion") == ["effusion", "effusion"]


def test_work_is_bounded() -> None:
    assert surfaces("effusion " * (MAX_PLACES + 1), "efusion") == []
    long = " ".join(["effusion"] * (MAX_WORDS + 1))
    assert surfaces(long, long) == []


def test_marks_belong_to_their_letters() -> None:
    assert surfaces("a cafe\u0301\u0327 latte", "cafe latte") == ["cafe\u0301\u0327 latte"]
    assert surfaces("drank cafe\u0301\u0327", "drank cafe") == ["drank cafe\u0301\u0327"]


@pytest.mark.parametrize("quote", ["", " ", "\u0301", "...", "\U0001f600"])
def test_a_quote_without_words_is_not_found(quote: str) -> None:
    assert surfaces("effusion ... \U0001f600", quote) == []
