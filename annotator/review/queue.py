"""Items come in: from routing, which says what of a run is to be reviewed, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet

from annotator.annotations.models import AnnotationSet
from annotator.documents.models import Document
from annotator.review.models import INHERITED, LATE, SUPERSEDED, ReviewItem
from annotator.suggestions.models import Suggestion


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
            ReviewItem(
                project_id=document.project_id,
                document=document,
                unit=ReviewItem.Unit.NOTE,
                slot=slot,
                priority=priority,
            )
            for slot in range(1, n_slots + 1)
        ),
        ignore_conflicts=True,
    )
    items = ReviewItem.objects.filter(document=document, unit=ReviewItem.Unit.NOTE, slot__lte=n_slots)
    items.filter(status=ReviewItem.Status.OPEN).update(priority=priority)
    fill_slots(sets=AnnotationSet.objects.filter(document=document))
    return list(items.order_by("slot"))


def queue_spans(
    *, note_item: ReviewItem, queued: Sequence[Queued], older_jobs: Sequence[int], is_outdated: bool = False
) -> None:
    """Queue suggestions for the reader of `note_item`.

    A span equal in fragments and label to one that was decided in this slot inherits that decision. Open items of
    `older_jobs` (earlier runs of the same labeler) close as superseded; so does an open item of another labeler for an
    equal span. `is_outdated`: a later run of the same labeler is here already, so these are closed as they come. What
    comes to a note that is done is closed as late, and opens when the note is reopened.
    """
    older = ReviewItem.objects.filter(
        document_id=note_item.document_id, slot=note_item.slot, unit=ReviewItem.Unit.SPAN
    ).exclude(suggestion__in=[entry.suggestion for entry in queued])
    decided = set(
        older.filter(status=ReviewItem.Status.DECIDED).values_list("suggestion__label", "suggestion__fragments")
    )
    arriving = {(entry.suggestion.label, entry.suggestion.fragments) for entry in queued}
    replaced = (
        []
        if is_outdated
        else [
            item.pk
            for item in older.filter(status=ReviewItem.Status.OPEN).select_related("suggestion")
            if item.suggestion
            and (item.suggestion.job_id in older_jobs or (item.suggestion.label, item.suggestion.fragments) in arriving)
        ]
    )
    ReviewItem.objects.filter(pk__in=replaced).update(
        status=ReviewItem.Status.CLOSED, reason=SUPERSEDED, version=F("version") + 1
    )
    is_done = note_item.status != ReviewItem.Status.OPEN
    rows = []
    for entry in queued:
        closed_as = ""
        if (entry.suggestion.label, entry.suggestion.fragments) in decided:
            closed_as = INHERITED
        elif is_outdated:
            closed_as = SUPERSEDED
        elif is_done:
            closed_as = LATE
        rows.append(
            ReviewItem(
                project_id=note_item.project_id,
                document_id=note_item.document_id,
                suggestion=entry.suggestion,
                unit=ReviewItem.Unit.SPAN,
                slot=note_item.slot,
                stream=entry.stream,
                reason=closed_as or entry.reason,
                priority=1 - entry.suggestion.score,
                audit_key=entry.suggestion.audit_key,
                status=ReviewItem.Status.CLOSED if closed_as else ReviewItem.Status.OPEN,
            )
        )
    ReviewItem.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)


@transaction.atomic
def fill_slots(*, sets: QuerySet[AnnotationSet]) -> int:
    """Give each of these submitted sets, which came from outside, a reader's slot of its note; how many got one.

    The slot is done, as if its reader had reviewed the note here: the note waits for one reader less. Slots that
    someone has begun stay theirs.
    """
    submitted = sets.filter(status=AnnotationSet.Status.SUBMITTED)
    free = ReviewItem.objects.filter(unit=ReviewItem.Unit.NOTE, status=ReviewItem.Status.OPEN, leased_by=None)
    slots: dict[int, list[ReviewItem]] = {}
    for item in free.filter(document__in=submitted.values("document")).order_by("slot"):
        slots.setdefault(item.document_id, []).append(item)
    readers = set(
        ReviewItem.objects.filter(unit=ReviewItem.Unit.NOTE, document__in=list(slots), leased_by__isnull=False)
        .values_list("document_id", "leased_by_id")
        .iterator()
    )
    filled: list[ReviewItem] = []
    for found in submitted.filter(document__in=list(slots)).order_by("pk"):
        if slots[found.document_id] and (found.document_id, found.annotator_id) not in readers:
            item = slots[found.document_id].pop(0)
            item.status, item.leased_by_id = ReviewItem.Status.DECIDED, found.annotator_id
            filled.append(item)
    for item in filled:
        ReviewItem.objects.filter(pk=item.pk, version=item.version).update(
            status=item.status, leased_by=item.leased_by_id, version=F("version") + 1
        )
        ReviewItem.objects.filter(
            document_id=item.document_id, slot=item.slot, unit=ReviewItem.Unit.SPAN, status=ReviewItem.Status.OPEN
        ).update(status=ReviewItem.Status.CLOSED, reason=LATE, version=F("version") + 1)
    return len(filled)
