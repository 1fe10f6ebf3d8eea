"""What coefficients need of a note's ratings, as JSON: tallies add up over notes, so what is counted once can be kept.

`core.agreement` measures the same out of the ratings themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from annotator.core.intervals import estimates
from annotator.core.readings import Reading, attribute_units, token_units, units_of_label, value_units
from annotator.core.reliability import (
    UNDEFINED,
    UNEVEN,
    Coefficient,
    Figure,
    Margins,
    Side,
    Table,
    Units,
    Value,
    alpha_of,
    by_value,
    coincidences,
    contingency,
    kappa_of,
    margins_of,
    weighted,
)

ALL_LABELS = ""
ALPHA, FLEISS, COHEN = "krippendorff_alpha", "fleiss_kappa", "cohen_kappa"
_GIVEN, _NOT = "1", "0"
_SIDES = (Side.ROW, Side.COLUMN)
_DIFFERING = (Side.AGREED, "not")


class Rated(StrEnum):
    """What readers rate: tokens by the set of labels on them, and by each label; attributes; labels of the note."""

    TOKENS = "tokens"
    LABEL = "label"
    ATTRIBUTE = "attribute"
    VALUE = "value"


# By what is rated and its name. A tally is how often each value was given, by each side of the table that it comes from
# (one side where both are alike); how many ratings differ; how many units have how many ratings. Of a label only how
# often it is given and how many differ are told: the rest is that of the tokens.
Tallies = Mapping[str, Mapping[str, Sequence[Any]]]
# By what is rated, its name, and the name of the coefficient.
Coefficients = Mapping[str, Mapping[str, Mapping[str, Coefficient]]]
_RatedUnits = Mapping[Rated, Mapping[str, Units]]
_TOKENS = (Rated.TOKENS, ALL_LABELS)


def rated_units(text: str, readings: Sequence[Reading]) -> _RatedUnits:
    """What the readings rate in a note, in their order. Of labels those that one of them gives."""
    tokens = token_units(text, readings)
    labels = sorted(frozenset().union(*(labels for sets in tokens for labels in sets)))
    return {
        Rated.TOKENS: {ALL_LABELS: tokens},
        Rated.LABEL: {label: units_of_label(tokens, label) for label in labels},
        Rated.ATTRIBUTE: attribute_units(readings),
        Rated.VALUE: value_units(readings),
    }


def tallies_of_all(rated: _RatedUnits) -> Tallies:
    """The tallies of all readers together: of coincidences, whose sides are alike."""

    def tally(units: Units) -> Sequence[Any]:
        raters: Counter[str] = Counter()
        for ratings, n in units.items():
            n_given = sum(value is not None for value in ratings)
            if n_given > 1:
                raters[str(n_given)] += n
        return _tally(coincidences(units), raters, 1)

    return _tallies(rated, tally)


def tallies_of_two(rated: _RatedUnits, one: int, other: int) -> Tallies:
    """The tallies of two of the readers, by their places."""

    def tally(units: Units) -> Sequence[Any]:
        table = contingency(units, one, other)
        return _tally(table, {"2": table.total()} if table else {}, 2)

    return _tallies(rated, tally)


def _tally(table: Table, n_raters: Mapping[str, int], n_sides: int) -> Sequence[Any]:
    margins = margins_of(table)
    values = [by_value(margins, side) for side in _SIDES[:n_sides]]
    differing = sum(values[0].values()) - margins.get((Side.AGREED, None), 0)
    return [[{_word(value): _short(n) for value, n in side.items()} for side in values], _short(differing), n_raters]


def _of_label(tally: Sequence[Any]) -> Sequence[Any]:
    values, differing, _ = tally
    return [[{_GIVEN: side[_GIVEN]} if _GIVEN in side else {} for side in values], differing, {}]


def _tallies(rated: _RatedUnits, tally: Callable[[Units], Sequence[Any]]) -> Tallies:
    found = {
        rating: {
            name: _of_label(tally(units)) if rating == Rated.LABEL else tally(units) for name, units in each.items()
        }
        for rating, each in rated.items()
    }
    return {
        rating: told
        for rating, each in found.items()
        if (told := {name: one for name, one in each.items() if any(one[0]) or rating == Rated.TOKENS})
    }


def _word(value: Any) -> str:
    """A value as a key of JSON."""
    if isinstance(value, bool):
        return _GIVEN if value else _NOT
    return "|".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _short(n: float) -> float:
    return int(n) if n == int(n) else n


class Sums:
    """The tallies of notes, added up by group of patients. All of them are of all readers, or all of two."""

    def __init__(self) -> None:
        self._margins: dict[tuple[str, str], dict[int, dict[tuple[Side, Value], float]]] = defaultdict(dict)
        self._n_raters: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, *, group: int, tallies: Tallies) -> None:
        """Add a note of a patient of that group."""
        for rating, by_name in tallies.items():
            for name, (values, n_differing, n_raters) in by_name.items():
                margins = self._margins[rating, name].setdefault(group, defaultdict(float))
                for side, given in zip(_SIDES, values, strict=False):
                    for value, n in given.items():
                        margins[side, value] += n
                margins[_DIFFERING] += n_differing
                if n_raters:
                    self._n_raters[rating, name].update(n_raters)

    def of_all(self, labels: Sequence[str], *, seed: int, n_resamples: int) -> Coefficients:
        """Krippendorff's alpha and Fleiss' kappa, of tallies of all readers."""
        figures = {ALPHA: alpha_of, FLEISS: kappa_of}
        return self._coefficients(labels, figures, 1, seed=seed, n_resamples=n_resamples)

    def of_two(self, labels: Sequence[str], *, seed: int, n_resamples: int) -> Coefficients:
        """Cohen's kappa, of tallies of two readers."""
        return self._coefficients(labels, {COHEN: kappa_of}, 2, seed=seed, n_resamples=n_resamples)

    def _coefficients(
        self, labels: Sequence[str], figures: Mapping[str, Figure], n_sides: int, *, seed: int, n_resamples: int
    ) -> Coefficients:
        found: dict[str, dict[str, dict[str, Coefficient]]] = {rated: {} for rated in Rated}
        for rated, name in self._rated(labels):
            by_group = self._by_group(rated, name, _SIDES[:n_sides])
            n_raters = self._n_raters[_TOKENS if rated == Rated.LABEL else (rated, name)]
            statistics = {figure: weighted(by_group, function) for figure, function in figures.items()}
            estimated = estimates(len(by_group), statistics, undefined=UNDEFINED, seed=seed, n_resamples=n_resamples)
            if FLEISS in estimated and len(n_raters) > 1:
                estimated[FLEISS] = UNEVEN
            found[rated][name] = {figure: Coefficient(n_raters.total(), each) for figure, each in estimated.items()}
        return found

    def _rated(self, labels: Sequence[str]) -> list[tuple[str, str]]:
        """What there are tallies of; of labels those that are asked for, where there are tokens."""
        known = [(rated, name) for rated, name in sorted(self._margins) if rated != Rated.LABEL]
        return known + [(Rated.LABEL, label) for label in labels if _TOKENS in self._margins]

    def _by_group(self, rated: str, name: str, sides: Sequence[Side]) -> list[Margins]:
        """The margins of each group, with the tokens that have not a label, both sides, and how many ratings agree."""
        own = self._margins.get((rated, name), {})
        found: list[Margins] = []
        for group, base in (self._margins[_TOKENS] if rated == Rated.LABEL else own).items():
            here = own.get(group, {})
            margins: dict[tuple[Side, Value], float] = {}
            for side in sides:
                n, values = sum(by_value(base, side).values()), by_value(here, side)
                if rated == Rated.LABEL:
                    values[_NOT] = n - values.get(_GIVEN, 0)
                for place in (side,) if len(sides) > 1 else _SIDES:
                    margins |= {(place, value): each for value, each in values.items()}
                margins[Side.AGREED, None] = n - here.get(_DIFFERING, 0)
            found.append(margins)
        return found
