"""API tokens: made, shown once, found by their hash, revoked."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet

from annotator.accounts.events import NO_PROJECT
from annotator.accounts.models import ApiToken, User
from annotator.accounts.selectors import token_digest
from annotator.audit.services import record_event

# What scanners of source code look for.
PREFIX = "mgn_"
NAME_LENGTH = 80
LIFETIMES = (7, 30, 90, 365)
DEFAULT_LIFETIME = 90
USED_EVERY = timedelta(minutes=1)
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class TokenError(ValueError):
    """A token that cannot be made as asked; the message says why."""


class Scope(StrEnum):
    """What a token may be used for, as far as its user's role allows it."""

    READ = "read"
    REVIEW = "review"
    IMPORT = "import"
    RUN = "run"
    BUILD = "build"
    MANAGE = "manage"


SCOPES = {
    Scope.READ: "notes, suggestions, annotations and runs",
    Scope.REVIEW: "take notes, decide in your name",
    Scope.IMPORT: "bring notes in",
    Scope.RUN: "start, watch and stop runs",
    Scope.BUILD: "build and download datasets",
    Scope.MANAGE: "make projects, read decisions",
}


@transaction.atomic
def make_token(
    *, user: User, name: str, scopes: Sequence[str], project: str, lifetime: timedelta, now: datetime
) -> tuple[ApiToken, str]:
    """A token of `user` and its text, which is not stored and cannot be had again. Raises TokenError.

    `project` is the public id of the only project it opens, of which the user must be a member, or "".
    """
    title = " ".join(name.split())
    if not 0 < len(title) <= NAME_LENGTH:
        raise TokenError(f"a token's name has 1 to {NAME_LENGTH} characters")
    chosen = [scope.value for scope in Scope if scope in scopes]
    if not chosen or len(chosen) < len(set(scopes)):
        raise TokenError(f"scopes are one or more of {', '.join(Scope)}")
    if project and not user.memberships.filter(project__public_id=project).exists():
        raise TokenError(f"{user.get_username()!r} is not a member of that project")
    if not timedelta() < lifetime <= timedelta(days=max(LIFETIMES)):
        raise TokenError(f"a token is good for 1 to {max(LIFETIMES)} days")
    text = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=title,
        token_sha256=token_digest(text),
        scopes=chosen,
        project=project,
        created_at=now,
        expires_at=now + lifetime,
    )
    record_event(
        project=NO_PROJECT,
        actor=user,
        verb="token.make",
        object_id=token.public_id,
        now=now,
        detail={"scopes": chosen, "project": project, "days": lifetime.days},
    )
    return token, text


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: User, now: datetime) -> None:
    """End the token at once; one that was revoked stays as it is."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        record_event(project=NO_PROJECT, actor=actor, verb="token.revoke", object_id=token.public_id, now=now)


def token_in_force(*, text: str, now: datetime) -> ApiToken | None:
    """The token of that text with its user; None where it is unknown, expired or revoked, or its user is disabled.

    One query; none for what is no token at all.
    """
    if not _TOKEN.fullmatch(text):
        return None
    return (
        ApiToken.objects.select_related("user")
        .filter(token_sha256=token_digest(text), revoked_at=None, user__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )


def note_use(*, token: ApiToken, now: datetime) -> None:
    """Keep when the token was last used, to the minute: most requests write nothing."""
    if token.used_at is None or now - token.used_at >= USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(used_at=now)


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens that were not revoked, newest first. One query."""
    return ApiToken.objects.filter(user=user, revoked_at=None).order_by("-pk")


def projects_to_choose(user: User) -> list[tuple[str, str]]:
    """The user's projects as (public id, name), by name. One query."""
    rows = user.memberships.order_by("project__name", "pk")
    return list(rows.values_list("project__public_id", "project__name"))
