"""CSV: how the rows of a file become notes, and a guess at it from how the file begins.

A layout names columns by position, never by what stands in them: the first row of a file without a header is a note.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from annotator.core.file_kinds import utf16_kind
from annotator.core.foreign import ForeignNote, RowError, checked_metadata, checked_name
from annotator.core.wording import counted

DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Pipe"}
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little endian without mark",
    "utf-16-be": "UTF-16, big endian without mark",
    "cp1252": "Windows-1252",
    "iso-8859-1": "ISO 8859-1 (Latin-1)",
    "iso-8859-15": "ISO 8859-15 (Latin-9)",
}
MAX_COLUMNS = 200
HEAD_BYTES = 256 * 1024
SAMPLE_ROWS = 20
_MAX_COLUMN_NAME = 60

# What columns are called, in the order of preference; compared without case, `_` for what is no letter or digit.
_KNOWN_NAMES = {
    "text": ("text", "note_text", "note", "content", "report_text", "report", "notes", "document", "narrative", "body"),
    "external_id": ("note_id", "row_id", "external_id", "document_id", "doc_id", "report_id", "id"),
    "patient_id": ("patient_id", "subject_id", "patient", "patientid", "pat_id", "person_id"),
    "note_type": ("note_type", "category", "type", "document_type", "doc_type", "report_type"),
}
_ROLES = {"text": "text", "id": "external_id", "patient": "patient_id", "type": "note_type"}
_HEADING = re.compile(r"[^\W\d][\w .#/()-]{0,39}")
_NO_NAME = re.compile(r"[\W_]+")

# Of the whole process, by default less than a note may have. Who reads rows bounds them (annotator.exchange.tables).
csv.field_size_limit(16 * 1024 * 1024)


class LayoutError(ValueError):
    """A layout that is none; the message says why."""


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How rows become notes. Columns are positions from 0; without `external_id` the rows are numbered."""

    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    text: int | None = None
    external_id: int | None = None
    patient_id: int | None = None
    note_type: int | None = None
    metadata: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[str, str]:
        """What decides which columns there are."""
        return self.encoding, self.delimiter

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CsvLayout:
        return cls(**{**data, "metadata": tuple(data["metadata"])})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its name, and what stands in it first, which is note text."""

    position: int
    name: str
    example: str


def guess_layout(
    head: bytes,
    *,
    encoding: str = "",
    delimiter: str = "",
    has_header: bool | None = None,
    is_tab_first: bool = False,
) -> CsvLayout:
    """The layout that a file of this beginning (HEAD_BYTES) most likely has; what is given is kept as it is."""
    encoding = encoding or ("utf-16" if utf16_kind(head) == "utf-16" else "utf-8")
    delimiter = delimiter or _likely_delimiter(_decoded(head, encoding), is_tab_first)
    layout = CsvLayout(encoding=encoding, delimiter=delimiter)
    rows = sample_rows(head, layout)
    first, rest = (rows[0], rows[1:]) if rows else ([], [])
    if has_header is None:
        has_header = _is_heading(first)
    return _with_likely_columns(replace(layout, has_header=has_header), first, rest)


def is_id_heading(cell: str) -> bool:
    """Whether the cell is what a column of ids is called."""
    return _plain(cell) in _KNOWN_NAMES["external_id"]


def sample_rows(head: bytes, layout: CsvLayout) -> list[list[str]]:
    """The first rows of a file, blank ones left out, however wrong they are."""
    text = _decoded(head, layout.encoding)
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter):
            if any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    # The last row of a longer file is cut off.
    return rows[:-1] if len(head) >= HEAD_BYTES and len(rows) > 1 else rows


def column_names(first: Sequence[str], layout: CsvLayout) -> tuple[str, ...]:
    """The names of the columns, each another one, from a file's first row."""
    names: list[str] = []
    taken: dict[str, int] = {}
    for position, cell in enumerate(first, start=1):
        heading = " ".join(cell.split())[:_MAX_COLUMN_NAME] if layout.has_header else ""
        name = heading or f"column {position}"
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name} ({position})")
    return tuple(names)


def columns_of(head: bytes, layout: CsvLayout) -> list[Column]:
    """The columns of a file, with the first cell of each that is not empty."""
    rows = sample_rows(head, layout)
    if not rows:
        return []
    body = rows[1:] if layout.has_header else rows
    return [
        Column(
            position=position,
            name=name,
            example=next((row[position] for row in body if len(row) > position and row[position].strip()), ""),
        )
        for position, name in enumerate(column_names(rows[0], layout)[:MAX_COLUMNS])
    ]


def with_named_columns(
    layout: CsvLayout, names: Sequence[str], chosen: Mapping[str, str], metadata: Sequence[str]
) -> CsvLayout:
    """`layout` with the columns that `chosen` gives for text, id, patient and type, and those of `metadata`.

    A column is given by its name or its number from 1. Raises LayoutError.
    """
    found = {_ROLES[role]: _position(column, names, layout) for role, column in chosen.items() if column}
    more = tuple(_position(column, names, layout) for column in metadata)
    named = replace(
        layout,
        text=found.get("text", layout.text),
        external_id=found.get("external_id", layout.external_id),
        patient_id=found.get("patient_id", layout.patient_id),
        note_type=found.get("note_type", layout.note_type),
        metadata=more or layout.metadata,
    )
    return checked_layout(named, len(names))


