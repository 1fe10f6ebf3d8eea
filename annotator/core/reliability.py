"""Agreement beyond chance on nominal ratings: Cohen's and Fleiss' kappa, Krippendorff's alpha.

All three are functions of a square table, (value, value) to how many, and tables add up over notes. So an interval over
patients needs no rating twice, and what was counted once can be kept. That is why they are written out here: the
libraries (krippendorff, statsmodels, scikit-learn) take the ratings themselves, and would bring 150 MB to the web
process for some lines of arithmetic. Values are compared for equality only. None is a rating that is missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from operator import mul
from typing import Any

from annotator.core.intervals import Estimate, Statistic, Weights, estimates

Value = Hashable
Table = Mapping[tuple[Value, Value], float]
# What the raters of a unit said of it, a value or None each, in the raters' order, to how many units this was said of.
Units = Mapping[tuple[Any, ...], int]
_Figure = Callable[[Table], "float | None"]
_ByPatient = dict[int, dict[tuple[Value, Value], float]]
_UNDEFINED = "not defined: only one value was given, or none that two share"


def contingency(units: Units, one: int, other: int) -> Table:
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
    rows, columns, n, n_agreed = _margins(table)
    if _is_constant(rows, columns):
        return None
    by_chance = sum(rows[value] * columns[value] for value in rows.keys() & columns.keys()) / n / n
    return (n_agreed / n - by_chance) / (1 - by_chance)


def krippendorff_alpha(table: Table) -> float | None:
    """Krippendorff's alpha for nominal values of coincidences (2011, eq. for nominal data); None as for kappa."""
    rows, columns, n, n_agreed = _margins(table)
    if _is_constant(rows, columns):
        return None
    expected = n * n - sum(n_value * n_value for n_value in rows.values())
    return 1 - (n - 1) * (n - n_agreed) / expected


def _margins(table: Table) -> tuple[Mapping[Value, float], Mapping[Value, float], float, float]:
    """Sums of rows and of columns, of all, and of the diagonal."""
    rows: dict[Value, float] = defaultdict(float)
    columns: dict[Value, float] = defaultdict(float)
    for (row, column), n in table.items():
        if n:
            rows[row] += n
            columns[column] += n
    agreed = sum(n for (row, column), n in table.items() if row == column)
    return rows, columns, sum(rows.values()), agreed


def _is_constant(rows: Mapping[Value, float], columns: Mapping[Value, float]) -> bool:
    return len(rows.keys() | columns.keys()) < 2


@dataclass(frozen=True, slots=True)
class Reliability:
    """The coefficients of one kind of rating. `n_units` have two ratings or more; `cohen` is by pair of raters."""

    n_units: int
    alpha: Estimate
    fleiss: Estimate
    cohen: Mapping[tuple[str, str], Estimate]


class Ratings:
    """Ratings of one kind, added note by note and kept as tables by patient."""

    def __init__(self) -> None:
        self._all: _ByPatient = defaultdict(_empty)
        self._pairs: dict[tuple[str, str], _ByPatient] = defaultdict(lambda: defaultdict(_empty))
        self._n_raters: Counter[int] = Counter()

    @property
    def n_units(self) -> int:
        """Units with two ratings or more."""
        return self._n_raters.total()

    def add(self, *, patient: int, raters: Sequence[str], units: Units) -> None:
        """Add the units of one note; each has a rating, or None, by each of `raters`, whose names are in order."""
        for ratings, n in units.items():
            n_raters = sum(value is not None for value in ratings)
            if n_raters > 1:
                self._n_raters[n_raters] += n
        _add(coincidences(units), self._all, patient)
        for one, other in combinations(range(len(raters)), 2):
            _add(contingency(units, one, other), self._pairs[raters[one], raters[other]], patient)

    def reliability(self, *, seed: int, n_resamples: int) -> Reliability:
        """The coefficients, each with its interval over patients."""

        def estimated(by_patient: _ByPatient, *figures: _Figure) -> list[Estimate]:
            tables = list(by_patient.values())
            statistics = {place: _weighted(tables, figure) for place, figure in enumerate(figures)}
            found = estimates(len(tables), statistics, undefined=_UNDEFINED, seed=seed, n_resamples=n_resamples)
            return list(found.values())

        alpha, fleiss = estimated(self._all, krippendorff_alpha, kappa)
        if len(self._n_raters) > 1:
            fleiss = Estimate(None, None, "not defined: the number of ratings differs from unit to unit, see alpha")
        cohen = {pair: estimated(by_patient, kappa)[0] for pair, by_patient in sorted(self._pairs.items())}
        return Reliability(n_units=self.n_units, alpha=alpha, fleiss=fleiss, cohen=cohen)


def _empty() -> dict[tuple[Value, Value], float]:
    return defaultdict(float)


def _add(table: Table, by_patient: _ByPatient, patient: int) -> None:
    for cell, n in table.items():
        by_patient[patient][cell] += n


def _weighted(tables: Sequence[Table], figure: _Figure) -> Statistic:
    """The figure of the tables' sum as a function of how often each counts."""
    cells = {cell: [table.get(cell, 0) for table in tables] for cell in dict.fromkeys(chain.from_iterable(tables))}

    def statistic(weights: Weights) -> float | None:
        return figure({cell: sum(map(mul, weights, column)) for cell, column in cells.items()})

    return statistic
