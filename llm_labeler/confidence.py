"""Signals of one labelled span: what the calibrator learns from."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from llm_labeler.align import Aligned
from llm_labeler.backends import Answer
from llm_labeler.parse import ParsedItem, Place

Signals = dict[str, float | int | str]
# A token may hang over a value by a quotation mark and a comma; one that holds more is not the value's own.
_OVERHANG = 2


class TokenPlaces:
    """An answer's tokens by their place in its text; none where the tokens do not make up the text."""

    def __init__(self, answer: Answer) -> None:
        self._tokens = answer.tokens
        ends = list(accumulate(len(token.text) for token in answer.tokens))
        self._has_places = bool(ends) and "".join(token.text for token in answer.tokens) == answer.text
        self._starts = [end - len(token.text) for end, token in zip(ends, answer.tokens, strict=True)]
        self._ends = ends

    def logprobs(self, place: Place) -> list[float]:
        """Log-probabilities of the tokens that make up `place` of the answer, in order; empty where unknown."""
        if not self._has_places or place[0] >= place[1]:
            return []
        found = []
        index = bisect_right(self._ends, place[0])
        while index < len(self._tokens) and self._starts[index] < place[1]:
            is_own = self._starts[index] >= place[0] - _OVERHANG and self._ends[index] <= place[1] + _OVERHANG
            if self._starts[index] < self._ends[index]:
                if not is_own:
                    return []
                found.append(self._tokens[index].logprob)
            index += 1
        return found


def span_signals(item: ParsedItem, aligned: Aligned, places: TokenPlaces) -> Signals:
    """The signals of one item.

    label_logprob: sum over the label's tokens, the label's log-probability. quote_mean_logprob, quote_min_logprob: over
    the tokens of the quoted text. n_occurrences: places where the quote could lie. kind: kind of match, where the
    backend tells. Signals that the backend gives no ground for are left out.
    """
    signals: Signals = {"n_occurrences": aligned.n_occurrences, "alignment": str(aligned.alignment)}
    label = places.logprobs(item.label_place)
    if label:
        signals["label_logprob"] = sum(label)
    quote = _all_logprobs(item.quote_places, places)
    if quote:
        signals["quote_mean_logprob"] = sum(quote) / len(quote)
        signals["quote_min_logprob"] = min(quote)
    if item.kind is not None:
        signals["kind"] = item.kind
    return signals


def score_of(signals: Signals) -> float:
    """exp of the label's log-probability: it ranks errors best of the single signals (AUROC .72). 0 where unknown."""
    logprob = signals.get("label_logprob")
    return math.exp(min(float(logprob), 0.0)) if logprob is not None else 0.0


def _all_logprobs(value_places: Sequence[Place], places: TokenPlaces) -> list[float]:
    found: list[float] = []
    for place in value_places:
        found += places.logprobs(place)
    return found
