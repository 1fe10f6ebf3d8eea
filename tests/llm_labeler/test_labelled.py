"""Spans compared and put together: what stays of windows that overlap, and of several readings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.chunks import Chunk, chunks
from annotator.core.spans import Span
from llm_labeler.align import Alignment
from llm_labeler.labelled import LabelledSpan, agreed, compared, counted_in, merged, shared

TEXT = "Acute pain in the left knee. No fever today. ECG and CT of the chest were normal. Plan: rest."


def found(span: Span, label: str = "Problem", score: float = 0.5) -> LabelledSpan:
    return LabelledSpan(span, span.surface(TEXT), label, {}, Alignment.EXACT, {"label_logprob": math.log(score)})


def places(spans: Sequence[LabelledSpan]) -> list[tuple[str, str]]:
    return [(str(labelled.span), labelled.label) for labelled in spans]


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        (Span.of(0, 10), Span.of(0, 10), 1.0),
        (Span.of(0, 10), Span.of(5, 10), 0.5),
        (Span.of(0, 10), Span.of(10, 20), 0.0),
        (Span(((0, 4), (8, 12))), Span.of(0, 12), 8 / 12),
        (Span(((0, 4), (8, 12))), Span.of(4, 8), 0.0),
    ],
)
def test_what_two_spans_share_is_counted_in_characters(one: Span, other: Span, share: float) -> None:
    assert shared(one, other) == shared(other, one) == pytest.approx(share)


@st.composite
def true_spans(draw: st.DrawFn) -> list[tuple[Span, str]]:
    """Any spans of whole words, nested, crossing, doubled in another label."""
    starts = [0, *(at + 1 for at, character in enumerate(TEXT) if character == " ")]
    wanted = []
    for _ in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, len(starts) - 1))
        last = draw(st.integers(first, min(first + 5, len(starts) - 1)))
        end = starts[last + 1] - 1 if last + 1 < len(starts) else len(TEXT)
        wanted.append((Span.of(starts[first], end), draw(st.sampled_from(["Problem", "Test"]))))
    return wanted


@given(true_spans(), st.integers(16, 60), st.data())
def test_of_a_span_that_a_window_cuts_only_the_whole_sibling_stays(
    wanted: list[tuple[Span, str]], size: int, data: st.DataObject
) -> None:
    """Each window quotes what it holds of each span. What stays is every span that some window holds whole, and pieces
    of none of those that lie across an edge, but where two windows quote the same piece (of two spans)."""
    windows = chunks(TEXT, size, data.draw(st.integers(0, size // 2)))
    seen = []
    for window in windows:
        quoted = []
        for span, label in wanted:
            start, end = max(span.start, window.start), min(span.end, window.end)
            piece = TEXT[start:end]
            start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
            if start < end:
                quoted.append(found(Span.of(start, end), label))
        seen.append((window, quoted))
    stayed = set(places(merged(TEXT, seen)))
    whole = {
        (str(span), label)
        for span, label in wanted
        if any(window.start <= span.start and span.end <= window.end for window in windows)
    }
    assert whole <= stayed
    quotes = Counter(place for _, quoted in seen for place in set(places(quoted)))
    for place, label in stayed - whole:
        if quotes[place, label] > 1:
            continue
        cut = Span.parse(place)
        parents = [other for other, own in wanted if own == label and _holds(other, cut)]
        assert any((str(other), label) not in whole for other in parents)


def _holds(one: Span, other: Span) -> bool:
    return one.start <= other.start and other.end <= one.end


def test_a_span_at_an_edge_stays_where_the_next_window_has_it_too() -> None:
    text_end = TEXT.index(".") + 1
    knee = Span.of(TEXT.index("knee"), text_end - 1)
    long = Span.of(TEXT.index("pain"), TEXT.index("fever") + 5)
    windows = [
        (Chunk(0, text_end + 1), [found(knee)]),
        (Chunk(6, len(TEXT)), [found(knee), found(long)]),
    ]
    assert places(merged(TEXT, windows)) == [(str(long), "Problem"), (str(knee), "Problem")]


def test_of_equal_spans_the_best_scored_stays() -> None:
    one, other = found(Span.of(0, 5), score=0.2), found(Span.of(0, 5), score=0.9)
    (kept,) = merged(TEXT, [(Chunk(0, 30), [one]), (Chunk(0, 60), [other])])
    assert kept.score == pytest.approx(0.9)


def test_one_reading_tells_of_no_agreement() -> None:
    only = [found(Span.of(0, 5))]
    assert agreed([only]) == only


def test_a_reading_that_repeats_itself_counts_once() -> None:
    span = Span.of(0, 5)
    (kept,) = agreed([[], [found(span)] * 3, []])
    assert kept.signals["agreement"] == pytest.approx(1 / 3)
    assert kept.score == pytest.approx(0.5 / 3)


def test_unaligned_quotes_agree_where_they_read_the_same() -> None:
    lost = LabelledSpan(None, "aspirin", "Test", {}, Alignment.UNALIGNED)
    other = LabelledSpan(None, "statin", "Test", {}, Alignment.UNALIGNED)
    kept = agreed([[lost], [lost], [other]])
    assert [one.signals["agreement"] for one in kept] == [pytest.approx(2 / 3), pytest.approx(1 / 3)]


@pytest.mark.parametrize(
    ("others", "share", "label"),
    [
        ([(Span.of(0, 10), "Problem"), (Span.of(0, 10), "Test")], 1.0, None),
        ([(Span.of(0, 8), "Problem"), (Span.of(0, 10), "Test")], 0.8, "Test"),
        ([(Span.of(0, 10), "Problem"), (Span.of(0, 8), "Test")], 1.0, None),
        ([(Span.of(0, 4), "Test")], 0.0, None),
    ],
)
def test_a_second_labeler_gives_another_label_only_where_that_fits_better(
    others: list[tuple[Span, str]], share: float, label: str | None
) -> None:
    (told,) = compared([found(Span.of(0, 10))], [found(*other) for other in others], "spacy")
    assert (told.signals["second_share"], told.signals.get("second_label")) == (share, label)


@pytest.mark.parametrize(
    ("text", "n"), [("rash rash", 2), ("rash, crash, rashes", 1), ("RASH rash", 1), ("rash\nrash rash.", 3)]
)
def test_words_are_counted_whole(text: str, n: int) -> None:
    start = text.index("rash")
    span = Span.of(start, start + 4)
    (told,) = counted_in(text, [LabelledSpan(span, "rash", "Problem", {}, Alignment.EXACT)])
    assert told.signals["n_in_note"] == n
