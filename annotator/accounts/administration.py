"""What an administrator does to accounts. Each act is audited; one active administrator always remains."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts import lockout, two_factor
from annotator.accounts.events import record_account_event
from annotator.accounts.models import User
from annotator.accounts.services import AccountError, revoke_tokens
from annotator.accounts.sessions import end_sessions


@transaction.atomic
def make_administrator(*, user: User, actor: User | None, now: datetime) -> None:
    """Let the user administer the installation. Raises AccountError where the account is disabled."""
    if not user.is_active:
        raise AccountError(f"the account of {user.username!r} is disabled")
    _set(user, is_staff=True)
    record_account_event(verb="account.administrator", user=user, actor=actor, now=now)


@transaction.atomic
def unmake_administrator(*, user: User, actor: User | None, now: datetime) -> None:
    """Raises AccountError for the last one."""
    _refuse_last(user)
    _set(user, is_staff=False)
    record_account_event(verb="account.not_administrator", user=user, actor=actor, now=now)


@transaction.atomic
def disable_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Keep the user out: sessions end at once, API tokens for good. What they annotated stays.

    Raises AccountError for the last administrator.
    """
    _refuse_last(user)
    _set(user, is_active=False)
    end_sessions(user=user)
    revoke_tokens(user=user, now=now)
    record_account_event(verb="account.disable", user=user, actor=actor, now=now)


@transaction.atomic
def enable_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Let a user in again, with the password and the second factor of before; or one whom an import has made."""
    _set(user, is_active=True)
    record_account_event(verb="account.enable", user=user, actor=actor, now=now)


@transaction.atomic
def unlock_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Let a user try again who gave too many wrong passwords or codes."""
    lockout.unlock(user)
    record_account_event(verb="account.unlock", user=user, actor=actor, now=now)


@transaction.atomic
def remove_two_factor(*, user: User, actor: User | None, now: datetime) -> None:
    """For who has lost the second factor. Their sessions and API tokens end, since whoever found it may have one.

    Raises AccountError where there is none, and where an administrator means their own: that needs the password.
    """
    if user == actor:
        raise AccountError("turn your own second factor off on the page of your account, with your password")
    if not two_factor.has_two_factor(user):
        raise AccountError(f"{user.username!r} has no second factor")
    two_factor.turn_off(user=user, actor=actor, now=now)
    end_sessions(user=user)
    revoke_tokens(user=user, now=now)


def _refuse_last(user: User) -> None:
    """Raises AccountError where nobody but the user administers. The rows are locked, so that two administrators who
    take it from each other do not both succeed.
    """
    active = User.objects.select_for_update(no_key=True).filter(is_staff=True, is_active=True).order_by("pk")
    if [administrator.pk for administrator in active] == [user.pk]:
        raise AccountError(f"{user.username!r} is the last administrator: make another one first")


def _set(user: User, **fields: bool) -> None:
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=list(fields))
