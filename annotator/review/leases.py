"""Who holds which note: a lease of ten minutes on its note item, taken and renewed by one conditional update each.

`leased_by` stays after a lease has run out: it names the reader whose set the note's annotations are in. Who takes the
note over takes that set over too, so that nothing done in it is lost or left behind; every annotation and decision
keeps the name of who made it.

In a round a note is for whom it is assigned to (`is_for`), and a lease that has run out changes nothing of that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import hand_over, open_set
from annotator.audit.services import record_event
from annotator.documents.models import Document
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.models import Membership, Project
from annotator.qualification.selectors import is_on_trial, open_notes
from annotator.review.models import IN_HAND, ReviewItem, RoundJob, RoundReader
from annotator.review.policies import next_note
from annotator.review.queue import queue_trial
from annotator.review.second_reads import second_notes, takeable_seconds

LEASE = timedelta(minutes=10)


class LeaseConflict(Exception):
    """The note cannot be worked on by this person now; the message says why, for the page."""


def take_next(*, project: Project, reviewer: User, now: datetime) -> ReviewItem | None:
    """Lease the note that comes next by the project's policy (`review.policies`); None where none is left for them.

    A note that the person holds already comes first, so that a second click does not hold two; then audits that a test
    waits for a second reader of; then what is assigned to them, the first due first; what they left for later comes
    last. Who has to qualify gets the notes of their try, which begins with the first.
    """
    if is_on_trial(project=project, user=reviewer):
        queue_trial(project=project, reviewer=reviewer, now=now)
        item = trial_notes(project=project, reviewer=reviewer).first()
        is_held = item is not None and (item.lease_expires_at or now) > now
        return item if item is None or is_held or _take(item, reviewer=reviewer, now=now) else None
    while True:
        held = held_notes(project=project, reviewer=reviewer, now=now).first()
        notes = takeable_notes(project=project, reviewer=reviewer, now=now)
        second = takeable_seconds([project], reviewer=reviewer, now=now).first()
        is_left = second is not None and second.skipped_at is not None
        item = (
            held
            or (None if is_left else second)
            or _assigned(notes, project, reviewer)
            or next_note(notes, project=project, reviewer=reviewer)
            or second
        )
        if item is None or item == held or _take(item, reviewer=reviewer, now=now):
            return item


def take_note(*, document: Document, reviewer: User, now: datetime) -> ReviewItem:
    """Lease a slot of this note. Raises LeaseConflict where there is none for this person.

    Who has to qualify gets their try's notes only, and what they hold already. Who may be the second reader of its
    audits is that first, since their own slot would show what the first reader said.
    """
    project = document.project
    items = takeable_notes(project=project, reviewer=reviewer, now=now, with_held=True)
    item = items.filter(document=document).first()
    if item is None and not is_on_trial(project=project, user=reviewer):
        seconds = takeable_seconds([project], reviewer=reviewer, now=now, with_held=True)
        item = seconds.filter(document=document).first()
    if item is None:
        held = held_notes(project=project, reviewer=reviewer, now=now).filter(document=document).first()
        if held is not None and held.is_read_by(reviewer):
            return held
    if item is None or not _take(item, reviewer=reviewer, now=now):
        raise LeaseConflict(
            "This note cannot be taken: it is someone else's to read, it is done, or it has no labels yet."
        )
    return item


def take_note_of(*, item: ReviewItem, reviewer: User, now: datetime) -> ReviewItem | None:
    """Lease the note of a span item, or go on holding it; None where someone else has come before."""
    project = item.document.project
    if item.unit in (ReviewItem.Unit.SECOND, ReviewItem.Unit.SECOND_SPAN):
        notes = takeable_seconds([project], reviewer=reviewer, now=now, with_held=True)
    else:
        notes = takeable_notes(project=project, reviewer=reviewer, now=now, with_held=True)
    note_item = notes.filter(document=item.document_id, slot=item.slot).first()
    if note_item is None:
        return None
    is_held = note_item.leased_by_id == reviewer.pk and (note_item.lease_expires_at or now) > now
    return note_item if is_held or _take(note_item, reviewer=reviewer, now=now) else None


def hold(*, note_item: ReviewItem, reviewer: User, now: datetime) -> bool:
    """Lock the note for work that is being saved, and renew its lease; call it in the transaction that saves.

    Late work counts: False only where someone else has taken the note, or it was given to others of its round.
    """
    mine = ReviewItem.objects.filter(_is_read_by(reviewer), pk=note_item.pk)
    return bool(mine.update(lease_expires_at=now + LEASE))


def renew(*, note_item: ReviewItem, reviewer: User, now: datetime) -> bool:
    """Push the lease on while the reviewer is active; False where the note is no longer theirs."""
    mine = ReviewItem.objects.filter(_is_read_by(reviewer), pk=note_item.pk, status=ReviewItem.Status.OPEN)
    return bool(mine.update(lease_expires_at=now + LEASE))


def put_back(*, note_item: ReviewItem, reviewer: User, now: datetime) -> None:
    """Let the note go unfinished: it comes back after all others. What was decided in it stays."""
    ReviewItem.objects.filter(pk=note_item.pk, leased_by=reviewer, status=ReviewItem.Status.OPEN).update(
        lease_expires_at=None, skipped_at=now
    )


def release(*, note_item: ReviewItem, reviewer: User) -> None:
    """End the lease of someone who works elsewhere now. What was decided stays, and the note keeps its place."""
    ReviewItem.objects.filter(pk=note_item.pk, leased_by=reviewer, status=ReviewItem.Status.OPEN).update(
        lease_expires_at=None
    )


def let_go(*, project: Project, reviewer: User) -> None:
    """End all leases of someone who reviews in the project no longer: others may take these notes over at once, and
    those of a round whoever reads in it.
    """
    notes = ReviewItem.objects.filter(project=project, unit__in=IN_HAND, status=ReviewItem.Status.OPEN)
    notes.filter(leased_by=reviewer, lease_expires_at__isnull=False).update(lease_expires_at=None)
    notes.filter(assigned_to=reviewer).update(assigned_to=None, version=F("version") + 1)


def held_notes(*, project: Project, reviewer: User, now: datetime) -> QuerySet[ReviewItem]:
    """Open notes that the reviewer holds, the one that runs out last first."""
    return ReviewItem.objects.filter(
        project=project,
        unit__in=IN_HAND,
        status=ReviewItem.Status.OPEN,
        leased_by=reviewer,
        lease_expires_at__gt=now,
    ).order_by("-lease_expires_at")


def takeable_notes(*, project: Project, reviewer: User, now: datetime, with_held: bool = False) -> QuerySet[ReviewItem]:
    """Open notes for the reviewer that nobody else holds and of which they have no other slot and no set yet, best
    first; a note once for each slot that is free. Of who has to qualify, those of their try.
    """
    if is_on_trial(project=project, user=reviewer):
        return trial_notes(project=project, reviewer=reviewer)
    notes = takeable_in([project], reviewer=reviewer, now=now, with_held=with_held)
    return notes.select_related("document__project").order_by(F("skipped_at").asc(nulls_first=True), "-priority", "pk")


def takeable_in(
    projects: Collection[Project], *, reviewer: User, now: datetime, with_held: bool = False
) -> QuerySet[ReviewItem]:
    """Those of several projects in which the reviewer has not to qualify first, in no order; none that waits for a
    second reader who may be this one.
    """
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    if with_held:
        is_free |= Q(leased_by=reviewer)
    # Lists of ids, not EXISTS for each row: SQLite would look through the wrong index, ten thousand times.
    items = ReviewItem.objects.filter(unit=ReviewItem.Unit.NOTE)
    others = Q(document__in=items.filter(leased_by=reviewer).values("document"))
    others |= Q(document__in=items.filter(assigned_to=reviewer).values("document"))
    sets = AnnotationSet.objects.filter(annotator=reviewer).exclude(kind=AnnotationSet.Kind.SECOND)
    others |= Q(document__in=sets.values("document"))
    notes = ReviewItem.objects.filter(project__in=projects, unit=ReviewItem.Unit.NOTE, status=ReviewItem.Status.OPEN)
    is_new = Q(leased_by=reviewer) | Q(assigned_to=reviewer) | ~others
    seconds = second_notes(projects, reviewer=reviewer).order_by()
    notes = notes.exclude(document__in=seconds.values("document"))
    return notes.filter(is_free).filter(is_for(reviewer, now=now)).filter(is_new)


def count_takeable(project: Project, *, reviewer: User, now: datetime) -> int:
    """How many notes of the project there are for the reviewer, who has not to qualify first. Two queries."""
    notes = takeable_in([project], reviewer=reviewer, now=now, with_held=True)
    seconds = takeable_seconds([project], reviewer=reviewer, now=now, with_held=True).order_by()
    return sum(found.values("document").distinct().count() for found in (notes, seconds))


def is_for(reviewer: User, *, now: datetime) -> Q:
    """Note items that are this person's to read: those of no round; those assigned to them; and, of the rounds that
    they read in, what someone else handed back and what is assigned to who is away. Of a round that is still being
    made, or taken back, nothing.
    """
    rounds = RoundReader.objects.filter(user=reviewer).values("round")
    away = Membership.objects.filter(away_until__gte=timezone.localdate(now))
    of_who_is_away = Q(assigned_to__in=away.values("user")) & Exists(
        away.filter(project=OuterRef("project"), user=OuterRef("assigned_to"))
    )
    is_handed_back = Q(assigned_to=None) & ~Q(handed_back_by=reviewer)
    is_theirs = Q(round=None) | Q(assigned_to=reviewer) | Q(is_handed_back | of_who_is_away, round__in=rounds)
    return is_theirs & ~Q(round__in=RoundJob.objects.values("round"))


def _is_read_by(reviewer: User) -> Q:
    """`ReviewItem.is_read_by`, asked of the database."""
    return Q(Q(round=None) | Q(assigned_to=reviewer), leased_by=reviewer)


def _assigned(notes: QuerySet[ReviewItem], project: Project, reviewer: User) -> ReviewItem | None:
    """Of the notes assigned to the reviewer and not left for later, of the round that is due first, the one that comes
    next.
    """
    mine = notes.filter(assigned_to=reviewer, skipped_at=None)
    first = mine.order_by(F("round__due_on").asc(nulls_last=True), "round__number").values_list("round").first()
    return next_note(mine.filter(round=first[0]), project=project, reviewer=reviewer, in_round=True) if first else None


def trial_notes(*, project: Project, reviewer: User) -> QuerySet[ReviewItem]:
    """What is left to read of the reviewer's open try, which nobody else is ever given."""
    return (
        ReviewItem.objects.filter(
            project=project, unit=ReviewItem.Unit.TRIAL, status=ReviewItem.Status.OPEN, leased_by=reviewer
        )
        .filter(document__in=open_notes(project=project, user=reviewer))
        .select_related("document__project")
        .order_by(F("skipped_at").asc(nulls_first=True), "pk")
    )


