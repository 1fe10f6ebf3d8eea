"""How well confidence tells, on notes that the curve was not fitted on: reliability, ECE, Brier score, AUROC.

Each case's confidence comes from curves fitted on the other folds' notes. Intervals are over notes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.core.calibration import Case, Kind, NotEnoughCases, fit_calibration
from annotator.core.intervals import FEWEST_NOTES, N_RESAMPLES, Estimate, Interval, Statistic, Weights, intervals

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

N_FOLDS = 5
MOST_BINS, FEWEST_IN_BIN = 10, 10
FEWEST_CASES = 20
LABEL = "label"
_FEW_NOTES = f"no interval: fewer than {FEWEST_NOTES} notes"


@dataclass(frozen=True, slots=True)
class CurveBin:
    """Of the `n` cases with about this confidence so many are right."""

    n: int
    mean_confidence: float
    share_right: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class CurveMeasures:
    """Held-out cases; `raw_ece` and `raw_bins`, which have no interval, take the raw score for a confidence. `caveat`
    says why there is none, or is empty.
    """

    n: int
    n_right: int
    n_notes: int
    bins: tuple[CurveBin, ...]
    raw_bins: tuple[CurveBin, ...]
    ece: Estimate
    raw_ece: Estimate
    brier: Estimate
    auroc: Estimate
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Overall, and for each grouping (`label`, and the caller's) each of its groups."""

    overall: CurveMeasures
    groups: Mapping[str, Mapping[str, CurveMeasures]]


