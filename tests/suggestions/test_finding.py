"""Looking for identifiers: what it changes in a project, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.identifiers import ATTRIBUTE, LABEL, asked_of, with_identifiers
from annotator.core.prompting import note_of
from annotator.core.schema import schema_from_json
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.selectors import current_schema, schema_for
from annotator.projects.services import add_schema_version
from annotator.review.models import ReviewItem
from annotator.routing.services import route_job
from annotator.suggestions.finding import look_for_identifiers
from annotator.suggestions.labelers import default_labeler, new_documents, notes_without_identifiers_sought
from annotator.suggestions.models import Labeler, LabelRun, Suggestion
from annotator.suggestions.services import RunRefused, start_run
from llm_labeler import tasks
from llm_labeler.backends import Answer, Request
from tests.cast import NOW, SCHEMA, body, make_document, sign_in
from tests.suggestions.scene import make_documents, make_run, statuses

pytestmark = pytest.mark.usefixtures("bells")
LETTER = "Dear Dr Okonjo, I saw Mrs Jane Hollis on 12 March 2024. Jane takes metformin for diabetes. Hollis was well."


def look(project: Project, actor: User | None = None) -> LabelRun:
    return look_for_identifiers(project=project, actor=actor, now=NOW)


def test_the_schema_gets_the_label_and_all_notes_are_looked_through(project: Project, alice: User) -> None:
    make_documents(project, 2)
    run = look(project, alice)
    version = current_schema(project)
    assert version.number == 2
    assert version.schema == with_identifiers(schema_from_json(SCHEMA))
    assert (run.labeler.backend, run.labeler.schema_version, run.jobs.count()) == ("presidio", version, 2)
    assert list(AuditEvent.objects.order_by("pk").values_list("verb", "actor__username"))[-2:] == [
        ("schema.add", "alice"),
        ("run.start", "alice"),
    ]


def test_a_second_look_is_of_new_notes_alone_and_adds_no_schema(project: Project) -> None:
    make_documents(project, 2)
    look(project)
    assert not notes_without_identifiers_sought(project=project).exists()
    new = make_document(project, external_id="new", text="x")
    assert list(notes_without_identifiers_sought(project=project)) == [new]
    run = look(project)
    assert [job.document for job in run.jobs.all()] == [new]
    assert current_schema(project).number == 2


def test_nothing_is_changed_where_there_is_nothing_to_look_through(project: Project) -> None:
    with pytest.raises(RunRefused, match="no note"):
        look(project)
    assert current_schema(project).number == 1
    assert not Labeler.objects.exists()


def test_a_schema_that_is_full_is_refused(project: Project) -> None:
    labels = [{"name": f"L{number}", "definition": "d"} for number in range(12)]
    add_schema_version(project=project, schema=schema_from_json({"labels": labels}), actor=None, now=NOW)
    make_documents(project, 1)
    with pytest.raises(RunRefused, match="no room for the label of identifiers: 13 labels"):
        look(project)


def test_labelers_of_findings_keep_their_schema_and_read_nothing_again(project: Project) -> None:
    run = make_run(project, n=2)
    look(project)
    assert default_labeler(project=project, now=NOW) == run.labeler
    assert not new_documents(project=project).exists()


def test_another_label_is_another_labeler_of_findings_and_no_other_of_identifiers(project: Project) -> None:
    make_documents(project, 1)
    first = look(project)
    before = default_labeler(project=project, now=NOW)
    schema = current_schema(project).schema.to_json()
    schema["labels"] = [*schema["labels"], {"name": "Test", "definition": "t"}]
    newest = add_schema_version(project=project, schema=schema_from_json(schema), actor=None, now=NOW)
    assert default_labeler(project=project, now=NOW) != before
    assert default_labeler(project=project, now=NOW).schema_version == newest
    assert schema_for(project, backend="presidio") == first.labeler.schema_version
    assert not notes_without_identifiers_sought(project=project).exists()


def test_what_a_schema_asks_of_whom() -> None:
    both = with_identifiers(schema_from_json(SCHEMA))
    assert asked_of(both, backend="spacy") == schema_from_json(SCHEMA)
    assert asked_of(both, backend="presidio").label_names == (LABEL,)
    assert [attribute.name for attribute in asked_of(both, backend="presidio").attributes] == [ATTRIBUTE]
    assert asked_of(schema_from_json(SCHEMA), backend="presidio").label_names == ()


def test_a_labeler_that_a_schema_asks_nothing_of_is_refused(project: Project) -> None:
    make_documents(project, 1)
    schema = with_identifiers(schema_from_json(SCHEMA)).only([LABEL])
    add_schema_version(project=project, schema=schema, actor=None, now=NOW)
    labeler = default_labeler(project=project, now=NOW)
    with pytest.raises(RunRefused, match="no label that this labeler is asked for"):
        start_run(project=project, labeler=labeler, documents=project.documents.all(), actor=None, now=NOW)
    assert look(project).jobs.count() == 1


# Reading


@pytest.mark.django_db(transaction=True)
def test_the_way_from_the_button_to_the_reader(project: Project) -> None:
    document = make_document(project, text=LETTER)
    run = look(project)
    tasks.label_run.apply(args=[run.pk], throw=True)
    assert statuses(run) == ["done"]
    found = Suggestion.objects.order_by("start")
    assert [(one.surface, one.label, one.attributes[ATTRIBUTE], one.alignment) for one in found] == [
        ("Okonjo", LABEL, "name", "exact"),
        ("Jane Hollis", LABEL, "name", "exact"),
        ("12 March 2024", LABEL, "date", "exact"),
        ("Jane", LABEL, "name", "exact"),
        ("Hollis", LABEL, "name", "exact"),
    ]
    assert all(one.surface == LETTER[one.start : one.end] and 0 < one.score < 1 for one in found)
    route_job(label_job_id=run.jobs.get().pk, now=NOW)
    items = ReviewItem.objects.filter(document=document, unit="span")
    assert set(items.values_list("stream", "status", "confidence")) == {("uncertain", "open", None)}


class Asked:
    """A model that finds nothing, and tells what it was asked."""

    name, model_id, revision, device, group_size = "spacy", "marginalia-lexicon", "1", "CPU", 8

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def generate(self, requests: list[Request]) -> list[list[Answer]]:
        self.requests += requests
        return [[Answer("[]", (), "stop")] for _ in requests]


@pytest.mark.django_db(transaction=True)
def test_a_labeler_of_findings_is_never_asked_for_identifiers(
    project: Project, schema_version: SchemaVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_schema_version(project=project, schema=with_identifiers(schema_version.schema), actor=None, now=NOW)
    schema_version.delete()
    model = Asked()
    monkeypatch.setattr(tasks, "_backend", lambda name: model)
    run = make_run(project, n=1)
    assert LABEL in run.labeler.schema_version.schema.label_names
    tasks.label_run.apply(args=[run.pk], throw=True)
    (request,) = model.requests
    assert note_of(request.messages).startswith("Assessment")
    assert "Identifier" not in json.dumps([request.messages, request.schema])


# The page, and the command


def runs_page(client: Client, project: Project) -> str:
    return body(client.get(reverse("suggestions:runs", args=[project.public_id])))


def test_the_page_offers_it_to_leads_and_says_what_comes_of_it(
    alice_client: Client, dana: User, project: Project
) -> None:
    make_documents(project, 2)
    page = runs_page(alice_client, project)
    assert "Look for identifiers in 2 notes" in page
    assert "The schema gets the label <b>Identifier</b>" in page
    assert "Look for identifiers" not in runs_page(sign_in(Client(), dana), project)
    look(project)
    page = runs_page(alice_client, project)
    assert "every note is looked through" in page
    assert "Look for identifiers" not in page


def test_the_button_starts_the_run_and_a_refusal_is_said(alice_client: Client, project: Project) -> None:
    make_documents(project, 1)
    url = reverse("suggestions:look", args=[project.public_id])
    response = alice_client.post(url)
    run = LabelRun.objects.get()
    assert (response.status_code, response["Location"]) == (
        303,
        reverse("suggestions:run", args=[project.public_id, run.public_id]),
    )
    response = alice_client.post(url)
    assert response.status_code == 409
    assert "There is no note that this labeler has not read yet" in body(response)


def test_the_command_starts_the_run_and_a_refusal_is_said(project: Project, capsys: Any) -> None:
    make_documents(project, 2)
    call_command("look_for_identifiers", project.slug)
    assert capsys.readouterr().out == "run 1: 2 notes are looked through\n"
    with pytest.raises(CommandError, match="no note"):
        call_command("look_for_identifiers", project.slug)
