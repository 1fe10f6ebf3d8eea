"""The similarity "marginalia-bm25-1": which texts of a small frozen pool are nearest to another text.

BM25 (Robertson and Zaragoza 2009, eq. 3.15) of the pool's texts for the words of the other text, each counted once:

    sum over shared words of  ln(1 + (N - n + .5) / (n + .5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * length / mean))

with k1 = 1.2 and b = .75; N texts, n of them with the word, which occurs f times in this one. A word is a token of
`core.tokens` with a letter or digit, caseless; lengths are in words. The score is rounded to nine digits and equal ones
go by position, so that every machine chooses the same. A change to any of this is a new name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from annotator.core.tokens import token_spans

SIMILARITY = "marginalia-bm25-1"
_K1, _B = 1.2, 0.75
_DIGITS = 9


class TextIndex:
    """A pool's texts, made ready to be compared."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(_words(text)) for text in texts]
        n_words = [counts.total() for counts in self._counts]
        mean = sum(n_words) / len(n_words) if any(n_words) else 1.0
        self._weights = [_K1 * (1 - _B + _B * n / mean) for n in n_words]
        n_texts = Counter(word for counts in self._counts for word in counts)
        self._rarity = {word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in n_texts.items()}

    def nearest(self, text: str, *, n: int, is_allowed: Callable[[int], bool] = lambda _: True) -> list[int]:
        """Positions of up to `n` allowed texts, nearest first; texts that share no word with `text` come last."""
        words = sorted({word for word in _words(text) if word in self._rarity})
        allowed = [position for position in range(len(self._counts)) if is_allowed(position)]
        return sorted(allowed, key=lambda position: (-self._score(position, words), position))[:n]

    def _score(self, position: int, words: Sequence[str]) -> float:
        counts, weight = self._counts[position], self._weights[position]
        found = ((self._rarity[word], counts[word]) for word in words if word in counts)
        return round(sum(rarity * f * (_K1 + 1) / (f + weight) for rarity, f in found), _DIGITS)


def _words(text: str) -> list[str]:
    tokens = (text[start:end].casefold() for start, end in token_spans(text))
    return [token for token in tokens if token[0].isalnum()]
