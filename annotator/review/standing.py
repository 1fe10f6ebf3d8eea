"""Reading what stands in a note: the decisions that neither are undone nor undo, and what undo and redo take back."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.review.models import Decision, ReviewItem

# What is read along with a decision that is shown, undone or done again.
_WHAT_IT_NAMES = (
    *("item__suggestion", "withdrew", "made"),
    *("withdrew_relation", "made_relation", "withdrew_value", "made_value"),
)


def last_decision(*, note_item: ReviewItem, reviewer: User | None = None) -> Decision | None:
    """The newest decision in the note, or of the reviewer in it, that is neither an undo nor undone: what Undo takes
    back. One query.
    """
    found = _standing(note_item.pk)
    return (found if reviewer is None else found.filter(reviewer=reviewer)).order_by("-pk").first()


def decisions_since(decision: Decision) -> list[Decision]:
    """What was decided in the note after that one, and stands. One query."""
    return list(_standing(decision.note_item_id).filter(pk__gt=decision.pk))


def _standing(note_item_id: int) -> QuerySet[Decision]:
    """The note's decisions that are neither undos nor undone, with what they name."""
    made = Decision.objects.filter(note_item=note_item_id, undone_by=None).exclude(verdict=Decision.Verdict.UNDO)
    return made.select_related(*_WHAT_IT_NAMES)


def last_undo_id(*, note_item: ReviewItem) -> int | None:
    """The newest undo in the note that may be redone: none was redone already, and nothing new was decided since.

    One query, two where there is an undo.
    """
    decisions = Decision.objects.filter(note_item=note_item)
    undos = decisions.filter(verdict=Decision.Verdict.UNDO, redone_by=None).order_by("-pk")
    undo_id = undos.values_list("pk", flat=True).first()
    if undo_id is None:
        return None
    newest = decisions.exclude(verdict=Decision.Verdict.UNDO).filter(redoes=None).order_by("-pk").values("pk")[:1]
    return None if decisions.filter(pk__in=newest, pk__gt=undo_id).exists() else undo_id


def last_undo(*, note_item: ReviewItem) -> Decision | None:
    """That undo, with what it names."""
    undo_id = last_undo_id(note_item=note_item)
    if undo_id is None:
        return None
    return Decision.objects.select_related(*_WHAT_IT_NAMES, "undoes__item").get(pk=undo_id)


def decisions_with(decision: Decision) -> list[Decision]:
    """The decision and those that were made together with it, in their order; one query where it is not alone."""
    if not decision.batch:
        return [decision]
    together = Decision.objects.filter(note_item=decision.note_item_id, batch=decision.batch)
    return list(together.select_related(*_WHAT_IT_NAMES, "undoes__item").order_by("pk"))


def changed_spans(decisions: Iterable[Decision]) -> list[Span]:
    """The spans that the decisions took from or put into the note."""
    return [
        source.span
        for decision in decisions
        for source in (decision.taken, decision.put, decision.item.asked if decision.item else None)
        if source is not None
    ]
