"""Numbers that follow from a secret key and some words: the same for the same, and without the key anybody's guess."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


def derived_key(key: bytes, *words: str) -> bytes:
    """A key of its own for what the words name. Neither `key` nor another such key can be told from it."""
    return hmac.digest(key, "\0".join(words).encode("utf-8", "surrogatepass"), hashlib.sha256)


class Draws:
    """Draws without end, which follow from the key and the words."""

    def __init__(self, key: bytes, *words: str) -> None:
        self._key = derived_key(key, *words)
        self._n = 0

    def below(self, n: int) -> int:
        """The next number, from 0 to `n` - 1."""
        self._n += 1
        return int.from_bytes(hmac.digest(self._key, self._n.to_bytes(8), hashlib.sha256)) % n

    def of(self, things: Sequence[_T]) -> _T:
        """One of the things."""
        return things[self.below(len(things))]
