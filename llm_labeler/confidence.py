"""Signals of one labelled span, as far as one answer tells them: what the score and the calibrator are made of.

`docs/labeler.md` lists all signals; `annotator.core.scoring` makes the score of them.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from llm_labeler.align import Aligned
from llm_labeler.backends import Answer, Token
from llm_labeler.parse import ParsedItem, Place

Signals = dict[str, float | int | str]
# A token may hang over a value by a quotation mark and a comma; one that holds more is not the value's own.
_OVERHANG = 2
# A token behind a quote may hold what is forced to follow: `","label":"`.
_LONGEST_END = 12


class TokenPlaces:
    """An answer's tokens by their place in its text; none where the tokens do not make up the text."""

    def __init__(self, answer: Answer) -> None:
        self.text = answer.text
        self.is_masked = answer.is_masked
        self._tokens = answer.tokens
        ends = list(accumulate(len(token.text) for token in answer.tokens))
        self._has_places = bool(ends) and "".join(token.text for token in answer.tokens) == answer.text
        self._starts = [end - len(token.text) for end, token in zip(ends, answer.tokens, strict=True)]
        self._ends = ends

    def tokens(self, place: Place) -> list[tuple[int, Token]]:
        """The tokens that make up `place` of the answer, with their starts, in order; empty where unknown."""
        found = list(self.over(place))
        is_own = all(
            start >= place[0] - _OVERHANG and start + len(token.text) <= place[1] + _OVERHANG for start, token in found
        )
        return found if is_own else []

    def logprobs(self, place: Place) -> list[float]:
        """Log-probabilities of the tokens that make up `place`; empty where unknown."""
        return [token.logprob for _, token in self.tokens(place)]

    def end_logprob(self, place: Place) -> float | None:
        """Log-probability of the token that ends the value at `place`: the one with its closing quotation mark."""
        closing = next(self.over((place[1], place[1] + 1)), None)
        if closing is None or closing[0] < place[0] - _OVERHANG or len(closing[1].text) > _LONGEST_END:
            return None
        return closing[1].logprob

    def over(self, place: Place) -> Iterator[tuple[int, Token]]:
        """The tokens that lie over `place` or a part of it, with their starts, in order.

        One that ends within a character has no text of its own, and lies where that character begins.
        """
        if not self._has_places or place[0] >= place[1]:
            return
        index = bisect_left(self._ends, place[0])
        while index < len(self._tokens) and self._starts[index] < place[1]:
            if self._ends[index] > place[0] or not self._tokens[index].text:
                yield self._starts[index], self._tokens[index]
            index += 1


def span_signals(item: ParsedItem, aligned: Aligned, places: TokenPlaces, labels: Sequence[str]) -> Signals:
    """The signals of one item of an answer, where `labels` were allowed.

    Signals that the backend gives no ground for are left out.
    """
    signals: Signals = {
        "n_occurrences": aligned.n_occurrences,
        "alignment": str(aligned.alignment),
        "n_chars": sum(map(len, item.quotes)),
    }
    label = places.logprobs(item.label_place)
    if label:
        signals["label_logprob"] = sum(label)
        signals["is_masked"] = int(places.is_masked)
        signals |= _label_signals(item, places, labels)
    quoted = [places.logprobs(place) for place in item.quote_places]
    if all(quoted):
        every = [logprob for piece in quoted for logprob in piece]
        signals["quote_mean_logprob"] = sum(every) / len(every)
        signals["quote_min_logprob"] = min(every)
        signals["start_logprob"] = every[0]
        end = places.end_logprob(item.quote_places[-1])
        if end is not None:
            signals["end_logprob"] = end
    if item.kind is not None:
        signals["kind"] = item.kind
    return signals


def _label_signals(item: ParsedItem, places: TokenPlaces, labels: Sequence[str]) -> Signals:
    """How probability is shared among the allowed labels; empty where the backend gives no alternatives.

    A label that leaves the written one's path at a token has the probability of the path so far times that of its own
    token there; so has the label itself, where it could be written in other tokens. Labels that begin alike count as
    one, without a name.
    """
    start, end = item.label_place
    tokens = list(places.over((start, end + 1)))
    first = tokens[0][0]
    shares: dict[tuple[str, ...], float] = {}
    itself = (item.label,)
    path = 0.0
    for at, token in tokens:
        if not token.top:
            return {}
        before = places.text[first:at]
        for text, logprob in token.top:
            meant = _meant(before + text, start - first, labels)
            if text != token.text and meant and (meant == itself or item.label not in meant):
                shares[meant] = shares.get(meant, 0.0) + math.exp(path + logprob)
        path += token.logprob
        if _meant(before + token.text, start - first, labels) == itself:
            break
    own = math.exp(path) + shares.pop(itself, 0.0)
    total = own + sum(shares.values())
    if total <= 0:
        return {}
    runner_up = max(shares, key=lambda names: (shares[names], names), default=())
    signals: Signals = {"label_share": own / total, "label_margin": (own - shares.get(runner_up, 0.0)) / total}
    if len(runner_up) == 1:
        signals["runner_up"] = runner_up[0]
    return signals


def _meant(text: str, n_ahead: int, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that an answer may be about to write, where `text` stands from its label's first token on.

    Of that token `n_ahead` characters lie ahead of the label.
    """
    said = text[n_ahead:]
    written = ((label, json.dumps(label, ensure_ascii=False)[1:]) for label in labels)
    return tuple(label for label, whole in written if whole.startswith(said) or said.startswith(whole))
