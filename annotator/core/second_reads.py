"""How far a second reader of audits disagrees with the first: measured on what was decided twice, blind."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from annotator.core.intervals import Interval

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Changed:
    """Of `n` audits that were decided again, `n_changed` were decided otherwise."""

    n: int
    n_changed: int

    @property
    def share(self) -> float | None:
        return self.n_changed / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the share (Wilson 1927), as of a simple random sample; None where nothing is known."""
        if not self.n:
            return None
        share, n = self.n_changed / self.n, self.n
        middle = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
        half = _Z / (1 + _Z * _Z / n) * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
        # At the ends exactly: rounding would leave a hair of 0 or 1.
        low = 0.0 if self.n_changed == 0 else max(middle - half, 0.0)
        high = 1.0 if self.n_changed == n else min(middle + half, 1.0)
        return Interval(low, high)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Both directions, which are of different kinds of error: `wrong` are audits that the first reader found wrong, all
    of which are decided again, `right` the share, drawn at random, of the `n_right` that they found right. `n_waiting`
    wait for their second reader, and of `n_alone` there was nobody.
    """

    wrong: Changed
    right: Changed
    n_right: int
    n_waiting: int = 0
    n_alone: int = 0

    @property
    def expected_overlooked(self) -> tuple[float, Interval] | None:
        """Of all audits found right, how many a second reader would find wrong, by what the drawn share says."""
        share, interval = self.right.share, self.right.interval
        if share is None or interval is None:
            return None
        return share * self.n_right, Interval(interval.low * self.n_right, interval.high * self.n_right)

    @property
    def share(self) -> float | None:
        """Of all audits, the share on which the two would differ; the drawn share of the right ones stands for all of
        them. None where one direction has not been measured.
        """
        n = self.wrong.n + self.n_right
        if not n or (self.n_right and not self.right.n):
            return None
        return (self.wrong.n_changed + (self.right.share or 0.0) * self.n_right) / n
