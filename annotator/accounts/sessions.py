"""The browsers that people are signed in with: begun, kept awake by what people do, ended."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from annotator.accounts.events import NO_PROJECT
from annotator.accounts.models import BrowserSession, User
from annotator.audit.services import record_event
from annotator.web.addresses import agent_words

CAME_BY_LINK = "came_by_link"  # in the session of who has yet to set a password
TOUCH_EVERY = timedelta(minutes=1)


class End(StrEnum):
    """Why a session is over."""

    IDLE = "idle"
    AGE = "age"


def session_of(*, user: User, session_key: str, agent: str, now: datetime) -> BrowserSession:
    """The row of a signed-in session, made where there is none. One query; more the first time."""
    row, _ = BrowserSession.objects.get_or_create(
        session_key=session_key,
        defaults={"user": user, "agent": agent, "started_at": now, "active_at": now},
    )
    return row


def begin_session(request: HttpRequest, user: User, *, now: datetime) -> None:
    """Sign the user in here, under a new session key, so that one that was planted before is of no use. The session is
    in the person's list from now on.
    """
    login(request, user)
    session_of(user=user, session_key=str(request.session.session_key), agent=agent_words(request), now=now)


def end_of(session: BrowserSession, *, now: datetime) -> End | None:
    """Why the session is over; None while it goes on."""
    if now >= session.started_at + _longest():
        return End.AGE
    return End.IDLE if now >= session.active_at + _idle() else None


def seconds_left(session: BrowserSession, *, now: datetime) -> int:
    """Until the session is over if nothing more is done, rounded up."""
    ends_at = min(session.active_at + _idle(), session.started_at + _longest())
    return max(math.ceil((ends_at - now).total_seconds()), 0)


def is_last_stretch(session: BrowserSession) -> bool:
    """Whether the session's age will end it, however active the person is."""
    return session.started_at + _longest() <= session.active_at + _idle()


def touch(session: BrowserSession, *, now: datetime) -> None:
    """Note that the person did something; written at most once a minute."""
    if now - session.active_at >= TOUCH_EVERY:
        session.active_at = now
        BrowserSession.objects.filter(pk=session.pk, active_at__lt=now).update(active_at=now)


def live_sessions(*, user: User, now: datetime) -> QuerySet[BrowserSession]:
    """The browsers the person is signed in with, the one used last first."""
    known = Session.objects.filter(session_key=OuterRef("session_key"))
    return BrowserSession.objects.filter(
        Exists(known), user=user, active_at__gt=now - _idle(), started_at__gt=now - _longest()
    ).order_by("-active_at", "-pk")


@transaction.atomic
def end_session(*, session: BrowserSession, actor: User | None, now: datetime, why: End | None = None) -> None:
    """Sign a browser out: its next request is refused. `why` where time ended it, and not a person."""
    _delete(BrowserSession.objects.filter(pk=session.pk))
    record_event(
        project=NO_PROJECT,
        actor=actor,
        verb="account.session_end",
        object_id=session.user.public_id,
        now=now,
        detail={"session": session.public_id, "why": why or "asked"},
    )


def end_sessions(*, user: User, keep: str = "") -> int:
    """Sign the person out everywhere but in the session whose key is `keep`; the number of browsers."""
    return _delete(BrowserSession.objects.filter(user=user).exclude(session_key=keep))


def move_session(*, old_key: str, new_key: str) -> None:
    """The session has a new key, as it gets with a new password; it is the same browser."""
    BrowserSession.objects.filter(session_key=old_key).update(session_key=new_key)


def forget_session(*, session_key: str) -> None:
    """The person has signed out of it."""
    _delete(BrowserSession.objects.filter(session_key=session_key))


def sweep_sessions(*, now: datetime) -> None:
    """Delete what has ended by time, so that no cookie of it could begin anew."""
    _delete(BrowserSession.objects.filter(Q(active_at__lte=now - _idle()) | Q(started_at__lte=now - _longest())))
    Session.objects.filter(expire_date__lt=now).delete()


@transaction.atomic
def _delete(rows: QuerySet[BrowserSession]) -> int:
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    BrowserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)


def _idle() -> timedelta:
    return timedelta(minutes=settings.IDLE_MINUTES)


def _longest() -> timedelta:
    return timedelta(seconds=settings.SESSION_COOKIE_AGE)
