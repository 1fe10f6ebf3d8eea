"""Where a span comes from, as the flat fields of formats that have no nesting."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from annotator.builds.records import NoteRecord, SpanRecord
from annotator.core.schema import Schema

SOURCE_FIELDS = (
    *("decided_by", "annotator", "stage", "certificate", "target", "delta"),
    *("labeler", "backend", "model_id", "revision", "score", "is_edited", "decided_at"),
)


def source_fields(found: SpanRecord) -> dict[str, str]:
    """Values by SOURCE_FIELDS, without those that the span has none for."""
    fields = {
        "decided_by": "certificate" if found.certificate else "person",
        "annotator": found.annotator,
        "stage": found.stage,
        "decided_at": utc(found.decided_at),
    }
    if found.certificate:
        fields |= {
            "certificate": found.certificate.public_id,
            "target": repr(found.certificate.target),
            "delta": repr(found.certificate.delta),
        }
    if found.origin:
        fields |= {
            "labeler": found.origin.labeler.name,
            "backend": found.origin.labeler.backend,
            "model_id": found.origin.labeler.model_id,
            "revision": found.origin.labeler.revision,
            "score": repr(found.origin.score),
            "is_edited": "true" if found.origin.is_edited else "false",
        }
    return {name: fields[name] for name in SOURCE_FIELDS if fields.get(name)}


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def known_attributes(found: SpanRecord, schema: Schema, losses: Counter[str]) -> dict[str, str]:
    """The span's attributes by name, without those that the schema no longer has, which are counted."""
    names = {attribute.name for attribute in schema.attributes}
    unknown = found.attributes.keys() - names
    if unknown:
        losses["attributes that the schema no longer has"] += len(unknown)
    return {name: value for name, value in sorted(found.attributes.items()) if name in names}


def count_unsaid(note: NoteRecord, schema: Schema, losses: Counter[str]) -> None:
    """Count what formats of spans and labels alone cannot say of a note."""
    defaults = {attribute.name: attribute.default for attribute in schema.attributes}
    attributes = [pair for found in note.spans for pair in found.attributes.items() if pair not in defaults.items()]
    for reason, said in (
        ("attributes with another value than the default", attributes),
        ("relations", note.relations),
    ):
        if said:
            losses[reason] += len(said)
