from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.spans import Span, SpanError, Utf16Offsets, checked_surface


@st.composite
def spans(draw: st.DrawFn) -> Span:
    bounds = sorted(draw(st.sets(st.integers(0, 500), min_size=2, max_size=8)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=False))
    return Span(tuple(pairs))


@given(spans())
def test_a_span_reads_back_as_it_is_written(span: Span) -> None:
    assert Span.parse(str(span)) == span
    assert Span.from_pairs([list(fragment) for fragment in span.fragments]) == span


@given(spans(), st.integers(0, 50))
def test_a_shifted_span_keeps_its_lengths(span: Span, by: int) -> None:
    shifted = span.shift(by)
    assert [e - s for s, e in shifted.fragments] == [e - s for s, e in span.fragments]
    assert (shifted.start, shifted.end) == (span.start + by, span.end + by)


@pytest.mark.parametrize(
    "fragments",
    [(), ((3, 3),), ((4, 2),), ((-1, 2),), ((0, 5), (4, 8)), ((5, 8), (0, 2))],
    ids=["none", "empty", "backwards", "negative", "overlapping", "out of order"],
)
def test_fragments_that_are_no_span_are_refused(fragments: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(SpanError):
        Span(fragments)


@pytest.mark.parametrize("written", ["", "1", "1 2;", "1 2 3", "a b", "1  2", "-1 2", "1 2; 3 4", "5 2"])
def test_a_span_written_otherwise_is_refused(written: str) -> None:
    with pytest.raises(SpanError):
        Span.parse(written)


@pytest.mark.parametrize("pairs", [[[1]], [[1, 2, 3]], [["1", "2"]], [[True, 2]], [[1.0, 2.0]]])
def test_pairs_that_are_not_two_whole_numbers_are_refused(pairs: list[list[object]]) -> None:
    with pytest.raises(SpanError):
        Span.from_pairs(pairs)


def test_touching_fragments_are_one_span_of_two() -> None:
    assert Span(((0, 2), (2, 4))).is_discontinuous


def test_the_surface_joins_fragments_by_a_space() -> None:
    assert Span(((0, 5), (11, 17))).surface("stiff left wrists") == "stiff wrists"


def test_an_emoji_counts_as_one_code_point() -> None:
    assert Span.of(2, 6).surface("\U0001f600 pain") == "pain"


def test_a_span_beyond_the_note_is_refused() -> None:
    with pytest.raises(SpanError, match="4 characters"):
        Span.of(2, 9).surface("pain")


def test_a_quoted_text_may_differ_in_white_space_only() -> None:
    text = "chest\npain"
    assert checked_surface(text=text, span=Span.of(0, 10), surface="chest pain") == text
    with pytest.raises(SpanError):
        checked_surface(text=text, span=Span.of(0, 10), surface="chest pains")


def test_the_error_for_another_surface_holds_no_note_text() -> None:
    with pytest.raises(SpanError) as refused:
        checked_surface(text="secret finding", span=Span.of(0, 6), surface="finding")
    assert "secret" not in str(refused.value)
    assert "finding" not in str(refused.value)


def test_a_span_of_white_space_is_refused() -> None:
    with pytest.raises(SpanError, match="white space"):
        checked_surface(text="a  b", span=Span.of(1, 3), surface=None)


@given(st.text(alphabet="ab é😀\u202e", min_size=1, max_size=20), st.data())
def test_offsets_in_utf_16_units_are_recognised(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = Span.of(*(len(text[:offset].encode("utf-16-le")) // 2 for offset in (start, end)))
    assert Utf16Offsets(text).fits(units, text[start:end]) == ("😀" in text)
    assert not Utf16Offsets(text).fits(units, "another text")


@given(st.text(alphabet="a é😀\u0301", max_size=20), st.data())
def test_units_are_as_many_as_utf16_has(text: str, data: st.DataObject) -> None:
    point = data.draw(st.integers(0, len(text)))
    assert Utf16Offsets(text).unit(point) == len(text[:point].encode("utf-16-le")) // 2
