"""Second factors for tests: what the app of a phone shows."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from annotator.accounts import two_factor
from annotator.accounts.models import User


def code_at(secret: str, at: datetime) -> str:
    return str(format_hotp_value(hotp_value(secret, int(at.timestamp()) // 30)))


def set_up(user: User, *, now: datetime) -> tuple[str, list[str]]:
    """Turn the second factor on; its secret, and the recovery codes."""
    encrypted = two_factor.new_secret()
    secret = two_factor.readable_secret(encrypted).replace(" ", "")
    return secret, two_factor.turn_on(user=user, encrypted=encrypted, code=code_at(secret, now), now=now)
