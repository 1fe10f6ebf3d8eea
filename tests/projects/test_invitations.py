"""The life of an invitation: made, followed once, run out, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from annotator.accounts.models import User
from annotator.accounts.services import AccountError
from annotator.audit.models import AuditEvent
from annotator.audit.services import first_broken_event
from annotator.core.schema import Schema
from annotator.projects import invitations
from annotator.projects.models import Invitation, Membership, Project
from annotator.projects.selectors import InvitationInvalid, invitation_of_token, open_invitations
from annotator.projects.services import ProjectError, create_project, remove_member, set_member
from tests.cast import NOW, make_member, make_user

PASSWORD = "green ladder in March"
Invite = Callable[..., str]


@pytest.fixture
def token(project: Project, alice: User) -> str:
    """The token of Alice's invitation for one annotator."""
    return made(project, alice)


def made(project: Project, actor: User | None, role: str = "annotator", now: datetime = NOW) -> str:
    path = invitations.invite(project=project, role=role, actor=actor, now=now)
    return path.rstrip("/").rpartition("/")[2]


def test_it_makes_one_person_a_member_with_its_role(project: Project, token: str) -> None:
    nora = make_user("nora")
    membership = invitations.accept(token=token, user=nora, now=NOW)
    assert (membership.user, membership.project, membership.role) == (nora, project, "annotator")
    found = Invitation.objects.get()
    assert (found.accepted_by, found.accepted_at) == (nora, NOW)
    with pytest.raises(InvitationInvalid, match="has been used"):
        invitations.accept(token=token, user=make_user("otto"), now=NOW)
    assert project.memberships.count() == 2


def test_it_makes_an_account_where_there_is_none(project: Project, token: str) -> None:
    membership = invitations.accept_as_new(token=token, username="nora", password=PASSWORD, now=NOW)
    assert membership.user.check_password(PASSWORD)
    assert Invitation.objects.get().accepted_by == membership.user


def test_a_name_that_is_taken_leaves_the_link_as_it_was(project: Project, token: str, charlie: User) -> None:
    with pytest.raises(AccountError, match="already exists"):
        invitations.accept_as_new(token=token, username="charlie", password=PASSWORD, now=NOW)
    assert invitation_of_token(token=token, now=NOW).accepted_at is None
    assert not charlie.has_usable_password()


def test_it_is_good_for_seven_days(token: str, db: None) -> None:
    week = timedelta(days=7)
    assert invitation_of_token(token=token, now=NOW + week - timedelta(seconds=1))
    with pytest.raises(InvitationInvalid, match="has expired"):
        invitations.accept(token=token, user=make_user("nora"), now=NOW + week)


def test_a_token_that_is_wrong_is_not_known(token: str) -> None:
    for wrong in ("", token[:-1], token + "x", "\x00", "é"):
        with pytest.raises(InvitationInvalid, match="not known"):
            invitation_of_token(token=wrong, now=NOW)


def test_what_is_withdrawn_lets_nobody_in(project: Project, token: str, alice: User) -> None:
    found = open_invitations(project, now=NOW).get()
    assert invitations.revoke(invitation=found, actor=alice, now=NOW)
    assert not invitations.revoke(invitation=found, actor=alice, now=NOW)
    with pytest.raises(InvitationInvalid, match="has been withdrawn"):
        invitations.accept(token=token, user=make_user("nora"), now=NOW)
    assert not open_invitations(project, now=NOW).exists()


def test_a_link_that_was_followed_cannot_be_withdrawn(project: Project, token: str, alice: User) -> None:
    invitations.accept(token=token, user=make_user("nora"), now=NOW)
    assert not invitations.revoke(invitation=Invitation.objects.get(), actor=alice, now=NOW)
    assert Invitation.objects.get().revoked_at is None


@pytest.mark.parametrize("role", ["annotator", "lead"])
def test_who_is_a_member_already_stays_what_they_are(project: Project, alice: User, bob: User, role: str) -> None:
    token = made(project, alice, role)
    with pytest.raises(invitations.AlreadyMember, match="already, as annotator"):
        invitations.accept(token=token, user=bob, now=NOW)
    assert project.memberships.get(user=bob).role == "annotator"
    assert invitation_of_token(token=token, now=NOW).accepted_at is None


