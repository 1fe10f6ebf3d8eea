from hypothesis import given
from hypothesis import strategies as st

from annotator.core.layout import MOST_LEVELS, Piece, lay_out, line_bounds, text_layout
from annotator.core.spans import Span

LENGTH = 40


@st.composite
def spans(draw: st.DrawFn) -> Span:
    cuts = sorted(draw(st.sets(st.integers(0, LENGTH), min_size=2, max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return Span(tuple(pairs))


def covered(pieces: list[Piece], key: str) -> list[int]:
    """Code points in pieces of `key`, with repeats."""
    found: list[int] = []
    for piece in pieces:
        if piece.key == key and not piece.is_gap:
            found += range(piece.start, piece.end)
        found += covered(piece.inner, key)
    return found


def assert_nested(pieces: list[Piece], start: int, end: int) -> None:
    reached = start
    for piece in pieces:
        assert reached <= piece.start < piece.end <= end
        assert_nested(piece.inner, piece.start, piece.end)
        reached = piece.end


@given(st.lists(spans(), max_size=6), st.integers(0, LENGTH - 1))
def test_every_code_point_of_a_fragment_is_in_exactly_one_piece(given_spans: list[Span], cut: int) -> None:
    keyed = [(f"s{number}", span) for number, span in enumerate(given_spans)]
    for start, end in ((0, LENGTH), (0, cut), (cut, LENGTH)):
        pieces = lay_out(start=start, end=end, spans=keyed)
        assert_nested(pieces, start, end)
        for key, span in keyed:
            wanted = [at for left, right in span.fragments for at in range(max(left, start), min(right, end))]
            assert sorted(covered(pieces, key)) == wanted


def test_a_nested_span_is_inside_the_longer_one() -> None:
    (outer,) = lay_out(start=0, end=20, spans=[("in", Span.of(4, 8)), ("out", Span.of(2, 10))])
    assert (outer.key, [piece.key for piece in outer.inner]) == ("out", ["in"])


def test_a_crossing_span_is_cut_where_the_first_one_ends() -> None:
    first, rest = lay_out(start=0, end=20, spans=[("a", Span.of(0, 10)), ("b", Span.of(6, 15))])
    (inside,) = first.inner
    assert (inside.start, inside.end, inside.has_start, inside.has_end) == (6, 10, True, False)
    assert inside.is_crossing and not inside.is_last
    assert (rest.start, rest.end, rest.has_start, rest.has_end, rest.is_last) == (10, 15, False, True, True)


def test_a_discontinuous_span_is_open_toward_its_gap() -> None:
    left, gap, right = lay_out(start=0, end=30, spans=[("d", Span(((2, 5), (9, 12))))])
    assert (left.has_start, left.has_end, left.is_last) == (True, False, False)
    assert gap.is_gap and (gap.start, gap.end) == (5, 9)
    assert (right.has_start, right.has_end, right.is_last) == (False, True, True)


def test_a_span_that_goes_over_the_line_is_open_there() -> None:
    (piece,) = lay_out(start=10, end=20, spans=[("s", Span.of(5, 15))])
    assert (piece.start, piece.end, piece.has_start, piece.has_end) == (10, 15, False, True)


@given(st.text(alphabet="ab\n", max_size=30))
def test_lines_tile_the_text(text: str) -> None:
    bounds = line_bounds(text)
    assert "".join(text[start:end] for start, end in bounds) == text
    assert all(text[start:end].count("\n") <= 1 for start, end in bounds)


def test_boxes_in_boxes_are_drawn_down_to_a_limit() -> None:
    spans = [(f"s{depth}", Span.of(depth, 2000 - depth)) for depth in range(900)]
    pieces = lay_out(start=0, end=2000, spans=spans)
    n_levels = 0
    while pieces:
        (piece,) = pieces
        n_levels, pieces = n_levels + 1, piece.inner
    assert n_levels == MOST_LEVELS


def test_a_text_is_laid_out_once_and_another_one_by_itself():
    first, again, other = text_layout("PLAN:\nRest."), text_layout("PLAN:\nRest."), text_layout("PLAN:\nNone")
    assert first is again
    assert first is not other
    assert (first.lines, first.kinds) == ([(0, 6), (6, 11)], ["heading", "text"])


@given(st.text(alphabet="ab:\n", min_size=1, max_size=40), st.data())
def test_a_span_touches_the_lines_that_hold_any_of_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    span = Span.of(start, data.draw(st.integers(start + 1, len(text))))
    layout = text_layout(text)
    touched = [n for n, (left, right) in enumerate(layout.lines) if left < span.end and span.start < right]
    assert list(layout.lines_of(span)) == touched
    section = layout.sections[layout.section_at(start)]
    assert section.start <= start < section.end
