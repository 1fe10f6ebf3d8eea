"""What people assert about a note: sets, and annotations added to and withdrawn from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.db import transaction
from django.db.models import Model

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.certificates.models import Certificate
from annotator.core.schema import Schema
from annotator.core.spans import Span
from annotator.core.surfaces import surface_key
from annotator.documents.models import Document
from annotator.projects.models import SchemaVersion
from annotator.web.ids import new_public_id
from annotator.web.inserts import insert_rows

Said = Annotation | Relation | DocumentValue
_PAGE = 500


class SetExists(Exception):
    """The annotator has a set on this note already; two sets of one person would be mixed up."""


class AnnotationExists(Exception):
    """The set has the same span under the same label already."""


@dataclass(frozen=True, slots=True)
class NewAnnotation:
    """A labelled span to be asserted; `origin_id` is the suggestion that it came from, `first_version` the thread
    of the annotation that it takes the place of.
    """

    span: Span
    label: str
    attributes: Mapping[str, str]
    origin_id: int | None = None
    first_version: str = ""


class AnnotationRow(NamedTuple):
    """An annotation as it is stored: `annotation_row` makes one. Each field is a column."""

    public_id: str
    first_version: str
    origin_id: int | None
    label: str
    fragments: str
    start: int
    end: int
    surface: str
    attributes: dict[str, str]


class RelationRow(NamedTuple):
    """A relation as it is stored: `relation_row` makes one. Each field is a column."""

    public_id: str
    type: str
    head: str
    tail: str


class ValueRow(NamedTuple):
    """The value of a label of the note as it is stored: `value_row` makes one. Each field is a column."""

    public_id: str
    name: str
    value: str


class SetRows(NamedTuple):
    """What a new set says."""

    annotations: Sequence[AnnotationRow] = ()
    relations: Sequence[RelationRow] = ()
    values: Sequence[ValueRow] = ()


def relation_row(type: str, *, head: str, tail: str) -> RelationRow:
    """A relation, checked by the caller, between two annotations of one new set, which their public ids name."""
    return RelationRow(public_id=new_public_id(), type=type, head=head, tail=tail)


def value_row(name: str, value: str) -> ValueRow:
    """A value, checked by the caller, of a label of the note."""
    return ValueRow(public_id=new_public_id(), name=name, value=value)


def annotation_row(*, text: str, schema: Schema, new: NewAnnotation) -> AnnotationRow:
    """`new` checked against its note's text and the schema, its attributes completed.

    Raises SchemaError (label or attribute), SpanError (offsets).
    """
    schema.label(new.label)
    return AnnotationRow(
        public_id=new_public_id(),
        first_version=new.first_version,
        origin_id=new.origin_id,
        label=new.label,
        fragments=str(new.span),
        start=new.span.start,
        end=new.span.end,
        surface=new.span.surface(text),
        attributes=schema.checked_attributes(label=new.label, given=new.attributes),
    )


def open_set(*, document: Document, annotator: User, kind: str = AnnotationSet.Kind.READING) -> AnnotationSet:
    """The annotator's reading of the note, or their trial of it, made if it is new.

    What certificates accepted in a note that nobody had taken is theirs from then on.
    """
    mine = AnnotationSet.objects.filter(document=document, annotator=annotator, kind=kind).first()
    if mine is not None:
        return mine
    if kind == AnnotationSet.Kind.READING:
        AnnotationSet.objects.filter(document=document, annotator=None).update(annotator=annotator)
    found, _ = AnnotationSet.objects.get_or_create(document=document, annotator=annotator, kind=kind)
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
    row = annotation_row(text=text, schema=schema_version.schema, new=new)
    return Annotation.objects.create(
        set=target,
        annotator=annotator,
        schema_version=schema_version,
        surface_key=surface_key(project_id=schema_version.project_id, surface=row.surface),
        created_at=now,
        **row._asdict(),
    )


def add_adjudicated(
    *,
    target: AnnotationSet,
    annotator: User,
    text: str,
    schema_version: SchemaVersion,
    news: Sequence[NewAnnotation],
    now: datetime,
) -> list[Annotation]:
    """Add live annotations to a gold set, which has none of them yet, in one query.

    Raises SchemaError (label or attribute), SpanError (offsets).
    """
    rows = [annotation_row(text=text, schema=schema_version.schema, new=new) for new in news]
    return Annotation.objects.bulk_create(
        Annotation(
            set=target,
            annotator=annotator,
            schema_version=schema_version,
            surface_key=surface_key(project_id=schema_version.project_id, surface=row.surface),
            stage=Annotation.Stage.ADJUDICATED,
            created_at=now,
            **row._asdict(),
        )
        for row in rows
    )


def add_certified(
    *,
    certificate: Certificate,
    schema_version: SchemaVersion,
    news: Sequence[tuple[int, str, NewAnnotation]],
    now: datetime,
) -> None:
    """Add what is accepted under the certificate, as (set, text of its note, what it says). Two queries.

    Where the set says just this already, the certificate's is withdrawn at once. Raises SchemaError, SpanError.
    """
    live = Annotation.objects.filter(
        set__in={set_id for set_id, _, _ in news},
        fragments__in={str(new.span) for _, _, new in news},
        status=Annotation.Status.LIVE,
    )
    said = set(live.values_list("set_id", "label", "fragments"))
    rows = [(set_id, annotation_row(text=text, schema=schema_version.schema, new=new)) for set_id, text, new in news]
    is_said = {True: Annotation.Status.WITHDRAWN, False: Annotation.Status.LIVE}
    Annotation.objects.bulk_create(
        Annotation(
            set_id=set_id,
            certificate=certificate,
            schema_version=schema_version,
            surface_key=surface_key(project_id=schema_version.project_id, surface=row.surface),
            status=is_said[(set_id, row.label, row.fragments) in said],
            created_at=now,
            **row._asdict(),
        )
        for set_id, row in rows
    )


def withdraw_unread(*, document_ids: Collection[int]) -> None:
    """Withdraw what certificates accepted in readings of these notes that are nobody's, and open these: a person has
    read the notes elsewhere. Two queries.
    """
    unread = AnnotationSet.objects.filter(document__in=document_ids, annotator=None)
    Annotation.objects.filter(set__in=unread, status=Annotation.Status.LIVE).update(status=Annotation.Status.WITHDRAWN)
    unread.update(status=AnnotationSet.Status.OPEN, submitted_at=None)


def withdraw(said: Model) -> bool:
    """Withdraw what is live, a row with a `status`; False where it is not live."""
    return _move(said, before=Annotation.Status.LIVE, after=Annotation.Status.WITHDRAWN)


def restore(said: Model) -> bool:
    """Make what was withdrawn live again; False where it is live."""
    return _move(said, before=Annotation.Status.WITHDRAWN, after=Annotation.Status.LIVE)


def hand_over(*, document_id: int, annotator_id: int, to: User, kind: AnnotationSet.Kind) -> None:
    """Make `to` the reader who answers for an unsubmitted set of this kind; its annotations keep the names of who made
    them.
    """
    AnnotationSet.objects.filter(
        document_id=document_id,
        annotator_id=annotator_id,
        kind=kind,
        status=AnnotationSet.Status.OPEN,
    ).update(annotator=to)


def submit_set(*, target: AnnotationSet, now: datetime) -> None:
    AnnotationSet.objects.filter(pk=target.pk).update(status=AnnotationSet.Status.SUBMITTED, submitted_at=now)


def reopen_set(*, target: AnnotationSet) -> None:
    AnnotationSet.objects.filter(pk=target.pk).update(status=AnnotationSet.Status.OPEN, submitted_at=None)


@transaction.atomic
def import_sets(
    *,
    annotator: User,
    schema_version: SchemaVersion,
    sets: Iterable[tuple[int, SetRows]],
    now: datetime,
) -> None:
    """The bulk writer of annotations: submitted sets of `annotator`, as (document id, what it says).

    Streams: memory does not grow with their number. Raises SetExists where the annotator has a set on one of the notes.
    """
    left = iter(sets)
    while page := list(islice(left, _PAGE)):
        rows = dict(page)
        found = AnnotationSet.objects.filter(
            annotator=annotator, document_id__in=list(rows), kind=AnnotationSet.Kind.READING
        ).order_by("pk")
        if found.exists():
            raise SetExists(f"{annotator.get_username()} has annotations on one of these notes already")
        AnnotationSet.objects.bulk_create(
            AnnotationSet(
                document_id=document_id, annotator=annotator, status=AnnotationSet.Status.SUBMITTED, submitted_at=now
            )
            for document_id, _ in page
        )
        made = [(set_id, rows[document_id]) for document_id, set_id in found.values_list("document_id", "pk")]
        same = {
            "annotator": annotator.pk,
            "schema_version": schema_version.pk,
            "status": Annotation.Status.LIVE.value,
            "created_at": now,
        }
        insert_rows(
            model=Annotation,
            columns=("set", "surface_key", *AnnotationRow._fields),
            rows=(
                (set_id, surface_key(project_id=schema_version.project_id, surface=row.surface), *row)
                for set_id, said in made
                for row in said.annotations
            ),
            same=same | {"stage": Annotation.Stage.BASE.value},
        )
        insert_rows(
            model=Relation,
            columns=("set", *RelationRow._fields),
            rows=((set_id, *row) for set_id, said in made for row in said.relations),
            same=same,
        )
        insert_rows(
            model=DocumentValue,
            columns=("set", *ValueRow._fields),
            rows=((set_id, *row) for set_id, said in made for row in said.values),
            same=same,
        )


def _move(said: Model, *, before: str, after: str) -> bool:
    return bool(type(said)._default_manager.filter(pk=said.pk, status=before).update(status=after))
