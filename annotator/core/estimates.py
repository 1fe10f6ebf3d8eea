"""How sure a share, a rate or a median is, where what was counted comes in clusters: the decisions or spans of a note.

What an interval needs of the notes adds up (`Sums`), so that it is had from counts by day that a database adds. It is
what resampling whole notes gives (`core.intervals`), by linearization, without keeping a row for each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, sqrt

from annotator.core.intervals import FEWEST_NOTES, Interval

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Sums:
    """Of `n` notes with a part x and a whole y each: the sums of x, y, x², xy and y²."""

    n: int = 0
    part: float = 0
    whole: float = 0
    part_squared: float = 0
    product: float = 0
    whole_squared: float = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.n + other.n,
            self.part + other.part,
            self.whole + other.whole,
            self.part_squared + other.part_squared,
            self.product + other.product,
            self.whole_squared + other.whole_squared,
        )

    @property
    def ratio(self) -> float | None:
        """Part by whole; None where there is no whole."""
        return self.part / self.whole if self.whole else None

    @property
    def is_enough(self) -> bool:
        """Whether an interval says more about the notes than about the formula."""
        return self.n >= FEWEST_NOTES and self.whole > 0

    @property
    def variance(self) -> float:
        """Of the ratio over notes (Cochran 1977, section 6.4, without the correction for a finite population)."""
        ratio = self.part / self.whole
        squares = self.part_squared - 2 * ratio * self.product + ratio**2 * self.whole_squared
        return max(squares, 0.0) * self.n / (self.n - 1) / self.whole**2

    @property
    def design_effect(self) -> float:
        """How many times the variance of a share is what it would be if no note resembled itself; 1 at 0 and 1."""
        share = self.part / self.whole
        alone = share * (1 - share) / self.whole
        return self.variance / alone if alone > 0 else 1.0


def sums_of(pairs: Collection[tuple[float, float]]) -> Sums:
    """The sums of notes, each with its part and its whole."""
    return Sums(
        n=len(pairs),
        part=sum(x for x, _ in pairs),
        whole=sum(y for _, y in pairs),
        part_squared=sum(x * x for x, _ in pairs),
        product=sum(x * y for x, y in pairs),
        whole_squared=sum(y * y for _, y in pairs),
    )


def share_interval(sums: Sums) -> Interval | None:
    """The 95 % interval of a share: Wilson's, with as many units as the notes are worth (Korn & Graubard 1998).

    Where all or nothing is part, a note is worth one. None below ten notes.
    """
    if not sums.is_enough:
        return None
    share = sums.part / sums.whole
    n = sums.whole / max(sums.design_effect, 1.0) if 0 < share < 1 else sums.n
    t = _t(sums.n - 1)
    middle = (share + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * sqrt(share * (1 - share) / n + t * t / (4 * n * n))
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def rate_interval(sums: Sums) -> Interval | None:
    """The 95 % interval of a rate above 0, symmetric in its logarithm. None below ten notes."""
    if not sums.is_enough or not sums.part:
        return None
    rate = sums.part / sums.whole
    factor = exp(_t(sums.n - 1) * sqrt(sums.variance) / rate)
    return Interval(rate / factor, rate * factor)


def change_interval(before: Sums, after: Sums) -> Interval | None:
    """The 95 % interval of how much a share has grown, out of both shares' own (Newcombe 1998, method 10)."""
    first, second = share_interval(before), share_interval(after)
    if first is None or second is None:
        return None
    p, q = before.part / before.whole, after.part / after.whole
    low = q - p - sqrt((q - second.low) ** 2 + (first.high - p) ** 2)
    high = q - p + sqrt((second.high - q) ** 2 + (p - first.low) ** 2)
    return Interval(low, high)


def median(notes: Collection[Sequence[float]]) -> tuple[float, Interval] | None:
    """The median of all values and its 95 % interval over notes (Woodruff 1952); None below ten notes."""
    values = sorted(value for note in notes for value in note)
    if len(notes) < FEWEST_NOTES or not values:
        return None
    middle = _quantile(values, 0.5)
    below = sums_of([(sum(value <= middle for value in note), len(note)) for note in notes])
    half = _t(below.n - 1) * sqrt(below.variance)
    return middle, Interval(_quantile(values, 0.5 - half), _quantile(values, 0.5 + half))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two values that it lies between."""
    at = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def _t(degrees: int) -> float:
    """Student's t at 97.5 %: the first two terms of its expansion (Abramowitz & Stegun 26.7.5)."""
    return _Z + (_Z**3 + _Z) / (4 * degrees) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * degrees**2)
