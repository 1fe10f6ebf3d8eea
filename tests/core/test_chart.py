from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.chart import (
    BOTTOM,
    LEFT,
    PLOT_LEFT,
    PLOT_RIGHT,
    RIGHT,
    SMALLEST_SHARE,
    TOP,
    Measured,
    axis_top,
    bar_chart,
    interval_plot,
    line_chart,
    segments,
)


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in line.split())]


def test_line_goes_from_edge_to_edge_and_stands_on_the_axis():
    chart = line_chart(values=[0, 40, 80], times=["a", "b", "c"], summary="s", unit="u", last_label="80 now")
    assert points(chart.line) == [(LEFT, BOTTOM), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP)]
    assert [(tick.label, tick.y) for tick in chart.y_ticks] == [("0", BOTTOM), ("40", (TOP + BOTTOM) / 2), ("80", TOP)]
    assert [(tick.label, tick.anchor) for tick in chart.x_ticks] == [("a", "start"), ("b", "middle"), ("c", "end")]
    assert (chart.last.x, chart.last.y, chart.last.label) == (RIGHT, TOP, "80 now")


def test_area_is_closed_along_the_axis():
    chart = line_chart(values=[3, 5], times=["a", "b"], summary="s", unit="u", last_label="")
    assert points(chart.area) == [(LEFT, BOTTOM), *points(chart.line), (RIGHT, BOTTOM)]


def test_table_twin_says_every_value():
    chart = line_chart(values=[0, 1200, 7.25], times=["a", "b", "c"], summary="s", unit="u", last_label="")
    assert [(row.x, row.y) for row in chart.rows] == [("a", "0"), ("b", "1,200"), ("c", "7.2")]


@pytest.mark.parametrize("times", [["a"], ["a", "b"]])
def test_one_point_is_no_line(times: list[str]):
    with pytest.raises(ValueError, match="at least two values"):
        line_chart(values=[1], times=times, summary="s", unit="u", last_label="")


def test_a_reference_is_drawn_on_the_same_axes():
    chart = line_chart(values=[20, 40], times=["a", "b"], summary="s", unit="u", last_label="", reference=[0, 80])
    assert points(chart.reference) == [(LEFT, BOTTOM), (RIGHT, TOP)]
    assert points(chart.line)[1] == (RIGHT, (TOP + BOTTOM) / 2)


@pytest.mark.parametrize(
    ("largest", "top"), [(0, 2), (2, 2), (3, 4), (7, 8), (9, 10), (21, 40), (55, 80), (61, 80), (81, 100), (101, 200)]
)
def test_axis_ends_at_a_round_number(largest: int, top: int):
    assert axis_top(largest) == top


@given(st.floats(min_value=0, max_value=1e9))
def test_axis_holds_every_value(largest: float):
    top = axis_top(largest)
    assert top >= largest
    assert top % 2 == 0


@given(st.lists(st.integers(min_value=0, max_value=100_000), min_size=1, max_size=6))
def test_segments_fill_the_bar_in_order_and_none_is_lost(counts: list[int]):
    found = segments([("kind", "label", count) for count in counts])
    assert found[0].start == 0
    for left, right in pairwise(found):
        assert left.start + left.share == pytest.approx(right.start)
    assert sum(part.share for part in found) == pytest.approx(100 if sum(counts) else 0)
    assert all(part.share > SMALLEST_SHARE / 2 if part.n else part.share == 0 for part in found)


def test_a_part_too_small_to_see_is_widened():
    assert segments([("done", "Done", 9_999), ("failed", "Failed", 1)])[1].share == pytest.approx(0.8, abs=0.01)
    assert segments([("done", "Done", 9_999)])[0].count == "9,999"


def test_marks_stand_at_their_steps():
    chart = line_chart(values=[1, 2, 3], times=["a", "b", "c"], summary="s", unit="u", last_label="", marks=[(1, "m")])
    assert [(mark.label, mark.x) for mark in chart.marks] == [("m", (LEFT + RIGHT) / 2)]


@pytest.mark.parametrize(("lowest", "first_tick"), [(0.6, "0.5"), (0.4, "0")])
def test_an_interval_is_held_against_the_target(lowest: float, first_tick: str):
    figures = [
        Measured("Test", "rust", 1.0, (0.9, 1.0), other=0.7),
        Measured("Dose", "teal", 0.8, (lowest, 0.9)),
        Measured("Age", "navy", 0.9),
    ]
    plot = interval_plot(figures, target=0.8)
    assert [(row.name, row.words, row.is_clear) for row in plot.rows] == [
        *(("Test", "1.00", True), ("Dose", "0.80", False), ("Age", "0.90", False))
    ]
    test, dose, age = plot.rows
    assert (test.x, test.high, dose.x, age.low, age.other) == (PLOT_RIGHT, PLOT_RIGHT, plot.target, None, None)
    assert sorted(filter(None, (PLOT_RIGHT, test.low, test.other, PLOT_LEFT))) == [
        *(PLOT_LEFT, test.other, test.low, PLOT_RIGHT)
    ]
    assert (plot.ticks[0].label, plot.ticks[0].at) == (first_tick, PLOT_LEFT)


def test_bars_stand_on_the_axis_and_nothing_has_none():
    chart = bar_chart(values=[0, 40, 80], times=["a", "b", "c"], summary="s")
    half, whole = chart.bars
    assert (whole.y, whole.height) == (TOP, BOTTOM - TOP)
    assert (half.y, half.height) == ((TOP + BOTTOM) / 2, (BOTTOM - TOP) / 2)
    step = (RIGHT - LEFT) / 3
    assert half.x + half.width / 2 == pytest.approx(LEFT + 1.5 * step, abs=0.1)
    assert [(row.x, row.y) for row in chart.rows] == [("a", "0"), ("b", "40"), ("c", "80")]
    with pytest.raises(ValueError, match="at least two"):
        bar_chart(values=[1], times=["a"], summary="s")
