"""Items come in: from routing, which says what of a run is to be reviewed, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import withdraw_unread
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.qualification.models import Qualification
from annotator.qualification.services import begin_trial
from annotator.readings.services import notes_read
from annotator.review.blinding import stream_of_note
from annotator.review.models import ASKED_OF_READER, FIRST_APART, INHERITED, LATE, SUPERSEDED, ReviewItem
from annotator.suggestions.models import Suggestion

_WAITING = (ReviewItem.Status.OPEN, ReviewItem.Status.HELD)


@dataclass(frozen=True, slots=True)
class Queued:
    """One suggestion to be reviewed, and the reason shown with it; how likely it is right, where that is known."""

    suggestion: Suggestion
    stream: str
    reason: str
    confidence: float | None = None

    @property
    def chance(self) -> float:
        """What is known of how likely it is right: its confidence, else its raw score."""
        return self.suggestion.score if self.confidence is None else self.confidence


@transaction.atomic
def ensure_note_items(*, document: Document, n_slots: int, priority: float) -> list[ReviewItem]:
    """The note's items, one for each reader, made where they are missing; `priority` is set on the open ones.

    `n_slots` are wanted where the note is in no round, which says how many read it. The note is locked, so that no
    round comes between. New ones are in the stream that the note's place in the random order says.
    """
    list(Document.objects.select_for_update(no_key=True).filter(pk=document.pk).values_list("pk"))
    rounds = ReviewItem.objects.filter(document=document, unit=ReviewItem.Unit.NOTE, round__isnull=False)
    n_slots = rounds.values_list("round__n_readers", flat=True).first() or n_slots
    ReviewItem.objects.bulk_create(
        (
            ReviewItem(
                project_id=document.project_id,
                document=document,
                unit=ReviewItem.Unit.NOTE,
                slot=slot,
                stream=stream_of_note(document.project, document.blind_key),
                priority=priority,
                audit_key=document.blind_key,
            )
            for slot in range(1, n_slots + 1)
        ),
        ignore_conflicts=True,
    )
    items = ReviewItem.objects.filter(document=document, unit=ReviewItem.Unit.NOTE, slot__lte=n_slots)
    items.filter(status=ReviewItem.Status.OPEN).update(priority=priority)
    fill_slots(sets=AnnotationSet.objects.filter(document=document))
    return list(items.order_by("slot"))


def fit_slots(*, project: Project, documents: Collection[int], n_slots: int) -> None:
    """Give each of these notes of the project, which are locked and nobody has begun, exactly so many note items. A new
    one gets the spans of the first; where several read, none of them is held. A fixed number of queries.
    """
    items = ReviewItem.objects.filter(document__in=documents).exclude(slot__gte=FIRST_APART)
    items.filter(slot__gt=n_slots).delete()
    if n_slots > 1:
        items.filter(status=ReviewItem.Status.HELD).update(status=ReviewItem.Status.OPEN, version=F("version") + 1)
    first: dict[int, float] = {}
    has: set[tuple[int, int]] = set()
    # `exclude`, since SQLite would take an index of all units: see review.similar.is_finished.
    notes = items.exclude(unit__in=ASKED_OF_READER)
    spans = items.exclude(unit__in=[ReviewItem.Unit.NOTE, ReviewItem.Unit.DECOY])
    for document_id, slot, priority in notes.values_list("document", "slot", "priority"):
        has.add((document_id, slot))
        first[document_id] = priority
    missing = {
        document_id: [slot for slot in range(1, n_slots + 1) if (document_id, slot) not in has]
        for document_id in documents
    }
    keys = dict(Document.objects.filter(pk__in=documents).values_list("pk", "blind_key"))
    rows = [
        ReviewItem(
            project=project,
            document_id=document_id,
            unit=ReviewItem.Unit.NOTE,
            slot=slot,
            stream=stream_of_note(project, keys[document_id]),
            priority=first.get(document_id, 0.0),
            audit_key=keys[document_id],
        )
        for document_id, slots in missing.items()
        for slot in slots
    ]
    for span in spans.filter(slot=1):
        rows += [
            ReviewItem(
                project=project,
                document_id=span.document_id,
                suggestion_id=span.suggestion_id,
                unit=span.unit,
                slot=slot,
                stream=span.stream,
                reason=span.reason,
                status=span.status,
                confidence=span.confidence,
                priority=span.priority,
                audit_key=span.audit_key,
            )
            for slot in missing[span.document_id]
        ]
    ReviewItem.objects.bulk_create(rows, batch_size=500)


def queue_spans(
    *, note_item: ReviewItem, queued: Sequence[Queued], older_jobs: Sequence[int], is_outdated: bool = False
) -> None:
    """Queue suggestions for the reader of `note_item`.

    A span equal in fragments and label to one that was decided in this slot inherits that decision, or to one that was
    accepted under a certificate, or that a test of another labeler rests on. Open and held items of `older_jobs`
    (earlier runs of the same labeler, or of one that it was promoted over) close as superseded; so does an open item of
    another labeler for an equal span. `is_outdated`: a run that takes the place of these is here already, so they are
    closed as they come. What comes to a note that is done is closed as late, and opens when the note is reopened; one
    that is done without a reader opens.
    """
    older = ReviewItem.objects.filter(
        document_id=note_item.document_id, slot=note_item.slot, unit=ReviewItem.Unit.SPAN
    ).exclude(suggestion__in=[entry.suggestion for entry in queued])
    decided = set(older.filter(_is_settled(older_jobs)).values_list("suggestion__label", "suggestion__fragments"))
    arriving = {(entry.suggestion.label, entry.suggestion.fragments) for entry in queued}
    replaced = (
        []
        if is_outdated
        else [
            item.pk
            for item in older.filter(status__in=_WAITING).select_related("suggestion")
            if item.suggestion
            and (
                item.suggestion.job_id in older_jobs
                or (item.suggestion.label, item.suggestion.fragments) in arriving - decided
            )
        ]
    )
    ReviewItem.objects.filter(pk__in=replaced).update(
        status=ReviewItem.Status.CLOSED, reason=SUPERSEDED, version=F("version") + 1
    )
    is_unread = note_item.status == ReviewItem.Status.DECIDED and note_item.leased_by_id is None
    is_done = note_item.status != ReviewItem.Status.OPEN and not is_unread
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
                confidence=entry.confidence,
                priority=1 - entry.chance,
                audit_key=entry.suggestion.audit_key,
                status=ReviewItem.Status.CLOSED if closed_as else ReviewItem.Status.OPEN,
            )
        )
    ReviewItem.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
    if is_unread and any(row.status == ReviewItem.Status.OPEN for row in rows):
        _open_unread(note_item)


def _is_settled(older_jobs: Sequence[int]) -> Q:
    """Span items that answer for an equal span: decided, accepted under a certificate, or, of another labeler, part of
    a test, which nothing may be taken from.
    """
    is_tested = Q(status=ReviewItem.Status.HELD) | Q(status=ReviewItem.Status.OPEN, stream=ReviewItem.Stream.AUDIT)
    return Q(status__in=[ReviewItem.Status.DECIDED, ReviewItem.Status.CERTIFIED]) | (
        is_tested & ~Q(suggestion__job__in=older_jobs)
    )


def _open_unread(note_item: ReviewItem) -> None:
    """Open a note that is done without a reader, and its reading: something in it is to be asked."""
    ReviewItem.objects.filter(pk=note_item.pk).update(status=ReviewItem.Status.OPEN, version=F("version") + 1)
    note_item.status = ReviewItem.Status.OPEN
    AnnotationSet.objects.filter(document=note_item.document_id, annotator=None).update(
        status=AnnotationSet.Status.OPEN, submitted_at=None
    )
    tell_read(document_ids=[note_item.document_id])


@transaction.atomic
def queue_trial(*, project: Project, reviewer: User, now: datetime) -> None:
    """Queue the notes of the reviewer's try, and begin one where they have another.

    With suggestions, those that the first reader of a note was given and that no later ones took the place of.
    """
    trial = begin_trial(project=project, user=reviewer, now=now)
    if trial is None:
        return
    queued = ReviewItem.objects.filter(unit=ReviewItem.Unit.TRIAL, leased_by=reviewer)
    is_shown = trial.qualification.suggestions == Qualification.Suggestions.SHOWN
    for note in trial.notes.exclude(document__in=queued.values("document")).order_by("pk"):
        of_note = ReviewItem.objects.filter(document=note.document_id)
        last = of_note.filter(slot__gte=FIRST_APART).aggregate(last=Max("slot"))["last"]
        slot = FIRST_APART if last is None else last + 1
        stream = ReviewItem.Stream.UNCERTAIN if is_shown else ReviewItem.Stream.BLIND
        ReviewItem.objects.create(
            project=project,
            document_id=note.document_id,
            unit=ReviewItem.Unit.TRIAL,
            slot=slot,
            stream=stream,
            leased_by=reviewer,
        )
        first = of_note.filter(unit=ReviewItem.Unit.SPAN, slot=1).exclude(reason__in=[SUPERSEDED, INHERITED])
        ReviewItem.objects.bulk_create(
            ReviewItem(
                project=project,
                document_id=note.document_id,
                suggestion_id=item.suggestion_id,
                unit=ReviewItem.Unit.TRIAL_SPAN,
                slot=slot,
                priority=item.priority,
            )
            for item in (first.order_by("pk") if is_shown else first.none())
        )


def tell_read(*, document_ids: Collection[int]) -> None:
    """Have these notes adjudicated as far as they are read: where several readings of them are submitted, and none of
    their slots waits for a reader. Call it in the transaction that changes a slot or a reading.
    """
    waiting = ReviewItem.objects.filter(
        document__in=document_ids, unit=ReviewItem.Unit.NOTE, status=ReviewItem.Status.OPEN
    )
    notes_read(document_ids=document_ids, waiting=set(waiting.values_list("document_id", flat=True)))


@transaction.atomic
def fill_slots(*, sets: QuerySet[AnnotationSet]) -> int:
    """Give each of these submitted readings, which came from outside, a reader's slot of its note; how many got one.

    The slot is done, as if its reader had reviewed the note here: the note waits for one reader less. What certificates
    accepted there is withdrawn: the person has read it. Slots that someone has begun stay theirs. In a round it is the
    reader's own, else one assigned to nobody, else the last.
    """
    submitted = sets.filter(
        kind=AnnotationSet.Kind.READING, status=AnnotationSet.Status.SUBMITTED, annotator__isnull=False
    )
    # Open ones, and those that certificates alone have finished.
    free = ReviewItem.objects.filter(unit=ReviewItem.Unit.NOTE, leased_by=None)
    slots: dict[int, list[ReviewItem]] = {}
    for item in free.filter(document__in=submitted.values("document")).order_by("slot"):
        slots.setdefault(item.document_id, []).append(item)
    readers = set(
        ReviewItem.objects.filter(unit=ReviewItem.Unit.NOTE, document__in=list(slots), leased_by__isnull=False)
        .values_list("document_id", "leased_by_id")
        .iterator()
    )
    filled: list[ReviewItem] = []
    for found in submitted.filter(document__in=list(slots)).select_related("annotator").order_by("pk"):
        if slots[found.document_id] and (found.document_id, found.annotator_id) not in readers:
            item = _slot_for(found.reader.pk, slots[found.document_id])
            slots[found.document_id].remove(item)
            item.status, item.leased_by_id = ReviewItem.Status.DECIDED, found.annotator_id
            filled.append(item)
    for item in filled:
        ReviewItem.objects.filter(pk=item.pk, version=item.version).update(
            status=item.status,
            leased_by=item.leased_by_id,
            assigned_to=item.leased_by_id if item.round_id else None,
            handed_back_by=None,
            version=F("version") + 1,
        )
        ReviewItem.objects.filter(
            document_id=item.document_id,
            slot=item.slot,
            unit__in=ASKED_OF_READER,
            status__in=[*_WAITING, ReviewItem.Status.CERTIFIED],
        ).update(status=ReviewItem.Status.CLOSED, reason=LATE, version=F("version") + 1)
    if filled:
        withdraw_unread(document_ids={item.document_id for item in filled})
    read = set(submitted.values_list("document_id", flat=True))
    if read:
        tell_read(document_ids=read)
    return len(filled)


def _slot_for(annotator_id: int, free: Sequence[ReviewItem]) -> ReviewItem:
    """Of the free slots of a note, in their order, the one that a reading from outside takes."""
    own = [item for item in free if item.assigned_to_id == annotator_id]
    unassigned = [item for item in free if item.assigned_to_id is None]
    return (own or unassigned or list(free[-1:]))[0]
