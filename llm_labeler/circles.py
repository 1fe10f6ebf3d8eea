"""Answers that go in circles: a small model may write the same item again and again until its tokens are spent."""

from __future__ import annotations

import json
from collections import Counter

from annotator.core.prompting import TEXT_KEY

# The same item may come this much oftener than its chunk holds the quote.
_SPARE = 2


class Circles:
    """Follows one answer, as it is written, to a chunk."""

    def __init__(self, chunk: str) -> None:
        self._chunk = chunk
        self._n_seen: Counter[str] = Counter()
        self._open = ""

    def closes_with(self, text: str) -> bool:
        """Take more of the answer; whether an item in it comes more often than its mentions could ask for."""
        *ended, self._open = (self._open + text).split("}")
        items = [before.rpartition("{")[2] for before in ended]
        self._n_seen.update(items)
        return any(self._n_seen[item] > self._most(item) for item in items if self._n_seen[item] > _SPARE)

    def _most(self, item: str) -> int:
        try:
            quote = json.loads(f"{{{item}}}")[TEXT_KEY]
        except (ValueError, KeyError):
            return _SPARE
        pieces = quote if isinstance(quote, list) else [quote]
        return _SPARE + min(
            (self._chunk.count(piece) for piece in pieces if isinstance(piece, str) and piece), default=0
        )