@transaction.atomic
def _take(item: ReviewItem, *, reviewer: User, now: datetime) -> bool:
    """Lease the item as it was read; False where it has changed since."""
    taken = ReviewItem.objects.filter(pk=item.pk, version=item.version, status=ReviewItem.Status.OPEN).update(
        leased_by=reviewer,
        lease_expires_at=now + LEASE,
        assigned_to=reviewer if item.round_id else None,
        handed_back_by=None,
        version=F("version") + 1,
    )
    if not taken:
        return False
    if item.leased_by_id not in (None, reviewer.pk):
        hand_over(document_id=item.document_id, annotator_id=item.leased_by_id, to=reviewer, kind=item.set_kind)
    open_set(document=item.document, annotator=reviewer, kind=item.set_kind)
    document = item.document
    record_event(
        project=document.project.public_id,
        actor=reviewer,
        verb="note.take",
        object_id=document.public_id,
        now=now,
        detail={"slot": item.slot, "from": item.leased_by_id if item.leased_by_id != reviewer.pk else None},
    )
    if item.lease_expires_at is not None and item.leased_by_id != reviewer.pk:  # who let it go knows
        notify(
            users=[item.leased_by_id],
            kind=Kind.NOTE_TAKEN,
            project=document.project.public_id,
            actor=reviewer,
            now=now,
        )
    item.refresh_from_db()
    return True