def checked_layout(layout: CsvLayout, n_columns: int) -> CsvLayout:
    """`layout`, where it is one for a file of that many columns. Raises LayoutError."""
    named = [layout.text, layout.external_id, layout.patient_id, layout.note_type, *layout.metadata]
    used = [position for position in named if position is not None]
    if layout.encoding not in ENCODINGS or layout.delimiter not in DELIMITERS:
        raise LayoutError("this encoding or delimiter is not read")
    if any(not 0 <= position < n_columns for position in used):
        raise LayoutError(f"a column is none of the file's {n_columns}")
    if layout.text is not None and used.count(layout.text) > 1:
        raise LayoutError("the text column is used for something else as well")
    return layout


def note_of(cells: Sequence[str], *, where: str, layout: CsvLayout, names: Sequence[str], numbered: str) -> ForeignNote:
    """The note of one row; `numbered` is its id where the rows are numbered. Raises RowError."""
    if len(cells) != len(names):
        raise RowError(
            f"{counted(len(cells), 'cell')}, where {len(names)} are wanted as in the first row: "
            "a cell with a delimiter or a line end in it stands in double quotes"
        )
    if layout.text is None:
        raise RowError("no column is chosen as the text")
    if layout.external_id is not None and not cells[layout.external_id].strip():
        raise RowError("'id' is missing")
    return ForeignNote(
        where=where,
        external_id=checked_name("id", numbered if layout.external_id is None else cells[layout.external_id]),
        text=cells[layout.text],
        patient_id=_optional("patient_id", cells, layout.patient_id),
        note_type=_optional("note_type", cells, layout.note_type),
        metadata=checked_metadata({names[position]: cells[position] for position in layout.metadata}),
        may_repeat=False,
    )


def _optional(key: str, cells: Sequence[str], position: int | None) -> str:
    if position is None or not cells[position].strip():
        return ""
    return checked_name(key, cells[position])


def _decoded(head: bytes, encoding: str) -> str:
    return head.decode(encoding, errors="replace").removeprefix("\ufeff")


def _likely_delimiter(text: str, is_tab_first: bool) -> str:
    """The delimiter that cuts most of the first rows into as many cells as the first; of several, the one of most."""
    order = ["\t", ",", ";", "|"] if is_tab_first else [",", ";", "\t", "|"]
    best, best_fit = order[0], (0.0, 1)
    for delimiter in order:
        widths = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                if row:
                    widths.append(len(row))
                if len(widths) == SAMPLE_ROWS:
                    break
        except csv.Error:
            pass
        if not widths or widths[0] == 1:
            continue
        fit = (round(widths.count(widths[0]) / len(widths), 1), widths[0])
        if fit > best_fit:
            best, best_fit = delimiter, fit
    return best


def _is_heading(row: Sequence[str]) -> bool:
    """Whether the row is names of columns: one that is known, or nothing but short words, each another one."""
    known = {name for names in _KNOWN_NAMES.values() for name in names}
    plain = [_plain(cell) for cell in row]
    if known & set(plain):
        return True
    return len(row) > 1 and all(_HEADING.fullmatch(cell.strip()) for cell in row) and len(set(plain)) == len(plain)


def _with_likely_columns(layout: CsvLayout, first: Sequence[str], rest: Sequence[Sequence[str]]) -> CsvLayout:
    """`layout` with columns by their names, and as the text, where no name says so, the one of the longest cells."""
    found: dict[str, int] = {}
    plain = [_plain(cell) for cell in first] if layout.has_header else []
    for role, names in _KNOWN_NAMES.items():
        position = next((plain.index(name) for name in names if name in plain), None)
        if position is not None:
            found[role] = position
    if "text" not in found and first:
        body = [*rest] if layout.has_header else [first, *rest]
        free = [position for position in range(min(len(first), MAX_COLUMNS)) if position not in found.values()]
        n_chars = {position: sum(len(row[position]) for row in body if len(row) > position) for position in free}
        if any(n_chars.values()):
            found["text"] = max(free, key=lambda position: n_chars[position])
    return replace(
        layout,
        text=found.get("text"),
        external_id=found.get("external_id"),
        patient_id=found.get("patient_id"),
        note_type=found.get("note_type"),
    )


def _position(column: str, names: Sequence[str], layout: CsvLayout) -> int:
    """The position of a column given by name, in any case, or by number from 1."""
    for wanted, given in ((column, list(names)), (_plain(column), [_plain(name) for name in names])):
        if layout.has_header and wanted in given:
            return given.index(wanted)
    if column.isdecimal() and 0 < int(column[:9]) <= len(names):
        return int(column) - 1
    has = f"; they are {', '.join(names[:30])}" if layout.has_header else ""
    raise LayoutError(f"none of the {len(names)} columns is {column!r}{has}")


def _plain(name: str) -> str:
    return _NO_NAME.sub("_", name.strip().casefold()).strip("_")
