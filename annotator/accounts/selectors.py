"""Reading accounts and sign-in links."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Q

from annotator.accounts.models import SignInLink, User


class LinkInvalid(Exception):
    """A sign-in link that signs nobody in; the message says why and is shown."""


def user_named(username: str) -> User | None:
    """The account of that name, for the command line. One query."""
    return User.objects.filter(username=username).first()


def has_password() -> bool:
    """Whether any account has a password. One query."""
    return User.objects.exclude(Q(password="") | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)).exists()


def link_of_token(*, token: str, now: datetime) -> SignInLink:
    """The unused link of `token`, with its user. Raises LinkInvalid. One query."""
    link = SignInLink.objects.select_related("user").filter(token_sha256=token_digest(token)).first()
    if link is None or not link.user.is_active:
        raise LinkInvalid("This link is not known here.")
    if link.used_at is not None:
        raise LinkInvalid("This link has been used. It signs in once.")
    if link.expires_at <= now:
        raise LinkInvalid("This link has expired. It is good for ten minutes.")
    return link


def token_digest(token: str) -> str:
    """What is stored of a token: a token of 256 random bits needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
