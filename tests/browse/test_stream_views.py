"""The page and the API of a project's streams."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.projects.models import Project, SchemaVersion
from tests.cast import body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, suggest

SECOND = {"seconds": "on", "second_percent": "15"}
ASKED = {
    "policy": "random",
    "blind_percent": "20",
    "watch_percent": "3",
    "audits": "blind",
    "decoy_percent": "0",
} | SECOND


def url(project: Project) -> str:
    return reverse("browse:streams", args=[project.public_id])


def test_a_lead_sees_and_keeps_the_settings(
    alice_client: Client, project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, blind_key=0.1)
    suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    page = body(alice_client.get(url(project)))
    assert "No note is read blind." in page and 'value="benefit"' in page
    response = alice_client.post(url(project), ASKED)
    assert (response.status_code, response["Location"]) == (303, url(project))
    page = body(alice_client.get(url(project)))
    assert "<b>1 of 1 readings</b> are blind: 0 submitted, 1 not begun." in page
    assert "Kept. 1 reading changed: blind, or no longer blind." in page
    found = Project.objects.get(pk=project.pk)
    assert (found.policy, found.blind_percent, found.watch_percent, found.audits) == ("random", 20, 3, "blind")
    assert (found.seconds, found.second_percent) == ("on", 15)


def test_what_is_no_share_comes_back_with_the_form(alice_client: Client, project: Project) -> None:
    response = alice_client.post(url(project), ASKED | {"blind_percent": "101"})
    assert response.status_code == 422 and 'value="101"' in body(response)
    assert Project.objects.get(pk=project.pk).policy == "benefit"


def test_only_a_lead_sets_streams(project: Project, bob: User, charlie: User) -> None:
    assert sign_in(Client(), bob).post(url(project), ASKED).status_code == 403
    assert sign_in(Client(), charlie).post(url(project), ASKED).status_code == 404
    assert Project.objects.get(pk=project.pk).blind_percent == 0
