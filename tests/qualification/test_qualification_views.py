"""The pages of the qualification; who gets them at all is in tests/test_routes.py."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_guideline
from annotator.qualification.models import Qualification, Trial
from annotator.qualification.services import let_in
from annotator.review.leases import take_note
from tests.cast import NOW, body, make_document, make_member, make_round, make_set, sign_in
from tests.qualification.scene import RIGHT, WRONG, ask, make_references, read_next

pytestmark = pytest.mark.django_db
ASKED = {"matching": "strict", "threshold": ".8", "min_spans": "1", "n_notes": "1", "n_tries": "2"} | {
    "suggestions": "hidden",
    "who": "new",
    "threshold_0": "",
    "threshold_1": ".5",
}


@pytest.fixture
def references(project: Project, adam: User) -> list[AnnotationSet]:
    return make_references(project, adam, 3)


@pytest.fixture
def nina(project: Project, references: list[AnnotationSet]) -> User:
    """Joins after new annotators are asked to qualify."""
    ask(project, references)
    return make_member(project, "nina", Membership.Role.ANNOTATOR)


def url(name: str, project: Project, *ids: str) -> str:
    return reverse(f"qualification:{name}", args=[project.public_id, *ids])


def test_a_lead_asks_on_the_page_and_is_told_what_does_not_suffice(
    alice_client: Client, project: Project, references: list[AnnotationSet]
) -> None:
    assert "Not asked yet" in body(alice_client.get(url("qualification", project)))
    assert "read by adam" in body(alice_client.get(url("new", project)))
    chosen = [found.document.public_id for found in references]
    refused = alice_client.post(url("new", project), ASKED | {"notes": chosen[:1]})
    assert refused.status_code == 422 and "no note is tried twice" in body(refused)
    assert alice_client.post(url("new", project), ASKED | {"notes": chosen, "threshold": "2"}).status_code == 422
    assert alice_client.post(url("new", project), ASKED | {"notes": ["nothing"]}).status_code == 422
    assert not Qualification.objects.exists()
    assert alice_client.post(url("new", project), ASKED | {"notes": chosen}).status_code == 303
    made = Qualification.objects.get()
    assert (made.threshold, made.thresholds, made.reference_notes.count()) == (0.8, {"Medication": 0.5}, 3)
    again = body(alice_client.get(url("new", project)))
    assert all(f'name="notes" value="{note}" checked' in again for note in chosen)
    assert AuditEvent.objects.filter(verb="qualification.set").count() == 1
    assert alice_client.post(url("off", project)).status_code == 303
    assert alice_client.post(url("off", project)).status_code == 409


def test_the_lead_sees_who_is_how_far_and_lets_in(
    alice_client: Client, project: Project, nina: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(2):
        read_next(project, nina, *WRONG)
    for number in range(5):
        make_member(project, f"new-{number}", Membership.Role.ANNOTATOR)
    with django_assert_max_num_queries(14):
        page = body(alice_client.get(url("qualification", project)))
    assert "Your call" in page and "Problem <b>.67</b> below .80" in page and "Medication <b>.00</b>" in page
    alice_client.post(url("let_in", project, nina.public_id))
    assert "Take back that nina was let in" in body(alice_client.get(url("qualification", project)))
    alice_client.post(url("take_back", project, nina.public_id))
    assert "Let nina in" in body(alice_client.get(url("qualification", project)))
    assert alice_client.post(url("let_in", project, "nobody")).status_code == 404


def test_who_has_read_all_the_notes_is_up_to_the_lead(
    alice_client: Client, project: Project, bob: User, references: list[AnnotationSet]
) -> None:
    ask(project, references, everyone=True)
    assert "Your call<" not in body(alice_client.get(url("qualification", project)))
    for found in references:
        make_set(found.document, bob)
    assert "Your call<" in body(alice_client.get(url("qualification", project)))


def test_a_try_shows_where_it_differs_once_it_is_finished(client: Client, project: Project, nina: User) -> None:
    add_guideline(project=project, text="## Medication\nNever the frequency.", actor=None, now=NOW)
    client = sign_in(client, nina)
    start = body(client.get(reverse("review:start", args=[project.public_id])))
    assert "Qualify first" in start and "Work by span" not in start
    client.post(reverse("review:next", args=[project.public_id]))
    trial = Trial.objects.get()
    assert client.get(url("trial", project, trial.public_id)).status_code == 404  # the answer is not to be seen yet
    read_next(project, nina, *WRONG)
    page = body(client.get(url("trial", project, trial.public_id)))
    assert "Not passed." in page and "Try again" in page and "Never the frequency." in page
    for what in ("Missed", "Not in the reference", "Other label"):
        assert f">{what}</td>" in page
    assert AuditEvent.objects.filter(verb="trial.read", actor=nina).count() == 1
    read_next(project, nina, *WRONG)
    last = Trial.objects.get(number=2)
    assert "ask your lead" in body(client.get(url("trial", project, last.public_id)))
    assert "No try is left." in body(client.get(reverse("review:start", args=[project.public_id])))


def test_nobody_but_its_reader_and_leads_sees_a_try(
    project: Project, nina: User, alice: User, bob: User, charlie: User
) -> None:
    read_next(project, nina, *RIGHT)
    address = url("trial", project, Trial.objects.get().public_id)
    seen = {user.username: sign_in(Client(), user).get(address).status_code for user in (nina, alice, bob, charlie)}
    assert seen == {"nina": 200, "alice": 200, "bob": 404, "charlie": 404}


def test_a_round_waits_until_its_reader_has_qualified_again(
    client: Client, project: Project, references: list[AnnotationSet], alice: User, bob: User
) -> None:
    notes = [make_document(project, external_id=f"round-{number}") for number in range(3)]
    made = make_round(project, alice, bob)
    held = take_note(document=notes[0], reviewer=bob, now=timezone.now())
    ask(project, references, everyone=True)
    sign_in(client, bob)
    home = client.get(reverse("home"))
    assert "waits until you have qualified" in body(home)
    assert [(row.project, row.waiting.is_trial, row.waiting.n_notes) for row in home.context["home"].rows] == [
        (project, True, 1)
    ], "none of the round's"
    start = body(client.get(reverse("review:start", args=[project.public_id])))
    assert "Round 1</a>, with 3 notes of yours to read, waits until you have qualified." in start
    yours = reverse("review:round", args=[project.public_id, made.public_id])
    page = body(client.get(yours))
    assert "This round waits until you have qualified." in page and "Next note" not in page
    assert page.count(">waits</span>") == 2 and ">Finish</a>" in page
    note = reverse("review:note", args=[project.public_id, held.public_id])
    assert client.get(note).status_code == 200
    assert client.post(reverse("review:take", args=[project.public_id, notes[0].public_id])).url == note
    refused = client.post(reverse("review:take", args=[project.public_id, notes[1].public_id]))
    assert refused.url == reverse("review:start", args=[project.public_id])
    let_in(project=project, user=bob, actor=alice, now=NOW)
    page = body(client.get(yours))
    assert "Next note" in page and "waits" not in page
    assert "waits until" not in body(client.get(reverse("home")))
