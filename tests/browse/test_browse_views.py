from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.browse.forms import starting_schema
from annotator.core.schema import schema_from_json
from annotator.documents.models import Document
from annotator.documents.selectors import type_key
from annotator.jobs.services import record_beat
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_schema_version
from annotator.suggestions.models import LabelJob, LabelRun
from tests.adjudication.scene import ADAMS, BOBS, make_adjudication
from tests.browse.scene import make_states
from tests.cast import HTMX, NOW, SCHEMA, TIED_SCHEMA, body, make_document, sign_in

pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def states(project: Project, bob: User) -> Project:
    make_states(project, bob)
    return project


def url(name: str, *args: str) -> str:
    return reverse(f"browse:{name}", args=args)


# New project


def test_new_project_starts_from_the_demo_schema(alice_client: Client) -> None:
    page = alice_client.get(url("new_project"))
    assert page.status_code == 200
    assert "swelling of the left knee" in body(page)
    assert len(schema_from_json(json.loads(starting_schema())).labels) == 6


def test_who_makes_a_project_leads_it(alice_client: Client, alice: User) -> None:
    response = alice_client.post(url("new_project"), {"name": "Letters", "schema": json.dumps(SCHEMA)})
    project = Project.objects.get(name="Letters")
    assert (response.status_code, response["Location"]) == (303, url("overview", project.public_id))
    membership = Membership.objects.get(project=project)
    assert (membership.user, membership.role) == (alice, Membership.Role.LEAD)
    assert project.schema_versions.get().schema.label_names == ("Problem", "Medication")
    assert AuditEvent.objects.filter(verb="project.create", actor=alice, object_id=project.public_id).exists()


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("", "This field is required"),
        ("{", "This is not JSON: line 1, column 2"),
        ("[]", "A schema is an object with"),
        ('{"labels": []}', "must be a list of at least one label"),
        ('{"labels": [{"name": "A"}]}', "Label 1: &#x27;definition&#x27; must be a text"),
        ("[" * 100_000, "nested too deep"),
        ("1" * 5_000, "a number too long to read"),
        ('{"labels": [{"name": "A", "definition": "\\ud83d"}]}', "a character that cannot be stored"),
        ('{"labels": [{"name": "A", "definition": "a\\u0000"}]}', "a character that cannot be stored"),
    ],
)
def test_a_wrong_schema_is_said_at_its_field(alice_client: Client, db: None, schema: str, reason: str) -> None:
    response = alice_client.post(url("new_project"), {"name": "Letters", "schema": schema})
    assert response.status_code == 422
    error = body(response).split('id="id_schema_error"')[1].split("</div>")[0]
    assert reason in error
    assert not Project.objects.filter(name="Letters").exists()


def test_a_name_without_a_letter_is_said_at_its_field(alice_client: Client) -> None:
    response = alice_client.post(url("new_project"), {"name": " - ", "schema": starting_schema()})
    assert response.status_code == 422
    assert "letter or digit" in body(response).split('id="id_name_error"')[1].split("</div>")[0]


def test_anonymous_is_sent_to_sign_in(client: Client, project: Project) -> None:
    places = [url(name, project.public_id) for name in ("overview", "documents", "workers")]
    for address in (url("new_project"), *places):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:sign_in"))


# Overview


def test_overview_says_where_the_project_is(alice_client: Client, states: Project) -> None:
    page = body(alice_client.get(url("overview", states.public_id)))
    assert "<b>1 of 5 notes</b> are reviewed: 1 to review, 1 in review, 1 not pre-labelled yet and 1 failed." in page
    assert "2 of 6 suggested spans decided" in page
    assert "<dt>Pre-labelled</dt><dd>3</dd>" in page
    assert "<dt>Left to review</dt><dd>2</dd>" in page
    assert "hx-trigger" not in page


def test_overview_shows_labels_attributes_and_people(alice_client: Client, states: Project) -> None:
    page = body(alice_client.get(url("overview", states.public_id)))
    assert '<span class="label c-rust">Problem</span>' in page
    assert "A disease, symptom or finding." in page
    assert "metformin" in page
    assert "family <kbd>F</kbd>" in page
    assert "bob</th><td>Annotator" not in page
    assert f'<dt>People</dt><dd><a href="{url("people", states.public_id)}">2</a></dd>' in page
    assert ">Relations<" not in page
    assert ">Labels of the note<" not in page
    add_schema_version(project=states, schema=schema_from_json(TIED_SCHEMA), actor=None, now=NOW)
    page = body(alice_client.get(url("overview", states.public_id)))
    assert (
        '<th scope="row" class="nowrap">treats</th> <td>Medication</td> <td>Problem</td> <td>What it is given for.</td>'
        in page
    )
    assert "<dt>Smoking</dt> <dd>never, former, current<br>" in page


