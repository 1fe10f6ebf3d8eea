"""Where the parts of the charts of trust lie: bounds in rows, reliability, risk and coverage, bars, lines of weeks.

As in `core.chart`, the templates draw them, in units of the drawing; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from annotator.core.chart import Bar, Tick

ROW_WIDTH, ROW_HEIGHT = 160, 20
WIDTH, HEIGHT = 300, 290
LEFT, RIGHT, TOP, BOTTOM = 36, 290, 10, 252
BAR_LEFT, BAR_RIGHT, BAR_ROW = 110, 236, 26
BARS_WIDTH = 308
_SMALLEST_BAR = 1.5
_BAR_HEIGHT, _BAR_WIDTH = 14, 18
# Of the name beside a line, in units of the drawing.
_NAME_WIDTH, _NAME_EDGE = 60, 6


@dataclass(frozen=True, slots=True)
class Bound:
    """What was measured of a share, the bound below it that holds, and the target; None where there is none."""

    target: float | None = None
    value: float | None = None
    low: float | None = None


@dataclass(frozen=True, slots=True)
class BoundRow:
    """A Bound in the drawing; it `is_clear` where the bound meets the target."""

    target: float | None
    x: float | None
    low: float | None
    is_clear: bool
    width: int = ROW_WIDTH
    height: int = ROW_HEIGHT


@dataclass(frozen=True, slots=True)
class BoundAxis:
    """The rows, and the share that their axis begins with; it ends at 1."""

    rows: tuple[BoundRow, ...]
    first: float


def bound_axis(bounds: Sequence[Bound]) -> BoundAxis:
    """The rows over one axis, which begins at the largest of .9, .8, .5 and 0 below all of them."""
    lowest = min(
        (share for each in bounds for share in (each.target, each.value, each.low) if share is not None), default=1
    )
    first = next(share for share in (0.9, 0.8, 0.5, 0.0) if share <= lowest)

    def x(share: float | None) -> float | None:
        return None if share is None else round(4 + (ROW_WIDTH - 8) * (share - first) / (1 - first), 1)

    rows = tuple(
        BoundRow(
            target=x(each.target),
            x=x(each.value),
            low=x(each.low),
            is_clear=each.low is not None and each.target is not None and each.low >= each.target,
        )
        for each in bounds
    )
    return BoundAxis(rows, first)


@dataclass(frozen=True, slots=True)
class Point:
    """A point, with the ends of its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SquarePlot:
    """Points joined by a line over two axes. `ideal` is the line that they would lie on, `other` a second line; `band`
    is a polygon round the line, `bars` stand below the axis, `chosen` is a point that is told of in `words`.
    """

    summary: str
    line: str
    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    ideal: str = ""
    other: str = ""
    other_name_at: Point | None = None
    band: str = ""
    bars: tuple[Bar, ...] = ()
    chosen: Point | None = None
    words: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


@dataclass(frozen=True, slots=True)
class Binned:
    """Decided suggestions of nearly the same confidence: its mean, the share that was right, their number."""

    confidence: float
    right: float
    n: int
    interval: tuple[float, float] | None = None


def reliability_plot(bins: Sequence[Binned], raw: Sequence[Binned], *, summary: str) -> SquarePlot:
    """Share right against confidence, with the raw score's line beside it, and how many suggestions each bin has."""
    most = sqrt(max((each.n for each in bins), default=1))
    points = [
        Point(
            _x(each.confidence),
            _y(each.right),
            low=_y(each.interval[0]) if each.interval else None,
            high=_y(each.interval[1]) if each.interval else None,
        )
        for each in bins
    ]
    beside = [Point(_x(each.confidence), _y(each.right)) for each in raw]
    gaps = [after.x - point.x for point, after in pairwise(points)]
    width = round(min(max(min(gaps, default=_BAR_WIDTH) - 1, _SMALLEST_BAR), _BAR_WIDTH), 1)
    return SquarePlot(
        summary=summary,
        line=_joined(points),
        points=tuple(points),
        x_ticks=tuple(Tick(label=label, at=_x(value), anchor="middle") for value, label in _HALVES),
        y_ticks=tuple(Tick(label=label, at=_y(value)) for value, label in _HALVES),
        ideal=f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}",
        other=_joined(beside),
        other_name_at=_below_end(beside, points) if beside else None,
        bars=tuple(
            Bar(
                x=round(point.x - width / 2, 1),
                y=round(HEIGHT - 1 - _BAR_HEIGHT * sqrt(each.n) / most, 1),
                width=width,
                height=round(max(_BAR_HEIGHT * sqrt(each.n) / most, _SMALLEST_BAR), 1),
            )
            for point, each in zip(points, bins, strict=True)
        ),
    )


def _below_end(line: Sequence[Point], points: Sequence[Point]) -> Point:
    """Where the name of a line may end: at its last point, below all that is drawn over the width of the name."""
    end = line[-1].x
    drawn = [(each.x, each.low if each.low is not None else each.y) for each in (*line, *points)]
    lowest = max(y for x, y in drawn if end - _NAME_WIDTH <= x <= end + _NAME_EDGE)
    return Point(end, min(lowest + _WORDS, BOTTOM - _NAME_EDGE))


@dataclass(frozen=True, slots=True)
class Risk:
    """What would be wrong among the accepted, with its interval, if the share `coverage` of all were accepted."""

    coverage: float
    wrong: float
    interval: tuple[float, float]


