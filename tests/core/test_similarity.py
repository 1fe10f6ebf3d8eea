from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.similarity import TextIndex

POOL = [
    "Metformin 500 mg twice daily for diabetes.",
    "CT of the chest shows no pulmonary embolism.",
    "Denies chest pain and shortness of breath.",
    "Metoprolol 25 mg daily.",
]
TEXTS = st.lists(st.text(alphabet="ab cd.é\n", max_size=20), max_size=6)


def test_the_nearest_text_shares_the_rarest_words():
    index = TextIndex(POOL)
    assert index.nearest("chest pain since yesterday", n=2) == [2, 1]
    assert index.nearest("continue METFORMIN", n=1) == [0]


def test_the_score_is_that_of_the_formula():
    """Two texts of two words each, one word shared by both: idf ln(1.2), ln(2); with f = 1 and mean length the
    fraction is 1."""
    index = TextIndex(["cough fever", "cough rash"])
    assert index._score(0, ["cough", "fever"]) == pytest.approx(math.log(1.2) + math.log(2))
    assert index._score(1, ["cough", "fever"]) == pytest.approx(math.log(1.2))


def test_what_is_not_allowed_is_never_chosen():
    index = TextIndex(POOL)
    assert index.nearest("chest pain", n=4, is_allowed=lambda position: position != 2) == [1, 0, 3]
    assert index.nearest("chest pain", n=4, is_allowed=lambda _: False) == []


def test_equal_texts_go_by_position():
    assert TextIndex(["cough", "fever", "fever", "cough"]).nearest("cough", n=4) == [0, 3, 1, 2]


@pytest.mark.parametrize("pool", [[], [""], ["", "!"], ["!", "cough"]])
def test_texts_without_words_do_no_harm(pool: list[str]):
    assert TextIndex(pool).nearest("cough", n=9) == sorted(range(len(pool)), key=lambda k: (pool[k] != "cough", k))


@given(TEXTS, st.text(alphabet="ab cd", max_size=20), st.integers(0, 8))
def test_the_choice_is_one_of_the_pool_and_always_the_same(pool: list[str], text: str, n: int):
    chosen = TextIndex(pool).nearest(text, n=n)
    assert len(chosen) == len(set(chosen)) == min(n, len(pool))
    assert chosen == TextIndex(pool).nearest(text.upper().lower(), n=n)
    assert TextIndex(pool).nearest(text, n=len(pool))[:n] == chosen
