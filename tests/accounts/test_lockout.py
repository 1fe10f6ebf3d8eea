from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from annotator.accounts.lockout import (
    Kind,
    LockedOut,
    begin_attempt,
    forgive,
    locked_users,
    sweep_failures,
    unlock,
)
from annotator.accounts.models import SignInFailure, User
from tests.cast import make_user

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def fail(who: str = "alice", *, now: datetime, kind: Kind = Kind.NAME, address: str = "10.0.0.1") -> None:
    begin_attempt(kind=kind, who=who, address=address, now=now)


def is_refused(who: str = "alice", *, now: datetime, kind: Kind = Kind.NAME, address: str = "10.0.0.1") -> bool:
    """Whether an attempt would be refused; it is taken back where not."""
    try:
        attempt = begin_attempt(kind=kind, who=who, address=address, now=now)
    except LockedOut:
        return True
    SignInFailure.objects.filter(who_sha256=attempt.who_sha256).order_by("-pk")[:1].get().delete()
    SignInFailure.objects.filter(pk=attempt.address_row).delete()
    return False


def test_five_failures_lock_a_name_for_fifteen_minutes(now: datetime) -> None:
    for _ in range(4):
        fail(now=now)
    assert not is_refused(now=now)
    fail(now=now)
    assert is_refused(now=now)
    assert is_refused(now=now + 14 * MINUTE)
    assert not is_refused(now=now + 15 * MINUTE)


def test_the_fifteen_minutes_begin_with_the_fifth_failure(now: datetime) -> None:
    for _ in range(4):
        fail(now=now)
    fail(now=now + 14 * MINUTE)
    assert is_refused(now=now + 28 * MINUTE)
    assert not is_refused(now=now + 29 * MINUTE)


def test_failures_far_apart_do_not_lock(now: datetime) -> None:
    for minutes in (0, 5, 10, 15, 20):
        fail(now=now + minutes * MINUTE)
    assert not is_refused(now=now + 20 * MINUTE)


def test_what_is_tried_while_locked_does_not_make_it_longer(now: datetime) -> None:
    for _ in range(5):
        fail(now=now)
    for minutes in range(1, 15):
        assert is_refused(now=now + minutes * MINUTE)
    assert not is_refused(now=now + 15 * MINUTE)


def test_many_at_once_do_not_slip_through(now: datetime) -> None:
    """Each is written down before it is looked at: the sixth is refused although none has been answered yet."""
    attempts = [begin_attempt(kind=Kind.NAME, who="alice", address="10.0.0.1", now=now) for _ in range(5)]
    with pytest.raises(LockedOut):
        begin_attempt(kind=Kind.NAME, who="alice", address="10.0.0.1", now=now)
    assert len({attempt.address_row for attempt in attempts}) == 5


def test_success_clears(now: datetime) -> None:
    for _ in range(4):
        fail(now=now)
    forgive(begin_attempt(kind=Kind.NAME, who="alice", address="10.0.0.1", now=now))
    for _ in range(4):
        fail(now=now)
    assert not is_refused(now=now)


def test_success_clears_nothing_of_the_address_but_itself(now: datetime) -> None:
    """Who has one account of their own must not guess at all the others with it."""
    for number in range(19):
        fail(f"name-{number}", now=now)
    forgive(begin_attempt(kind=Kind.NAME, who="mine", address="10.0.0.1", now=now))
    fail("name-19", now=now)
    assert is_refused("name-20", now=now)


def test_twenty_failures_leave_an_address_one_try_a_minute(now: datetime) -> None:
    for number in range(20):
        fail(f"name-{number}", now=now)
    assert is_refused("somebody", now=now)
    assert not is_refused("somebody", address="10.0.0.2", now=now)
    fail("somebody", now=now + MINUTE)
    assert is_refused("somebody", now=now + MINUTE)
    assert not is_refused("somebody", now=now + 2 * MINUTE)


def test_names_are_one_however_they_are_written(now: datetime) -> None:
    for name in ("alice", "Alice", " ALICE", "ａｌｉｃｅ", "alice "):
        fail(name, now=now)
    assert is_refused("alice", now=now)


def test_kinds_are_counted_apart(now: datetime) -> None:
    """A right password must not clear the wrong codes: whoever has the password would try codes for ever."""
    for _ in range(5):
        fail("abcdefgh", kind=Kind.CODE, now=now)
    forgive(begin_attempt(kind=Kind.NAME, who="abcdefgh", address="10.0.0.1", now=now))
    assert is_refused("abcdefgh", kind=Kind.CODE, now=now)
    assert not is_refused("abcdefgh", kind=Kind.PASSWORD, now=now)


def test_no_name_and_no_address_is_kept(now: datetime) -> None:
    fail("hunter2-typed-here", now=now)
    assert "hunter2" not in str(list(SignInFailure.objects.values()))
    assert "10.0.0.1" not in str(list(SignInFailure.objects.values()))


def test_the_hash_is_keyed(now: datetime, settings) -> None:
    fail("alice", now=now)
    settings.SECRET_KEY = "x" * 50
    fail("alice", now=now)
    assert SignInFailure.objects.values("who_sha256").distinct().count() == 4


@pytest.mark.parametrize("kind", [Kind.NAME, Kind.CODE, Kind.PASSWORD])
def test_the_list_of_accounts_shows_who_is_locked_and_unlocking_opens(alice: User, now: datetime, kind: Kind) -> None:
    amy = make_user("amy")
    for _ in range(5):
        fail("alice" if kind is Kind.NAME else alice.public_id, kind=kind, now=now)
    assert locked_users([alice, amy], now=now) == {alice.pk}
    assert locked_users([alice, amy], now=now + 15 * MINUTE) == set()
    unlock(alice)
    assert locked_users([alice, amy], now=now) == set()


def test_the_list_costs_one_query_where_nobody_is_locked(now: datetime, django_assert_num_queries) -> None:
    people = [make_user(f"user-{number}") for number in range(20)]
    with django_assert_num_queries(1):
        locked_users(people, now=now)


def test_old_failures_are_swept(now: datetime) -> None:
    fail(now=now)
    fail(now=now + 20 * MINUTE)
    sweep_failures(now=now + 31 * MINUTE)
    assert SignInFailure.objects.count() == 2
