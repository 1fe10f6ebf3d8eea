"""Which ids a source has given so far, in bounded memory."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Earlier:
    """The row that gave an id first: its place among the rows of the source, from 1."""

    position: int
    is_same_text: bool


class SeenIds:
    """The ids of one pass over a source. A private SQLite database holds them, which spills to disk when it is large.

    Keys are hashes under a key of this process, so that no id reaches the disk.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        # An empty name is a database that SQLite deletes when it is closed.
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2048;")
        self._rows.execute("CREATE TABLE seen (id BLOB PRIMARY KEY, digest BLOB, position INTEGER) WITHOUT ROWID")

    def __enter__(self) -> SeenIds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()

    def earlier(self, *, external_id: str, digest: str, position: int) -> Earlier | None:
        """The row that gave this id before; None, and this one remembered, where none did."""
        hashed = self._hash(external_id)
        added = self._rows.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (hashed, self._hash(digest), position)
        ).rowcount
        if added:
            return None
        first, given_at = self._rows.execute("SELECT digest, position FROM seen WHERE id = ?", (hashed,)).fetchone()
        return Earlier(position=given_at, is_same_text=first == self._hash(digest))

    def _hash(self, value: str) -> bytes:
        return hashlib.blake2b(value.encode(), key=self._key, digest_size=16).digest()