def risk_plot(risks: Sequence[Risk], *, chosen: int | None, words: str, summary: str) -> SquarePlot:
    """Error against coverage in the order given, with a band; `chosen` is the place of the one that counts now."""
    top = _top(max(each.interval[1] for each in risks))
    points = [
        Point(_x(each.coverage), _y(each.wrong / top), _y(each.interval[0] / top), _y(min(each.interval[1] / top, 1)))
        for each in risks
    ]
    upper = [f"{point.x:.1f},{point.high:.1f}" for point in points]
    lower = [f"{point.x:.1f},{point.low:.1f}" for point in reversed(points)]
    return SquarePlot(
        summary=summary,
        line=_joined(points),
        points=tuple(points),
        x_ticks=tuple(
            Tick(label=f"{value:.0%}", at=_x(value), anchor=anchor)
            for value, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
        ),
        y_ticks=tuple(Tick(label=_percent(top * part), at=_y(part)) for part in (0, 0.25, 0.5, 0.75, 1)),
        band=" ".join([*upper, *lower]),
        chosen=points[chosen] if chosen is not None else None,
        words=words,
        height=BOTTOM + 20,
    )


@dataclass(frozen=True, slots=True)
class BarRow:
    """A bar from the left with the ends of its interval, where it has one."""

    name: str
    y: int
    width: float
    low: float | None
    high: float | None
    words: str
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class BarPlot:
    summary: str
    rows: tuple[BarRow, ...]
    left: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Length:
    """An amount to be drawn as a bar; `is_quiet` for one that is only there to be compared with."""

    name: str
    value: float
    words: str
    interval: tuple[float, float] | None = None
    is_quiet: bool = False


def bar_plot(lengths: Sequence[Length], *, most: float, summary: str) -> BarPlot:
    """Bars below one another; the longest that fits is `most`."""
    scale = (BAR_RIGHT - BAR_LEFT) / most

    def x(value: float) -> float:
        return round(BAR_LEFT + min(value, most) * scale, 1)

    rows = tuple(
        BarRow(
            name=each.name,
            y=BAR_ROW * place + BAR_ROW // 2,
            width=round(max(x(each.value) - BAR_LEFT, _SMALLEST_BAR), 1),
            low=x(each.interval[0]) if each.interval else None,
            high=x(each.interval[1]) if each.interval else None,
            words=each.words,
            is_quiet=each.is_quiet,
        )
        for place, each in enumerate(lengths)
    )
    return BarPlot(summary, rows, BAR_LEFT, BARS_WIDTH, BAR_ROW * len(rows))


@dataclass(frozen=True, slots=True)
class Series:
    """A share by step, None where there is none; `is_quiet` for one that is only there to be compared with."""

    name: str
    shares: Sequence[float | None]
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    name: str
    line: str
    last: Point
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class SeriesPlot:
    """Shares over equal steps, a line each."""

    summary: str
    series: tuple[DrawnSeries, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int
    height: int
    left: int
    right: int


def series_plot(series: Sequence[Series], *, times: Sequence[str], summary: str) -> SeriesPlot:
    """Lines over `times`, which stand at equal steps, two at least; the axis goes from the largest of .8, .5 and 0
    below all shares to 1. Names that would stand on one another are moved apart.
    """
    lowest = min((share for each in series for share in each.shares if share is not None), default=0.0)
    first = next(share for share in (0.8, 0.5, 0.0) if share <= lowest)
    step = (_SERIES_RIGHT - LEFT) / (len(times) - 1)

    def at(place: int, share: float) -> Point:
        height = (share - first) / (1 - first)
        return Point(round(LEFT + step * place, 1), round(_SERIES_BOTTOM - (_SERIES_BOTTOM - TOP) * height, 1))

    found = []
    for each in series:
        points = [at(place, share) for place, share in enumerate(each.shares) if share is not None]
        if points:
            found.append(DrawnSeries(each.name, _joined(points), points[-1], each.is_quiet))
    ends = ((0, "start"), (len(times) - 1, "end"))
    return SeriesPlot(
        summary=summary,
        series=tuple(_apart(found)),
        x_ticks=tuple(Tick(label=times[place], at=at(place, first).x, anchor=anchor) for place, anchor in ends),
        y_ticks=tuple(Tick(label=_percent(share), at=at(0, share).y) for share in (first, (1 + first) / 2, 1.0)),
        width=_SERIES_WIDTH,
        height=_SERIES_BOTTOM + 20,
        left=LEFT,
        right=_SERIES_RIGHT,
    )


def _apart(found: Sequence[DrawnSeries]) -> list[DrawnSeries]:
    """The names, which stand at the height of the last points, at least a line of words from one another."""
    placed: list[DrawnSeries] = []
    lowest = float(TOP - _WORDS)
    for each in sorted(found, key=lambda one: one.last.y):
        lowest = max(each.last.y, lowest + _WORDS)
        placed.append(DrawnSeries(each.name, each.line, Point(each.last.x, each.last.y, high=lowest), each.is_quiet))
    return placed


_SERIES_WIDTH, _SERIES_RIGHT, _SERIES_BOTTOM, _WORDS = 440, 280, 150, 14
# Shares whose quarters are written in whole or half per cent.
_TOPS = (0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24, 0.32, 0.4, 0.6, 0.8)
_HALVES = ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))


def _top(largest: float) -> float:
    """The smallest of these shares that is not below `largest`."""
    return next((share for share in _TOPS if largest <= share), 1.0)


def _percent(share: float) -> str:
    return f"{share * 100:.3g}%"


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _y(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in points)
