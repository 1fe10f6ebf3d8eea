"""Who adjudicates which note: for half an hour by one conditional update; choices and activity renew the lease."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, QuerySet, When

from annotator.accounts.models import User
from annotator.adjudication.selectors import adjudications_of, has_read
from annotator.projects.models import Project
from annotator.readings.models import Adjudication

LEASE = timedelta(minutes=30)
_Status = Adjudication.Status


class LeaseConflict(Exception):
    """The note cannot be adjudicated by this person now; the message says why, for the page."""


def next_for(*, project: Project, adjudicator: User, now: datetime) -> Adjudication | None:
    """The note that comes next for this person: one they hold, else the longest waiting one that nobody holds, those
    that they have read themselves last. One query.
    """
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    found = adjudications_of(project).filter(Q(status=_Status.OPEN) & (free | Q(leased_by=adjudicator)))
    held_first = Case(When(leased_by=adjudicator, lease_expires_at__gte=now, then=0), default=1)
    return found.annotate(is_read=has_read(adjudicator)).order_by(held_first, "is_read", "pk").first()


def lease(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> None:
    """Lease an open note that nobody else holds. Raises LeaseConflict where it has changed since it was read."""
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now) | Q(leased_by=adjudicator)
    taken = Adjudication.objects.filter(
        is_free, pk=adjudication.pk, version=adjudication.version, status=_Status.OPEN
    ).update(leased_by=adjudicator, lease_expires_at=now + LEASE, version=F("version") + 1)
    if not taken:
        raise LeaseConflict("This note cannot be taken: someone else has it, or another reader is still to come.")
    adjudication.refresh_from_db(fields=["leased_by", "lease_expires_at", "version"])


def hold(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> bool:
    """Lock the note for what is being saved, and renew its lease.

    Late work counts: False only where someone else has taken the note, or this person has left it.
    """
    mine = Adjudication.objects.filter(pk=adjudication.pk, leased_by=adjudicator)
    mine = mine.exclude(status=_Status.OPEN, lease_expires_at=None)
    return bool(mine.update(lease_expires_at=now + LEASE, version=F("version") + 1))


def renew(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> bool:
    """Hold an open note for another half an hour; False where it is no longer this person's, or was put back."""
    mine = Adjudication.objects.filter(
        pk=adjudication.pk, status=_Status.OPEN, leased_by=adjudicator, lease_expires_at__isnull=False
    )
    return bool(mine.update(lease_expires_at=now + LEASE, version=F("version") + 1))


def put_back(*, adjudication: Adjudication, adjudicator: User) -> None:
    """Let the note go; what was settled in it stays."""
    _release(Adjudication.objects.filter(pk=adjudication.pk), adjudicator)


def let_go(*, project: Project, adjudicator: User) -> None:
    """End all leases of someone who adjudicates in the project no longer."""
    _release(Adjudication.objects.filter(document__project=project), adjudicator)


def _release(found: QuerySet[Adjudication], adjudicator: User) -> None:
    found.filter(leased_by=adjudicator, lease_expires_at__isnull=False).update(lease_expires_at=None)
