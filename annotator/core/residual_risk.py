"""How many identifiers may be left in notes that a labeler and a person have both looked through.

Only where the person did not see what the labeler had suggested do the two looks tell of each other: what each found
without the other is a capture and a recapture. Chapman's estimator (Chapman 1951; Seber 1982, section 3.2) makes of it
how many there are. It supposes that the two find and miss independently, and each identifier with the same chance. Both
miss what is misspelt or odd more often, so that the truth is likelier above the estimate than below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any, NamedTuple

from annotator.core.intervals import N_RESAMPLES, Estimate, Weights, estimates, weighted_ratio

FEWEST_FOUND = 7


class TwoLooks(NamedTuple):
    """Of one patient: notes that a labeler and a person looked through apart, and which of them found how many."""

    n_notes: int
    n_both: int
    n_labeler: int
    n_person: int


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Of `n_notes` notes: what both found, and only one of them; and how many neither found in a thousand."""

    n_notes: int
    n_both: int
    n_labeler: int
    n_person: int
    per_thousand: Estimate

    def to_json(self) -> dict[str, Any]:
        return {
            "n_notes": self.n_notes,
            "n_both": self.n_both,
            "n_only_labeler": self.n_labeler,
            "n_only_person": self.n_person,
            "per_thousand": estimate_json(self.per_thousand, digits=1),
        }


def estimate_json(found: Estimate, *, digits: int) -> dict[str, Any]:
    return {
        "value": None if found.value is None else round(found.value, digits),
        "interval": None if found.interval is None else [round(end, digits) for end in found.interval],
        "caveat": found.caveat,
    }


def left_behind(patients: Sequence[TwoLooks], *, n_resamples: int = N_RESAMPLES) -> LeftBehind:
    """The estimate over the patients, with an interval over resampled ones."""
    columns = [list(column) for column in zip(*patients, strict=True)] or [[], [], [], []]
    notes, both, labeler, person = columns
    n_both = sum(both)
    undefined = ""
    if not patients:
        undefined = "no note was read blind and then gone through with its suggestions"
    elif n_both < FEWEST_FOUND:
        undefined = f"fewer than {FEWEST_FOUND} identifiers were found by both"
    estimate = estimates(
        len(patients),
        {"": _statistic(notes, both, labeler, person, is_defined=not undefined)},
        undefined=undefined,
        seed=0,
        n_resamples=n_resamples,
    )[""]
    return LeftBehind(sum(notes), n_both, sum(labeler), sum(person), estimate)


def missed_share(patients: Sequence[tuple[int, int]], *, n_resamples: int = N_RESAMPLES) -> Estimate:
    """Of all identifiers, of which each patient has so many in the second place, the share that people had to add."""
    missed, found = ([each[place] for each in patients] for place in (0, 1))
    statistic = weighted_ratio(missed, found)
    undefined = "no identifier was found"
    return estimates(len(patients), {"": statistic}, undefined=undefined, seed=0, n_resamples=n_resamples)[""]


def _statistic(
    notes: Sequence[int], both: Sequence[int], labeler: Sequence[int], person: Sequence[int], *, is_defined: bool
) -> Callable[[Weights], float | None]:
    def statistic(weights: Weights) -> float | None:
        n_notes, n_both, n_labeler, n_person = (
            sum(map(mul, weights, column)) for column in (notes, both, labeler, person)
        )
        if not is_defined or not n_notes:
            return None
        n_all = (n_both + n_labeler + 1) * (n_both + n_person + 1) / (n_both + 1) - 1
        return 1000 * max(n_all - n_both - n_labeler - n_person, 0.0) / n_notes

    return statistic
