"""A look at a source before it is imported: how much there is, which labels, what is wrong in the first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from annotator.core.csv_rows import Column, CsvLayout, columns_of
from annotator.core.file_kinds import binary_kind
from annotator.core.foreign import NOBODY, ForeignNote, ForeignSpan, RowFault, Voice
from annotator.core.spans import SpanError, checked_surface
from annotator.core.text import TextError, excerpt, n_unseen, normal_text, one_line
from annotator.exchange.reports import MAX_LABELS, ImportReport
from annotator.exchange.sources import Source, count_rows, first_head, read_notes

LOOK_ROWS = 10_000
LOOK_SPANS = 300_000
LOOK_CHARS = 50_000_000
FIRST_ROWS = 5
EXCERPT = 120
EXAMPLE = 40
_MAX_ERRORS = 10
_MAX_FIRST = 12  # rows of the first notes, where several people speak of them
_BEFORE_MARK, _MARKED, _MAX_MARKS = 30, 240, 12  # what is shown of a text around its first spans


class Piece(NamedTuple):
    """A part of a text; `label` is that of the span that it is, "" between spans."""

    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One of the first rows: a note, or `fault` where it is none. `pieces` is the text around its first spans."""

    where: str
    external_id: str = ""
    patient_id: str = ""
    note_type: str = ""
    excerpt: str = ""
    n_chars: int = 0
    n_unseen: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    n_spans: int | None = None
    voice: Voice = NOBODY
    pieces: tuple[Piece, ...] = ()
    fault: str = ""


def look_at(source: Source) -> dict[str, Any]:
    """Counts, labels and first errors as JSON, never note text. Bounded: `is_whole` tells whether all was read."""
    labels: Counter[str] = Counter()
    found = ImportReport()
    voices: dict[str, list[int]] = {}
    errors: list[dict[str, str]] = []
    ids: set[int] = set()
    n_rows = n_with_spans = n_chars = n_errors = 0
    is_whole = True
    for row in read_notes(source, has_spans=True):
        if n_rows >= LOOK_ROWS or n_chars >= LOOK_CHARS or labels.total() >= LOOK_SPANS:
            is_whole = False
            break
        n_rows += not (isinstance(row, ForeignNote) and row.is_further)
        if isinstance(row, ForeignNote):
            ids.add(hash(row.external_id))
            n_chars += len(row.text or "")
            n_with_spans += row.spans is not None
            found.lose(row.losses)
            found.n_relations += len(row.relations)
            found.n_document_labels += len(row.document_labels)
            if row.spans is not None and (row.voice.key in voices or len(voices) < MAX_LABELS):
                counts = voices.setdefault(row.voice.key, [0, 0])
                counts[0] += 1
                counts[1] += len(row.spans)
            for span in row.spans or ():
                if span.label in labels or len(labels) < MAX_LABELS:
                    labels[span.label] += 1
        for fault in _faults(row):
            n_errors += 1
            if len(errors) < _MAX_ERRORS:
                errors.append({"where": row.where, "message": fault})
    return {
        "n_rows": n_rows if is_whole else count_rows(source),
        "n_notes": len(ids) if is_whole and not n_errors else None,
        "n_looked_at": n_rows,
        "is_whole": is_whole,
        "n_with_spans": n_with_spans,
        "n_spans": labels.total(),
        "labels": labels.most_common(),
        "voices": [[key, *counts] for key, counts in sorted(voices.items())],
        "n_relations": found.n_relations,
        "n_document_labels": found.n_document_labels,
        "losses": found.losses.most_common(),
        "formats": Counter(file.format.value for file in source.files if file.format).most_common(),
        "n_errors": n_errors,
        "errors": errors,
        "n_files": len(source.files),
        "n_other_files": source.n_other_files,
    }


def first_rows(source: Source) -> list[PreviewRow]:
    """The first rows with the beginning of their text, to be shown and never kept."""
    rows: list[PreviewRow] = []
    n_notes = 0
    for row in islice(read_notes(source, has_spans=True), _MAX_FIRST):
        n_notes += not (isinstance(row, ForeignNote) and row.is_further)
        if n_notes > FIRST_ROWS:
            break
        rows.append(_preview(row))
    return rows


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
        metadata=()
        if row.is_further
        else tuple((name, excerpt(str(each), EXAMPLE)) for name, each in row.metadata.items()),
        n_spans=None if row.spans is None else len(row.spans),
        voice=row.voice,
        pieces=() if faults else tuple(_pieces(text, row.spans or ())),
        fault=faults[0] if faults else "",
    )


def _pieces(text: str, spans: Sequence[ForeignSpan]) -> Iterator[Piece]:
    """The text from shortly before its first span, with the spans that do not overlap marked; nothing without one."""
    places = sorted({(start, end, one.label) for one in spans for start, end in one.span.fragments})
    if not places:
        return
    at = max(places[0][0] - _BEFORE_MARK, 0)
    stop = min(at + _MARKED, len(text))
    if at:
        yield Piece("… ")
    for start, end, label in places[:_MAX_MARKS]:
        if at <= start < end <= stop:
            yield Piece(one_line(text[at:start]))
            yield Piece(one_line(text[start:end]), label)
            at = end
    yield Piece(one_line(text[at:stop]) + (" …" if stop < len(text) else ""))


def _faults(row: ForeignNote | RowFault) -> tuple[str, ...]:
    """What is wrong with the row by itself, without looking at the project."""
    if isinstance(row, RowFault):
        return row.messages
    if row.text is None:
        return ("there is no .txt file of this name" if row.spans_where else "'text' is missing",)
    try:
        normal_text(row.text)
        for span in row.spans or ():
            where = f"{span.where}: "
            checked_surface(text=row.text, span=span.span, surface=span.surface)
    except TextError as error:
        return (str(error),)
    except SpanError as error:
        return (f"{where}{error}",)
    return ()