def test_overview_lists_the_people_for_who_does_not_lead(client: Client, states: Project, bob: User) -> None:
    page = body(sign_in(client, bob).get(url("overview", states.public_id)))
    assert "bob</th><td>Annotator" in page
    assert url("people", states.public_id) not in page


def test_overview_leads_each_role_to_its_next_step(client: Client, states: Project, dana: User, adam: User) -> None:
    def steps(username: str) -> str:
        sign_in(client, User.objects.get(username=username))
        return body(client.get(url("overview", states.public_id))).split("In numbers")[0]

    assert "Adjudicate 1" not in steps("adam")
    make_adjudication(states, (User.objects.get(username="bob"), BOBS), (adam, ADAMS))
    assert ("Adjudicate 1 note" in steps("adam"), "Adjudicate 1 note" in steps("bob")) == (True, False)
    lead = steps("alice")
    for words in (
        "Adjudicate 1 note",
        "Pre-label 3 notes",
        "Look at 1 failed note",
        "Review 2 notes",
        "dataset from 2 reviewed notes",
    ):
        assert words in lead
    assert ("Review 2 notes" in steps("bob"), "Pre-label 3" in steps("bob")) == (True, False)
    assert ("Review 2 notes" in steps("dana"), "dataset from" in steps("dana")) == (False, True)


def test_overview_of_an_empty_project_begins_with_the_import(alice_client: Client, project: Project) -> None:
    page = body(alice_client.get(url("overview", project.public_id)))
    assert "There is no note yet." in page
    assert f'href="{reverse("exchange:imports", args=[project.public_id])}">Import notes' in page
    assert f'href="{url("people", project.public_id)}">Invite people' in page


def test_overview_of_an_empty_project_has_nothing_for_a_reviewer(client: Client, project: Project, bob: User) -> None:
    assert "Nothing waits for you here." in body(sign_in(client, bob).get(url("overview", project.public_id)))


def test_overview_moves_while_a_run_goes_on(alice_client: Client, states: Project) -> None:
    LabelRun.objects.update(status="running")
    LabelJob.objects.filter(status="failed").update(status="queued")
    address = url("overview", states.public_id)
    page = body(alice_client.get(address))
    assert f'hx-get="{address}" hx-trigger="every 5s"' in page
    assert "No labelling worker is running" in page
    record_beat(name="w", queues="label", model_id="", device="", memory_bytes=1, started_at=NOW, now=timezone.now())
    partial = alice_client.get(address, headers=HTMX)
    assert "<html" not in body(partial)
    assert "Labels</h2>" not in body(partial)
    assert "3 of 4 notes" in body(partial)
    assert "No labelling worker" not in body(partial)
    assert "HX-Request" in partial["Vary"]


def test_an_annotator_gets_no_link_to_what_is_closed_to_them(client: Client, states: Project, bob: User) -> None:
    page = body(sign_in(client, bob).get(url("overview", states.public_id)))
    assert url("documents", states.public_id) not in page
    assert reverse("suggestions:runs", args=[states.public_id]) not in page


def test_overview_takes_the_same_queries_for_many_notes(
    alice_client: Client, states: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_document(states, external_id=f"more-{number}")
    alice_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(17):
        alice_client.get(url("overview", states.public_id))


# Notes


def test_notes_are_listed_with_their_states(alice_client: Client, states: Project) -> None:
    page = body(alice_client.get(url("documents", states.public_id)))
    for words in ("1-waiting", "Not pre-labelled", "Failed", "To review", "In review", "Reviewed", "Type 3"):
        assert words in page
    ready = Document.objects.get(external_id="3-to-review")
    assert f'action="{reverse("review:take", args=[states.public_id, ready.public_id])}"' in page
    done = Document.objects.get(external_id="5-reviewed")
    assert reverse("review:take", args=[states.public_id, done.public_id]) not in page


def test_who_does_not_review_gets_no_review_button(client: Client, states: Project, dana: User) -> None:
    page = body(sign_in(client, dana).get(url("documents", states.public_id)))
    assert "3-to-review" in page
    assert "/review/take/" not in page


NAMES = ["1-waiting", "2-failed", "3-to-review", "4-in-review", "5-reviewed"]


def names_in(page: str) -> list[str]:
    return [name for name in NAMES if f">{name}</th>" in page]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"state": "failed"}, ["2-failed"]),
        ({"state": "reviewed", "type": type_key("Type 5")}, ["5-reviewed"]),
        ({"state": "reviewed", "type": type_key("Type 4")}, []),
        ({"state": "'; drop", "type": "Type 5", "note": "../x"}, NAMES),
        ({"state": "", "type": "", "note": ""}, NAMES),
        ({"colour": "red"}, NAMES),
        ({"page": "99"}, NAMES),
    ],
)
def test_notes_are_filtered_and_what_is_not_on_offer_is_ignored(
    alice_client: Client, states: Project, query: dict[str, str], names: list[str]
) -> None:
    response = alice_client.get(url("documents", states.public_id), query)
    assert response.status_code == 200
    assert names_in(body(response)) == names


