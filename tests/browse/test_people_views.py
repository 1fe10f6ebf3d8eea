"""The people page: roles, removing, and the invitations that a lead makes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.documents.models import Document
from annotator.projects.invitations import invite
from annotator.projects.models import Invitation, Membership, Project
from annotator.review.leases import held_notes, take_note
from tests.browse.scene import make_states
from tests.cast import NOW, body, make_member, sign_in

pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def states(project: Project, bob: User) -> Project:
    make_states(project, bob)
    return project


def url(name: str, *args: str) -> str:
    return reverse(f"browse:{name}", args=args)


def role_of(user: User) -> str | None:
    return Membership.objects.filter(user=user).values_list("role", flat=True).first()


def test_people_are_listed_with_what_they_did(alice_client: Client, states: Project, dana: User) -> None:
    page = body(alice_client.get(url("people", states.public_id)))
    assert "<b>3 people</b> in Discharge notes." in page
    rows = {part.split("<")[0].strip(): part for part in page.split('<th scope="row">')[1:]}
    assert '<td class="num">1</td> <td class="num">1</td>' in rows["bob"]
    assert "not yet" in rows["dana"]
    assert "you</span>" in rows["alice"]
    assert '<option value="annotator" selected>' in rows["bob"]


def test_a_role_is_changed(alice_client: Client, project: Project, bob: User) -> None:
    response = alice_client.post(url("set_role", project.public_id, bob.public_id), {"role": "adjudicator"})
    assert (response.status_code, response["Location"]) == (303, url("people", project.public_id))
    assert role_of(bob) == "adjudicator"
    assert AuditEvent.objects.filter(verb="member.set", object_id=bob.public_id, detail__role="adjudicator").exists()


@pytest.mark.parametrize("given", ["", "king"])
def test_a_role_that_there_is_not_is_refused(alice_client: Client, project: Project, bob: User, given: str) -> None:
    response = alice_client.post(url("set_role", project.public_id, bob.public_id), {"role": given})
    assert response.status_code == 422
    assert "Choose a role" in body(response)
    assert role_of(bob) == "annotator"


def test_who_reviews_no_longer_lets_go_of_their_note(
    alice_client: Client, states: Project, bob: User, adam: User
) -> None:
    now = timezone.now()
    note = Document.objects.get(external_id="3-to-review")
    take_note(document=note, reviewer=bob, now=now)
    alice_client.post(url("set_role", states.public_id, bob.public_id), {"role": "adjudicator"})
    assert held_notes(project=states, reviewer=bob, now=now).exists()
    alice_client.post(url("set_role", states.public_id, bob.public_id), {"role": "data_scientist"})
    assert take_note(document=note, reviewer=adam, now=now).leased_by == adam


def test_the_last_lead_keeps_the_role(alice_client: Client, project: Project, alice: User) -> None:
    response = alice_client.post(url("set_role", project.public_id, alice.public_id), {"role": "annotator"})
    assert response.status_code == 409
    assert "The account &quot;alice&quot; is the only lead here: make someone else lead first." in body(response)
    assert role_of(alice) == "lead"


def test_a_lead_who_steps_down_goes_to_the_overview(alice_client: Client, project: Project, alice: User) -> None:
    make_member(project, "lena", Membership.Role.LEAD)
    response = alice_client.post(url("set_role", project.public_id, alice.public_id), {"role": "annotator"})
    assert response["Location"] == url("overview", project.public_id)
    assert alice_client.get(response["Location"]).status_code == 200


def test_removing_says_first_what_it_means(alice_client: Client, states: Project, bob: User) -> None:
    page = body(alice_client.get(url("remove", states.public_id, bob.public_id)))
    assert "1 note is done" in page
    assert "1 note in hand goes back to the queue at once" in page
    assert role_of(bob) == "annotator"


def test_who_is_removed_is_out_and_what_they_did_stays(
    client: Client, alice_client: Client, states: Project, bob: User, adam: User
) -> None:
    now, note = timezone.now(), Document.objects.get(external_id="3-to-review")
    take_note(document=note, reviewer=bob, now=now)
    annotations = Annotation.objects.filter(annotator=bob, status="live").count()
    response = alice_client.post(url("remove", states.public_id, bob.public_id))
    assert (response.status_code, response["Location"]) == (303, url("people", states.public_id))
    assert role_of(bob) is None
    assert Annotation.objects.filter(annotator=bob, status="live").count() == annotations == 1
    assert AuditEvent.objects.filter(verb="member.remove", object_id=bob.public_id).get().detail == {
        "role": "annotator"
    }
    assert take_note(document=note, reviewer=adam, now=now).leased_by == adam
    assert AnnotationSet.objects.get(document=note).annotator == adam
    sign_in(client, bob)
    assert client.get(url("overview", states.public_id)).status_code == 404


def test_the_last_lead_is_not_removed(alice_client: Client, project: Project, alice: User, bob: User) -> None:
    response = alice_client.post(url("remove", project.public_id, alice.public_id))
    assert response.status_code == 409
    assert "only lead" in body(response)
    assert role_of(alice) == "lead"
    assert not AuditEvent.objects.filter(verb="member.remove").exists()


def test_a_lead_who_leaves_goes_home(alice_client: Client, project: Project, alice: User) -> None:
    make_member(project, "lena", Membership.Role.LEAD)
    assert alice_client.post(url("remove", project.public_id, alice.public_id))["Location"] == reverse("home")


def test_a_member_of_another_project_is_not_there(alice_client: Client, project: Project, charlie: User) -> None:
    for name in ("remove", "set_role"):
        assert alice_client.post(url(name, project.public_id, charlie.public_id), {"role": "lead"}).status_code == 404
    assert role_of(charlie) == "lead"


# Invitations


def link_in(response: Any) -> str:
    return body(response).split('id="invitation-link" value="')[1].split('"')[0]


def test_a_link_is_shown_once_and_kept_nowhere(alice_client: Client, project: Project) -> None:
    response = alice_client.post(url("invite", project.public_id), {"role": "annotator"})
    assert response.status_code == 201
    link = link_in(response)
    assert link.startswith("http://testserver/invitations/")
    token = link.rstrip("/").rpartition("/")[2]
    later = body(alice_client.get(url("people", project.public_id)))
    assert token not in later
    assert "Annotator</th> <td>alice</td>" in later
    made = Invitation.objects.get()
    assert token not in {str(value) for value in vars(made).values()}
    assert not any(token in str(event.detail) for event in AuditEvent.objects.all())


def test_behind_tls_a_link_is_https(alice_client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HTTPS", True)
    response = alice_client.post(
        url("invite", project.public_id), {"role": "annotator"}, headers={"Host": "localhost:8443"}
    )
    assert link_in(response).startswith("https://localhost:8443/invitations/")


def test_a_link_for_no_role_is_refused(alice_client: Client, project: Project) -> None:
    response = alice_client.post(url("invite", project.public_id), {"role": "king"})
    assert response.status_code == 422
    assert "id_role_error" in body(response)
    assert not Invitation.objects.exists()


def test_a_link_is_withdrawn_once(alice_client: Client, project: Project, alice: User) -> None:
    invite(project=project, role="annotator", actor=alice, now=timezone.now())
    made = Invitation.objects.get()
    address = url("revoke", project.public_id, made.public_id)
    assert "is withdrawn" in body(alice_client.post(address, follow=True))
    assert "None. A link that was used" in body(alice_client.get(url("people", project.public_id)))
    assert "used or withdrawn before" in body(alice_client.post(address, follow=True))
    assert AuditEvent.objects.filter(verb="invitation.revoke", object_id=made.public_id).count() == 1


def test_what_has_run_out_is_not_listed(alice_client: Client, project: Project, alice: User) -> None:
    invite(project=project, role="annotator", actor=alice, now=timezone.now() - timedelta(days=8))
    assert "None. A link" in body(alice_client.get(url("people", project.public_id)))


# Access


@pytest.mark.parametrize("name", ["people", "invite", "remove"])
def test_only_leads_get_in(client: Client, project: Project, bob: User, charlie: User, name: str) -> None:
    args = [project.public_id] + ([bob.public_id] if name == "remove" else [])
    method = client.post if name == "invite" else client.get
    assert method(url(name, *args))["Location"].startswith(reverse("accounts:sign_in"))
    sign_in(client, bob)
    assert method(url(name, *args)).status_code == 403
    sign_in(client, charlie)
    assert method(url(name, *args)).status_code == 404


def test_people_take_the_same_queries_for_many(
    alice_client: Client, states: Project, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        make_member(states, f"reader-{number:02}", Membership.Role.ANNOTATOR)
        invite(project=states, role="annotator", actor=alice, now=NOW)
    alice_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(8):
        page = body(alice_client.get(url("people", states.public_id)))
    assert page.count('name="role"') == 51  # a page of people, and the form of an invitation
