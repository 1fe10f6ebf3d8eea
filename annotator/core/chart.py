"""Where the parts of a chart lie. The templates draw them; nothing here knows of pages or clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 868, 128
LEFT, RIGHT, TOP, BOTTOM = 30, 700, 6, 104
SMALLEST_SHARE = 0.8
_STEPS = (1, 2, 4, 5, 10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A label beside an axis, at `at` units of the drawing; `anchor` is that of SVG text."""

    label: str
    at: float
    anchor: str = "end"

    @property
    def x(self) -> float:
        return self.at

    @property
    def y(self) -> float:
        return self.at


@dataclass(frozen=True, slots=True)
class Dot:
    """The last point of a line, with the words beside it."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table that says the same as the chart."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line over equal steps, in units of its drawing (`width` by `height`, y grows downwards).

    `reference`, where it is not empty, is a second line that says what the first would ideally be; `marks` are named
    places on the x axis.
    """

    summary: str
    unit: str
    line: str
    area: str
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    last: Dot
    rows: tuple[Row, ...]
    reference: str = ""
    marks: tuple[Tick, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars at equal steps, in units of the drawing as in LineChart; where there is nothing there is no bar."""

    summary: str
    bars: tuple[Bar, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    width: int = RIGHT
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = BOTTOM


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a bar, in per cent of its length."""

    kind: str
    label: str
    n: int
    start: float
    share: float

    @property
    def count(self) -> str:
        return f"{self.n:,}"


def line_chart(
    *,
    values: Sequence[float],
    times: Sequence[str],
    summary: str,
    unit: str,
    last_label: str,
    reference: Sequence[float] = (),
    marks: Sequence[tuple[int, str]] = (),
) -> LineChart:
    """The chart of `values`, which stand at equal steps; `times` names each step, `marks` some of them by place. Raises
    ValueError below two values.

    The x axis is labelled at both ends and in the middle.
    """
    if len(values) < 2 or len(values) != len(times):
        raise ValueError(f"at least two values, each with its time, are wanted; {len(values)}, {len(times)} were given")
    top = axis_top(max([*values, *reference]))
    step = (RIGHT - LEFT) / (len(values) - 1)
    points = [(LEFT + step * position, _height(value, top)) for position, value in enumerate(values)]
    line = _line(points)
    return LineChart(
        summary=summary,
        unit=unit,
        line=line,
        area=f"{LEFT},{BOTTOM} {line} {RIGHT},{BOTTOM}",
        y_ticks=_y_ticks(top),
        x_ticks=_x_ticks(times, [x for x, _ in points]),
        last=Dot(x=RIGHT, y=round(points[-1][1], 1), label=last_label),
        reference=_line([(LEFT + step * position, _height(value, top)) for position, value in enumerate(reference)]),
        marks=tuple(Tick(label=label, at=round(LEFT + step * place, 1), anchor="middle") for place, label in marks),
        rows=tuple(Row(x=time, y=_number(value)) for time, value in zip(times, values, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure from 0 to 1, with its interval where it has one and another to be seen beside it, for IntervalPlot."""

    name: str
    colour: str
    value: float
    interval: tuple[float, float] | None = None
    other: float | None = None


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One figure in units of the drawing; `low` and `high` are None where it has no interval, `other` where none is
    beside it. It is `is_clear` where the whole interval lies above the target.
    """

    name: str
    colour: str
    y: int
    x: float
    low: float | None
    high: float | None
    other: float | None
    words: str
    is_clear: bool


@dataclass(frozen=True, slots=True)
class IntervalPlot:
    """Figures below one another over one axis, with a target that they are held against."""

    rows: tuple[IntervalRow, ...]
    ticks: tuple[Tick, ...]
    target: float
    width: int
    height: int
    bottom: int


PLOT_WIDTH, PLOT_LEFT, PLOT_RIGHT, PLOT_ROW = 380, 130, 320, 26


def interval_plot(measured: Sequence[Measured], *, target: float) -> IntervalPlot:
    """The plot of figures between 0 and 1; the axis begins at .5 where all lie above, else at 0."""
    lows = [each.interval[0] if each.interval else each.value for each in measured]
    first = 0.5 if min([*lows, *(each.other for each in measured if each.other is not None), 1.0]) >= 0.5 else 0.0
    bottom = PLOT_ROW * len(measured)

    def x(value: float) -> float:
        return round(PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * (value - first) / (1 - first), 1)

    rows = [
        IntervalRow(
            name=each.name,
            colour=each.colour,
            y=PLOT_ROW * place + PLOT_ROW // 2,
            x=x(each.value),
            low=x(each.interval[0]) if each.interval else None,
            high=x(each.interval[1]) if each.interval else None,
            other=x(each.other) if each.other is not None else None,
            words=f"{each.value:.2f}",
            is_clear=bool(each.interval and each.interval[0] > target),
        )
        for place, each in enumerate(measured)
    ]
    ticks = [Tick(label=f"{value:.1f}".removesuffix(".0"), at=x(value), anchor="middle") for value in _tenths(first)]
    return IntervalPlot(tuple(rows), tuple(ticks), x(target), PLOT_WIDTH, bottom + 20, bottom)


def _tenths(first: float) -> list[float]:
    return [0.5, 0.6, 0.7, 0.8, 0.9, 1.0] if first else [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def bar_chart(*, values: Sequence[int], times: Sequence[str], summary: str) -> BarChart:
    """The chart of `values` at equal steps, each named by its time. Raises ValueError below two values."""
    if len(values) < 2 or len(values) != len(times):
        raise ValueError(f"at least two values, each with its time, are wanted; {len(values)}, {len(times)} were given")
    top = axis_top(max(values))
    step = (RIGHT - LEFT) / len(values)
    tops = [_height(value, top) for value in values]
    return BarChart(
        summary=summary,
        bars=tuple(
            Bar(x=round(LEFT + step * (place + 0.15), 1), y=y, width=round(step * 0.7, 1), height=round(BOTTOM - y, 1))
            for place, y in enumerate(tops)
            if values[place]
        ),
        y_ticks=_y_ticks(top),
        x_ticks=_x_ticks(times, [LEFT + step * (place + 0.5) for place in range(len(values))]),
        rows=tuple(Row(x=time, y=_number(value)) for time, value in zip(times, values, strict=True)),
    )


def axis_top(largest: float) -> int:
    """The smallest round even number that is not below `largest`, at least 2: half of it can label the axis."""
    power = 2
    while True:
        for step in _STEPS:
            if step * power >= largest:
                return step * power
        power *= 10


def segments(parts: Sequence[tuple[str, str, int]]) -> tuple[Segment, ...]:
    """The parts (kind, label, count) of a bar, in order. A part that is not empty is wide enough to be seen."""
    total = sum(n for _, _, n in parts)
    wanted = [max(100 * n / total, SMALLEST_SHARE) if n else 0.0 for _, _, n in parts]
    scale = 100 / sum(wanted) if total else 0.0
    edges = [0.0]
    for share in wanted:
        edges.append(edges[-1] + share * scale)
    return tuple(
        Segment(kind=kind, label=label, n=n, start=start, share=end - start)
        for (kind, label, n), (start, end) in zip(parts, pairwise(edges), strict=True)
    )


def _y_ticks(top: int) -> tuple[Tick, ...]:
    return tuple(Tick(label=_number(top * part), at=_height(top * part, top)) for part in (0, 0.5, 1))


def _x_ticks(times: Sequence[str], places: Sequence[float]) -> tuple[Tick, ...]:
    """The first, the middle and the last."""
    middle = (len(times) - 1) // 2
    ends = ((0, "start"), (middle, "middle"), (len(times) - 1, "end")) if middle else ((0, "start"), (1, "end"))
    return tuple(Tick(label=times[place], at=round(places[place], 1), anchor=anchor) for place, anchor in ends)


def _line(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _height(value: float, top: int) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * value / top, 1)


def _number(value: float) -> str:
    """Whole where it is, one decimal otherwise."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