def measure_calibration(
    cases: Sequence[Case],
    *,
    kind: Kind = "platt",
    groups: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> CalibrationReport:
    """Figures on notes held out in turn, overall and by label, and by each grouping that is given, such as sections.

    `groups`: by its name, each case's group. Bins hold equal numbers of cases (Nguyen & O'Connor 2015), as
    `core.ranking` has them. Where a fold leaves too few cases to fit on there are numbers of cases only. An ECE is
    never less than 0, and its interval over few cases lies high.
    """
    confidences = _held_out(cases, kind, seed)
    by_key = {LABEL: [case.label for case in cases], **(groups or {})}
    measured = {}
    for key, of in by_key.items():
        if len(of) != len(cases):
            raise ValueError(f"{len(of)} groups of {len(cases)} cases")
        measured[key] = {
            name: _measures(cases, confidences, [at for at, one in enumerate(of) if one == name], seed, n_resamples)
            for name in sorted(set(of))
        }
    return CalibrationReport(
        _measures(cases, confidences, range(len(cases)), seed, n_resamples),
        measured,
    )


def _held_out(cases: Sequence[Case], kind: Kind, seed: int) -> list[float] | None:
    """Each case's confidence by curves of other notes; None where a fold's curves cannot be fitted."""
    notes = sorted({case.note for case in cases})
    if len(notes) < N_FOLDS:
        return None
    from sklearn.model_selection import GroupKFold

    found = [0.0] * len(cases)
    folds = GroupKFold(N_FOLDS).split(cases, groups=[case.note for case in cases])
    for fitted_on, held_out in folds:
        try:
            calibration = fit_calibration([cases[at] for at in fitted_on], kind=kind, seed=seed)
        except NotEnoughCases:
            return None
        for at in held_out:
            found[at] = calibration.confidence(label=cases[at].label, score=cases[at].score)
    return found


def _measures(
    cases: Sequence[Case], confidences: Sequence[float] | None, chosen: Sequence[int], seed: int, n_resamples: int
) -> CurveMeasures:
    kept = [cases[at] for at in chosen]
    names = sorted({case.note for case in kept})
    n_right = sum(case.is_right for case in kept)
    if confidences is None or len(kept) < FEWEST_CASES:
        caveat = "not enough data"
        nothing = Estimate(None, None, caveat)
        return CurveMeasures(len(kept), n_right, len(names), (), (), nothing, nothing, nothing, nothing, caveat)
    import numpy as np

    places = {name: place for place, name in enumerate(names)}
    notes = np.array([places[case.note] for case in kept])
    right = np.array([case.is_right for case in kept], dtype=float)
    values = np.array([confidences[at] for at in chosen])
    raw = np.array([case.score for case in kept])
    as_array = _as_array()

    def sums(of: Array) -> Array:
        """By note, of a value or a row of values for each case."""
        total = np.zeros((len(names), *of.shape[1:]))
        np.add.at(total, notes, of)
        return total

    which = _bin_of(values)
    is_in = which[:, None] == np.arange(which.max() + 1)
    in_bin, right_in_bin = sums(is_in * 1.0), sums(is_in * right[:, None])
    statistics: dict[str, Statistic] = {
        "ece": _ece(as_array, in_bin, sums(is_in * (right - values)[:, None])),
        "raw_ece": _raw_ece(as_array, sums, raw, right),
        "brier": _ratio(as_array, sums((values - right) ** 2), sums(np.ones(len(kept)))),
        "auroc": _auroc(as_array, values, right > 0, notes),
    }
    shares = {f"bin {at}": _ratio(as_array, right_in_bin[:, at], in_bin[:, at]) for at in range(in_bin.shape[1])}
    everyone = [1] * len(names)
    point = {key: statistic(everyone) for key, statistic in statistics.items()}
    defined = {key: statistic for key, statistic in statistics.items() if point[key] is not None}
    found = intervals(len(names), {**defined, **shares}, seed=seed, n_resamples=n_resamples)
    bins = _bins(values, right, which, [found[f"bin {at}"] for at in range(in_bin.shape[1])])
    of_raw = _bin_of(raw)
    raw_bins = _bins(raw, right, of_raw, [None] * (int(of_raw.max()) + 1))
    estimates = {key: _estimate(value, found.get(key), len(names)) for key, value in point.items()}
    return CurveMeasures(
        n=len(kept),
        n_right=n_right,
        n_notes=len(names),
        bins=bins,
        raw_bins=raw_bins,
        ece=estimates["ece"],
        raw_ece=estimates["raw_ece"],
        brier=estimates["brier"],
        auroc=estimates["auroc"],
    )


def _bins(values: Array, right: Array, which: Array, found: Sequence[Interval | None]) -> tuple[CurveBin, ...]:
    """The bins that have cases, by what `which` of them each case is in."""
    return tuple(
        CurveBin(
            int((which == at).sum()),
            float(values[which == at].mean()),
            float(right[which == at].mean()),
            interval,
        )
        for at, interval in enumerate(found)
        if (which == at).any()
    )


def _estimate(value: float | None, interval: Interval | None, n_notes: int) -> Estimate:
    if value is None:
        return Estimate(None, None, "not enough data: all right, or all wrong")
    return Estimate(value, interval, _FEW_NOTES if n_notes < FEWEST_NOTES else "")


def _as_array() -> Callable[[Weights], Array]:
    """Weights as an array: that of the last ones is kept, since many figures of one resample are asked for in turn."""
    import numpy as np

    kept: list[Any] = [None, None]

    def as_array(weights: Weights) -> Array:
        if kept[0] is not weights:
            kept[:] = weights, np.array(weights, dtype=float)
        found: Array = kept[1]
        return found

    return as_array


def _bin_of(values: Array) -> Array:
    """Which of the bins of equal mass each value is in; equal values share one."""
    import numpy as np

    n_bins = max(min(MOST_BINS, len(values) // FEWEST_IN_BIN), 1)
    _, of, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = counts.cumsum() - counts / 2
    found: Array = (middles * n_bins / len(values)).astype(int)[of]
    return found


def _ratio(as_array: Callable[[Weights], Array], numerators: Array, denominators: Array) -> Statistic:
    def statistic(weights: Weights) -> float | None:
        below = float(as_array(weights) @ denominators)
        return float(as_array(weights) @ numerators) / below if below else None

    return statistic


def _ece(as_array: Callable[[Weights], Array], in_bin: Array, differences: Array) -> Statistic:
    def statistic(weights: Weights) -> float | None:
        total = float((as_array(weights) @ in_bin).sum())
        return float(abs(as_array(weights) @ differences).sum()) / total if total else None

    return statistic


def _raw_ece(
    as_array: Callable[[Weights], Array], sums: Callable[[Array], Array], raw: Array, right: Array
) -> Statistic:
    import numpy as np

    which = _bin_of(raw)
    is_in = which[:, None] == np.arange(which.max() + 1)
    return _ece(as_array, sums(is_in * 1.0), sums(is_in * (right - raw)[:, None]))


def _auroc(as_array: Callable[[Weights], Array], values: Array, right: Array, notes: Array) -> Statistic:
    """`ranking.weighted_auroc` for arrays: ties half, by how often each note counts."""
    import numpy as np

    order = np.argsort(values[~right], kind="stable")
    wrong_values, wrong_notes = values[~right][order], notes[~right][order]
    right_notes = notes[right]
    below = np.searchsorted(wrong_values, values[right], "left")
    up_to = np.searchsorted(wrong_values, values[right], "right")

    def statistic(weights: Weights) -> float | None:
        counts = as_array(weights)
        wrong = np.concatenate([[0.0], counts[wrong_notes].cumsum()])
        rights = counts[right_notes]
        pairs = rights.sum() * wrong[-1]
        return float((rights * (wrong[below] + wrong[up_to])).sum() / 2 / pairs) if pairs else None

    return statistic
