"""What people assert beyond single spans: ties from one span to another, and values for the note as a whole."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.projects.models import SchemaVersion


def add_relation(
    *,
    target: AnnotationSet,
    annotator: User,
    schema_version: SchemaVersion,
    type: str,
    head: Annotation,
    tail: Annotation,
    now: datetime,
) -> Relation:
    """Add one live relation between two live annotations of the set.

    Raises SchemaError where the schema has no such type, or none between these labels.
    """
    schema_version.schema.check_relation(type, head=head.label, tail=tail.label)
    return Relation.objects.create(
        set=target,
        annotator=annotator,
        schema_version=schema_version,
        type=type,
        head=head.thread,
        tail=tail.thread,
        created_at=now,
    )


def add_value(
    *, target: AnnotationSet, annotator: User, schema_version: SchemaVersion, name: str, value: str, now: datetime
) -> DocumentValue:
    """Give the document label `name`, which has no live value in the set, this one. Raises SchemaError."""
    schema_version.schema.check_value(name, value)
    return DocumentValue.objects.create(
        set=target, annotator=annotator, schema_version=schema_version, name=name, value=value, created_at=now
    )


def relations_touching(*, target: AnnotationSet, threads: Collection[str]) -> QuerySet[Relation]:
    """The live relations of the set with an end among the threads, oldest first."""
    ends = Q(head__in=threads) | Q(tail__in=threads)
    return Relation.objects.filter(ends, set=target, status=Annotation.Status.LIVE).order_by("pk")
