"""API tokens: made and revoked by services, pages and a command; never to be had again."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import Scope, TokenError, make_token, note_use, revoke_token, token_in_force
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from tests.api.scene import Api
from tests.cast import NOW, body, sign_in

WEEK = timedelta(days=7)


def make(user: User, **given: Any) -> tuple[ApiToken, str]:
    options = {"name": "script", "scopes": ["read"], "project": "", "lifetime": WEEK, "now": NOW, **given}
    return make_token(user=user, **options)


def test_of_a_token_only_the_hash_is_stored(alice: User) -> None:
    token, text = make(alice)
    assert text.startswith("mgn_")
    assert len(text) == 47
    stored = {str(value) for value in ApiToken.objects.values().get().values()}
    assert not any(text[4:] in value for value in stored)
    assert token_in_force(text=text, now=NOW) == token


def test_making_and_revoking_are_in_the_audit_chain(alice: User) -> None:
    token, text = make(alice, scopes=["run", "read"])
    revoke_token(token=token, actor=alice, now=NOW)
    revoke_token(token=token, actor=alice, now=NOW)
    events = AuditEvent.objects.order_by("pk")
    assert [(event.verb, event.object_id, event.actor) for event in events] == [
        ("token.make", token.public_id, alice),
        ("token.revoke", token.public_id, alice),
    ]
    assert events[0].detail == {"scopes": ["read", "run"], "project": "", "days": 7}
    assert token_in_force(text=text, now=NOW) is None


def test_a_token_is_in_force_until_it_expires(alice: User) -> None:
    _, text = make(alice)
    assert token_in_force(text=text, now=NOW + WEEK - timedelta(seconds=1)) is not None
    assert token_in_force(text=text, now=NOW + WEEK) is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": "  "}, "1 to 80"),
        ({"name": "n" * 81}, "1 to 80"),
        ({"scopes": []}, "scopes are"),
        ({"scopes": ["read", "everything"]}, "scopes are"),
        ({"project": "a" * 16}, "not a member"),
        ({"lifetime": timedelta()}, "days"),
        ({"lifetime": timedelta(days=366)}, "days"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(alice: User, given: dict[str, Any], why: str) -> None:
    with pytest.raises(TokenError, match=why):
        make(alice, **given)
    assert not ApiToken.objects.exists()


def test_a_token_is_for_a_project_of_ones_own(project: Project, charlie: User, alice: User) -> None:
    assert make(alice, project=project.public_id)[0].project == project.public_id
    with pytest.raises(TokenError, match="not a member"):
        make(charlie, project=project.public_id)


def test_use_is_noted_once_a_minute(alice: User, django_assert_num_queries: Any) -> None:
    token, _ = make(alice)
    note_use(token=token, now=NOW)
    token.refresh_from_db()
    assert token.used_at == NOW
    with django_assert_num_queries(0):
        note_use(token=token, now=NOW + timedelta(seconds=59))
    with django_assert_num_queries(1):
        note_use(token=token, now=NOW + timedelta(seconds=60))


def test_a_request_notes_the_use_of_its_token(alice: User) -> None:
    api = Api(alice)
    before = timezone.now()
    api.get("projects/")
    used_at = ApiToken.objects.get().used_at
    assert used_at is not None
    assert used_at >= before
    api.get("projects/")
    assert ApiToken.objects.get().used_at == used_at


def test_the_page_shows_a_new_token_once(alice: User, project: Project) -> None:
    client = sign_in(Client(), alice)
    answer = client.post(
        reverse("accounts:tokens"),
        {"name": "Nightly export", "scopes": ["read", "build"], "project": project.public_id, "days": "30"},
    )
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    token = ApiToken.objects.get()
    assert (token.scopes, token.project) == (["read", "build"], project.public_id)
    text = answer.context["text"]
    assert token_in_force(text=text, now=timezone.now()) == token
    assert text in body(answer)
    later = body(client.get(reverse("accounts:tokens")))
    assert text not in later
    for shown in ("Nightly export", "read, build", project.name, "Never"):
        assert shown in later


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["all"]}, {"project": "a" * 16}, {"days": "1000"}, {"days": "x"}]
)
def test_the_page_refuses_a_token_that_makes_no_sense(alice: User, wrong: dict[str, Any]) -> None:
    given = {"name": "script", "scopes": ["read"], "project": "", "days": "30", **wrong}
    answer = sign_in(Client(), alice).post(reverse("accounts:tokens"), given)
    assert answer.status_code == 422
    assert 'class="error"' in body(answer)
    assert not ApiToken.objects.exists()


def test_the_page_lists_and_revokes_ones_own_only(alice: User, charlie: User) -> None:
    token, text = make(alice, name="Of Alice", now=timezone.now())
    address = reverse("accounts:revoke_token", args=[token.public_id])
    stranger, client = sign_in(Client(), charlie), sign_in(Client(), alice)
    assert "Of Alice" not in body(stranger.get(reverse("accounts:tokens")))
    assert stranger.post(address).status_code == 404
    assert Api(None, text=text).get("projects/").status_code == 200
    assert client.post(address).status_code == 303
    assert Api(None, text=text).get("projects/").status_code == 401
    assert client.post(address).status_code == 404


def test_the_page_costs_the_same_however_many_tokens_there_are(alice: User, django_assert_max_num_queries: Any) -> None:
    client = sign_in(Client(), alice)
    for number in range(20):
        make(alice, name=f"script {number}")
    client.get(reverse("accounts:tokens"))
    with django_assert_max_num_queries(8):
        client.get(reverse("accounts:tokens"))


def test_the_page_says_which_token_has_expired(alice: User) -> None:
    make(alice, now=timezone.now() - WEEK)
    assert "Expired" in body(sign_in(Client(), alice).get(reverse("accounts:tokens")))


def _command(*arguments: str) -> str:
    out = StringIO()
    call_command("api_token", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_command_prints_a_token(alice: User, project: Project) -> None:
    given = ("alice", "--name", "cron", "--scope", "read", "--scope", "build", "--project", project.slug, "--days", "7")
    text = _command(*given)
    token = token_in_force(text=text, now=timezone.now())
    assert token is not None
    assert (token.user, token.name, token.scopes, token.project) == (
        alice,
        "cron",
        ["read", "build"],
        project.public_id,
    )
    assert token.expires_at is not None
    assert token.expires_at - token.created_at == WEEK


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nobody"], "no user"),
        (["alice", "--project", "nothing"], "no project"),
        (["alice", "--project", "other-notes"], "not a member"),
        (["alice", "--days", "0"], "days"),
        (["alice", "--days", "999999999999"], "days|large"),
    ],
)
def test_the_command_says_what_is_wrong(alice: User, other_project: Project, arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        _command(*arguments, "--name", "cron", "--scope", "read")
    assert not ApiToken.objects.exists()


def test_every_scope_is_explained_on_the_page(alice: User) -> None:
    page = body(sign_in(Client(), alice).get(reverse("accounts:tokens")))
    for scope in Scope:
        assert f'value="{scope}"' in page


def test_a_token_is_kept_in_no_session_and_no_message(alice: User) -> None:
    client = sign_in(Client(), alice)
    text = client.post(
        reverse("accounts:tokens"), {"name": "x", "scopes": ["read"], "project": "", "days": "7"}
    ).context["text"]
    assert text not in str(dict(client.session))
    assert text not in body(client.get(reverse("home")))
