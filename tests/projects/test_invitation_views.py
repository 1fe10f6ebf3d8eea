"""The page of an invitation, for who is signed in, who has an account, and who is new."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.services import set_password
from annotator.audit.models import AuditEvent
from annotator.projects import invitations
from annotator.projects.models import Invitation, Membership, Project
from tests.cast import body, make_user, sign_in

PASSWORD = "green ladder in March"
NEW = {"username": "nora", "new_password1": PASSWORD, "new_password2": PASSWORD}


@pytest.fixture
def link(project: Project, alice: User) -> str:
    return invitations.invite(project=project, role="annotator", actor=alice, now=timezone.now())


def overview(project: Project) -> str:
    return reverse("browse:overview", args=[project.public_id])


def is_member(username: str) -> bool:
    return Membership.objects.filter(user__username=username).exists()


def test_it_says_what_it_invites_to_and_the_two_ways_in(client: Client, link: str, project: Project) -> None:
    page = body(client.get(link))
    assert "Join Discharge notes" in page
    assert "<b>alice</b> invites you to this project as <b>annotator</b>." in page
    assert f'href="{reverse("accounts:sign_in")}?next={link}"' in page
    assert 'name="username"' in page
    assert 'name="new_password2"' in page


def test_looking_at_it_uses_nothing_up(client: Client, link: str, bob: User) -> None:
    for _ in range(2):
        assert client.get(link).status_code == 200
    assert Invitation.objects.get().accepted_at is None


def test_who_is_signed_in_joins_with_one_button(client: Client, link: str, project: Project) -> None:
    sign_in(client, make_user("nora"))
    page = body(client.get(link))
    assert "Join as nora" in page
    assert 'name="username"' not in page
    response = client.post(link)
    assert (response.status_code, response["Location"]) == (303, overview(project))
    assert "Welcome to Discharge notes. Your role here: annotator." in body(client.get(response["Location"]))


def test_who_has_an_account_signs_in_and_comes_back_to_join(client: Client, link: str, project: Project) -> None:
    set_password(user=make_user("nora"), password=PASSWORD, now=timezone.now())
    response = client.post(reverse("accounts:sign_in"), {"username": "nora", "password": PASSWORD, "next": link})
    assert response["Location"] == link
    assert not is_member("nora")
    assert client.post(link)["Location"] == overview(project)
    assert is_member("nora")


def test_who_is_new_is_in_and_signed_in(client: Client, link: str, project: Project) -> None:
    response = client.post(link, NEW)
    assert (response.status_code, response["Location"]) == (303, overview(project))
    assert client.get(response["Location"]).status_code == 200
    nora = User.objects.get(username="nora")
    assert nora.check_password(PASSWORD)
    verbs = AuditEvent.objects.filter(object_id=nora.public_id).values_list("verb", flat=True)
    assert {"account.create", "account.password_set", "account.sign_in", "member.set"} <= set(verbs)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"username": ""}, "id_username_error", "This field is required"),
        ({"username": "no ra"}, "id_username_error", "Enter a valid username"),
        ({"username": "nora\x00"}, "id_username_error", "Null characters are not allowed"),
        ({"username": "n" * 151}, "id_username_error", "at most 150"),
        ({"new_password2": "another ladder"}, "id_new_password2_error", "match"),
        ({"new_password1": "short", "new_password2": "short"}, "id_new_password2_error", "at least 12"),
        (
            {"username": "green-ladder", "new_password1": "green-ladder", "new_password2": "green-ladder"},
            "id_new_password2_error",
            "similar",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    client: Client, link: str, change: dict[str, str], place: str, words: str
) -> None:
    response = client.post(link, NEW | change)
    assert response.status_code == 422
    assert words in body(response).split(f' id="{place}"')[1].split("</div>")[0]
    assert PASSWORD not in body(response)
    assert Invitation.objects.get().accepted_at is None
    assert User.objects.count() == 1


def test_a_name_that_is_taken_is_said_so_a_few_times(client: Client, link: str, charlie: User) -> None:
    for _ in range(invitations.MOST_TAKEN_NAMES):
        response = client.post(link, NEW | {"username": "charlie"})
        assert response.status_code == 422
        assert "This user name is taken." in body(response)
    for username in ("charlie", "nora"):
        response = client.post(link, NEW | {"username": username})
        assert response.status_code == 429
        assert "it makes no account any more" in body(response)
    assert not is_member("nora")
    sign_in(client, make_user("nora"))
    assert client.post(link).status_code == 303


def test_who_is_in_already_is_told_so_and_nothing_changes(
    client: Client, link: str, project: Project, bob: User
) -> None:
    sign_in(client, bob)
    assert "You are in this project already" in body(client.get(link))
    page = body(client.post(link, follow=True))
    assert "You are in this project already, as annotator. Nothing has changed." in page
    assert Invitation.objects.get().accepted_at is None


def test_who_was_signed_out_before_the_button_gets_the_two_ways(client: Client, link: str) -> None:
    response = client.post(link)
    assert (response.status_code, response["Location"]) == (303, link)


def used(link: str) -> None:
    invitations.accept(token=link.split("/")[-2], user=make_user("otto"), now=timezone.now())


def expired(link: str) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def withdrawn(link: str) -> None:
    Invitation.objects.update(revoked_at=timezone.now())


@pytest.mark.parametrize(
    ("end", "words"),
    [(used, "has been used"), (expired, "has expired"), (withdrawn, "has been withdrawn")],
)
def test_a_link_that_has_ended_is_gone_and_says_why(
    client: Client, link: str, project: Project, end: Any, words: str
) -> None:
    end(link)
    for response in (client.get(link), client.post(link, NEW), sign_in(client, make_user("nora")).post(link)):
        assert response.status_code == 410
        assert words in body(response)
        assert project.name not in body(response)
    assert not is_member("nora")


def test_a_wrong_token_is_gone_too(client: Client, link: str) -> None:
    wrong = reverse("projects:invitation", args=["x" * 43])
    response = client.get(wrong)
    assert response.status_code == 410
    assert "This link is not known here." in body(response)
    assert client.post(wrong, NEW).status_code == 410


def test_the_page_is_not_stored_and_its_address_goes_nowhere(client: Client, link: str) -> None:
    response = client.get(link)
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"


def test_an_error_in_it_logs_no_token(
    client: Client, link: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError(link)

    monkeypatch.setattr("annotator.projects.views.invitation_of_token", fail)
    client.raise_request_exception = False
    response = client.get(link)
    assert response.status_code == 500
    assert link not in body(response)
    printed = capsys.readouterr()
    assert link.split("/")[-2] not in printed.out + printed.err
