from __future__ import annotations

from datetime import datetime

import pytest
from django.db import transaction

from annotator.accounts import administration
from annotator.accounts.lockout import Kind, begin_attempt, locked_users
from annotator.accounts.models import ApiToken, User
from annotator.accounts.services import AccountError, reset_link
from annotator.accounts.sessions import session_of
from annotator.accounts.two_factor import has_two_factor
from annotator.annotations.models import AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from tests.accounts.codes import set_up
from tests.cast import make_document, make_set, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    """The only administrator."""
    return make_user("root", is_staff=True)


def test_an_administrator_makes_another_and_takes_it_away(root: User, alice: User, now: datetime) -> None:
    administration.make_administrator(user=alice, actor=root, now=now)
    administration.unmake_administrator(user=root, actor=alice, now=now)
    assert set(User.objects.filter(is_staff=True)) == {alice}
    verbs = AuditEvent.objects.filter(chain__project="").values_list("verb", "actor__username", "object_id")
    assert list(verbs) == [
        ("account.administrator", "root", alice.public_id),
        ("account.not_administrator", "alice", root.public_id),
    ]


def test_the_last_administrator_stays(root: User, alice: User, now: datetime) -> None:
    make_user("gone", is_staff=True, is_active=False)
    for act in (administration.unmake_administrator, administration.disable_user):
        with pytest.raises(AccountError, match="last administrator"), transaction.atomic():
            act(user=root, actor=root, now=now)
    root.refresh_from_db()
    assert (root.is_staff, root.is_active) == (True, True)
    assert not AuditEvent.objects.exists()
    administration.disable_user(user=alice, actor=root, now=now)


def test_a_disabled_account_does_not_become_an_administrator(root: User, now: datetime) -> None:
    with pytest.raises(AccountError, match="disabled"):
        administration.make_administrator(user=make_user("gone", is_active=False), actor=root, now=now)


def test_disabling_ends_sessions_and_tokens_and_keeps_the_work(
    root: User, project: Project, bob: User, now: datetime
) -> None:
    make_set(make_document(project), bob)
    session_of(user=bob, session_key="k" * 32, agent="", now=now)
    token = ApiToken.objects.create(user=bob, name="script", token_sha256="0" * 64, created_at=now)
    administration.disable_user(user=bob, actor=root, now=now)
    token.refresh_from_db()
    assert (bob.is_active, token.revoked_at, bob.browser_sessions.count()) == (False, now, 0)
    assert AnnotationSet.objects.get().annotator == bob
    assert AuditEvent.objects.get(verb="account.disable").actor == root


def test_enabling_lets_in_again(root: User, now: datetime) -> None:
    kim = make_user("kim", is_active=False)
    administration.enable_user(user=kim, actor=root, now=now)
    kim.refresh_from_db()
    assert kim.is_active
    assert AuditEvent.objects.get(verb="account.enable").object_id == kim.public_id


def test_unlocking_is_audited(root: User, alice: User, now: datetime) -> None:
    for _ in range(5):
        begin_attempt(kind=Kind.NAME, who="alice", address="10.0.0.1", now=now)
    administration.unlock_user(user=alice, actor=root, now=now)
    assert locked_users([alice], now=now) == set()
    assert AuditEvent.objects.get(verb="account.unlock").actor == root


def test_a_lost_second_factor_is_removed_and_the_sessions_end(root: User, alice: User, now: datetime) -> None:
    with pytest.raises(AccountError, match="no second factor"):
        administration.remove_two_factor(user=alice, actor=root, now=now)
    set_up(alice, now=now)
    session_of(user=alice, session_key="k" * 32, agent="", now=now)
    ApiToken.objects.create(user=alice, name="script", token_sha256="0" * 64, created_at=now)
    administration.remove_two_factor(user=alice, actor=root, now=now)
    assert not has_two_factor(alice)
    assert not alice.browser_sessions.exists()
    assert alice.api_tokens.get().revoked_at == now
    assert AuditEvent.objects.get(verb="account.two_factor_off").actor == root


def test_an_administrator_has_no_way_around_their_own_password(root: User, now: datetime) -> None:
    set_up(root, now=now)
    with pytest.raises(AccountError, match="with your password"):
        administration.remove_two_factor(user=root, actor=root, now=now)
    with pytest.raises(AccountError, match="change your own password"):
        reset_link(username="root", actor=root, now=now)
    assert has_two_factor(root)
    administration.remove_two_factor(user=root, actor=None, now=now)  # on the command line
