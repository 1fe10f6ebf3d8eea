"""From a suggestion's raw score to its confidence: how likely a reviewer is to take it as it is.

A logistic curve over the score's logit (Platt 1999), one slope for all and an offset for each label that has enough
decided suggestions; or a monotone step curve (Zadrozny & Elkan 2002). Fitted on decisions of the uncertain stream,
never on audits: that they were chosen by their scores bends no curve over scores. Fitting and drawing load scikit-learn
and numpy; applying a curve needs neither.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["platt", "isotonic"]
_VERSION = 1
# Scores nearer to 0 or 1 are taken for this near: their logits would outweigh all others.
_EDGE = 1e-6
# Of right ones, and of wrong ones: for a curve at all, for a label's own, and for a step curve, which bends with every
# few cases (Niculescu-Mizil & Caruana 2005 find the logistic one better below about a thousand).
FEWEST, FEWEST_OF_LABEL, FEWEST_OF_STEPS = 10, 10, 50
# How far curves are expected to differ, as standard deviations of a normal law: the slope, by one standard deviation of
# the logits, which only keeps separable cases finite (Gelman et al. 2008); and a label's offset, which draws labels
# with few cases towards the others (of .25 to 2 none is better by .002 of log loss, at
# 150, 300 and 1,000 cases of 8 labels).
_SLOPE_SPREAD, _OFFSET_SPREAD = 2.5, 1.0
# The posterior of a fit is as wide as its cases say, and then some: they are not independent within a note.
_WIDER = 1.5
FIRST_FIT = 50


@dataclass(frozen=True, slots=True)
class Case:
    """One decided suggestion of the uncertain stream; `signals` are kept for curves over more than the score."""

    label: str
    score: float
    note: str
    is_right: bool
    weight: float = 1.0
    signals: Mapping[str, float] = field(default_factory=dict)


class NotEnoughCases(ValueError):
    """Too few right or too few wrong ones to fit a curve."""

    def __init__(self, *, n_right: int, n_wrong: int, n_wanted: int) -> None:
        super().__init__(f"{n_right} right and {n_wrong} wrong ones, and at least {n_wanted} of each are wanted")
        self.n_right, self.n_wrong, self.n_wanted = n_right, n_wrong, n_wanted


@dataclass(frozen=True, slots=True)
class Curve:
    """Confidence by score: logistic in the score's logit; or, where there are `steps`, straight between them."""

    intercept: float
    slope: float
    n_right: int
    n_wrong: int
    steps: tuple[tuple[float, float], ...] = ()

    def confidence(self, score: float) -> float:
        if not self.steps:
            return _logistic(self.intercept + self.slope * logit(score))
        place = bisect_right(self.steps, score, key=lambda step: step[0])
        if place in (0, len(self.steps)):
            return self.steps[min(place, len(self.steps) - 1)][1]
        (x, low), (after, high) = self.steps[place - 1 : place + 1]
        return low + (high - low) * (score - x) / (after - x)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fitted curves: of the labels that have their own, and `pooled` for all others.

    `covariance` is that of intercept, slope and the labels' offsets, in the order of `labels`.
    """

    kind: Kind
    n_cases: int
    pooled: Curve
    labels: Mapping[str, Curve]
    covariance: tuple[tuple[float, ...], ...]

    def confidence(self, *, label: str, score: float) -> float:
        """How likely a suggestion is right, in [0, 1]."""
        return self.labels.get(label, self.pooled).confidence(score)

    def draws(
        self, *, label: str | Sequence[str], scores: Sequence[float], n_draws: int, seed: int
    ) -> np.ndarray[Any, Any]:
        """The mean error of the most confident 1, 2, … of these, by draws from the fit's posterior: `(n_draws, n)`.

        For planning. `label` is one for all of them, or each one's. Equal confidences stand in the order of scores.
        The posterior is normal around the logistic fit (Laplace), with its covariance times 1.5; step curves rank, but
        the logistic one that was fitted beside them is drawn.
        """
        import numpy as np

        places = {name: place for place, name in enumerate(self.labels)}
        of = [label] * len(scores) if isinstance(label, str) else label
        which = np.array([places.get(name, -1) for name in of])
        values = np.asarray(scores, dtype=float)
        curves = [*self.labels.values(), self.pooled]
        means = [self.pooled.intercept, self.pooled.slope]
        means += [curve.intercept - self.pooled.intercept for curve in self.labels.values()]
        drawn = np.random.default_rng(seed).multivariate_normal(
            means, _WIDER * np.array(self.covariance), size=n_draws, method="cholesky"
        )
        offsets = np.column_stack([drawn[:, 2:], np.zeros(n_draws)])
        logits = _logits(values)
        if self.kind == "platt":
            best = np.array([curve.intercept for curve in curves])[which] + self.pooled.slope * logits
        else:
            best = np.array([self.confidence(label=name, score=score) for name, score in zip(of, values, strict=True)])
        order = np.lexsort((-values, -best))
        errors = 1 / (
            1 + np.exp(np.clip(drawn[:, :1] + drawn[:, 1:2] * logits[order] + offsets[:, which[order]], -40, 40))
        )
        return errors.cumsum(1) / np.arange(1, len(values) + 1)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `from_json` takes back unchanged."""
        return {
            "version": _VERSION,
            "kind": self.kind,
            "n_cases": self.n_cases,
            "pooled": _curve_to_json(self.pooled),
            "labels": {name: _curve_to_json(curve) for name, curve in self.labels.items()},
            "order": list(self.labels),
            "covariance": [list(row) for row in self.covariance],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibration:
        """Raises ValueError where the data is of another version."""
        if data.get("version") != _VERSION:
            raise ValueError(f"a calibration of version {data.get('version')!r}, and {_VERSION} is wanted")
        return cls(
            kind=data["kind"],
            n_cases=data["n_cases"],
            pooled=_curve_from_json(data["pooled"]),
            labels={name: _curve_from_json(data["labels"][name]) for name in data["order"]},
            covariance=tuple(tuple(row) for row in data["covariance"]),
        )


def is_due(n_cases: int, n_at_last_fit: int | None) -> bool:
    """Whether a fit is to be made: at 50, 100, 200, 400 … cases."""
    due = FIRST_FIT
    while n_at_last_fit is not None and due <= n_at_last_fit:
        due *= 2
    return n_cases >= due


def fit_calibration(cases: Sequence[Case], *, kind: Kind = "platt", seed: int = 0) -> Calibration:
    """The curves of these cases; the same ones for the same cases in any order, whatever the seed of the solver.

    Raises NotEnoughCases.
    """
    n_right = sum(case.is_right for case in cases)
    n_wrong = len(cases) - n_right
    n_wanted = FEWEST if kind == "platt" else FEWEST_OF_STEPS
    if min(n_right, n_wrong) < n_wanted:
        raise NotEnoughCases(n_right=n_right, n_wrong=n_wrong, n_wanted=n_wanted)
    counts = Counter((case.label, case.is_right) for case in cases)
    names = sorted({case.label for case in cases})
    own = [name for name in names if min(counts[name, True], counts[name, False]) >= FEWEST_OF_LABEL]
    # One label alone needs no offset over itself.
    own = [] if len(names) == 1 else own
    ordered = sorted(cases, key=lambda case: (case.label, case.score, case.is_right, case.note))
    intercept, slope, offsets, covariance = _fit_logistic(ordered, own, seed)
    pooled = Curve(intercept, slope, n_right, n_wrong, _steps(ordered) if kind == "isotonic" else ())
    labels = {
        name: Curve(
            intercept + offset,
            slope,
            counts[name, True],
            counts[name, False],
            _own_steps(ordered, name, counts, pooled, offset) if kind == "isotonic" else (),
        )
        for name, offset in zip(own, offsets, strict=True)
    }
    return Calibration(kind, len(cases), pooled, labels, covariance)


def logit(score: float) -> float:
    """Of a score in [0, 1], kept a millionth from its ends."""
    kept = min(max(score, _EDGE), 1 - _EDGE)
    return log(kept / (1 - kept))


def _logits(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    kept = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.log(kept / (1 - kept))


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-min(max(value, -40.0), 40.0)))


