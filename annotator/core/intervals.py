"""How sure a figure is: the interval that it has over resampled notes, or patients."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import mul
from typing import NamedTuple, TypeVar

N_RESAMPLES = 1000
# Below this many notes an interval over notes would say more about the formula than about the labeler.
FEWEST_NOTES = 10
_LEVEL = 0.95
# Resamples in which a figure is not defined are left out, but no more of them than this share.
_MAX_UNDEFINED = 0.1
Weights = Sequence[int]
Statistic = Callable[[Weights], "float | None"]
Key = TypeVar("Key", bound=Hashable)


class Interval(NamedTuple):
    """The ends of a 95 % interval."""

    low: float
    high: float


def weighted_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Statistic:
    """The ratio of the sums as a function of how often each unit counts; None where nothing stands below."""

    def statistic(weights: Weights) -> float | None:
        below = sum(map(mul, weights, denominators))
        return sum(map(mul, weights, numerators)) / below if below else None

    return statistic


def intervals(
    n_units: int,
    statistics: Mapping[Key, Statistic],
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    fewest: int = FEWEST_NOTES,
) -> dict[Key, Interval | None]:
    """For each statistic its 95 % percentile interval over resampled units (Efron & Tibshirani 1993, chapter 13).

    A unit is a note, or a patient with all notes: whole ones are drawn, since what is within one resembles itself. None
    below `fewest` units, or where the statistic is too often not defined.
    """
    if n_units < fewest or not n_resamples:
        return dict.fromkeys(statistics)
    rng = random.Random(seed)  # noqa: S311  a seeded draw, no secret
    values: dict[Key, list[float]] = {key: [] for key in statistics}
    for _ in range(n_resamples):
        drawn = Counter(rng.choices(range(n_units), k=n_units))
        weights = [drawn[unit] for unit in range(n_units)]
        for key, statistic in statistics.items():
            value = statistic(weights)
            if value is not None:
                values[key].append(value)
    enough = (1 - _MAX_UNDEFINED) * n_resamples
    return {key: _percentiles(found) if len(found) >= enough else None for key, found in values.items()}


def _percentiles(values: Sequence[float]) -> Interval:
    ordered = sorted(values)
    tail = (1 - _LEVEL) / 2
    last = len(ordered) - 1
    return Interval(ordered[round(tail * last)], ordered[round((1 - tail) * last)])
