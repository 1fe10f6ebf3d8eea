"""The raw score of a suggestion, as a function of its stored signals. `docs/labeler.md` lists the signals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# What is measured of a span, and how; part of every Labeler.
SIGNALS_VERSION = 2
# What is made of it. A stored score can be made again from the stored signals.
SCORE_VERSION = 2
_LARGEST = 1e300


def score_of(signals: Mapping[str, Any]) -> float:
    """The probability of the label's tokens, times the share of readings that found the span; 0 where unknown.

    Of the single signals the label's tokens rank errors best (AUROC .72 on 285 spans of MACCROBAT).
    """
    label = number(signals, "label_logprob")
    if label is None:
        return 0.0
    agreement = number(signals, "agreement")
    return math.exp(min(label, 0.0)) * (1.0 if agreement is None else min(max(agreement, 0.0), 1.0))


def number(signals: Mapping[str, Any], name: str) -> float | None:
    """The signal as a finite number; None where it is missing or something else."""
    value = signals.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        return None
    return float(value)