def _fit_logistic(
    cases: Sequence[Case], own: Sequence[str], seed: int
) -> tuple[float, float, list[float], tuple[tuple[float, ...], ...]]:
    """Intercept, slope, the labels' offsets, and the covariance of them all."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    logits = _logits(np.array([case.score for case in cases], dtype=float))
    right = np.array([case.is_right for case in cases])
    weights = np.array([case.weight for case in cases])
    middle, spread = logits.mean(), logits.std() or 1.0
    columns = [(logits - middle) / spread * _SLOPE_SPREAD]
    columns += [np.array([_OFFSET_SPREAD * (case.label == name) for case in cases]) for name in own]
    x = np.column_stack(columns)
    # A ridge of C = 1 is a normal prior of unit spread on what stands before each column.
    fitted = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-8, max_iter=100, random_state=seed)
    fitted.fit(x, right, sample_weight=weights)
    chances = fitted.predict_proba(x)[:, 1]
    rows = np.column_stack([np.ones(len(x)), x])
    curvature = (rows * (weights * chances * (1 - chances))[:, None]).T @ rows
    curvature += np.diag([0.0] + [1.0] * x.shape[1])
    # From the columns' units back to those of logits and offsets.
    slope_unit = _SLOPE_SPREAD / spread
    back = np.diag([1.0, slope_unit] + [_OFFSET_SPREAD] * len(own))
    back[0, 1] = -middle * slope_unit
    found = back @ np.concatenate([fitted.intercept_, fitted.coef_[0]])
    covariance = back @ np.linalg.inv(curvature) @ back.T
    return (
        float(found[0]),
        float(found[1]),
        [float(offset) for offset in found[2:]],
        tuple(tuple(float(value) for value in row) for row in covariance),
    )


def _steps(cases: Sequence[Case]) -> tuple[tuple[float, float], ...]:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
        [case.score for case in cases],
        [float(case.is_right) for case in cases],
        sample_weight=[case.weight for case in cases],
    )
    return tuple((float(x), float(y)) for x, y in zip(fitted.X_thresholds_, fitted.y_thresholds_, strict=True))


def _own_steps(
    cases: Sequence[Case], name: str, counts: Counter[tuple[str, bool]], pooled: Curve, offset: float
) -> tuple[tuple[float, float], ...]:
    """A label's own steps; of one with too few cases for that the pooled ones, moved by its offset."""
    if min(counts[name, True], counts[name, False]) >= FEWEST_OF_STEPS:
        return _steps([case for case in cases if case.label == name])
    return tuple((x, _logistic(logit(y) + offset)) for x, y in pooled.steps)


def _curve_to_json(curve: Curve) -> dict[str, Any]:
    return {
        "intercept": curve.intercept,
        "slope": curve.slope,
        "n_right": curve.n_right,
        "n_wrong": curve.n_wrong,
        "steps": [list(step) for step in curve.steps],
    }


def _curve_from_json(data: Mapping[str, Any]) -> Curve:
    return Curve(
        data["intercept"],
        data["slope"],
        data["n_right"],
        data["n_wrong"],
        tuple((x, y) for x, y in data["steps"]),
    )
