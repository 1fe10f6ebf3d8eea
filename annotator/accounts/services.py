"""Accounts: made, signed in to by password or by link, signed out of."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from annotator.accounts import lockout
from annotator.accounts.events import NO_PROJECT, record_account_event
from annotator.accounts.models import ApiToken, SignInLink, User
from annotator.accounts.selectors import (
    USED,
    LinkInvalid,
    has_administrator,
    has_password,
    link_of_token,
    token_digest,
    user_named,
)
from annotator.accounts.sessions import end_sessions
from annotator.audit.services import record_event

_Kind = SignInLink.Kind
LIFETIMES = {_Kind.SIGN_IN: timedelta(minutes=10), _Kind.RESET: timedelta(hours=24)}
PAGES = {_Kind.SIGN_IN: "accounts:first", _Kind.RESET: "accounts:reset"}
FIRST_USERNAME = "lead"


class AccountError(ValueError):
    """An account that cannot be made or signed in to as asked; the message says why."""


@transaction.atomic
def create_user(*, username: str, actor: User | None, now: datetime, is_administrator: bool = False) -> User:
    """An account without a password: its first way in is a link.

    Raises AccountError where the name is taken or has other than letters, digits and @ . + - _.
    """
    user = User(username=username, is_staff=is_administrator)
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise AccountError(f"user {username!r}: {' '.join(error.messages)}") from error
    if User.objects.filter(username__iexact=username).exists():
        raise AccountError(f"user {username!r}: there is one whose name differs in capitals only")
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:  # two at once
        raise AccountError(f"user {username!r}: a user with that username already exists") from error
    record_account_event(verb="account.create", user=user, actor=actor, now=now)
    if is_administrator:
        record_account_event(verb="account.administrator", user=user, actor=actor, now=now)
    return user


@transaction.atomic
def activate_user(*, user: User, actor: User | None, now: datetime) -> None:
    """Let in a person whose account an import has made. Raises AccountError where the account had a password: it was
    disabled, which is not for this to undo.
    """
    if user.has_usable_password():
        raise AccountError(f"the account of {user.username!r} is disabled")
    user.is_active = True
    user.save(update_fields=["is_active"])
    record_account_event(verb="account.activate", user=user, actor=actor, now=now)


@transaction.atomic
def first_user(*, now: datetime) -> User | None:
    """The person who is to set the first password here; None once any account has one.

    That is `lead`, who is made where there is no account at all, else the oldest account; an administrator, where
    there is none yet.
    """
    if has_password():
        return None
    active = User.objects.filter(is_active=True)
    user = active.filter(username=FIRST_USERNAME).first() or active.order_by("pk").first()
    if user is None:
        return create_user(username=FIRST_USERNAME, actor=None, now=now, is_administrator=True)
    if not has_administrator():
        user.is_staff = True
        user.save(update_fields=["is_staff"])
        record_account_event(verb="account.administrator", user=user, actor=None, now=now)
    return user


@transaction.atomic
def first_sign_in_link(*, now: datetime) -> str | None:
    """The path of a link for the first person here; None once any account has a password."""
    user = first_user(now=now)
    return None if user is None else _new_link(user=user, kind=_Kind.SIGN_IN, actor=None, now=now)


@transaction.atomic
def sign_in_link(*, username: str, now: datetime) -> str:
    """The path of a link that signs `username` in once, within ten minutes. Raises AccountError."""
    return _new_link(user=_active_user(username), kind=_Kind.SIGN_IN, actor=None, now=now)


@transaction.atomic
def reset_link(*, username: str, actor: User | None, now: datetime) -> str:
    """The path of a link by which `username` sets a new password once, within a day, from any machine.

    It ends the links made before it. Raises AccountError, also where an administrator means their own account, whose
    password they know.
    """
    user = _active_user(username)
    if user == actor:
        raise AccountError("change your own password on the page of your account")
    SignInLink.objects.filter(user=user, kind=_Kind.RESET, used_at=None).update(used_at=now)
    return _new_link(user=user, kind=_Kind.RESET, actor=actor, now=now)


@transaction.atomic
def redeem_link(*, token: str, now: datetime) -> User:
    """The user of the link, which is used up with it, as are the user's other links. Raises LinkInvalid."""
    user = _use_link(kind=_Kind.SIGN_IN, token=token, now=now)
    record_account_event(verb="account.link_used", user=user, actor=user, now=now)
    return user


@transaction.atomic
def reset_password(*, token: str, password: str, now: datetime) -> User:
    """Give the user of the reset link the password, which the form has validated. Raises LinkInvalid.

    Whoever had the old one is out: the person's sessions and API tokens end. What was locked opens.
    """
    user = _use_link(kind=_Kind.RESET, token=token, now=now)
    set_password(user=user, password=password, now=now)
    lockout.unlock(user)
    record_account_event(verb="account.password_reset", user=user, actor=user, now=now)
    return user


@transaction.atomic
def set_password(*, user: User, password: str, now: datetime, keep_session: str = "") -> None:
    """Give the user a password that the form has validated. Their links and API tokens end, and so do their sessions,
    but for the one whose key is `keep_session`.
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    SignInLink.objects.filter(user=user, used_at=None).update(used_at=now)
    end_sessions(user=user, keep=keep_session)
    revoke_tokens(user=user, now=now)
    record_account_event(verb="account.password_set", user=user, actor=user, now=now)


@transaction.atomic
def end_other_sessions(*, user: User, keep: str, now: datetime) -> int:
    """Sign out everywhere but in the session whose key is `keep`; the number of browsers."""
    n_ended = end_sessions(user=user, keep=keep)
    record_account_event(verb="account.sessions_end", user=user, actor=user, now=now, n_sessions=n_ended)
    return n_ended


def revoke_tokens(*, user: User, now: datetime) -> int:
    """End all of the user's API tokens; how many there were."""
    return ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)


def record_sign_in(*, user: User, now: datetime, by: str = "password") -> None:
    record_account_event(verb="account.sign_in", user=user, actor=user, now=now, by=by)


def record_failed_code(*, user: User, now: datetime) -> None:
    record_account_event(verb="account.code_failed", user=user, actor=None, now=now)


def record_failed_sign_in(*, username: str, now: datetime) -> None:
    """Note a failed sign-in. A name that nobody has is not kept: it is often a password in the wrong field."""
    user = user_named(username)
    record_event(
        project=NO_PROJECT,
        actor=None,
        verb="account.sign_in_failed",
        object_id=user.public_id if user else "unknown",
        now=now,
    )


def record_sign_out(*, user: User, now: datetime) -> None:
    record_account_event(verb="account.sign_out", user=user, actor=user, now=now)


def _active_user(username: str) -> User:
    user = user_named(username)
    if user is None:
        raise AccountError(f"there is no user {username!r}")
    if not user.is_active:
        raise AccountError(f"the account of {username!r} is disabled")
    return user


def _new_link(*, user: User, kind: SignInLink.Kind, actor: User | None, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, kind=kind, token_sha256=token_digest(token), expires_at=now + LIFETIMES[kind])
    record_account_event(verb="account.link", user=user, actor=actor, now=now, kind=kind.value)
    return reverse(PAGES[kind], args=[token])


def _use_link(*, kind: SignInLink.Kind, token: str, now: datetime) -> User:
    """The user of the link, which is used up with it, as are the user's others. Raises LinkInvalid."""
    link = link_of_token(kind=kind, token=token, now=now)
    if not SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now):
        raise LinkInvalid(USED[kind])
    SignInLink.objects.filter(user=link.user, used_at=None).update(used_at=now)
    return link.user
