"""Telling people what happened to their work, and keeping count of what they have not read.

The count stands in the row of the person, so that every page shows it without asking. Whoever writes a notice locks
these rows first, and as the last rows of a transaction: after the project and its audit chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotator.accounts.models import User
from annotator.notices.models import Kind, Notice
from annotator.notices.selectors import IS_SHOWN

MOST_KEPT = 500


def notify(
    *,
    users: Iterable[int | None],
    kind: Kind,
    project: str,
    actor: User | None,
    now: datetime,
    subject: str = "",
    detail: Mapping[str, int | str] | None = None,
    n: int = 1,
) -> None:
    """Tell `users` what happened: those who belong to the project, but for the actor.

    `users` are row ids or a query for them, None is nobody; `project` is its public id, `n` how often it happened. To
    be called last in the transaction of what happened. Who has not read of the same kind and subject yet finds one
    notice that counts. Five queries at most, for however many people.
    """
    members = User.objects.filter(memberships__project__public_id=project, is_active=True)
    told = User.objects.filter(pk__in=users).filter(pk__in=members.values("pk"))  # type: ignore[misc]
    ids = _lock(told.exclude(pk=actor.pk) if actor else told)
    if not ids:
        return
    unread = Notice.objects.filter(user__in=ids, project=project, kind=kind, subject=subject, read_at=None)
    again = set(unread.values_list("user_id", flat=True))
    found = dict(detail or {})
    if again:
        unread.update(n=F("n") + n, detail=found, created_at=now)
    Notice.objects.bulk_create(
        Notice(user_id=pk, project=project, kind=kind, subject=subject, n=n, detail=found, created_at=now)
        for pk in ids
        if pk not in again
    )
    _count_unread(ids)


def withdraw_notices(*, project: str, subject: str) -> None:
    """Delete what was told of something that is gone. To be called last in the transaction that took it away."""
    about = Notice.objects.filter(project=project, subject=subject)
    ids = _lock(User.objects.filter(pk__in=about.values("user")))
    about.delete()
    _count_unread(ids)


@transaction.atomic
def mark_read(*, user: User, notices: QuerySet[Notice], now: datetime) -> int:
    """Mark these notices of the person as read; how many were not."""
    _lock(User.objects.filter(pk=user.pk))
    n_read = notices.filter(user=user, read_at=None).update(read_at=now)
    _count_unread([user.pk])
    return n_read


@transaction.atomic
def count_again(*, users: Iterable[int]) -> None:
    """Count what people have not read, after they joined or left a project."""
    _count_unread(_lock(User.objects.filter(pk__in=users)))


def sweep_notices() -> None:
    """Delete what a person has beyond the newest MOST_KEPT."""
    tally = Notice.objects.order_by().values("user").annotate(n_notices=Count("pk"))
    for user_id in list(tally.filter(n_notices__gt=MOST_KEPT).values_list("user", flat=True)):
        with transaction.atomic():
            ids = _lock(User.objects.filter(pk=user_id))
            theirs = Notice.objects.filter(user=user_id)
            kept = theirs.order_by("-created_at", "-pk").values_list("pk", flat=True)[:MOST_KEPT]
            theirs.exclude(pk__in=list(kept)).delete()
            _count_unread(ids)


def _lock(users: QuerySet[User]) -> list[int]:
    """The row ids of the people, locked in their order."""
    return list(users.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _count_unread(ids: Iterable[int]) -> None:
    unread = Notice.objects.filter(user=OuterRef("pk"), read_at=None, **IS_SHOWN).order_by().values("user")
    n_unread = Coalesce(Subquery(unread.annotate(n_unread=Count("pk")).values("n_unread")), 0)
    User.objects.filter(pk__in=ids).update(n_unread_notices=n_unread)
