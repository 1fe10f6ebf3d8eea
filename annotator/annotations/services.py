"""What people assert about a note: sets, and annotations added to and withdrawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import SchemaVersion


class SetExists(Exception):
    """The annotator has a set on this note already; two sets of one person would be mixed up."""


class AnnotationExists(Exception):
    """The set has the same span under the same label already."""


@dataclass(frozen=True, slots=True)
class NewAnnotation:
    """A labelled span to be asserted; `origin_id` is the suggestion that it came from."""

    span: Span
    label: str
    attributes: Mapping[str, str]
    origin_id: int | None = None


def open_set(*, document: Document, annotator: User) -> AnnotationSet:
    """The annotator's set on the note, made if it is new."""
    found, _ = AnnotationSet.objects.get_or_create(document=document, annotator=annotator)
    return found


def add_annotation(
    *,
    target: AnnotationSet,
    annotator: User,
    text: str,
    schema_version: SchemaVersion,
    new: NewAnnotation,
    now: datetime,
) -> Annotation:
    """Add one live annotation, its attributes completed from the schema.

    Raises AnnotationExists, SchemaError (label or attribute), SpanError (offsets).
    """
    if Annotation.objects.filter(set=target, status="live", label=new.label, fragments=str(new.span)).exists():
        raise AnnotationExists(f"this span is labelled {new.label} already")
    annotation = _row(target=target, annotator=annotator, text=text, schema_version=schema_version, new=new, now=now)
    annotation.save(force_insert=True)
    return annotation


def withdraw(annotation: Annotation) -> bool:
    """Withdraw a live annotation; False where it is not live."""
    return _move(annotation, before=Annotation.Status.LIVE, after=Annotation.Status.WITHDRAWN)


def restore(annotation: Annotation) -> bool:
    """Make a withdrawn annotation live again; False where it is live."""
    return _move(annotation, before=Annotation.Status.WITHDRAWN, after=Annotation.Status.LIVE)


def hand_over(*, document_id: int, annotator_id: int, to: User) -> None:
    """Make `to` the reader who answers for an unsubmitted set; its annotations keep the names of who made them."""
    AnnotationSet.objects.filter(
        document_id=document_id, annotator_id=annotator_id, status=AnnotationSet.Status.OPEN
    ).update(annotator=to)


def submit_set(*, target: AnnotationSet, now: datetime) -> None:
    AnnotationSet.objects.filter(pk=target.pk).update(status=AnnotationSet.Status.SUBMITTED, submitted_at=now)


def reopen_set(*, target: AnnotationSet) -> None:
    AnnotationSet.objects.filter(pk=target.pk).update(status=AnnotationSet.Status.OPEN, submitted_at=None)


@transaction.atomic
def import_set(
    *,
    document: Document,
    annotator: User,
    schema_version: SchemaVersion,
    annotations: Sequence[NewAnnotation],
    now: datetime,
) -> AnnotationSet:
    """A submitted set with `annotations`. Raises SetExists where the annotator has one on the note."""
    target, is_new = AnnotationSet.objects.get_or_create(
        document=document,
        annotator=annotator,
        defaults={"status": AnnotationSet.Status.SUBMITTED, "submitted_at": now},
    )
    if not is_new:
        raise SetExists(f"{annotator.get_username()} has annotations on this note already")
    Annotation.objects.bulk_create(
        (
            _row(
                target=target,
                annotator=annotator,
                text=document.text,
                schema_version=schema_version,
                new=new,
                now=now,
            )
            for new in annotations
        ),
        batch_size=500,
    )
    return target


def _row(
    *,
    target: AnnotationSet,
    annotator: User,
    text: str,
    schema_version: SchemaVersion,
    new: NewAnnotation,
    now: datetime,
) -> Annotation:
    schema = schema_version.schema
    schema.label(new.label)
    return Annotation(
        set=target,
        annotator=annotator,
        schema_version=schema_version,
        origin_id=new.origin_id,
        label=new.label,
        fragments=str(new.span),
        start=new.span.start,
        end=new.span.end,
        surface=new.span.surface(text),
        attributes=schema.checked_attributes(label=new.label, given=new.attributes),
        created_at=now,
    )


def _move(annotation: Annotation, *, before: str, after: str) -> bool:
    return bool(Annotation.objects.filter(pk=annotation.pk, status=before).update(status=after))
