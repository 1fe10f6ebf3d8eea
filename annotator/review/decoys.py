"""Decoys as their reader has them: asked about like suggestions, answered as if that made annotations, then told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, TextField
from django.db.models.functions import Cast

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.estimates import Sums, sums_of
from annotator.core.identifiers import LABEL
from annotator.core.schema import Schema
from annotator.projects.models import Project
from annotator.review.models import Decoy, DecoyAnswer, ReviewItem

_OF_DECOY: tuple[str | Cast, ...] = (
    *("item_id", "public_id", "fragments", "surface", "label"),
    Cast("attributes", TextField()),
    "score",
)


@dataclass(frozen=True, slots=True)
class Caught:
    """How many of the decoys that they were told of a person rejected, by notes."""

    user: User
    n_notes: int
    n_decoys: int
    n_rejected: int
    sums: Sums


def answers_of(note_item: ReviewItem) -> QuerySet[DecoyAnswer]:
    """What the note's reader made of decoys that they have not been told of."""
    of_slot = {"decoy__item__document": note_item.document_id, "decoy__item__slot": note_item.slot}
    return DecoyAnswer.objects.filter(**of_slot, decoy__told_at=None)


def live_answers(note_item: ReviewItem) -> QuerySet[DecoyAnswer]:
    """What of it stands: the reader sees it as theirs, in the place of annotations."""
    return answers_of(note_item).filter(status=Annotation.Status.LIVE)


def with_decoys(rows: Sequence[tuple[Any, ...]], *, at: int) -> list[tuple[Any, ...]]:
    """The rows of items, which begin with their row ids; those of decoys with what a suggestion has from `at` on: what
    comments name it by, place, words, label, attributes and score. One query, where there is one.
    """
    found = [row[0] for row in rows if row[at] is None]
    if not found:
        return list(rows)
    decoys = {row[0]: row[1:] for row in Decoy.objects.filter(item__in=found).values_list(*_OF_DECOY)}
    return [row if row[at] is not None else row[:at] + decoys[row[0]] for row in rows]


def told_decoys(note_item: ReviewItem) -> list[Decoy]:
    """The decoys of the note that its reader has been told of, in the order of the text. One query."""
    of_slot = {"item__document": note_item.document_id, "item__slot": note_item.slot}
    return list(Decoy.objects.filter(**of_slot, told_at__isnull=False).select_related("answered_by").order_by("start"))


def can_have_decoys(schema: Schema) -> bool:
    """Whether the schema has a label that decoys may have: one that no relation joins, since whoever joined a span to a
    decoy would be left with half a relation.
    """
    return bool(free_labels(schema))


def free_labels(schema: Schema) -> set[str]:
    """The labels that decoys may have: no identifiers, since a decoy that is one after all would stay in the note."""
    joined = {label for relation in schema.relations for label in (*relation.heads, *relation.tails)}
    return set(schema.label_names) - joined - {LABEL}


def caught_in(project: Project) -> list[Caught]:
    """Of everybody who was told of decoys in the project, by name. Two queries, one where nobody was."""
    rows = (
        Decoy.objects.filter(item__project=project, told_at__isnull=False)
        .order_by()
        .values_list("answered_by", "item__document")
        .annotate(n=Count("pk"), n_rejected=Count("pk", filter=Q(answer=Decoy.Answer.REJECTED)))
    )
    by_user: dict[int, list[tuple[int, int]]] = {}
    for user_id, _, n, n_rejected in rows:
        by_user.setdefault(user_id, []).append((n_rejected, n))
    if not by_user:
        return []
    people = User.objects.filter(pk__in=list(by_user)).order_by("username")
    return [
        Caught(
            user=user,
            n_notes=len(by_user[user.pk]),
            n_decoys=sum(n for _, n in by_user[user.pk]),
            n_rejected=sum(n for n, _ in by_user[user.pk]),
            sums=sums_of(by_user[user.pk]),
        )
        for user in people
    ]
