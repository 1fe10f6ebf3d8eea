"""The raw score of a suggestion, as a function of its stored signals. `docs/labeler.md` lists the signals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# What is measured of a span, and how; part of every Labeler.
SIGNALS_VERSION = 3
# What is made of it. A stored score can be made again from the stored signals.
SCORE_VERSION = 3
_LARGEST = 1e300

# A logistic regression of whether a span is right: each signal's weight, and its mean, which stands for it where it is
# missing. Fitted by bench/fit_score.py on spans of the small model in the demo's notes and in synthetic ones.
_BIAS = 1.578
_WEIGHTS: Mapping[str, tuple[float, float]] = {
    "label_logprob": (6.069, -0.042),
    "end_logprob": (3.056, -0.037),
    "second_share": (2.624, 0.626),
}
FEATURES = tuple(_WEIGHTS)
_LOWEST_LOGPROB = -5.0  # a smaller one says no more


def score_of(signals: Mapping[str, Any]) -> float:
    """How far the signals speak for the span, in [0, 1], times the share of readings that found it; 0 where unknown.

    Where a model's own log-probabilities of label and quote are there, it is the regression's chance that label and
    place are right; elsewhere the probability of the label's tokens.
    """
    label = number(signals, "label_logprob")
    if label is None:
        return 0.0
    known = features(signals)
    chance = math.exp(min(label, 0.0)) if known is None else _chance(known)
    agreement = number(signals, "agreement")
    return chance * (1.0 if agreement is None else min(max(agreement, 0.0), 1.0))


def features(signals: Mapping[str, Any]) -> dict[str, float] | None:
    """What the regression takes of the signals; None where they are not a model's own, or say nothing of the quote."""
    if signals.get("is_masked") or number(signals, "quote_mean_logprob") is None:
        return None
    known = {name: value for name in FEATURES if (value := number(signals, name)) is not None}
    return {
        name: min(max(value, 0.0), 1.0) if name == "second_share" else max(min(value, 0.0), _LOWEST_LOGPROB)
        for name, value in known.items()
    }


def number(signals: Mapping[str, Any], name: str) -> float | None:
    """The signal as a finite number; None where it is missing or something else."""
    value = signals.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        return None
    return float(value)


def _chance(known: Mapping[str, float]) -> float:
    logit = _BIAS + sum(weight * (known.get(name, usual) - usual) for name, (weight, usual) in _WEIGHTS.items())
    return 1.0 / (1.0 + math.exp(-logit))
