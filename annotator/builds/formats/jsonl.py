"""The native format: one note a line, with everything that is known of each span. Loses nothing but comments, unless
the dataset is to have them.

A note of which nothing is said beyond its spans has no key for it, as before there was such a thing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from annotator.builds.formats.lines import LineFiles, sorted_json
from annotator.builds.formats.sources import utc
from annotator.builds.records import (
    BuildContext,
    CommentRecord,
    NoteRecord,
    Origin,
    RelationRecord,
    SpanRecord,
    ValueRecord,
)

NAME = "jsonl"
TITLE = "JSONL spans"
GROUP = "Complete"
HINT = "one note a line, each span with its provenance; can be imported again"
OFFSETS = "code points"
READ = 'rows = [json.loads(line) for line in open("train.jsonl", encoding="utf-8")]'
NEEDS = ""
LEAVES_OUT: tuple[str, ...] = ()
KEEPS_PIECES = True


class JsonlWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._context = context
        self._lines = LineFiles(folder=folder, suffix="jsonl")

    def add(self, *, note: NoteRecord, part: str) -> None:
        row = note_row(note)
        if self._context.options.has_comments:
            row["comments"] = [_comment_row(comment) for comment in note.comments]
        elif note.comments:
            self._context.losses["comments, which were not asked for"] += len(note.comments)
        self._lines.write(part=part, row=row)

    def close(self) -> dict[str, int | None]:
        return self._lines.close()


open_writer = JsonlWriter


def note_row(note: NoteRecord) -> dict[str, Any]:
    """The note as a line holds it, but for comments."""
    row = {
        "id": note.id,
        "patient_id": note.patient_id,
        "note_type": note.note_type,
        "text": note.text,
        "metadata": sorted_json(note.metadata),
        "spans": [_span_row(span) for span in note.spans],
    }
    if note.relations:
        row["relations"] = [_relation_row(found) for found in note.relations]
    if note.document_labels:
        row["document_labels"] = {found.name: found.value for found in note.document_labels}
        row["document_label_sources"] = {found.name: _source(found) for found in note.document_labels}
    return row


def _relation_row(found: RelationRecord) -> dict[str, Any]:
    return {"type": found.type, "head": found.head, "tail": found.tail, "source": _source(found)}


def _source(found: RelationRecord | ValueRecord) -> dict[str, Any]:
    return {
        "kind": "person",
        "annotator": found.annotator,
        "decided_at": utc(found.decided_at),
    }


def _comment_row(found: CommentRecord) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "body": found.body,
        "fragments": [list(fragment) for fragment in found.span.fragments] if found.span else None,
        "label": found.label,
        "author": found.author,
        "created_at": utc(found.created_at),
    }


def _span_row(found: SpanRecord) -> dict[str, Any]:
    return {
        "start": found.span.start,
        "end": found.span.end,
        "fragments": [list(fragment) for fragment in found.span.fragments],
        "surface": found.surface,
        "label": found.label,
        "attributes": dict(sorted(found.attributes.items())),
        "source": {
            **_decided_by(found),
            "stage": found.stage,
            "origin": _origin_row(found.origin),
            "decided_at": utc(found.decided_at),
        },
    }


def _decided_by(found: SpanRecord) -> dict[str, Any]:
    if found.certificate is None:
        return {"kind": "person", "annotator": found.annotator}
    return {
        "kind": "certificate",
        "certificate": found.certificate.public_id,
        "target": found.certificate.target,
        "delta": found.certificate.delta,
    }


def _origin_row(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    return {
        "labeler": origin.labeler.name,
        "backend": origin.labeler.backend,
        "model_id": origin.labeler.model_id,
        "revision": origin.labeler.revision,
        "score": origin.score,
        "is_edited": origin.is_edited,
    }
