"""Curves of what changes step by step, on one axis from zero. The templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from annotator.core.chart import Dot, Tick

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 540, 10, 174
MOST_POINTS = 200
_APART = 13.0  # of the words at the ends of two curves
_STEPS = (1, 2, 2.5, 5, 10)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line, by name; `last` is its end, and `words_y` where the words beside it stand."""

    name: str
    line: str
    last: Dot
    words_y: float


@dataclass(frozen=True, slots=True)
class CurveChart:
    """In units of its drawing, y growing downwards."""

    summary: str
    curves: tuple[Curve, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def curve_chart(
    series: Sequence[tuple[str, Points]], *, summary: str, last_x: float, top: float | None = None
) -> CurveChart:
    """The curves, each with one point at least, over the steps from 0 to `last_x`, which is more than 0.

    The y axis goes to `top`; where none is given, to a round number that is not below the highest point.
    """
    highest = max(y for _, points in series for _, y in points)
    limit = top or round_top(highest)
    curves = []
    for name, points in series:
        placed = [(_x(x, last_x), _y(y, limit)) for x, y in thinned(points)]
        end = placed[-1]
        curves.append((name, " ".join(f"{x:.1f},{y:.1f}" for x, y in placed), end, number_words(points[-1][1])))
    heights = _apart([end[1] for _, _, end, _ in curves])
    return CurveChart(
        summary=summary,
        curves=tuple(
            Curve(name=name, line=line, last=Dot(x=end[0], y=end[1], label=f"{name} {value}"), words_y=height)
            for (name, line, end, value), height in zip(curves, heights, strict=True)
        ),
        y_ticks=tuple(Tick(label=number_words(limit * part), at=_y(limit * part, limit)) for part in (0, 0.5, 1)),
        x_ticks=(
            Tick(label="0", at=LEFT, anchor="start"),
            Tick(label=f"step {last_x:,.0f}", at=RIGHT, anchor="end"),
        ),
    )


def thinned(points: Points) -> list[tuple[float, float]]:
    """At most MOST_POINTS of them: as many neighbours as it takes become their mean, and the last stays as it is."""
    size = -(-len(points) // MOST_POINTS)
    if size <= 1:
        return list(points)
    parts = [points[first : first + size] for first in range(0, len(points) - 1, size)]
    found = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return [*found[: MOST_POINTS - 1], points[-1]]


def round_top(highest: float) -> float:
    """The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `highest`; 1 where that is not more
    than 0.
    """
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(step * power for step in _STEPS if step * power >= highest * (1 - 1e-9))


def number_words(value: float) -> str:
    """With three figures: `0.0312`, `1.48`, `12.5`, `2,140`."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _x(value: float, last: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * min(value / last, 1.0), 1)


def _y(value: float, top: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * min(max(value / top, 0.0), 1.0), 1)


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights, of which none is nearer to the next than _APART; the order from above stays."""
    places = sorted(range(len(heights)), key=lambda place: heights[place])
    found = list(heights)
    for above, below in pairwise(places):
        found[below] = max(found[below], found[above] + _APART)
    overflow = max(found) - BOTTOM
    return [height - max(overflow, 0.0) for height in found]
