from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from annotator.accounts.lockout import Kind, begin_attempt, locked_users
from annotator.accounts.models import ApiToken, SignInLink, User
from annotator.accounts.selectors import LinkInvalid
from annotator.accounts.services import (
    AccountError,
    create_user,
    first_sign_in_link,
    record_failed_sign_in,
    redeem_link,
    reset_link,
    reset_password,
    set_password,
    sign_in_link,
)
from annotator.accounts.sessions import session_of
from annotator.audit.models import AuditEvent
from tests.cast import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "seven wet umbrellas"


def token_of(path: str | None) -> str:
    assert path is not None
    assert path.startswith("/accounts/first/")
    return path.removeprefix("/accounts/first/").rstrip("/")


def reset_token_of(path: str) -> str:
    assert path.startswith("/accounts/reset/")
    return path.removeprefix("/accounts/reset/").rstrip("/")


def make_token(user: User, now: datetime) -> ApiToken:
    return ApiToken.objects.create(user=user, name="script", token_sha256="0" * 64, created_at=now)


def test_first_link_makes_the_first_account(now: datetime) -> None:
    user = redeem_link(token=token_of(first_sign_in_link(now=now)), now=now)
    assert (user.username, user.has_usable_password(), user.is_superuser) == ("lead", False, False)
    assert user.is_staff, "the first account administers the installation"


def test_first_link_is_for_the_oldest_account_where_there_is_one(now: datetime) -> None:
    zoe = make_user("zoe")
    make_user("amy")
    assert redeem_link(token=token_of(first_sign_in_link(now=now)), now=now) == zoe
    assert not User.objects.filter(username="lead").exists()


def test_the_first_person_administers_only_where_nobody_does(now: datetime) -> None:
    zoe = make_user("zoe")
    first_sign_in_link(now=now)
    zoe.refresh_from_db()
    assert zoe.is_staff
    User.objects.update(is_staff=False)
    make_user("amy", is_staff=True)
    first_sign_in_link(now=now)
    zoe.refresh_from_db()
    assert not zoe.is_staff


def test_first_link_ends_with_the_first_password(now: datetime) -> None:
    set_password(user=make_user("zoe"), password="a long enough one", now=now)
    assert first_sign_in_link(now=now) is None
    assert User.objects.count() == 1


def test_only_the_hash_of_a_token_is_stored(alice: User, now: datetime) -> None:
    token = token_of(sign_in_link(username="alice", now=now))
    assert token not in str(SignInLink.objects.values().get())
    assert len(token) >= 43


def test_a_link_signs_in_once(alice: User, now: datetime) -> None:
    token = token_of(sign_in_link(username="alice", now=now))
    assert redeem_link(token=token, now=now) == alice
    with pytest.raises(LinkInvalid, match="has been used"):
        redeem_link(token=token, now=now)
    assert AuditEvent.objects.filter(verb="account.link_used", actor=alice).count() == 1


def test_a_link_lives_ten_minutes(alice: User, now: datetime) -> None:
    token = token_of(sign_in_link(username="alice", now=now))
    with pytest.raises(LinkInvalid, match="expired"):
        redeem_link(token=token, now=now + timedelta(minutes=10))
    assert redeem_link(token=token, now=now + timedelta(minutes=9, seconds=59)) == alice


def test_an_unknown_link_and_that_of_a_disabled_account_read_the_same(alice: User, now: datetime) -> None:
    token = token_of(sign_in_link(username="alice", now=now))
    User.objects.update(is_active=False)
    reasons = []
    for given in (token, "made-up"):
        with pytest.raises(LinkInvalid) as raised:
            redeem_link(token=given, now=now)
        reasons.append(str(raised.value))
    assert reasons[0] == reasons[1] == "This link is not known here."


def test_using_one_link_ends_the_others(alice: User, now: datetime) -> None:
    older, newer = (token_of(sign_in_link(username="alice", now=now)) for _ in range(2))
    redeem_link(token=newer, now=now)
    with pytest.raises(LinkInvalid):
        redeem_link(token=older, now=now)


def test_setting_a_password_ends_the_links_and_is_audited(alice: User, now: datetime) -> None:
    token = token_of(sign_in_link(username="alice", now=now))
    set_password(user=alice, password="a long enough one", now=now)
    with pytest.raises(LinkInvalid):
        redeem_link(token=token, now=now)
    event = AuditEvent.objects.get(verb="account.password_set")
    assert (event.chain.project, event.actor, event.object_id) == ("", alice, alice.public_id)


