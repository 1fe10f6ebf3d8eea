"""A note and what is said of it as another tool wrote them, before anything is checked against a project."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from annotator.core.spans import Span

MAX_LABEL = 100
MAX_METADATA = 64 * 1024
MAX_METADATA_DEPTH = 20
NAME_LENGTHS = {"id": 200, "patient_id": 200, "note_type": 100}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class RowError(ValueError):
    """A row that is not a note; the message says what is wrong and what is wanted, never what the row reads."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that is no note: where it stands, and why; never note text. `further` are more faults of the same row."""

    where: str
    message: str
    further: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        return (self.message, *self.further)


@dataclass(frozen=True, slots=True)
class ForeignSpan:
    """A labelled span; offsets count code points of the raw text, with its own line endings.

    `where` says where it was read ("line 12", "'spans[2]'"); `surface` and `score` are None where none was given.
    """

    where: str
    span: Span
    label: str
    surface: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ForeignRelation:
    """A tie from one span of a note to another, by their places in its `spans`.

    One that `may_be_left_out` comes from a format that has relations whatever they mean; a type that the schema does
    not have is no error there.
    """

    where: str
    type: str
    head: int
    tail: int
    may_be_left_out: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Voice:
    """Who says something of a note in the other tool: a person, or with `is_model` a model. `name` is "" where no name
    was given.
    """

    name: str = ""
    is_model: bool = False

    @property
    def key(self) -> str:
        """It in one word, as maps of voices have it."""
        return f"{'model' if self.is_model else 'person'}:{self.name}"

    @classmethod
    def of_key(cls, key: str) -> Voice:
        """The voice of that `key`. Raises ValueError for another text."""
        kind, colon, name = key.partition(":")
        if not colon or kind not in ("model", "person"):
            raise ValueError("a voice is written 'person:NAME' or 'model:NAME'")
        return cls(name=name, is_model=kind == "model")


NOBODY = Voice()


@dataclass(frozen=True, slots=True)
class ForeignNote:
    """A note; `text` is None where only spans came, `spans` is None where none were asked for or given.

    `where` is the row or file it was read from, `spans_where` the file of the spans where that is another one;
    `n_ignored` counts the keys or lines that have no meaning here, `losses` what has a meaning and no place, by what
    people call it. One that `may_repeat` may be given twice, the same.

    `spans` are what `voice` says. Where several speak of one note, each has a row; those after the first of one row of
    the file are `is_further`. One that `is_loose` comes from a tool that has no schema of ours: what the project's
    schema has no name for is left out with a count. `file_sha256` is that of the file that `spans` were read from.
    """

    where: str
    external_id: str
    text: str | None = None
    patient_id: str = ""
    note_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[ForeignSpan, ...] | None = None
    relations: tuple[ForeignRelation, ...] = ()
    document_labels: Mapping[str, str] = field(default_factory=dict)
    spans_where: str = ""
    n_ignored: int = 0
    may_repeat: bool = True
    voice: Voice = NOBODY
    is_further: bool = False
    is_loose: bool = False
    losses: Mapping[str, int] = field(default_factory=dict)
    file_sha256: str = ""


def checked_name(key: str, value: str) -> str:
    """The id, patient id or note type without the space around it. Raises RowError where it cannot be stored."""
    value = value.strip()
    if not value or len(value) > NAME_LENGTHS[key] or not value.isprintable():
        raise RowError(f"{key!r} must be 1 to {NAME_LENGTHS[key]} printable characters")
    return value


def checked_metadata(value: dict[str, Any]) -> dict[str, Any]:
    """`value`, where every database can store it. Raises RowError."""
    _check_storable(value, MAX_METADATA_DEPTH)
    n_chars = len(json.dumps(value))
    if n_chars > MAX_METADATA:
        raise RowError(f"'metadata' has {n_chars} characters, at most {MAX_METADATA} are kept")
    return value


def _check_storable(value: Any, depth: int) -> None:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise RowError("'metadata' has a NUL character or half of a surrogate pair")
    if isinstance(value, dict | list):
        if depth == 0:
            raise RowError(f"'metadata' is nested more than {MAX_METADATA_DEPTH} deep")
        for each in chain(value.keys(), value.values()) if isinstance(value, dict) else value:
            _check_storable(each, depth - 1)
