"""Where a text has a passage in nearly the same spelling.

The words of both are paired one by one. A pair may differ by one edit (a letter put in, left out or changed, or two
swapped) where the word has at least five letters, begins alike and holds no digit, so that no number, no negation and
no prefix such as "hyper" can change; all pairs together by 15 % of their letters. Accents and punctuation that is not
part of a number do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

MIN_LETTERS = 5
MAX_EDITS_PER_LETTER = 0.15
MAX_WORDS = 40
MAX_PLACES = 200
# Signs that change a number are words of their own, and a number keeps the points and strokes inside it, and a fraction
# behind it ("2 1/2").
_WORD = re.compile(
    r"[<>=+\u00b1%]|(?:(?<!\w)-(?=\d))?[^\W_]+(?:(?<=\d)(?:[.,:/-](?=\d)| (?=\d/\d{1,2}(?![\w/])))[^\W_]+)*+"
)
_DIGIT = re.compile(r"\d")


class Words:
    """The words of a text in normal form, by spelling and by place."""

    def __init__(self, normal: str) -> None:
        kept = [index for index, character in enumerate(normal) if not unicodedata.combining(character)]
        bare = "".join(normal[index] for index in kept)
        self._words: list[str] = []
        self._places: list[tuple[int, int]] = []
        self._at: dict[str, list[int]] = {}
        for match in _WORD.finditer(bare):
            self._at.setdefault(match[0], []).append(len(self._words))
            self._words.append(match[0])
            end = kept[match.end() - 1] + 1
            while end < len(normal) and unicodedata.combining(normal[end]):
                end += 1
            self._places.append((kept[match.start()], end))
        self._alike: dict[tuple[str, int], list[str]] = {}
        for word in self._at:
            if len(word) >= MIN_LETTERS and not _DIGIT.search(word):
                self._alike.setdefault((word[0], len(word)), []).append(word)
        self._near: dict[str, dict[str, int]] = {}

    def find(self, normal_quote: str) -> list[tuple[int, int]]:
        """Bounds in the normal text of the places that read nearly as `normal_quote`, ascending.

        All of them read alike; none where two wordings are equally near, or where there are too many to tell.
        """
        quote = Words(normal_quote)._words
        n_letters = sum(map(len, quote))
        if n_letters < MIN_LETTERS or len(quote) > MAX_WORDS:
            return []
        near = [self._near_words(word) for word in quote]
        counts = [sum(len(self._at[word]) for word in found) for found in near]
        rarest = min(range(len(quote)), key=counts.__getitem__)
        if not 0 < counts[rarest] <= MAX_PLACES:
            return []
        best: dict[tuple[str, ...], list[int]] = {}
        most = int(n_letters * MAX_EDITS_PER_LETTER)
        for word in near[rarest]:
            for index in self._at[word]:
                first = index - rarest
                wording = tuple(self._words[first : first + len(quote)]) if first >= 0 else ()
                edits = _edits(wording, near)
                if edits is not None and edits <= most:
                    best, most = (best, most) if edits == most else ({}, edits)
                    best.setdefault(wording, []).append(first)
        if len(best) != 1:
            return []
        (starts,) = best.values()
        return [(self._places[first][0], self._places[first + len(quote) - 1][1]) for first in sorted(starts)]

    def _near_words(self, word: str) -> dict[str, int]:
        """The text's words that `word` may stand for, each with the number of edits."""
        if word not in self._near:
            found = {word: 0} if word in self._at else {}
            if len(word) >= MIN_LETTERS and not _DIGIT.search(word):
                lengths = (len(word) - 1, len(word), len(word) + 1)
                alike = [other for length in lengths for other in self._alike.get((word[0], length), ())]
                found |= {
                    other: edits
                    for other, edits, _ in extract(word, alike, scorer=OSA.distance, score_cutoff=1, limit=None)
                }
            self._near[word] = found
        return self._near[word]


def _edits(wording: Sequence[str], near: Sequence[dict[str, int]]) -> int | None:
    """The edits between a wording and a quote whose near words are given, or None where they are not near."""
    if len(wording) != len(near):
        return None
    edits = 0
    for word, allowed in zip(wording, near, strict=True):
        if word not in allowed:
            return None
        edits += allowed[word]
    return edits
