"""The formats that a dataset can be written in. To add one: copy a module beside this file and list it in FORMATS."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from annotator.builds.formats import (
    bioc,
    brat,
    conll,
    csv,
    jsonl,
    label_studio,
    messages,
    parquet,
    spacy,
    trl,
    xmi,
)
from annotator.builds.records import BuildContext, NoteRecord


class Writer(Protocol):
    """Takes the notes one by one, in the order of their ids, and keeps none of them."""

    def add(self, *, note: NoteRecord, part: str) -> None:
        """Write one note, and count in `context.losses` what of it the format cannot hold."""

    def close(self) -> dict[str, int | None]:
        """End the files; their names with the number of rows in each, None where a file has no rows."""


class WriterOpener(Protocol):
    def __call__(self, *, folder: Path, context: BuildContext) -> Writer:
        """Raises FormatError where the project's schema cannot be written in this format."""


class Format(Protocol):
    """What a module of this package has that is a format.

    OFFSETS says what its offsets count, READ is a line of code that opens a file of it, and NEEDS the package, if any,
    that writes it and is not part of every installation.
    """

    NAME: str
    TITLE: str
    GROUP: str
    HINT: str
    OFFSETS: str
    READ: str
    NEEDS: str
    LEAVES_OUT: tuple[str, ...]
    KEEPS_PIECES: bool
    open_writer: WriterOpener


# A group's formats stand together.
FORMATS: dict[str, Format] = {
    module.NAME: module for module in (jsonl, parquet, messages, trl, spacy, conll, brat, xmi, bioc, label_studio, csv)
}
DEFAULT_FORMATS = (jsonl.NAME, messages.NAME)


def missing_package(found: Format) -> str:
    """The package that this installation lacks for the format; empty where it lacks none."""
    return found.NEEDS if found.NEEDS and find_spec(found.NEEDS) is None else ""
