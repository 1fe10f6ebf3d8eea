"""What a note's reader says beyond single spans, as pages and API show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.review.models import ReviewItem


@dataclass(frozen=True, slots=True)
class Joined:
    """A live relation. Its ends by their threads and by the public ids that their annotations have now."""

    public_id: str
    type: str
    head_thread: str
    tail_thread: str
    head: str
    tail: str


def relations_of(note_item: ReviewItem) -> list[Joined]:
    """The live relations of the note's reader, oldest first. One query."""
    found = Relation.objects.filter(_of_reader(note_item)).order_by("pk")
    rows = with_ends(found).values_list("public_id", "type", "head", "tail", "head_id", "tail_id")
    return [Joined(*row) for row in rows]


def document_values_of(note_item: ReviewItem) -> dict[str, str]:
    """The note's own labels to which its reader gave a value, with it. One query."""
    return dict(DocumentValue.objects.filter(_of_reader(note_item)).order_by("pk").values_list("name", "value"))


def relation_for(*, note_item: ReviewItem, public_id: str) -> Relation | None:
    """The reader's live relation of that public id; None where it is no longer there. One query."""
    return Relation.objects.filter(_of_reader(note_item), public_id=public_id).first()


def with_ends(relations: QuerySet[Relation]) -> QuerySet[Any]:
    """The relations with `head_id` and `tail_id`: the public ids that the annotations of their threads have now."""
    return relations.annotate(head_id=_now("head"), tail_id=_now("tail"))


def _now(end: str) -> Coalesce:
    live = Annotation.objects.filter(status=Annotation.Status.LIVE).values("public_id")
    later = live.filter(first_version=OuterRef(end)).exclude(first_version="")
    return Coalesce(Subquery(live.filter(public_id=OuterRef(end))[:1]), Subquery(later[:1]))


def _of_reader(note_item: ReviewItem) -> Q:
    return Q(
        set__document=note_item.document_id,
        set__annotator=note_item.leased_by_id,
        set__kind=note_item.set_kind,
        status=Annotation.Status.LIVE,
    )
