"""Whether what is labelled has changed from one time to another: how far, and whether by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, exp, gamma, log, sqrt

from annotator.core.estimates import Sums
from annotator.core.intervals import FEWEST_NOTES

FEWEST_SPANS = 50
# Labels of which fewer are expected at either time are taken together (Cochran 1954).
_FEWEST_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """`stability_index` says how far two distributions lie apart, `p_value` how often chance alone does that."""

    stability_index: float
    p_value: float


def drift(before: Mapping[str, Sums], after: Mapping[str, Sums]) -> Drift | None:
    """Between two times, each with every label's share of the notes' spans; None below ten notes or fifty spans, or
    where there is one label.
    """
    labels = sorted(before.keys() | after.keys())
    times = (before, after)
    totals = [next(iter(time.values()), Sums()) for time in times]
    if len(labels) < 2 or any(total.n < FEWEST_NOTES or total.whole < FEWEST_SPANS for total in totals):
        return None
    counts = [[time[label].part if label in time else 0.0 for label in labels] for time in times]
    effect = _design_effect(times, [total.whole for total in totals])
    first, second = counts
    return Drift(stability_index(first, second), _p_value(first, second, effect))


def stability_index(before: list[float], after: list[float]) -> float:
    """The Population Stability Index of two tables of counts: sum of (q - p) ln(q / p). Half a span is added to each
    count, since the logarithm of nothing has no value.
    """
    smooth = [[(count + 0.5) / (sum(counts) + 0.5 * len(counts)) for count in counts] for counts in (before, after)]
    return sum((q - p) * log(q / p) for p, q in zip(*smooth, strict=True))


def chi_square_p(statistic: float, degrees: int) -> float:
    """How often chi-square with so many degrees of freedom is larger (Abramowitz & Stegun 26.4.4 and 26.4.5)."""
    half = statistic / 2
    found = erfc(sqrt(half)) if degrees % 2 else exp(-half)
    for lower in range(degrees % 2 or 2, degrees, 2):
        found += half ** (lower / 2) * exp(-half) / gamma(lower / 2 + 1)
    return min(found, 1.0)


def _p_value(before: list[float], after: list[float], effect: float) -> float:
    """Of Pearson's chi-square for homogeneity by the design effect: spans of a note are no independent draws."""
    n, m = sum(before), sum(after)
    kept, rest = [], [0.0, 0.0]
    for b, a in zip(before, after, strict=True):
        if (a + b) * min(n, m) / (n + m) < _FEWEST_EXPECTED:
            rest = [rest[0] + b, rest[1] + a]
        else:
            kept.append([b, a])
    kept += [rest] if sum(rest) else []
    if len(kept) < 2:
        return 1.0
    statistic = 0.0
    for counts in kept:
        for count, total in zip(counts, (n, m), strict=True):
            expected = sum(counts) * total / (n + m)
            statistic += (count - expected) ** 2 / expected
    return chi_square_p(statistic / effect, len(kept) - 1)


def _design_effect(times: tuple[Mapping[str, Sums], Mapping[str, Sums]], totals: list[float]) -> float:
    """The mean design effect of the shares, at least 1 (Rao & Scott 1981, first order)."""
    n = sum(totals)
    effect = 0.0
    for time, total in zip(times, totals, strict=True):
        spread = sum((1 - sums.part / sums.whole) * sums.design_effect for sums in time.values() if sums.part)
        n_labels = sum(1 for sums in time.values() if sums.part)
        effect += (1 - total / n) * spread / max(n_labels - 1, 1)
    return max(effect, 1.0)
