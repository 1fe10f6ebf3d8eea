"""Second readings of audits: who may take which, and what the second readers said.

A second reader has the note to themselves, in a slot of its own, as it was suggested: what they are to decide is an
open audit there, everything else is held. So the page, the API, keys, undo and leases are those of any note, and
nothing that the first reader did is in it. `review.seconding` asks for them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import members_who
from annotator.qualification.models import Qualification
from annotator.qualification.selectors import admissions_under, annotators, current_qualification
from annotator.review.models import Barred, ReviewItem

_Status = ReviewItem.Status
_Unit = ReviewItem.Unit


def second_notes(projects: Collection[Project], *, reviewer: User) -> QuerySet[ReviewItem]:
    """The notes that wait for a second reader who may be this person, whoever holds them now: those in which they have
    neither decided first nor been since, and of which they are the second reader in no other slot.
    """
    waiting = ReviewItem.objects.filter(project__in=projects, unit=_Unit.SECOND, status=_Status.OPEN)
    theirs = AnnotationSet.objects.filter(annotator=reviewer, kind=AnnotationSet.Kind.SECOND).values("document")
    barred = Barred.objects.filter(user=reviewer).values("item")
    return waiting.filter(Q(leased_by=reviewer) | ~Q(document__in=theirs)).exclude(pk__in=barred)


def takeable_seconds(
    projects: Collection[Project], *, reviewer: User, now: datetime, with_held: bool = False
) -> QuerySet[ReviewItem]:
    """Those of them that nobody else holds, what was left for later last. The reviewer has not to qualify first."""
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    if with_held:
        is_free |= Q(leased_by=reviewer)
    notes = second_notes(projects, reviewer=reviewer).filter(is_free).select_related("document__project")
    return notes.order_by(F("skipped_at").asc(nulls_first=True), "pk")


def next_second_span(*, project: Project, reviewer: User, now: datetime) -> ReviewItem | None:
    """The audit that this person is to decide as its second reader, in the random order. Two queries at most."""
    notes = takeable_seconds([project], reviewer=reviewer, now=now, with_held=True).order_by()
    if not notes.exists():
        return None
    of_notes = Exists(notes.filter(document=OuterRef("document"), slot=OuterRef("slot")))
    spans = ReviewItem.objects.filter(of_notes, project=project, unit=_Unit.SECOND_SPAN, status=_Status.OPEN)
    in_order = spans.order_by(F("skipped_at").asc(nulls_first=True), "audit_key", "pk")
    return in_order.select_related("document__project").first()


def readers_of(project: Project, *, with_trials: bool = False) -> set[int]:
    """Row ids of who may read the project's notes; of those who have to qualify first only `with_trials`. Three queries
    at most.
    """
    active = User.objects.filter(pk__in=members_who(project, Action.REVIEW), is_active=True)
    readers = set(active.values_list("pk", flat=True))
    current = None if with_trials else current_qualification(project)
    if current is None or current.status != Qualification.Status.ON:
        return readers
    on_trial = annotators(project).exclude(user__in=admissions_under(current).values("user"))
    return readers - set(on_trial.values_list("user", flat=True))
