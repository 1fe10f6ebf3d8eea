"""Reading accounts and links."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from annotator.accounts.models import BrowserSession, SignInLink, User
from annotator.accounts.two_factor import two_factor_of

_Kind = SignInLink.Kind
USED = {
    _Kind.SIGN_IN: "This link has been used. It signs in once.",
    _Kind.RESET: "This link has been used, or a newer one was made. It sets a password once.",
}
EXPIRED = {
    _Kind.SIGN_IN: "This link has expired. It is good for ten minutes.",
    _Kind.RESET: "This link has expired. It is good for 24 hours.",
}


class LinkInvalid(Exception):
    """A link that does nothing; the message says why and is shown."""


def user_named(username: str) -> User | None:
    """The account of that name, for the command line. One query."""
    return User.objects.filter(username=username).first()


def has_password() -> bool:
    """Whether any account has a password. One query."""
    return User.objects.exclude(Q(password="") | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)).exists()


def has_administrator() -> bool:
    """Whether anybody who is let in administers the installation. One query."""
    return User.objects.filter(is_staff=True, is_active=True).exists()


def accounts() -> QuerySet[User]:
    """Every account by name, with `n_roles`, `last_active_at` and `has_second_factor`. One query."""
    roles = User.objects.filter(pk=OuterRef("pk")).values("pk").annotate(n=Count("memberships"))
    newest = BrowserSession.objects.filter(user=OuterRef("pk")).order_by("-active_at").values("active_at")[:1]
    return User.objects.annotate(
        n_roles=Subquery(roles.values("n"), output_field=IntegerField()),
        last_active_at=Coalesce(Subquery(newest), "last_login"),
        has_second_factor=two_factor_of("pk"),
    ).order_by("username")


def account(public_id: str) -> User | None:
    """One of `accounts`. One query."""
    return accounts().filter(public_id=public_id).first()


def link_of_token(*, kind: SignInLink.Kind, token: str, now: datetime) -> SignInLink:
    """The unused link of `token`, with its user. Raises LinkInvalid. One query."""
    link = SignInLink.objects.select_related("user").filter(kind=kind, token_sha256=token_digest(token)).first()
    if link is None or not link.user.is_active:
        raise LinkInvalid("This link is not known here.")
    if link.used_at is not None:
        raise LinkInvalid(USED[kind])
    if link.expires_at <= now:
        raise LinkInvalid(EXPIRED[kind])
    return link


def token_digest(token: str) -> str:
    """What is stored of a token: a token of 256 random bits needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
