"""A look at a source before it is imported: how much there is, which labels, what is wrong in the first rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from annotator.core.csv_rows import Column, CsvLayout, columns_of
from annotator.core.file_kinds import binary_kind
from annotator.core.foreign import ForeignNote, RowFault
from annotator.core.text import TextError, excerpt, n_unseen, normal_text
from annotator.exchange.reports import MAX_LABELS
from annotator.exchange.sources import Source, count_rows, first_head, read_notes

LOOK_ROWS = 5_000
LOOK_SPANS = 100_000
LOOK_CHARS = 50_000_000
FIRST_ROWS = 5
EXCERPT = 120
EXAMPLE = 40
_MAX_ERRORS = 10


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One of the first rows: a note, or `fault` where it is none."""

    where: str
    external_id: str = ""
    patient_id: str = ""
    note_type: str = ""
    excerpt: str = ""
    n_chars: int = 0
    n_unseen: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    n_spans: int | None = None
    fault: str = ""


def look_at(source: Source) -> dict[str, Any]:
    """Counts, labels and first errors as JSON, never note text. Bounded: `is_whole` tells whether all was read."""
    labels: Counter[str] = Counter()
    errors: list[dict[str, str]] = []
    n_rows = n_with_spans = n_chars = n_errors = 0
    is_whole = True
    for row in read_notes(source, has_spans=True):
        if n_rows >= LOOK_ROWS or n_chars >= LOOK_CHARS or labels.total() >= LOOK_SPANS:
            is_whole = False
            break
        n_rows += 1
        if isinstance(row, ForeignNote):
            n_chars += len(row.text or "")
            n_with_spans += row.spans is not None
            for span in row.spans or ():
                if span.label in labels or len(labels) < MAX_LABELS:
                    labels[span.label] += 1
        for fault in _faults(row):
            n_errors += 1
            if len(errors) < _MAX_ERRORS:
                errors.append({"where": row.where, "message": fault})
    return {
        "n_rows": n_rows if is_whole else count_rows(source),
        "n_looked_at": n_rows,
        "is_whole": is_whole,
        "n_with_spans": n_with_spans,
        "n_spans": labels.total(),
        "labels": labels.most_common(),
        "n_errors": n_errors,
        "errors": errors,
        "n_files": len(source.files),
        "n_other_files": source.n_other_files,
    }


def first_rows(source: Source) -> list[PreviewRow]:
    """The first rows with the beginning of their text, to be shown and never kept."""
    return [_preview(row) for row in islice(read_notes(source, has_spans=True), FIRST_ROWS)]


def first_columns(source: Source, layout: CsvLayout) -> list[Column]:
    """The columns of the source's first CSV file, to be shown and never kept; none where it is no text."""
    head = first_head(source)
    found = [] if binary_kind(head) else columns_of(head, layout)
    return [replace(one, name=excerpt(one.name, EXAMPLE), example=excerpt(one.example, EXAMPLE)) for one in found]


def _preview(row: ForeignNote | RowFault) -> PreviewRow:
    if isinstance(row, RowFault):
        return PreviewRow(where=row.where, fault=row.message)
    faults = _faults(row)
    text = row.text or ""
    return PreviewRow(
        where=row.where,
        external_id=row.external_id,
        patient_id=row.patient_id,
        note_type=row.note_type,
        excerpt=excerpt(text, EXCERPT),
        n_chars=len(text),
        n_unseen=n_unseen(text),
        metadata=tuple((name, excerpt(str(value), EXAMPLE)) for name, value in row.metadata.items()),
        n_spans=None if row.spans is None else len(row.spans),
        fault=faults[0] if faults else "",
    )


def _faults(row: ForeignNote | RowFault) -> tuple[str, ...]:
    """What is wrong with the row by itself, without looking at the project."""
    if isinstance(row, RowFault):
        return row.messages
    if row.text is None:
        return ("there is no .txt file of this name" if row.spans_where else "'text' is missing",)
    try:
        normal_text(row.text)
    except TextError as error:
        return (str(error),)
    return ()
