"""Accounts: made, signed in to by password or by link, signed out of."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from annotator.accounts.models import SignInLink, User
from annotator.accounts.selectors import LinkInvalid, has_password, link_of_token, token_digest, user_named
from annotator.audit.services import record_event

LINK_LIFETIME = timedelta(minutes=10)
FIRST_USERNAME = "lead"
NO_PROJECT = ""


class AccountError(ValueError):
    """An account that cannot be made or signed in to as asked; the message says why."""


@transaction.atomic
def create_user(*, username: str, actor: User | None, now: datetime) -> User:
    """An account without a password: its first way in is a sign-in link.

    Raises AccountError where the name is taken or has other than letters, digits and @ . + - _.
    """
    user = User(username=username)
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise AccountError(f"user {username!r}: {' '.join(error.messages)}") from error
    user.save(force_insert=True)
    _record(verb="account.create", user=user, actor=actor, now=now)
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
    _record(verb="account.activate", user=user, actor=actor, now=now)


@transaction.atomic
def first_sign_in_link(*, now: datetime) -> str | None:
    """The path of a link for the first person here; None once any account has a password.

    The link is for the account `lead`, which is made where there is no account at all, else for the oldest one.
    """
    if has_password():
        return None
    active = User.objects.filter(is_active=True)
    user = active.filter(username=FIRST_USERNAME).first() or active.order_by("pk").first()
    if user is None:
        user = create_user(username=FIRST_USERNAME, actor=None, now=now)
    return _new_link(user=user, now=now)


@transaction.atomic
def sign_in_link(*, username: str, now: datetime) -> str:
    """The path of a link that signs `username` in once, within ten minutes. Raises AccountError."""
    user = user_named(username)
    if user is None:
        raise AccountError(f"there is no user {username!r}")
    if not user.is_active:
        raise AccountError(f"the account of {username!r} is disabled")
    return _new_link(user=user, now=now)


@transaction.atomic
def redeem_link(*, token: str, now: datetime) -> User:
    """The user of the link, which is used up with it, as are the user's other links. Raises LinkInvalid."""
    link = link_of_token(token=token, now=now)
    if not SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now):
        raise LinkInvalid("This link has been used. It signs in once.")
    SignInLink.objects.filter(user=link.user, used_at=None).update(used_at=now)
    _record(verb="account.sign_in", user=link.user, actor=link.user, now=now, by="link")
    return link.user


@transaction.atomic
def set_password(*, user: User, password: str, now: datetime) -> None:
    """Give the user a password that the form has validated. Their links end, and so do their other sessions."""
    user.set_password(password)
    user.save(update_fields=["password"])
    SignInLink.objects.filter(user=user, used_at=None).update(used_at=now)
    _record(verb="account.password_set", user=user, actor=user, now=now)


def record_sign_in(*, user: User, now: datetime) -> None:
    _record(verb="account.sign_in", user=user, actor=user, now=now, by="password")


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
    _record(verb="account.sign_out", user=user, actor=user, now=now)


def _new_link(*, user: User, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, token_sha256=token_digest(token), expires_at=now + LINK_LIFETIME)
    _record(verb="account.link", user=user, actor=None, now=now)
    return reverse("accounts:first", args=[token])


def _record(*, verb: str, user: User, actor: User | None, now: datetime, **detail: str) -> None:
    record_event(project=NO_PROJECT, actor=actor, verb=verb, object_id=user.public_id, now=now, detail=detail)
