"""Rows of the lists of accounts and of browsers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from annotator.accounts.models import BrowserSession, User
from annotator.web.pills import Pill

_ACTIVE = Pill("Active", "ok", "check")
_LOCKED = Pill("Locked", "warn", "lock")
_NO_PASSWORD = Pill("No password yet", "", "clock")
_DISABLED = Pill("Disabled", "bad", "x")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account, from a row of `selectors.accounts`."""

    user: User
    pill: Pill
    is_locked: bool
    last_seconds: int | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One browser."""

    session: BrowserSession
    is_current: bool
    started_seconds: int
    active_seconds: int


def person_row(user: User, *, locked: set[int], now: datetime) -> PersonRow:
    """`locked` holds the keys of the locked accounts."""
    last_active_at: datetime | None = user.last_active_at  # type: ignore[attr-defined]
    return PersonRow(
        user=user,
        pill=_pill(user, is_locked=user.pk in locked),
        is_locked=user.pk in locked,
        last_seconds=None if last_active_at is None else _seconds(last_active_at, now),
    )


def session_row(session: BrowserSession, *, current_key: str | None, now: datetime) -> SessionRow:
    return SessionRow(
        session=session,
        is_current=session.session_key == current_key,
        started_seconds=_seconds(session.started_at, now),
        active_seconds=_seconds(session.active_at, now),
    )


def _pill(user: User, *, is_locked: bool) -> Pill:
    if not user.is_active:
        return _DISABLED
    if is_locked:
        return _LOCKED
    return _ACTIVE if user.has_usable_password() else _NO_PASSWORD


def _seconds(at: datetime, now: datetime) -> int:
    return max(int((now - at).total_seconds()), 0)
