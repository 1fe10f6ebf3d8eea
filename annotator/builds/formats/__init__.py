"""The formats that a dataset can be written in. To add one: copy a module beside this file and list it in FORMATS."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from annotator.builds.formats import jsonl, messages
from annotator.builds.records import BuildContext, NoteRecord


class Writer(Protocol):
    """Takes the notes one by one, in the order of their ids."""

    def add(self, *, note: NoteRecord, part: str) -> None:
        """Write one note, and count in `context.losses` what of it the format cannot hold."""

    def close(self) -> dict[str, int]:
        """End the files; their names with the number of rows in each."""


class WriterOpener(Protocol):
    def __call__(self, *, folder: Path, context: BuildContext) -> Writer:
        """Raises FormatError where the project's schema cannot be written in this format."""


class Format(Protocol):
    """What a module of this package has."""

    NAME: str
    TITLE: str
    HINT: str
    LEAVES_OUT: tuple[str, ...]
    KEEPS_PIECES: bool
    open_writer: WriterOpener


FORMATS: dict[str, Format] = {module.NAME: module for module in (jsonl, messages)}
