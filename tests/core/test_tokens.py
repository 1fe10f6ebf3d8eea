from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from annotator.core.spans import Span, SpanError
from annotator.core.tokens import fit, move_boundary, set_bounds, snap, token_spans

NURSE = "\U0001f469\u200d\u2695\ufe0f"
PIECES = st.one_of(
    st.sampled_from(
        [" ", "\n", "\r\n", "\t", "pain", "2.5", "don't", "-", ".", "e\u0301", NURSE, "\U0001f1e9\U0001f1ea", "ß"]
    ),
    st.characters(exclude_categories=("Cs",)),
)
TEXTS = st.lists(PIECES, max_size=25).map("".join)


def tokens(text: str) -> list[str]:
    return [text[start:end] for start, end in token_spans(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("chest pain.", ["chest", "pain", "."]),
        ("don't, Crohn\u2019s", ["don't", ",", "Crohn\u2019s"]),
        ("'quoted'", ["'", "quoted", "'"]),
        ("2.5 mg, 1,000 units.", ["2.5", "mg", ",", "1,000", "units", "."]),
        ("120/80 x-ray q6h", ["120", "/", "80", "x", "-", "ray", "q6h"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        (f"a{NURSE}b", ["a", NURSE, "b"]),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"]),
        ("\U0001f44d\U0001f3fd!", ["\U0001f44d\U0001f3fd", "!"]),
        ("急性 a_b", ["急", "性", "a", "_", "b"]),
        ("\r\n \t", []),
    ],
)
def test_text_is_parted_into_words_and_signs(text: str, wanted: list[str]) -> None:
    assert tokens(text) == wanted


@given(TEXTS)
def test_every_visible_character_lies_in_exactly_one_token(text: str) -> None:
    covered = [offset for start, end in token_spans(text) for offset in range(start, end)]
    assert covered == [offset for offset, character in enumerate(text) if not character.isspace()]


@given(TEXTS)
def test_no_token_begins_with_a_mark_that_has_a_base(text: str) -> None:
    for start, _ in token_spans(text):
        has_base = start > 0 and not text[start - 1].isspace()
        assert not (has_base and unicodedata.category(text[start])[0] == "M")


@given(TEXTS, st.data())
def test_snap_gives_the_tokens_that_the_selection_touches(text: str, data: st.DataObject) -> None:
    assume(text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    touched = [token for token in token_spans(text) if token[0] < end and start < token[1]]
    if not touched:
        with pytest.raises(SpanError, match="white space"):
            snap(text, start, end)
        return
    assert snap(text, start, end) == (touched[0][0], touched[-1][1])


@pytest.mark.parametrize(("start", "end"), [(2, 2), (3, 1), (-1, 2), (0, 9)])
def test_snap_refuses_what_is_not_in_the_text(start: int, end: int) -> None:
    with pytest.raises(SpanError):
        snap("pain", start, end)


def test_snap_looks_only_at_the_neighbourhood() -> None:
    text = "chest pain\n" * 5000
    snap(text, 30_000, 30_004)
    began = time.process_time()
    for _ in range(100):
        snap(text, 30_000, 30_004)
    assert time.process_time() - began < 0.3


def test_a_long_note_is_parted_in_a_blink() -> None:
    text = "The patient's BP was 120/80; chest pain, no fever.\n" * 1000
    began = time.process_time()
    token_spans(text)
    assert time.process_time() - began < 0.5  # about 0.01 s on an idle core


LINE = "severe chest pain, today"  # tokens at 0 7 13 17 19


@pytest.mark.parametrize(
    ("edge", "step", "wanted"),
    [("start", -1, (0, 17)), ("start", 1, (13, 17)), ("end", 1, (7, 18)), ("end", -1, (7, 12))],
)
def test_a_boundary_moves_by_one_token(edge: str, step: int, wanted: tuple[int, int]) -> None:
    assert move_boundary(LINE, Span.of(7, 17), edge, step) == Span.of(*wanted)


def test_a_boundary_inside_a_token_first_moves_to_its_bound() -> None:
    assert move_boundary(LINE, Span.of(9, 15), "start", -1) == Span.of(7, 15)
    assert move_boundary(LINE, Span.of(9, 15), "end", 1) == Span.of(9, 17)
    assert move_boundary(LINE, Span.of(9, 15), "end", -1) == Span.of(9, 12)


def test_an_exact_boundary_moves_by_one_character_with_its_marks() -> None:
    text = "cafe\u0301 s pain"
    assert move_boundary(text, Span.of(0, 5), "end", -1, exact=True) == Span.of(0, 3)
    assert move_boundary(text, Span.of(0, 3), "end", 1, exact=True) == Span.of(0, 5)
    assert move_boundary(text, Span.of(0, 5), "end", 1, exact=True) == Span.of(0, 7), "white space is passed over"
    assert move_boundary(text, Span.of(6, 12), "start", -1, exact=True) == Span.of(3, 12)
    assert move_boundary(text, Span.of(6, 12), "start", 1, exact=True) == Span.of(8, 12)
    with pytest.raises(SpanError):
        move_boundary(text, Span.of(6, 7), "start", 1, exact=True)


@pytest.mark.parametrize(
    ("span", "edge", "step"),
    [((0, 6), "start", -1), ((19, 24), "end", 1), ((7, 12), "start", 1), ((7, 12), "end", -1), ((0, 40), "end", 1)],
)
def test_a_boundary_that_cannot_move_says_so(span: tuple[int, int], edge: str, step: int) -> None:
    with pytest.raises(SpanError):
        move_boundary(LINE, Span.of(*span), edge, step)


def test_only_the_outer_fragment_of_a_discontinuous_span_moves() -> None:
    span = Span(((0, 6), (13, 17)))
    assert move_boundary(LINE, span, "end", 1) == Span(((0, 6), (13, 18)))
    with pytest.raises(SpanError):
        move_boundary(LINE, span, "end", -1)
    with pytest.raises(SpanError):
        move_boundary(LINE, span, "start", 1)


@pytest.mark.parametrize(("edge", "step"), [("left", 1), ("start", 2)])
def test_an_unknown_edge_or_step_is_refused(edge: str, step: int) -> None:
    with pytest.raises(SpanError):
        move_boundary(LINE, Span.of(0, 6), edge, step)


@given(TEXTS, st.data())
def test_a_step_out_and_back_returns_to_the_same_span(text: str, data: st.DataObject) -> None:
    found = token_spans(text)
    assume(len(found) > 1)
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, len(found) - 1))
    span = Span.of(found[first][0], found[last][1])
    if last + 1 < len(found):
        wider = move_boundary(text, span, "end", 1)
        assert wider.end == found[last + 1][1]
        assert move_boundary(text, wider, "end", -1) == span
    if first > 0:
        wider = move_boundary(text, span, "start", -1)
        assert wider.start == found[first - 1][0]
        assert move_boundary(text, wider, "start", 1) == span


@given(TEXTS, st.data())
def test_fit_takes_no_more_than_the_characters_that_the_selection_touches(text: str, data: st.DataObject) -> None:
    assume(text.strip())
    end = data.draw(st.integers(1, len(text)))
    start = data.draw(st.integers(0, end - 1))
    assume(text[start:end].strip())
    fitted = fit(text, start, end)
    assert fit(text, *fitted) == fitted
    assert text[fitted[0] : fitted[1]].strip() == text[fitted[0] : fitted[1]]
    token_start, token_end = snap(text, start, end)
    assert token_start <= fitted[0] < fitted[1] <= token_end
    own = text[start:end]
    if own.isascii():
        inside = text[fitted[0] : fitted[1]]
        assert inside.startswith(own.strip()) and all(not mark.isascii() for mark in inside[len(own.strip()) :])


@pytest.mark.parametrize(
    ("text", "start", "end", "wanted"),
    [
        ("chest pain", 2, 8, "est pa"),
        ("chest pain", 4, 7, "t p"),
        ("a pain ", 1, 7, "pain"),
        ("cafe\u0301", 1, 4, "afe\u0301"),
        ("cafe\u0301s", 4, 6, "e\u0301s"),
        (f"x{NURSE}y", 2, 3, NURSE),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 1, 2, "\U0001f1e9\U0001f1ea"),
        ("\U0001f44d\U0001f3fd!", 1, 3, "\U0001f44d\U0001f3fd!"),
    ],
)
def test_fit_parts_no_mark_from_its_base(text: str, start: int, end: int, wanted: str) -> None:
    found = fit(text, start, end)
    assert text[found[0] : found[1]] == wanted


def test_bounds_move_the_first_start_and_the_last_end() -> None:
    text = "left and right knee pain"
    assert set_bounds(text, Span.of(9, 14), 0, 19) == Span.of(0, 19)
    assert set_bounds(text, Span.of(0, 19), 9, 14) == Span.of(9, 14)
    assert set_bounds(text, Span(((0, 4), (15, 19))), 1, 24) == Span(((1, 4), (15, 24)))


@pytest.mark.parametrize(("start", "end"), [(4, 19), (0, 15), (0, 19), (0, 25), (8, 9), (9, 8)])
def test_bounds_that_make_no_other_span_are_refused(start: int, end: int) -> None:
    with pytest.raises(SpanError):
        set_bounds("left and right knee pain", Span(((0, 4), (15, 19))), start, end)
