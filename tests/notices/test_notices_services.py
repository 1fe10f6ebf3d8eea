"""Who is told, what one notice stands for, and the count that every page shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from annotator.accounts.models import User
from annotator.notices import services
from annotator.notices.models import Kind, Notice
from annotator.notices.selectors import notices_of
from annotator.notices.services import mark_read, notify, sweep_notices
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import member_of
from annotator.projects.services import remove_member, set_member
from tests.cast import NOW, make_member, make_notice

LATER = NOW + timedelta(hours=1)


def unread(user: User) -> int:
    user.refresh_from_db()
    return user.n_unread_notices


def tell(project: Project, *users: User | None, actor: User | None = None, **fields: Any) -> None:
    with transaction.atomic():
        notify(
            users=[user.pk if user else None for user in users],
            kind=Kind.SCHEMA,
            project=project.public_id,
            actor=actor,
            now=NOW,
            detail={"number": 2},
            **fields,
        )


def test_members_are_told_but_for_who_did_it_who_is_disabled_and_who_does_not_belong(
    project: Project, alice: User, bob: User, adam: User, charlie: User
) -> None:
    User.objects.filter(pk=adam.pk).update(is_active=False)
    tell(project, alice, bob, adam, charlie, None, actor=alice)
    assert [notice.user for notice in Notice.objects.all()] == [bob]
    assert [unread(user) for user in (alice, bob, adam, charlie)] == [0, 1, 0, 0]


def test_many_people_take_no_more_queries_than_one(
    project: Project, bob: User, adam: User, django_assert_num_queries: Any
) -> None:
    with transaction.atomic(), django_assert_num_queries(4):
        notify(users=[bob.pk], kind=Kind.ROLE, project=project.public_id, actor=None, now=NOW)
    more = [make_member(project, f"reader-{n}", Membership.Role.ANNOTATOR) for n in range(5)]
    with transaction.atomic(), django_assert_num_queries(5):  # Bob's counts on
        notify(users=[u.pk for u in (bob, *more)], kind=Kind.ROLE, project=project.public_id, actor=None, now=NOW)
    assert [unread(user) for user in (bob, *more)] == [1] * 6
    assert bob.notices.get().n == 2


def test_a_burst_is_one_notice_until_it_is_read(project: Project, bob: User) -> None:
    first = make_notice(project, bob, Kind.SCHEMA, detail={"number": 2})
    make_notice(project, bob, Kind.SCHEMA, now=LATER, detail={"number": 3}, n=4)
    first.refresh_from_db()
    assert (first.n, first.detail, first.created_at) == (5, {"number": 3}, LATER)
    make_notice(project, bob, Kind.SCHEMA, subject="a" * 16)
    assert unread(bob) == 2
    mark_read(user=bob, notices=notices_of(bob).filter(pk=first.pk), now=LATER)
    make_notice(project, bob, Kind.SCHEMA, now=LATER, detail={"number": 4})
    assert Notice.objects.filter(subject="").count() == 2
    assert unread(bob) == 2


def test_only_what_was_unread_is_marked(project: Project, bob: User, adam: User) -> None:
    make_notice(project, adam)
    mine = make_notice(project, bob)
    assert mark_read(user=bob, notices=Notice.objects.all(), now=NOW) == 1
    assert mark_read(user=bob, notices=Notice.objects.all(), now=LATER) == 0
    mine.refresh_from_db()
    assert mine.read_at == NOW
    assert [unread(user) for user in (bob, adam)] == [0, 1]


@pytest.mark.django_db(transaction=True)
def test_what_is_told_and_read_at_the_same_moment_is_counted(project: Project, bob: User) -> None:
    ready = threading.Barrier(4)

    def at_once(act: Callable[[], object]) -> None:
        ready.wait()
        act()
        connection.close()

    read = partial(mark_read, user=bob, notices=Notice.objects.all(), now=NOW)
    acts = [*3 * [partial(tell, project, bob)], read]
    threads = [threading.Thread(target=at_once, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(Notice.objects.values_list("n", flat=True)) == 3
    assert unread(bob) == Notice.objects.filter(read_at=None).count()


def test_unread_ones_come_first_and_then_the_newest(project: Project, bob: User) -> None:
    made = [make_notice(project, bob, subject=4 * f"aa{n}a", now=NOW + timedelta(days=n)) for n in range(4)]
    mark_read(user=bob, notices=Notice.objects.filter(pk__in=[made[3].pk, made[1].pk]), now=LATER)
    assert list(notices_of(bob)) == [made[2], made[0], made[3], made[1]]


def test_who_leaves_sees_and_counts_nothing_of_the_project_until_they_are_back(
    project: Project, bob: User, alice: User
) -> None:
    make_notice(project, bob)
    member = member_of(project, user_id=bob.public_id)
    assert member is not None
    remove_member(membership=member, actor=alice, now=NOW)
    assert (unread(bob), list(notices_of(bob))) == (0, [])
    set_member(project=project, user=bob, role="annotator", actor=alice, now=NOW)
    assert (unread(bob), notices_of(bob).count()) == (1, 1)


def test_the_newest_are_kept(project: Project, bob: User, adam: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_KEPT", 2)
    made = [make_notice(project, bob, subject=4 * f"aa{n}a", now=NOW + timedelta(days=n)) for n in range(4)]
    mark_read(user=bob, notices=Notice.objects.filter(pk=made[0].pk), now=LATER)
    others = make_notice(project, adam)
    assert unread(bob) == 3
    sweep_notices()
    assert set(Notice.objects.all()) == {made[2], made[3], others}
    assert [unread(user) for user in (bob, adam)] == [2, 1]
