"""The Labelers page: what decides each labeler, making another, and sending it over the notes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.prompting import COMPACT, FULL, template_digest
from annotator.core.schema import Schema, schema_from_json
from annotator.projects.models import Project
from annotator.projects.services import add_guideline, add_schema_version
from annotator.suggestions.labelers import CONSTRAINTS, default_labeler
from annotator.suggestions.models import ExamplePool, Labeler, LabelRun
from llm_labeler.backends import Constraint
from tests.builds.scene import make_scene
from tests.cast import NOW, body, make_document, sign_in

pytestmark = pytest.mark.usefixtures("bells")
FORM = {"template": FULL, "guideline": "", "pool": "", "n_examples": 3, "constraint": "copy", "n_passes": 0}


def url(name: str, project: Project) -> str:
    return reverse(f"browse:{name}", args=[project.public_id])


def make(client: Client, project: Project, **fields: Any) -> Any:
    return client.post(url("new_labeler", project), FORM | fields)


def test_a_labeler_is_made_with_guideline_and_a_pool_frozen_on_the_way(
    alice_client: Client, project: Project, bob: User
) -> None:
    make_scene(project, bob)
    add_guideline(project=project, text="Mark drugs.", actor=None, now=NOW)
    form = body(alice_client.get(url("new_labeler", project)))
    assert '<option value="1" selected>Version 1</option>' in form
    assert "Freeze a new pool, from 5 finished notes" in form
    response = make(alice_client, project, guideline="1", pool="new", n_examples=2, constraint="json", n_passes=4)
    assert (response.status_code, response["Location"]) == (303, url("labelers", project))
    made = Labeler.objects.get(pool__isnull=False)
    assert (made.guideline.number, made.pool.number, made.n_examples) == (1, 1, 2)
    assert (made.decoding["template"], made.decoding["constraint"], made.decoding["n_passes"]) == (FULL, "json", 4)
    assert made.prompt_digest == template_digest(FULL)
    page = body(alice_client.get(url("labelers", project)))
    assert "Version 1</a>" in page and "2 of 5 in <a" in page and "Format only, 4 further readings" in page
    assert AuditEvent.objects.get(verb="labeler.make").detail["digest"] == made.digest


def test_a_pool_that_is_there_can_be_taken_again(alice_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    make(alice_client, project, pool="new")
    make(alice_client, project, pool="1", n_examples=5)
    make(alice_client, project, pool="1", n_examples=5)
    assert ExamplePool.objects.count() == 1
    found = Labeler.objects.filter(pool__number=1).order_by("n_examples")
    assert [labeler.n_examples for labeler in found] == [3, 5]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"template": COMPACT, "guideline": "1"}, "neither guideline nor examples"),
        ({"guideline": "7"}, "7 is not one of the available choices"),
        ({"pool": "new"}, "new is not one of the available choices"),
        ({"n_passes": 99}, "less than or equal to 8"),
    ],
)
def test_what_cannot_be_is_refused_with_the_form(
    alice_client: Client, project: Project, fields: dict[str, Any], reason: str
) -> None:
    add_guideline(project=project, text="Mark drugs.", actor=None, now=NOW)
    response = make(alice_client, project, **fields)
    assert response.status_code == 422
    assert reason in body(response)
    assert not Labeler.objects.exists() and not ExamplePool.objects.exists()


def test_a_labeler_is_sent_over_the_notes_that_it_has_not_read(alice_client: Client, project: Project) -> None:
    make_document(project)
    make(alice_client, project)
    made = Labeler.objects.get()
    response = alice_client.post(url("read_with", project), {"labeler": made.digest})
    run = LabelRun.objects.get()
    assert response["Location"] == reverse("suggestions:run", args=[project.public_id, run.public_id])
    assert run.labeler == made
    again = alice_client.post(url("read_with", project), {"labeler": made.digest})
    assert again.status_code == 409
    assert "There is no note that this labeler has not read yet" in body(again)


def test_a_labeler_of_an_older_schema_reads_no_more(alice_client: Client, project: Project, schema: Schema) -> None:
    make_document(project)
    old = default_labeler(project=project, now=NOW)
    changed = schema.to_json()
    changed["labels"][0]["definition"] = "Anything."
    add_schema_version(project=project, schema=schema_from_json(changed), actor=None, now=NOW)
    assert "Has schema version 1; 2 counts" in body(alice_client.get(url("labelers", project)))
    assert alice_client.post(url("read_with", project), {"labeler": old.digest}).status_code == 422
    assert not LabelRun.objects.exists()


def test_a_labeler_whose_pool_lost_examples_says_so(
    alice_client: Client, project: Project, other_project: Project, bob: User
) -> None:
    make_scene(project, bob)
    make(alice_client, project, pool="new")
    made = Labeler.objects.get(pool__isnull=False)
    project.documents.filter(external_id="b-1").update(project=other_project)  # as a purge does at once
    assert "Pool 1 has lost examples to a purge" in body(alice_client.get(url("labelers", project)))
    refused = alice_client.post(url("read_with", project), {"labeler": made.digest})
    assert refused.status_code == 409
    another = make(alice_client, project, pool="1", n_examples=1)
    assert (another.status_code, Labeler.objects.filter(pool__isnull=False).count()) == (422, 1)
    assert "xample pool 1 has lost" in body(another)
    assert "Make a new labeler" in body(refused)
    assert not LabelRun.objects.filter(labeler=made).exists()


def test_the_runs_page_leads_there_for_leads_only(alice_client: Client, project: Project, dana: User) -> None:
    runs = reverse("suggestions:runs", args=[project.public_id])
    assert url("labelers", project) in body(alice_client.get(runs))
    assert url("labelers", project) not in body(sign_in(Client(), dana).get(runs))


def test_the_page_takes_as_many_queries_for_many_labelers(
    alice_client: Client, project: Project, bob: User, django_assert_max_num_queries: Any
) -> None:
    make_scene(project, bob)
    make(alice_client, project, pool="new")
    for n_passes in range(5):
        make(alice_client, project, pool="1", n_passes=n_passes)
    with django_assert_max_num_queries(9):
        alice_client.get(url("labelers", project))


def test_the_choices_are_what_backends_know() -> None:
    assert set(CONSTRAINTS) == {constraint.value for constraint in Constraint}


@pytest.mark.parametrize("changed", [{"prompt_digest": "0" * 64}, {"decoding": {"signals": "another"}}])
def test_a_labeler_of_another_version_of_the_program_reads_no_more(
    alice_client: Client, project: Project, changed: dict[str, Any]
) -> None:
    make_document(project)
    made = default_labeler(project=project, now=NOW)
    Labeler.objects.filter(pk=made.pk).update(**changed)
    refused = alice_client.post(url("read_with", project), {"labeler": made.digest})
    assert refused.status_code == 409
    assert "made by another version or setup" in body(refused)
