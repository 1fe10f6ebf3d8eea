"""Parquet: the rows of JSONL in columns, for `datasets` and for tables of any size.

`metadata` is JSON, and what JSONL has as an object with the schema's names is a list of names and values, so that the
columns are the same for every project.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from annotator.builds.formats.jsonl import note_row
from annotator.builds.formats.lines import compact_json, end_file, new_binary_file
from annotator.builds.records import BuildContext, NoteRecord

if TYPE_CHECKING:
    import pyarrow

NAME = "parquet"
TITLE = "Parquet"
GROUP = "Complete"
HINT = "as JSONL spans, in columns, for datasets, pandas and DuckDB"
OFFSETS = "code points"
READ = 'datasets.load_dataset("parquet", data_files={"train": "train.parquet"})'
NEEDS = "pyarrow"
LEAVES_OUT = ("comments",)
KEEPS_PIECES = True
# What is kept before it is written, at most.
_NOTES, _CHARACTERS = 1000, 4_000_000


class ParquetWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._folder = folder
        self._schema = _schema()
        self._parts: dict[str, _PartFile] = {}

    def add(self, *, note: NoteRecord, part: str) -> None:
        if part not in self._parts:
            self._parts[part] = _PartFile(self._folder / f"{part}.parquet", self._schema)
        self._parts[part].add(_columns(note))

    def close(self) -> dict[str, int | None]:
        return {file.name: file.close() for file in self._parts.values()}


open_writer = ParquetWriter


class _PartFile:
    def __init__(self, path: Path, schema: pyarrow.Schema) -> None:
        from pyarrow.parquet import ParquetWriter as Writer

        self.name = path.name
        self._schema = schema
        self._file: BinaryIO = new_binary_file(path)
        self._writer = Writer(self._file, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._n_characters = self._n_rows = 0

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._n_characters += len(row["text"])
        if len(self._rows) >= _NOTES or self._n_characters >= _CHARACTERS:
            self._flush()

    def close(self) -> int:
        self._flush()
        self._writer.close()
        end_file(self._file)
        return self._n_rows

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._n_rows += len(self._rows)
        self._rows, self._n_characters = [], 0


def _columns(note: NoteRecord) -> dict[str, Any]:
    row = note_row(note)
    sources = row.pop("document_label_sources", {})
    return {
        **row,
        "metadata": compact_json(row["metadata"]),
        "spans": [{**span, "attributes": _pairs(span["attributes"])} for span in row["spans"]],
        "relations": row.get("relations", []),
        "document_labels": [
            {"name": name, "value": value, "source": sources[name]}
            for name, value in row.get("document_labels", {}).items()
        ],
    }


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    text, whole, number = pa.string(), pa.int32(), pa.float64()
    person = pa.struct({"kind": text, "annotator": text, "decided_at": text})
    origin = pa.struct(
        {"labeler": text, "backend": text, "model_id": text, "revision": text, "score": number, "is_edited": pa.bool_()}
    )
    source = pa.struct(
        {
            "kind": text,
            "annotator": text,
            "certificate": text,
            "target": number,
            "delta": number,
            "stage": text,
            "origin": origin,
            "decided_at": text,
        }
    )
    span = pa.struct(
        {
            "start": whole,
            "end": whole,
            "fragments": pa.list_(pa.list_(whole)),
            "surface": text,
            "label": text,
            "attributes": pa.list_(pa.struct({"name": text, "value": text})),
            "source": source,
        }
    )
    return pa.schema(
        {
            "id": text,
            "patient_id": text,
            "note_type": text,
            "text": text,
            "metadata": text,
            "spans": pa.list_(span),
            "relations": pa.list_(pa.struct({"type": text, "head": whole, "tail": whole, "source": person})),
            "document_labels": pa.list_(pa.struct({"name": text, "value": text, "source": person})),
        }
    )
