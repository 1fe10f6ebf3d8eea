"""Agreement beyond chance on nominal ratings: Cohen's and Fleiss' kappa, Krippendorff's alpha.

All three are functions of a square table, (value, value) to how many, and tables add up over notes. So an interval over
patients needs no rating twice, and what was counted once can be kept. That is why they are written out here: the
libraries (krippendorff, statsmodels, scikit-learn) take the ratings themselves, and would bring over 300 MB to the web
process for some lines of arithmetic. Values are compared for equality only. None is a rating that is missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, combinations
from operator import mul
from typing import Any

from annotator.core.intervals import Estimate, Statistic, Weights, estimates

Value = Hashable
Table = Mapping[tuple[Value, Value], float]
# What the raters of a unit said of it, a value or None each, in the raters' order, to how many units this was said of.
Units = Mapping[tuple[Any, ...], int]
UNDEFINED = "not defined: only one value was given, or nothing by two"
UNEVEN = Estimate(None, None, "not defined: the number of ratings differs from unit to unit, see alpha")


def contingency(units: Units, one: int, other: int) -> Counter[tuple[Value, Value]]:
    """How often two raters, by their places, said which: rows are the first one's values."""
    table: Counter[tuple[Value, Value]] = Counter()
    for ratings, n in units.items():
        if ratings[one] is not None and ratings[other] is not None:
            table[ratings[one], ratings[other]] += n
    return table


def coincidences(units: Units) -> Table:
    """Ordered pairs of ratings within units, a unit of m ratings weighing m (Krippendorff 2011, step B).

    A unit with fewer than two ratings says nothing of agreement.
    """
    table: dict[tuple[Value, Value], float] = defaultdict(float)
    for ratings, n in units.items():
        given = Counter(value for value in ratings if value is not None)
        m = given.total()
        if m < 2:
            continue
        for value, n_value in given.items():
            for other, n_other in given.items():
                n_pairs = n_value * (n_other - (value == other))
                if n_pairs:
                    table[value, other] += n * n_pairs / (m - 1)
    return table


def kappa(table: Table) -> float | None:
    """Cohen's kappa (1960) of the contingency of two raters, and Fleiss' (1971) of coincidences.

    The latter where every unit has as many ratings: his mean agreement and his chance are sums of the same table. None
    where all ratings are one value.
    """
    return kappa_of(margins_of(table))


def krippendorff_alpha(table: Table) -> float | None:
    """Krippendorff's alpha for nominal values of coincidences (2011, section C); None as for kappa."""
    return alpha_of(margins_of(table))


class Side(Enum):
    ROW = 1
    COLUMN = 2
    AGREED = 3


# All that a coefficient needs of a table, and shorter: sums of its rows and columns by value, and of its diagonal.
Margins = Mapping[tuple[Side, Value], float]
Figure = Callable[[Margins], "float | None"]


def margins_of(table: Table) -> Margins:
    """What the coefficients need of a table."""
    margins: dict[tuple[Side, Value], float] = defaultdict(float)
    for (row, column), n in table.items():
        margins[Side.ROW, row] += n
        margins[Side.COLUMN, column] += n
        if row == column:
            margins[Side.AGREED, None] += n
    return margins


def kappa_of(margins: Margins) -> float | None:
    """`kappa` out of a table's margins."""
    rows, columns = by_value(margins, Side.ROW), by_value(margins, Side.COLUMN)
    if len(rows.keys() | columns.keys()) < 2:
        return None
    n = sum(rows.values())
    by_chance = sum(rows[value] * columns[value] for value in rows.keys() & columns.keys()) / n / n
    return (margins.get((Side.AGREED, None), 0) / n - by_chance) / (1 - by_chance)


def alpha_of(margins: Margins) -> float | None:
    """`krippendorff_alpha` out of a table's margins."""
    rows = by_value(margins, Side.ROW)
    if len(rows) < 2:
        return None
    n = sum(rows.values())
    n_differing = n - margins.get((Side.AGREED, None), 0)
    return 1 - (n - 1) * n_differing / (n * n - sum(n_value * n_value for n_value in rows.values()))


def by_value(margins: Margins, side: Side) -> dict[Value, float]:
    """The sums of one side, but for those that are none."""
    return {value: n for (of_side, value), n in margins.items() if of_side is side and n}


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient, and how many units with two ratings or more it is of."""

    n_units: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """The coefficients of one kind of rating; `cohen` is by pair of raters."""

    alpha: Coefficient
    fleiss: Coefficient
    cohen: Mapping[tuple[str, str], Coefficient]


class Ratings:
    """Ratings of one kind, added note by note and kept as tables by patient."""

    def __init__(self) -> None:
        self._all: _ByPatient = defaultdict(_empty)
        self._pairs: dict[tuple[str, str], _ByPatient] = defaultdict(lambda: defaultdict(_empty))
        self._n_raters: Counter[int] = Counter()
        self._n_shared: Counter[tuple[str, str]] = Counter()

    def add(self, *, patient: int, raters: Sequence[str], units: Units) -> None:
        """Add the units of one note; each has a rating, or None, by each of `raters`, whose names are in order."""
        for ratings, n in units.items():
            n_raters = sum(value is not None for value in ratings)
            if n_raters > 1:
                self._n_raters[n_raters] += n
        _add(coincidences(units), self._all, patient)
        for one, other in combinations(range(len(raters)), 2):
            pair, table = (raters[one], raters[other]), contingency(units, one, other)
            self._n_shared[pair] += table.total()
            _add(table, self._pairs[pair], patient)

    def reliability(self, *, seed: int, n_resamples: int) -> Reliability:
        """The coefficients, each with its interval over patients."""

        def estimated(by_patient: _ByPatient, figure: Figure) -> Estimate:
            statistics = {"": weighted(list(by_patient.values()), figure)}
            found = estimates(len(by_patient), statistics, undefined=UNDEFINED, seed=seed, n_resamples=n_resamples)
            return found[""]

        n_units = self._n_raters.total()
        fleiss = UNEVEN if len(self._n_raters) > 1 else estimated(self._all, kappa_of)
        return Reliability(
            alpha=Coefficient(n_units, estimated(self._all, alpha_of)),
            fleiss=Coefficient(n_units, fleiss),
            cohen={
                pair: Coefficient(self._n_shared[pair], estimated(by_patient, kappa_of))
                for pair, by_patient in sorted(self._pairs.items())
            },
        )


_ByPatient = dict[int, dict[tuple[Side, Value], float]]


def _empty() -> dict[tuple[Side, Value], float]:
    return defaultdict(float)


def _add(table: Table, by_patient: _ByPatient, patient: int) -> None:
    for margin, n in margins_of(table).items():
        by_patient[patient][margin] += n


def weighted(margins: Sequence[Margins], figure: Figure) -> Statistic:
    """The figure of the sum as a function of how often each patient counts."""
    columns = {
        margin: [each.get(margin, 0) for each in margins] for margin in dict.fromkeys(chain.from_iterable(margins))
    }

    def statistic(weights: Weights) -> float | None:
        return figure({margin: sum(map(mul, weights, column)) for margin, column in columns.items()})

    return statistic
