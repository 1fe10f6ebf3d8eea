from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.spans import Span
from annotator.core.text import TextError, excerpt, n_unseen, normal_text, text_digest

PIECES = st.sampled_from(["a", "\r\n", "\r", "\n", "\U0001f600", "e\u0301", " "])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_a_raw_offset_moves_to_the_same_character(raw: str) -> None:
    raw += "x"
    normal = normal_text(raw)
    assert "\r" not in normal.text
    for offset, character in enumerate(raw):
        if offset in normal.removed:
            continue
        moved = normal.span_from_raw(Span.of(offset, offset + 1)).start
        assert normal.text[moved] == ("\n" if character == "\r" else character)


def test_each_fragment_is_moved() -> None:
    normal = normal_text("a\r\nb\r\nc")
    assert normal.span_from_raw(Span(((0, 1), (3, 4), (6, 7)))) == Span(((0, 1), (2, 3), (4, 5)))


def test_text_with_lf_is_left_as_it_is() -> None:
    assert normal_text("a\nb").removed == ()


@pytest.mark.parametrize("raw", ["", " \r\n\t", "a\0b", "a\ud800b", "\udfff"])
def test_text_that_no_database_holds_is_refused(raw: str) -> None:
    with pytest.raises(TextError):
        normal_text(raw)


def test_the_digest_is_that_of_the_utf8_bytes() -> None:
    assert text_digest("µ") == hashlib.sha256("µ".encode()).hexdigest()


def test_an_excerpt_is_one_line_without_what_would_spoil_it() -> None:
    assert excerpt("A\n\n b\u202ec\0d\ud800e" + "x" * 50, 12) == "A b▯c▯d▯exxx"
    assert excerpt("", 12) == ""


@pytest.mark.parametrize(("text", "n"), [("a\tb\r\nc é😀", 0), ("\u200b\ufeff\u2067\x0c\x00\x9b", 6)])
def test_characters_that_nobody_sees_are_counted(text: str, n: int) -> None:
    assert n_unseen(text) == n
