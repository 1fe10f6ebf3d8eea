"""Counting wrong passwords and codes, and refusing more of them for a while.

An attempt is written down before it is looked at, so that many at once do not slip through, and taken back where it was
right. Nothing here asks whether an account of that name exists: all names are counted alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count
from django.utils.crypto import salted_hmac

from annotator.accounts.models import SignInFailure, User


class Kind(StrEnum):
    """What is guessed at. An address is counted beside each of the others."""

    NAME = "name"  # the password of a name, at the door
    CODE = "code"  # the second factor of an account
    PASSWORD = "password"  # noqa: S105  the password of an account, asked for once more behind the door
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures within so long; then nothing for `wait` after the last of them."""

    n_failures: int
    within: timedelta
    wait: timedelta


WITHIN = timedelta(minutes=15)
ONE_ACCOUNT = Limit(n_failures=5, within=WITHIN, wait=WITHIN)
ONE_ADDRESS = Limit(n_failures=20, within=WITHIN, wait=timedelta(minutes=1))  # many people may share one
KEPT = 2 * WITHIN


class LockedOut(Exception):
    """Too many wrong attempts; this one was not looked at. The message is shown, and is always the same."""

    def __init__(self) -> None:
        super().__init__("Too many wrong tries. Try again in 15 minutes, or have an administrator unlock the account.")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that counts as a failure until it is `forgive`n."""

    who_sha256: str
    address_row: int


def begin_attempt(*, kind: Kind, who: str, address: str, now: datetime) -> Attempt:
    """Count an attempt on `who` from `address`. Raises LockedOut, and then it counts for nothing.

    Six queries, eight where it is refused.
    """
    row = SignInFailure.objects.create(who_sha256=_digest(kind, who), at=now)
    address_row = SignInFailure.objects.create(who_sha256=_digest(Kind.ADDRESS, address), at=now)
    if _is_over(row, ONE_ACCOUNT, now) or _is_over(address_row, ONE_ADDRESS, now):
        SignInFailure.objects.filter(pk__in=[row.pk, address_row.pk]).delete()
        raise LockedOut
    return Attempt(who_sha256=row.who_sha256, address_row=address_row.pk)


def forgive(attempt: Attempt) -> None:
    """The attempt was right: what was counted for the account is cleared, and this one for the address."""
    SignInFailure.objects.filter(who_sha256=attempt.who_sha256).delete()
    SignInFailure.objects.filter(pk=attempt.address_row).delete()


def unlock(user: User) -> None:
    """Forget the failures of the account, of each kind."""
    SignInFailure.objects.filter(who_sha256__in=_digests(user)).delete()


def locked_users(users: Sequence[User], *, now: datetime) -> set[int]:
    """Keys of those for whom an attempt would be refused now. One query, and one for each that may be."""
    owners = {digest: user.pk for user in users for digest in _digests(user)}
    recent = SignInFailure.objects.filter(who_sha256__in=owners, at__gt=now - KEPT).values("who_sha256")
    many = recent.annotate(n=Count("pk")).filter(n__gte=ONE_ACCOUNT.n_failures).order_by()
    digests = [row["who_sha256"] for row in many]
    return {owners[digest] for digest in digests if _is_locked(_times(digest, ONE_ACCOUNT), ONE_ACCOUNT, now)}


def sweep_failures(*, now: datetime) -> None:
    """Delete what no limit looks at any more."""
    SignInFailure.objects.filter(at__lt=now - KEPT).delete()


def _is_over(row: SignInFailure, limit: Limit, now: datetime) -> bool:
    """Whether the row's others have reached the limit. Of many at once, each sees those written before it."""
    return _is_locked(_times(row.who_sha256, limit, without=row.pk), limit, now)


def _is_locked(newest_first: list[datetime], limit: Limit, now: datetime) -> bool:
    if len(newest_first) < limit.n_failures:
        return False
    return newest_first[0] - newest_first[-1] <= limit.within and now - newest_first[0] < limit.wait


def _times(who_sha256: str, limit: Limit, *, without: int = 0) -> list[datetime]:
    """Of the newest failures, as many as the limit looks at, newest first."""
    rows = SignInFailure.objects.filter(who_sha256=who_sha256).exclude(pk=without).order_by("-at", "-pk")
    return list(rows.values_list("at", flat=True)[: limit.n_failures])


def _digests(user: User) -> list[str]:
    return [
        _digest(Kind.NAME, user.username),
        _digest(Kind.CODE, user.public_id),
        _digest(Kind.PASSWORD, user.public_id),
    ]


def _digest(kind: Kind, who: str) -> str:
    """Keyed, since what is typed as a name is often a password, and addresses are few enough to be tried out."""
    folded = unicodedata.normalize("NFKC", who).strip().casefold()
    return salted_hmac("annotator.accounts.lockout", f"{kind}\0{folded}", algorithm="sha256").hexdigest()