def test_one_note_can_be_pointed_at(alice_client: Client, states: Project) -> None:
    note = Document.objects.get(external_id="2-failed")
    page = body(alice_client.get(url("documents", states.public_id), {"note": note.public_id}))
    assert names_in(page) == ["2-failed"]
    assert "Show all notes" in page


def test_a_filter_that_fits_nothing_says_so(alice_client: Client, project: Project) -> None:
    make_document(project)
    assert "No note fits." in body(alice_client.get(url("documents", project.public_id), {"state": "reviewed"}))


def test_htmx_gets_the_list_alone(alice_client: Client, states: Project) -> None:
    response = alice_client.get(url("documents", states.public_id), {"state": "failed"}, headers=HTMX)
    assert "<html" not in body(response)
    assert names_in(body(response)) == ["2-failed"]
    assert "HX-Request" in response["Vary"]


def test_paging_keeps_the_filter(alice_client: Client, project: Project) -> None:
    for number in range(51):
        make_document(project, external_id=f"n-{number:02}", note_type="Letter")
    page = body(alice_client.get(url("documents", project.public_id), {"type": type_key("Letter")}))
    assert f"type={type_key('Letter')}&amp;page=2" in page
    assert "n-49" in page
    assert "n-50" not in page


def test_no_address_carries_what_came_from_outside(alice_client: Client, project: Project) -> None:
    make_document(project, external_id="MRN-123", patient_id="PAT-9", note_type="Smith, John")
    page = alice_client.get(url("documents", project.public_id)).content.decode()
    for attribute in page.split('href="')[1:] + page.split('action="')[1:] + page.split('value="')[1:]:
        assert not any(name in attribute.split('"')[0] for name in ("MRN-123", "PAT-9", "Smith"))


def test_notes_take_the_same_queries_for_many_notes(
    alice_client: Client, states: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_document(states, external_id=f"more-{number}")
    alice_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(8):
        alice_client.get(url("documents", states.public_id))


def test_an_empty_project_says_how_notes_come_in(client: Client, project: Project, alice: User, adam: User) -> None:
    assert "Import notes" in body(sign_in(client, alice).get(url("documents", project.public_id)))
    assert "leads and data scientists import" in body(sign_in(client, adam).get(url("documents", project.public_id)))


# Workers


def test_workers_shows_all_of_them(alice_client: Client, project: Project) -> None:
    for name, queues, seconds in (("main@h", "main,route", 1), ("label-1@h", "label", 2), ("label-2@h", "label", 100)):
        record_beat(
            name=name,
            queues=queues,
            model_id="lexicon",
            device="CPU",
            memory_bytes=3 << 30,
            started_at=NOW,
            now=timezone.now() - timedelta(seconds=seconds),
        )
    address = url("workers", project.public_id)
    page = body(alice_client.get(address))
    assert "<b>2 workers</b> are healthy." in page
    for words in ("main@h", "Imports, datasets, routing", "Pre-labelling", "No heartbeat", "1 min ago", "3.0 GiB"):
        assert words in page
    partial = body(alice_client.get(address, headers=HTMX))
    assert "<html" not in partial
    assert f'hx-get="{address}" hx-trigger="every 10s"' in partial


def test_workers_says_that_there_is_none(alice_client: Client, project: Project) -> None:
    assert "No worker is running." in body(alice_client.get(url("workers", project.public_id)))


# Access


def test_an_outsider_finds_nothing(client: Client, states: Project, charlie: User) -> None:
    sign_in(client, charlie)
    for name in ("overview", "documents", "workers"):
        assert client.get(url(name, states.public_id)).status_code == 404


def test_an_annotator_does_not_list_notes(client: Client, states: Project, bob: User) -> None:
    sign_in(client, bob)
    assert client.get(url("overview", states.public_id)).status_code == 200
    assert client.get(url("documents", states.public_id)).status_code == 403
    refused = client.get(url("workers", states.public_id))
    assert refused.status_code == 403
    assert "Your role here, annotator, does not list the notes." in body(refused)


@pytest.mark.parametrize("name", ["overview", "documents", "workers"])
def test_pages_that_look_take_no_post(alice_client: Client, project: Project, name: str) -> None:
    assert alice_client.post(url(name, project.public_id)).status_code == 405