def test_a_link_of_one_kind_is_none_of_the_other(alice: User, now: datetime) -> None:
    signing = token_of(sign_in_link(username="alice", now=now))
    resetting = reset_token_of(reset_link(username="alice", actor=None, now=now))
    with pytest.raises(LinkInvalid, match="not known"):
        redeem_link(token=resetting, now=now)
    with pytest.raises(LinkInvalid, match="not known"):
        reset_password(token=signing, password=PASSWORD, now=now)


def test_a_reset_link_sets_a_password_once_within_a_day(alice: User, now: datetime) -> None:
    token = reset_token_of(reset_link(username="alice", actor=None, now=now))
    with pytest.raises(LinkInvalid, match="expired"):
        reset_password(token=token, password=PASSWORD, now=now + timedelta(hours=24))
    reset_password(token=token, password=PASSWORD, now=now + timedelta(hours=23, minutes=59))
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    with pytest.raises(LinkInvalid, match="has been used"):
        reset_password(token=token, password="another good one", now=now)
    assert AuditEvent.objects.get(verb="account.password_reset").object_id == alice.public_id


def test_a_newer_reset_link_ends_the_older(alice: User, now: datetime) -> None:
    older, newer = (reset_token_of(reset_link(username="alice", actor=None, now=now)) for _ in range(2))
    with pytest.raises(LinkInvalid, match="newer one"):
        reset_password(token=older, password=PASSWORD, now=now)
    reset_password(token=newer, password=PASSWORD, now=now)


def test_a_reset_ends_sessions_tokens_and_the_lock(alice: User, now: datetime) -> None:
    token = make_token(alice, now)
    session_of(user=alice, session_key="k" * 32, agent="Firefox on Linux", now=now)
    for _ in range(5):
        begin_attempt(kind=Kind.NAME, who="alice", address="10.0.0.1", now=now)
    reset_password(token=reset_token_of(reset_link(username="alice", actor=None, now=now)), password=PASSWORD, now=now)
    token.refresh_from_db()
    assert token.revoked_at == now
    assert not alice.browser_sessions.exists()
    assert locked_users([alice], now=now) == set()


def test_who_made_a_reset_link_is_in_the_audit_chain(alice: User, now: datetime) -> None:
    admin = make_user("root", is_staff=True)
    reset_link(username="alice", actor=admin, now=now)
    event = AuditEvent.objects.get(verb="account.link")
    assert (event.actor, event.object_id, event.detail) == (admin, alice.public_id, {"kind": "reset"})


def test_no_link_for_an_account_that_is_missing_or_disabled(alice: User, now: datetime) -> None:
    with pytest.raises(AccountError, match="no user 'nobody'"):
        sign_in_link(username="nobody", now=now)
    User.objects.update(is_active=False)
    with pytest.raises(AccountError, match="disabled"):
        sign_in_link(username="alice", now=now)


@pytest.mark.parametrize("username", ["", "two words", "alice", "x" * 151])
def test_an_account_needs_a_good_name(alice: User, now: datetime, username: str) -> None:
    with pytest.raises(AccountError):
        create_user(username=username, actor=None, now=now)
    assert User.objects.count() == 1


def test_a_failed_sign_in_names_the_account_but_never_what_was_typed(alice: User, now: datetime) -> None:
    record_failed_sign_in(username="alice", now=now)
    record_failed_sign_in(username="hunter2-typed-here", now=now)
    events = AuditEvent.objects.filter(verb="account.sign_in_failed")
    assert list(events.values_list("object_id", flat=True)) == [alice.public_id, "unknown"]
    assert "hunter2" not in str(list(events.values()))


def test_a_new_password_ends_the_api_tokens(alice: User, now: datetime) -> None:
    token = make_token(alice, now)
    set_password(user=alice, password="correct horse battery", now=now)
    token.refresh_from_db()
    assert token.revoked_at == now


def test_names_differ_in_more_than_capitals(alice: User, now: datetime) -> None:
    with pytest.raises(AccountError, match="capitals"):
        create_user(username="Alice", actor=None, now=now)
