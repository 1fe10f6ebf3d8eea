"""Tables for spreadsheets and statistics: the notes, their spans, and the relations between these.

A cell that a spreadsheet could take for a formula, and one that begins with an apostrophe, has an apostrophe before it:
who reads the files with a program removes one from the front of every cell that has one. Offsets count without it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from annotator.builds.formats.lines import PartFiles, compact_json, sorted_json
from annotator.builds.formats.sources import SOURCE_FIELDS, known_attributes, source_fields, utc
from annotator.builds.records import BuildContext, NoteRecord, SpanRecord

NAME = "csv"
TITLE = "CSV tables"
GROUP = "For tables"
HINT = "notes, spans and relations, a row each; no cell is a formula"
OFFSETS = "code points, without the apostrophe before a cell"
READ = 'pandas.read_csv("train.spans.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")'
NEEDS = ""
LEAVES_OUT = ("who gave a note its labels", "comments")
KEEPS_PIECES = True
# As the Open Worldwide Application Security Project lists them; the apostrophe, so that the way back is certain.
_RISKY = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'")
_BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets do not read UTF-8


class CsvWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        schema = context.schema
        self._context = context
        self._attributes = [attribute.name for attribute in schema.attributes]
        self._asked = [asked.name for asked in schema.document_labels]
        self._tables = {
            name: PartFiles(folder=folder, suffix=f"{name}.csv", head=_BYTE_ORDER_MARK + _row(columns))
            for name, columns in {
                "notes": [
                    *("id", "patient_id", "note_type", "text", "metadata", "n_spans"),
                    *(f"label.{name}" for name in self._asked),
                ],
                "spans": [
                    *("note_id", "span", "start", "end", "fragments", "surface", "label"),
                    *(f"attribute.{name}" for name in self._attributes),
                    *SOURCE_FIELDS,
                ],
                "relations": ["note_id", "type", "head", "tail", "annotator", "decided_at"],
            }.items()
        }

    def add(self, *, note: NoteRecord, part: str) -> None:
        said = {found.name: found.value for found in note.document_labels}
        if unknown := said.keys() - set(self._asked):
            self._context.losses["labels of whole notes that the schema no longer has"] += len(unknown)
        metadata = compact_json(sorted_json(note.metadata)) if note.metadata else ""
        about: list[str | int] = [note.id, note.patient_id, note.note_type, note.text, metadata, len(note.spans)]
        self._write("notes", part, [about + [said.get(name, "") for name in self._asked]])
        self._write("spans", part, (self._span(note, place, found) for place, found in enumerate(note.spans)))
        self._write(
            "relations",
            part,
            ([note.id, tie.type, tie.head, tie.tail, tie.annotator, utc(tie.decided_at)] for tie in note.relations),
        )

    def close(self) -> dict[str, int | None]:
        return {name: n_rows for table in self._tables.values() for name, n_rows in table.close().items()}

    def _span(self, note: NoteRecord, place: int, found: SpanRecord) -> list[str | int]:
        attributes = known_attributes(found, self._context.schema, self._context.losses)
        source = source_fields(found)
        return [
            *(note.id, place, found.span.start, found.span.end, str(found.span), found.surface, found.label),
            *(attributes.get(name, "") for name in self._attributes),
            *(source.get(name, "") for name in SOURCE_FIELDS),
        ]

    def _write(self, table: str, part: str, rows: Iterable[list[str | int]]) -> None:
        """The table is there, with its head, even where the part has nothing for it."""
        lines = [_row([self._safe(cell) for cell in row]) for row in rows]
        self._tables[table].write(part=part, text="".join(lines), n_rows=len(lines))

    def _safe(self, cell: str | int) -> str:
        text = str(cell)
        if not text.startswith(_RISKY):
            return text
        self._context.losses["cells that begin like a formula, behind an apostrophe"] += 1
        return f"'{text}"


open_writer = CsvWriter


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
