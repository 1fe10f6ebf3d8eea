from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from annotator.accounts import two_factor
from annotator.accounts.models import User
from annotator.accounts.two_factor import Factor, WrongCode
from annotator.audit.models import AuditEvent
from tests.accounts.codes import code_at, set_up
from tests.cast import make_user

pytestmark = pytest.mark.django_db
PERIOD = timedelta(seconds=30)


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, SHA-1: the last six of the eight digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, expected in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert code_at(secret, datetime.fromtimestamp(seconds, tz=UTC)) == expected


def test_turning_on_needs_a_code_of_the_secret(alice: User, now: datetime) -> None:
    with pytest.raises(WrongCode):
        two_factor.turn_on(user=alice, encrypted=two_factor.new_secret(), code="000000", now=now)
    assert not two_factor.has_two_factor(alice)
    set_up(alice, now=now)
    assert two_factor.has_two_factor(alice)
    assert AuditEvent.objects.get(verb="account.two_factor_on").actor == alice


def test_a_code_is_taken_once(alice: User, now: datetime) -> None:
    secret, _ = set_up(alice, now=now)
    later = now + 2 * PERIOD
    assert two_factor.use_code(user=alice, code=code_at(secret, later), now=later) is Factor.APP
    for at in (later, later + PERIOD):
        with pytest.raises(WrongCode):
            two_factor.use_code(user=alice, code=code_at(secret, later), now=at)


def test_the_code_that_turned_it_on_does_not_sign_in(alice: User, now: datetime) -> None:
    secret, _ = set_up(alice, now=now)
    with pytest.raises(WrongCode):
        two_factor.use_code(user=alice, code=code_at(secret, now), now=now)


def test_a_code_before_the_last_used_one_is_not_taken(alice: User, now: datetime) -> None:
    secret, _ = set_up(alice, now=now)
    later = now + 10 * PERIOD
    two_factor.use_code(user=alice, code=code_at(secret, later), now=later)
    with pytest.raises(WrongCode):
        two_factor.use_code(user=alice, code=code_at(secret, later - PERIOD), now=later)


@pytest.mark.parametrize(("away", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_one_step(alice: User, now: datetime, away: int, is_taken: bool) -> None:
    secret, _ = set_up(alice, now=now)
    later = now + 100 * PERIOD
    code = code_at(secret, later + away * PERIOD)
    if is_taken:
        assert two_factor.use_code(user=alice, code=f"{code[:3]} {code[3:]}", now=later) is Factor.APP
    else:
        with pytest.raises(WrongCode):
            two_factor.use_code(user=alice, code=code, now=later)


def test_a_recovery_code_is_good_once_and_for_its_user(alice: User, now: datetime) -> None:
    _, codes = set_up(alice, now=now)
    set_up(other := make_user("amy"), now=now)
    assert len(set(codes)) == 10
    with pytest.raises(WrongCode):
        two_factor.use_code(user=other, code=codes[0], now=now)
    assert two_factor.use_code(user=alice, code=codes[0], now=now) is Factor.RECOVERY
    assert two_factor.n_recovery_codes(alice) == 9
    with pytest.raises(WrongCode):
        two_factor.use_code(user=alice, code=codes[0], now=now)


def test_new_recovery_codes_end_the_old(alice: User, now: datetime) -> None:
    _, old = set_up(alice, now=now)
    new = two_factor.renew_recovery_codes(user=alice, now=now)
    with pytest.raises(WrongCode):
        two_factor.use_code(user=alice, code=old[0], now=now)
    assert two_factor.use_code(user=alice, code=new[0], now=now) is Factor.RECOVERY
    assert AuditEvent.objects.filter(verb="account.recovery_codes").count() == 1


def test_turning_off_ends_every_code(alice: User, now: datetime) -> None:
    secret, codes = set_up(alice, now=now)
    two_factor.turn_off(user=alice, actor=alice, now=now)
    later = now + 2 * PERIOD
    for code in (codes[0], code_at(secret, later)):
        with pytest.raises(WrongCode):
            two_factor.use_code(user=alice, code=code, now=later)
    assert not Authenticator.objects.exists()


def test_nothing_that_makes_codes_is_stored_in_the_clear(alice: User, now: datetime) -> None:
    secret, codes = set_up(alice, now=now)
    stored = str(list(Authenticator.objects.values()))
    assert secret not in stored
    assert not any(code.replace(" ", "") in stored for code in codes)
    assert not re.search(r"[0-9a-f]{80}", stored), "the seed of the recovery codes"


def test_with_another_key_nothing_opens_and_nothing_breaks(alice: User, now: datetime, settings: Any) -> None:
    secret, codes = set_up(alice, now=now)
    settings.SECRET_KEY = "another " * 8
    later = now + 2 * PERIOD
    for code in (code_at(secret, later), codes[0]):
        with pytest.raises(WrongCode):
            two_factor.use_code(user=alice, code=code, now=later)
    assert two_factor.n_recovery_codes(alice) == 0


@pytest.mark.parametrize("code", ["", " ", "0", "１２３４５６", "\x00", "x" * 1000, "é" * 6])
def test_nonsense_is_a_wrong_code(alice: User, now: datetime, code: str) -> None:
    set_up(alice, now=now)
    with pytest.raises(WrongCode):
        two_factor.use_code(user=alice, code=code, now=now + 2 * PERIOD)


def test_the_picture_holds_what_an_app_needs(alice: User) -> None:
    encrypted = two_factor.new_secret()
    svg = two_factor.qr_svg(user=alice, encrypted=encrypted)
    assert "<svg" in svg
    assert "style=" not in svg
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", two_factor.readable_secret(encrypted))
