"""Checked notes on their way to the database, so that nothing is left to do but insert while nobody else can write."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from django.conf import settings

from annotator.exchange.targets import Becomes


class PreparedNote(NamedTuple):
    """A note to be written: `fields` of a new document, `rows` of its spans; None where there is nothing to write.

    `relations` and `values` are the rows of what is said beyond its spans; `where`, `file_sha256` and `voice` tell
    where that was read and who says it.
    """

    external_id: str
    fields: dict[str, Any] | None
    rows: Sequence[Sequence[Any]] | None
    relations: Sequence[Sequence[str]] = ()
    values: Sequence[Sequence[str]] = ()
    where: str = ""
    file_sha256: str = ""
    voice: str = ""


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """Notes of one batch; `n_rows` rows of the source had been read when it was full."""

    n_rows: int
    notes: list[PreparedNote]


class PreparedPages:
    """Pages on disk, in the order they were added. The file has no name, so it goes with the process in any case."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", dir=settings.SPOOL_DIR)  # noqa: SIM115

    def __enter__(self) -> PreparedPages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, *, n_rows: int, notes: Sequence[PreparedNote]) -> None:
        self._file.write(json.dumps([n_rows, notes]) + "\n")

    def __iter__(self) -> Iterator[PreparedPage]:
        self._file.seek(0)
        for line in self._file:
            n_rows, notes = json.loads(line)
            yield PreparedPage(n_rows=n_rows, notes=[PreparedNote(*note) for note in notes])


class PreparedImport:
    """All that an import writes: the notes that are added, and by target what is said of notes."""

    def __init__(self) -> None:
        self._files = ExitStack()
        self.documents = self._files.enter_context(PreparedPages())
        self.said: dict[Becomes, PreparedPages] = {}

    def __enter__(self) -> PreparedImport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, *, n_rows: int, notes: Sequence[tuple[Becomes, PreparedNote]]) -> None:
        """Keep a batch: each note with what its spans become."""
        new = [note._replace(rows=None, relations=(), values=()) for _, note in notes if note.fields is not None]
        self.documents.add(n_rows=n_rows, notes=new)
        by_target: dict[Becomes, list[PreparedNote]] = {}
        for target, note in notes:
            if note.rows is not None:
                by_target.setdefault(target, []).append(note._replace(fields=None))
        for target, said in by_target.items():
            if target not in self.said:
                self.said[target] = self._files.enter_context(PreparedPages())
            self.said[target].add(n_rows=n_rows, notes=said)
