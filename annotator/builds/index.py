"""What a dataset says of each note, without its text: what two datasets are compared by, whatever their formats.

A line a note, in the order of their ids, so that two indexes are read side by side.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.builds.formats.lines import new_file
from annotator.builds.records import NoteRecord, SpanRecord

INDEX = "notes.index"


class IndexWriter:
    """Takes the notes one by one, in the order of their ids."""

    def __init__(self, *, folder: Path) -> None:
        self._file = new_file(folder / INDEX)
        self._n_rows = 0

    def add(self, *, note: NoteRecord, part: str, group: str) -> None:
        """Write one note; `group` is its `splits.group_digest`."""
        spans = [f"{found.span} {found.label}" for found in note.spans]
        row = {
            "id": note.id,
            "part": part,
            "group": group,
            "text": note.sha256,
            "spans": [[place, dict(sorted(found.attributes.items())), _by(found)] for place, found in _named(note)],
            "relations": [[found.type, spans[found.head], spans[found.tail]] for found in note.relations],
            "document_labels": {found.name: found.value for found in note.document_labels},
        }
        self._file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._n_rows += 1

    def close(self) -> int:
        """How many rows it has."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._n_rows


def read_index(folder: Path) -> Iterator[str]:
    """The lines of a dataset's index. Raises FileNotFoundError where it was built before there were any."""
    with (folder / INDEX).open(encoding="utf-8", newline="\n") as file:
        yield from file


def groups_in(folder: Path, part: str) -> Iterator[str]:
    """The digest of each note's group in that part, repeats included. Raises FileNotFoundError."""
    for line in read_index(folder):
        row: dict[str, Any] = json.loads(line)
        if row["part"] == part:
            yield row["group"]


def _named(note: NoteRecord) -> Iterator[tuple[list[str], SpanRecord]]:
    """Each span with its place, as brat writes it, and its label."""
    for found in note.spans:
        yield [str(found.span), found.label], found


def _by(found: SpanRecord) -> str:
    return "certificate" if found.certificate else f"person, {found.stage}"
