from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.curves import (
    BOTTOM,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    curve_chart,
    number_words,
    round_top,
    thinned,
)


def test_curves_share_one_axis_from_zero() -> None:
    chart = curve_chart([("train", [(0, 4.0), (50, 2.0)]), ("dev", [(50, 1.0)])], summary="s", last_x=100)
    train, dev = chart.curves
    assert train.line == f"{LEFT:.1f},{BOTTOM - (BOTTOM - TOP) * 0.8:.1f} 290.0,{BOTTOM - (BOTTOM - TOP) * 0.4:.1f}"
    assert dev.line.startswith("290.0,")
    assert [tick.label for tick in chart.y_ticks] == ["0", "2.5", "5"]
    assert [(tick.label, tick.x) for tick in chart.x_ticks] == [("0", LEFT), ("step 100", RIGHT)]
    assert (train.last.label, dev.last.label) == ("train 2", "dev 1")


def test_what_lies_beyond_the_axis_stays_on_the_drawing() -> None:
    (curve,) = curve_chart([("dev", [(0, -1.0), (200, 3.0)])], summary="s", last_x=100, top=1.0).curves
    assert curve.line == f"{LEFT:.1f},{BOTTOM:.1f} {RIGHT:.1f},{TOP:.1f}"


def test_words_at_the_ends_do_not_cover_each_other() -> None:
    series = [(name, [(0, 1.0), (10, value)]) for name, value in (("a", 0.001), ("b", 0.0), ("c", 0.002))]
    heights = sorted(curve.words_y for curve in curve_chart(series, summary="s", last_x=10).curves)
    assert all(below - above >= 12.9 for above, below in pairwise(heights))
    assert heights[-1] <= BOTTOM


@pytest.mark.parametrize(
    ("highest", "top"), [(0.0, 1.0), (1.0, 1.0), (1.01, 2.0), (2.2, 2.5), (0.031, 0.05), (740, 1000), (-1, 1.0)]
)
def test_the_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert round_top(highest) == pytest.approx(top)


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_the_axis_holds_every_point_and_wastes_no_more_than_half_of_itself(highest: float) -> None:
    assert highest <= round_top(highest) * (1 + 1e-6) <= 2.5 * highest


@given(st.integers(min_value=1, max_value=3000))
def test_a_long_curve_is_thinned_and_keeps_its_end(n: int) -> None:
    points = [(float(step), float(step % 7)) for step in range(n)]
    found = thinned(points)
    assert len(found) <= MOST_POINTS
    assert found[-1] == points[-1]
    assert [x for x, _ in found] == sorted(x for x, _ in found)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (0.03121, "0.0312"), (1.483, "1.48"), (12.52, "12.5"), (2139.7, "2,140"), (4.0, "4")],
)
def test_numbers_have_three_figures(value: float, words: str) -> None:
    assert number_words(value) == words
