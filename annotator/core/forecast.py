"""When work will be done, at the pace of the last days."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

from annotator.core.intervals import Interval

FEWEST_DAYS = 5
# What takes longer is said to take longer.
HORIZON = 365
_N_RESAMPLES = 200
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Forecast:
    """In how many days the work is done: the middle of what may come, and its 95 % interval. HORIZON + 1: later."""

    days: int
    interval: Interval


def forecast(n_left: int, by_day: Sequence[int], *, seed: int = 0) -> Forecast | None:
    """When `n_left` more are done, where what is done on a day goes on as `by_day`, days without work among them.

    Days are drawn from a resample of the days until the work is done, so the interval holds both how little a few days
    say of the pace, and what chance makes of it (Davison & Hinkley 1997, section 6.3.3).
    None below five days with work.
    """
    if sum(1 for n in by_day if n) < FEWEST_DAYS:
        return None
    rng = random.Random(seed)  # noqa: S311  a seeded draw, no secret
    found = sorted(_n_days(n_left, rng.choices(by_day, k=len(by_day)), rng) for _ in range(_N_RESAMPLES))
    last = len(found) - 1
    return Forecast(found[last // 2], Interval(found[round(_TAIL * last)], found[round((1 - _TAIL) * last)]))


def _n_days(n_left: int, days: Sequence[int], rng: random.Random) -> int:
    """How many of the days, drawn by chance, it takes; HORIZON + 1 where it takes more."""
    expected = n_left * len(days) / (sum(days) or 1)
    if expected > 2 * HORIZON:
        return HORIZON + 1
    path = list(accumulate(rng.choices(days, k=min(ceil(2 * expected) + 3 * len(days), HORIZON))))
    return bisect_left(path, n_left) + 1 if path[-1] >= n_left else HORIZON + 1