def test_a_lead_who_is_removed_leaves_no_link_behind(project: Project, token: str, alice: User) -> None:
    lena = make_member(project, "lena", Membership.Role.LEAD)
    lenas = made(project, lena, "lead")
    remove_member(membership=project.memberships.get(user=lena), actor=alice, now=NOW)
    with pytest.raises(InvitationInvalid, match="has been withdrawn"):
        invitation_of_token(token=lenas, now=NOW)
    assert invitation_of_token(token=token, now=NOW)
    assert AuditEvent.objects.filter(verb="invitation.revoke", actor=alice).count() == 1


def test_a_lead_who_steps_down_leaves_no_link_behind(project: Project, token: str, alice: User) -> None:
    make_member(project, "lena", Membership.Role.LEAD)
    set_member(project=project, user=alice, role="annotator", actor=alice, now=NOW)
    with pytest.raises(InvitationInvalid, match="has been withdrawn"):
        invitation_of_token(token=token, now=NOW)


def test_a_link_of_who_is_disabled_lets_nobody_in(token: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(InvitationInvalid, match="has been withdrawn"):
        invitation_of_token(token=token, now=NOW)


def test_everything_is_in_the_audit_log(project: Project, token: str, alice: User) -> None:
    nora = make_user("nora")
    invitations.accept(token=token, user=nora, now=NOW)
    found = Invitation.objects.get()
    events = AuditEvent.objects.filter(chain__project=project.public_id, number__gt=3)
    assert list(events.values_list("verb", "actor", "object_id")) == [
        ("invitation.create", alice.pk, found.public_id),
        ("invitation.accept", nora.pk, found.public_id),
        ("member.set", nora.pk, nora.public_id),
    ]
    assert first_broken_event(project=project.public_id) is None


def test_a_link_stops_making_accounts_after_ten_names_that_are_taken(token: str) -> None:
    found = invitation_of_token(token=token, now=NOW)
    for _ in range(invitations.MOST_TAKEN_NAMES):
        assert invitations.may_try_names(found)
        invitations.record_taken_name(invitation=found, now=NOW)
    assert not invitations.may_try_names(found)


# At once


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act gave or raised; they begin together, each on a connection of its own."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=30)
            return act()
        except (InvitationInvalid, ProjectError) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [result.result(timeout=60) for result in [pool.submit(run, act) for act in acts]]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_follow_a_link_at_once_one_gets_in(schema: Schema) -> None:
    project = create_project(name="P", schema=schema, lead=make_user("alice"), now=NOW)
    token = made(project, None)
    people = [make_user("nora"), make_user("otto")]
    results = at_once(*(lambda user=user: invitations.accept(token=token, user=user, now=NOW) for user in people))
    assert sorted(type(result).__name__ for result in results) == ["InvitationInvalid", "Membership"]
    assert project.memberships.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_sent_twice_at_once_makes_one_account(schema: Schema) -> None:
    project = create_project(name="P", schema=schema, lead=make_user("alice"), now=NOW)
    token = made(project, None)
    act = lambda: invitations.accept_as_new(token=token, username="nora", password=PASSWORD, now=NOW)  # noqa: E731
    results = at_once(act, act)
    assert sorted(type(result).__name__ for result in results) == ["InvitationInvalid", "Membership"]
    assert User.objects.filter(username="nora").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_leads_who_leave_at_once_one_stays(schema: Schema) -> None:
    alice = make_user("alice")
    project = create_project(name="P", schema=schema, lead=alice, now=NOW)
    make_member(project, "lena", Membership.Role.LEAD)
    leads = list(project.memberships.select_related("project", "user"))
    results = at_once(*(lambda lead=lead: remove_member(membership=lead, actor=alice, now=NOW) for lead in leads))
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "ProjectError"]
    assert project.memberships.count() == 1


# The command


def test_the_command_prints_a_link(project: Project) -> None:
    out = StringIO()
    call_command("invite", "discharge-notes", "adjudicator", base="https://notes.example/", stdout=out)
    base, _, token = out.getvalue().strip().rstrip("/").rpartition("/")
    assert base == "https://notes.example/invitations"
    membership = invitations.accept(token=token, user=make_user("nora"), now=Invitation.objects.get().created_at)
    assert membership.role == "adjudicator"


def test_the_command_says_what_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="there is no project 'nope'"):
        call_command("invite", "nope", "lead")
    monkeypatch.setattr(settings, "HTTPS", True)
    with pytest.raises(CommandError, match="--base https://HOST"):
        call_command("invite", "discharge-notes", "lead")
