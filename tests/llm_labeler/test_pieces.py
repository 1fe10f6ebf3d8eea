from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llm_labeler.backends.pieces import texts_of


def test_a_character_of_several_pieces_comes_with_the_last() -> None:
    assert texts_of([b"a", b"\xf0\x9f", b"\x98", b"\x80b"]) == ["a", "", "", "\U0001f600b"]


def test_a_character_that_never_ends_is_replaced_in_its_last_piece() -> None:
    assert texts_of([b"a", b"\xf0\x9f"]) == ["a", "\ufffd"]
    assert texts_of([]) == []


@given(st.text(), st.lists(st.integers(1, 7)))
def test_the_texts_of_any_cut_joined_are_the_text(text: str, sizes: list[int]) -> None:
    data, pieces = text.encode(), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    pieces.append(data)
    assert "".join(texts_of(pieces)) == text
