"""The page of blind notes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.projects.models import Membership, Project
from annotator.review.models import ReviewItem
from tests.cast import body, sign_in
from tests.quality.blind_scene import read_blind

pytestmark = pytest.mark.usefixtures("bells")


def url(project: Project) -> str:
    return reverse("quality:blind", args=[project.public_id])


def test_the_page_tells_recall_and_what_was_missed(alice_client: Client, project: Project, bob: User) -> None:
    documents = read_blind(project, bob, n=10)
    page = body(alice_client.get(url(project)))
    assert "The labeler had 33.3 % of 30 spans (95 %: 33.3 to 33.3 %)" in page and "in 10 notes of 5 patients." in page
    assert "Not enough data: 0 notes were read with suggestions, 10 are wanted." in page
    assert page.count("<b>Diabetes</b>") == 10
    assert f"{reverse('browse:documents', args=[project.public_id])}?note={documents[0].public_id}" in page
    assert AuditEvent.objects.filter(verb="missed.read").count() == 1


def test_a_reader_who_may_measure_is_led_into_their_own_note(project: Project, alice: User) -> None:
    (document,) = read_blind(project, alice, n=1)
    item = ReviewItem.objects.get(document=document, unit="note")
    page = body(sign_in(Client(), alice).get(url(project)))
    assert reverse("review:note", args=[project.public_id, item.public_id]) in page


def test_an_empty_project_says_what_is_wanted(alice_client: Client, project: Project) -> None:
    page = body(alice_client.get(url(project)))
    assert "Not enough data: 0 blind notes were gone through, 10 are wanted." in page
    assert not AuditEvent.objects.filter(verb="missed.read").exists()


def test_what_was_missed_comes_in_pages(
    alice_client: Client, project: Project, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_blind(project, bob, n=3)
    monkeypatch.setattr("annotator.quality.blind_views.ROWS", 2)
    assert body(alice_client.get(url(project))).count("<b>Diabetes</b>") == 2
    assert body(alice_client.get(url(project), {"page": "2"})).count("<b>Diabetes</b>") == 1


def test_who_does_not_measure_sees_nothing_of_it(project: Project, bob: User, charlie: User) -> None:
    assert sign_in(Client(), bob).get(url(project)).status_code == 403
    assert sign_in(Client(), charlie).get(url(project)).status_code == 404
    Membership.objects.filter(user=bob).update(role=Membership.Role.DATA_SCIENTIST)
    assert sign_in(Client(), bob).get(url(project)).status_code == 200


def test_the_page_costs_the_same_however_many_notes_there_are(
    alice_client: Client, project: Project, bob: User
) -> None:
    def n_queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            alice_client.get(url(project))
        return len(captured)

    read_blind(project, bob, n=1)
    n_queries()  # the session's own of the first request
    few = n_queries()
    read_blind(project, bob, n=3, name="more")
    assert n_queries() == few
