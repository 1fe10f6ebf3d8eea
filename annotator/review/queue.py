"""Items come in: from routing, which says what of a run is to be reviewed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F

from annotator.documents.models import Document
from annotator.review.models import ReviewItem
from annotator.suggestions.models import Suggestion

SUPERSEDED = "superseded"
INHERITED = "inherited"


@dataclass(frozen=True, slots=True)
class Queued:
    """One suggestion to be reviewed, and the reason shown with it."""

    suggestion: Suggestion
    stream: str
    reason: str


def ensure_note_items(*, document: Document, n_slots: int, priority: float) -> list[ReviewItem]:
    """The note's items, one for each reader, made where they are missing; `priority` is set on the open ones."""
    ReviewItem.objects.bulk_create(
        (
            ReviewItem(document=document, unit=ReviewItem.Unit.NOTE, slot=slot, priority=priority)
            for slot in range(1, n_slots + 1)
        ),
        ignore_conflicts=True,
    )
    items = ReviewItem.objects.filter(document=document, unit=ReviewItem.Unit.NOTE, slot__lte=n_slots)
    items.filter(status=ReviewItem.Status.OPEN).update(priority=priority)
    return list(items.order_by("slot"))


def queue_spans(*, note_item: ReviewItem, queued: Sequence[Queued], same_labeler_jobs: Sequence[int]) -> None:
    """Queue suggestions for the reader of `note_item`.

    A span equal in fragments and label to one that was decided in this slot inherits that decision. Open items of an
    older run of the same labeler close as superseded; so does an open item of another labeler for an equal span. A
    note that is done takes no new items.
    """
    older = ReviewItem.objects.filter(
        document_id=note_item.document_id, slot=note_item.slot, unit=ReviewItem.Unit.SPAN
    ).exclude(suggestion__in=[entry.suggestion for entry in queued])
    decided = set(
        older.filter(status=ReviewItem.Status.DECIDED).values_list("suggestion__label", "suggestion__fragments")
    )
    arriving = {(entry.suggestion.label, entry.suggestion.fragments) for entry in queued}
    replaced = [
        item.pk
        for item in older.filter(status=ReviewItem.Status.OPEN).select_related("suggestion")
        if item.suggestion
        and (
            item.suggestion.job_id in same_labeler_jobs
            or (item.suggestion.label, item.suggestion.fragments) in arriving
        )
    ]
    ReviewItem.objects.filter(pk__in=replaced).update(
        status=ReviewItem.Status.CLOSED, reason=SUPERSEDED, version=F("version") + 1
    )
    is_done = note_item.status != ReviewItem.Status.OPEN
    rows = []
    for entry in queued:
        is_known = (entry.suggestion.label, entry.suggestion.fragments) in decided
        rows.append(
            ReviewItem(
                document_id=note_item.document_id,
                suggestion=entry.suggestion,
                unit=ReviewItem.Unit.SPAN,
                slot=note_item.slot,
                stream=entry.stream,
                reason=INHERITED if is_known else entry.reason,
                status=ReviewItem.Status.CLOSED if is_known or is_done else ReviewItem.Status.OPEN,
            )
        )
    ReviewItem.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
