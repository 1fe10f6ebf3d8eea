"""How sure a figure is: the interval that it has over resampled notes, or patients."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from typing import NamedTuple, TypeVar

N_RESAMPLES = 1000
# Below this many notes an interval over notes would say more about the formula than about the labeler.
FEWEST_NOTES = 10
# With fewer there is nothing to draw from; with fewer than FEWEST_NOTES of them the interval is said to be rough.
FEWEST_PATIENTS = 2
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; `caveat` says why one is None, or what is to be known of them, and is else empty."""

    value: float | None
    interval: Interval | None
    caveat: str


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
    values: dict[Key, list[float]] = {key: [] for key in statistics}
    for weights in _resamples(n_units, n_resamples, seed):
        for key, statistic in statistics.items():
            value = statistic(weights)
            if value is not None:
                values[key].append(value)
    enough = (1 - _MAX_UNDEFINED) * n_resamples
    return {key: _percentiles(found) if len(found) >= enough else None for key, found in values.items()}


@lru_cache(maxsize=1)
def _resamples(n_units: int, n_resamples: int, seed: int) -> Sequence[Weights]:
    """How often each unit is drawn, by resample. Kept, since many figures of the same units are asked for in turn."""
    rng = random.Random(seed)  # noqa: S311  a seeded draw, no secret
    drawn = (Counter(rng.choices(range(n_units), k=n_units)) for _ in range(n_resamples))
    return [tuple(counts[unit] for unit in range(n_units)) for counts in drawn]


def estimates(
    n_patients: int, statistics: Mapping[Key, Statistic], *, undefined: str, seed: int, n_resamples: int
) -> dict[Key, Estimate]:
    """Each statistic with its interval over patients; `undefined` says why there is no value where there is none."""
    values = {key: statistic([1] * n_patients) for key, statistic in statistics.items()}
    defined = {key: statistics[key] for key, value in values.items() if value is not None}
    found = intervals(n_patients, defined, seed=seed, n_resamples=n_resamples, fewest=FEWEST_PATIENTS)
    return {
        key: Estimate(
            value, found.get(key), undefined if value is None else _caveat(n_patients, found[key], n_resamples)
        )
        for key, value in values.items()
    }


def _caveat(n_patients: int, interval: Interval | None, n_resamples: int) -> str:
    if not n_resamples:
        return "no interval was asked for"
    if n_patients < FEWEST_PATIENTS:
        return f"no interval: fewer than {FEWEST_PATIENTS} patients"
    if interval is None:
        return "no interval: it rests on too few of the patients"
    return f"a rough interval: fewer than {FEWEST_NOTES} patients" if n_patients < FEWEST_NOTES else ""


def _percentiles(values: Sequence[float]) -> Interval:
    ordered = sorted(values)
    tail = (1 - _LEVEL) / 2
    last = len(ordered) - 1
    return Interval(ordered[round(tail * last)], ordered[round((1 - tail) * last)])
