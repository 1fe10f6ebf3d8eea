"""The second factor: codes of an app (TOTP, RFC 6238) and recovery codes, by django-allauth's library and table.

Secrets are encrypted with a key made from SECRET_KEY, so that a copy of the database alone gives no codes.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from datetime import datetime
from enum import StrEnum

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.utils import decrypt
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from annotator.accounts.events import record_account_event
from annotator.accounts.models import User

_TOTP, _RECOVERY = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
_STEPS_AWAY = (0, -1, 1)  # clocks differ
logger = logging.getLogger(__name__)


class WrongCode(Exception):
    """A code that opens nothing: not the account's, used before, or too old."""


class Factor(StrEnum):
    """What a code was of."""

    APP = "code"
    RECOVERY = "recovery code"


class EncryptingAdapter(DefaultMFAAdapter):
    """What allauth stores, encrypted."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def has_two_factor(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=_TOTP).exists()


def two_factor_of(user_reference: str) -> Exists:
    """Whether the user of the outer row has a second factor, for a queryset of users."""
    return Exists(Authenticator.objects.filter(user=OuterRef(user_reference), type=_TOTP))


def two_factor_since(user: User) -> datetime | None:
    """When the second factor was turned on; None where it is off."""
    return Authenticator.objects.filter(user=user, type=_TOTP).values_list("created_at", flat=True).first()


def n_recovery_codes(user: User) -> int:
    """How many recovery codes are left; none where they can no longer be read."""
    row = Authenticator.objects.filter(user=user, type=_RECOVERY).first()
    try:
        return len(RecoveryCodes(row).get_unused_codes()) if row else 0
    except InvalidToken:
        return 0


def new_secret() -> str:
    """A secret for an app, encrypted: it waits in the session until its first code has come."""
    return str(get_adapter().encrypt(generate_totp_secret()))


def readable_secret(encrypted: str) -> str:
    """The secret as an app takes it when it is typed, in groups of four."""
    secret = decrypt(encrypted)
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def qr_svg(*, user: User, encrypted: str) -> str:
    """The secret as a picture that an app reads."""
    adapter = get_adapter()
    return str(adapter.build_totp_svg(adapter.build_totp_url(user, decrypt(encrypted))))


@transaction.atomic
def turn_on(*, user: User, encrypted: str, code: str, now: datetime) -> list[str]:
    """Ask for a code of this secret from now on; the recovery codes, which are told this once. Raises WrongCode."""
    secret = decrypt(encrypted)
    step = _step_of(secret=secret, code=code, now=now)
    if step is None:
        raise WrongCode
    Authenticator.objects.filter(user=user, type__in=[_TOTP, _RECOVERY]).delete()
    made = TOTP.activate(user, secret).instance
    _use_step(made, step, now)
    record_account_event(verb="account.two_factor_on", user=user, actor=user, now=now)
    return _fresh_codes(user)


@transaction.atomic
def turn_off(*, user: User, actor: User | None, now: datetime) -> None:
    """Forget the second factor and its recovery codes."""
    Authenticator.objects.filter(user=user, type__in=[_TOTP, _RECOVERY]).delete()
    record_account_event(verb="account.two_factor_off", user=user, actor=actor, now=now)


@transaction.atomic
def renew_recovery_codes(*, user: User, now: datetime) -> list[str]:
    """New recovery codes in place of the old ones, told this once."""
    Authenticator.objects.filter(user=user, type=_RECOVERY).delete()
    record_account_event(verb="account.recovery_codes", user=user, actor=user, now=now)
    return _fresh_codes(user)


@transaction.atomic
def use_code(*, user: User, code: str, now: datetime) -> Factor:
    """Use up a code of the app, or a recovery code; which it was. Raises WrongCode."""
    row = Authenticator.objects.select_for_update().filter(user=user, type=_TOTP).first()
    if row is None:
        raise WrongCode
    try:
        step = _step_of(secret=decrypt(row.data["secret"]), code=code, now=now)
        if step is not None and step > row.data.get("last_step", 0):
            _use_step(row, step, now)
            return Factor.APP
        recovery = Authenticator.objects.filter(user=user, type=_RECOVERY).first()
        if recovery is not None and RecoveryCodes(recovery).validate_code(code):
            return Factor.RECOVERY
    except InvalidToken:
        logger.warning("second factor cannot be read, SECRET_KEY has changed user=%s", user.public_id)
    raise WrongCode


def _step_of(*, secret: str, code: str, now: datetime) -> int | None:
    """The time step, near `now`, whose code this is (RFC 6238, section 4.2)."""
    current = int(now.timestamp()) // app_settings.TOTP_PERIOD
    for step in (current + away for away in _STEPS_AWAY):
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))):
            return step
    return None


def _use_step(row: Authenticator, step: int, now: datetime) -> None:
    """No code of this step or of an earlier one is taken again (RFC 6238, section 5.2)."""
    row.data["last_step"] = step
    row.last_used_at = now
    row.save(update_fields=["data", "last_used_at"])


def _fresh_codes(user: User) -> list[str]:
    return [f"{code[:4]} {code[4:]}" for code in RecoveryCodes.activate(user).get_unused_codes()]


def _cipher() -> Fernet:
    key = hashlib.sha256(b"annotator.accounts.two_factor\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
