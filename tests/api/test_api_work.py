"""Projects, runs and datasets over the API, and the description of it all."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import resolve

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.browse import round_api
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.review import rounds
from annotator.review.models import Round, RoundJob
from annotator.review.round_jobs import run_round
from annotator.suggestions.models import LabelJob, LabelRun
from tests.api.scene import CANARY, Api, assert_problem, make_build, results
from tests.cast import NOW, SCHEMA, Bells, make_document, make_set

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


def test_a_project_is_made_and_led(charlie: User) -> None:
    response = Api(charlie).post("projects/", {"name": "Letters", "schema": SCHEMA})
    assert response.status_code == 201
    made = Project.objects.get(public_id=response.json()["id"])
    assert (made.name, made.memberships.get().user, made.memberships.get().role) == ("Letters", charlie, "lead")
    assert response.json()["role"] == "lead"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"name": "A"}, "schema"),
        ({"name": "A", "schema": {"labels": []}}, "schema"),
        ({"name": "A", "schema": "labels"}, "schema"),
        ({"name": "A" * 121, "schema": SCHEMA}, "name"),
    ],
)
def test_a_project_that_makes_no_sense_is_a_400(api: Api, body: dict[str, Any], where: str) -> None:
    found = assert_problem(api.post("projects/", body), 400, "invalid")
    assert [error["where"] for error in found["errors"]] == [where]


def test_a_round_is_made_and_watched(api: Api, project: Project, bob: User, adam: User) -> None:
    for number in range(4):
        make_document(project, external_id=f"n-{number}")
    readers = [{"id": bob.public_id, "n_notes": 1}, {"id": adam.public_id}]
    asked = {"readers": readers, "n_readers": 1, "external_ids": ["n-0", "n-1", "n-2"], "due_on": "2099-03-01"}
    response = api.post("./rounds/", asked)
    assert response.status_code == 201
    made = response.json()
    assert (made["number"], made["progress"]) == (1, {"n_all": 3, "n_done": 0, "n_begun": 0, "n_left": 3})
    assert [(each["username"], each["n_all"]) for each in made["readers"]] == [("adam", 2), ("bob", 1)]
    assert api.get(f"./rounds/{made['id']}/").json() == made
    assert [each["id"] for each in results(api.get("./rounds/"))] == [made["id"]]
    for body, why in (
        (asked, "entries 1, 2, 3"),
        (asked | {"n_notes": 1}, "not both"),
        ({"readers": readers, "n_readers": 2, "n_notes": 2}, "2 notes are wanted, and 1"),
        ({"readers": [{"id": "a" * 16}], "n_readers": 1}, "does not review"),
    ):
        assert why in assert_problem(api.post("./rounds/", body), 422, "refused")["detail"]


def test_a_round_is_made_of_the_notes_of_a_file(
    api: Api, alice: User, project: Project, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_api, "MAX_IDS_BYTES", 100)
    monkeypatch.setattr(rounds, "MOST_WAITED_FOR", 1)
    for number in range(3):
        make_document(project, external_id=f"n-{number}")

    def upload(content: bytes, name: str = "ids.csv", **asked: Any) -> Any:
        whole = {"readers": [{"id": bob.public_id}], "n_readers": 1, **asked}
        parts = {"round": json.dumps(whole), "ids_file": SimpleUploadedFile(name, content)}
        return api.upload("./rounds/", **parts)

    for content, asked, why in (
        (b"n-0\n\nsecret\n", {}, "no note of the id in row 3"),
        (b"n-0\n,x\n", {}, "stands in row 2"),
        (b"n-0\n" * 40, {}, "may have"),
        (b"n-0\n", {"n_notes": 1}, "not both"),
    ):
        found = assert_problem(upload(content, **asked), 422, "refused")
        assert why in found["detail"] and "secret" not in json.dumps(found)
    assert_problem(upload(b"n-0", nonsense=1), 400, "invalid")
    assert_problem(api.upload("./rounds/", round="{}"), 400, "invalid")
    assert not Round.objects.exists()
    answer = upload(b"note_id\nn-0\nn-2\n")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["work"]["task"], made["work"]["status"]) == ("make", "queued")
    work = RoundJob.objects.get()
    run_job(job_id=work.job_id, work=lambda job: run_round(job=job, clock=lambda: NOW), clock=lambda: NOW)
    found = api.get(f"./rounds/{made['id']}/").json()
    assert (found["work"], found["progress"]["n_all"]) == (None, 2)


def test_a_name_without_a_letter_is_refused(api: Api) -> None:
    assert_problem(api.post("projects/", {"name": "…", "schema": SCHEMA}), 422, "refused")


def test_a_project_shows_its_members_and_schema(api: Api, bob: User) -> None:
    people = results(api.get("./members/"))
    assert [(each["username"], each["role"]) for each in people] == [("bob", "annotator"), ("alice", "lead")]
    assert not {"email", "password", "last_login"} & set(people[0])
    schema = api.get("./schema/").json()
    assert [label["name"] for label in schema["labels"]] == ["Problem", "Medication"]
    assert schema["attributes"][0]["values"][1] == {"name": "absent", "hotkey": "n", "glyph": "negated"}
    assert schema["number"] == 1


def test_a_run_is_started_watched_stopped_and_tried_again(api: Api, project: Project, bells: Bells) -> None:
    assert_problem(api.post("./runs/"), 409, "conflict")
    make_document(project)
    with bells.after_commit():
        made = api.post("./runs/")
    assert made.status_code == 201
    assert bells.tasks() == ["llm_labeler.label_run"]
    run = made.json()
    assert (run["status"], run["progress"]["n_waiting"], run["created_by"]) == ("running", 1, "alice")
    address = f"./runs/{run['id']}/"
    assert api.post(f"{address}cancel/").json()["progress"]["n_cancelled"] == 1
    assert api.get(address).json()["status"] == "cancelled"
    LabelRun.objects.update(trouble="the model does not answer")
    LabelJob.objects.update(n_truncated=2, n_problems=1)
    seen = api.get(address).json()
    assert (seen["trouble"], seen["progress"]["n_truncated"], seen["progress"]["n_problems"]) == (
        "the model does not answer",
        2,
        1,
    )
    assert api.post(f"{address}retry/").json()["status"] == "running"
    assert len(results(api.get("./runs/?status=running"))) == 1
    assert results(api.get("./runs/?status=done")) == []
    assert LabelJob.objects.get().status == "queued"
    verbs = AuditEvent.objects.filter(object_id=run["id"]).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["run.start", "run.cancel", "run.retry"]


def test_a_dataset_is_built_and_downloaded(api: Api, project: Project, alice: User, bells: Bells) -> None:
    make_set(make_document(project, text=f"{CANARY}."), alice)
    with bells.after_commit():
        made = api.post(
            "./builds/", {"name": "First", "formats": ["jsonl"], "shares": {"train": 100, "dev": 0, "test": 0}}
        )
    assert made.status_code == 201
    assert bells.tasks() == ["annotator.run_build"]
    assert (made.json()["status"], made.json()["files"], made.json()["n_notes"]) == ("queued", [], None)
    build_id = make_build(project, alice)
    built = api.get(f"./builds/{build_id}/").json()
    assert (built["status"], built["n_notes"]) == ("done", 1)
    for file in built["files"]:
        response = api.get(f"./builds/{build_id}/files/{file['name']}/")
        content = b"".join(response)
        assert response["Content-Disposition"].startswith("attachment")
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    taken = AuditEvent.objects.filter(verb="build.download", object_id=build_id)
    assert [event.detail["file"] for event in taken] == [file["name"] for file in built["files"]]
    assert len(results(api.get("./builds/?status=done"))) == 1


def test_a_file_comes_whatever_is_accepted(api: Api, project: Project, alice: User) -> None:
    make_set(make_document(project), alice)
    address = f"./builds/{make_build(project, alice)}/files/manifest.json/"
    for accepted in ("application/octet-stream", "text/html", "*/*", "nonsense"):
        response = api.get(address, HTTP_ACCEPT=accepted)
        assert json.loads(b"".join(response))["n_notes"] == 1


def test_the_files_of_a_purged_dataset_are_gone(api: Api, project: Project, alice: User) -> None:
    make_set(make_document(project), alice)
    build_id = make_build(project, alice)
    DatasetBuild.objects.update(files_removed_at=NOW)
    assert api.get(f"./builds/{build_id}/").json()["files_removed_at"] is not None
    assert_problem(api.get(f"./builds/{build_id}/files/manifest.json/"), 410, "gone")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 400),
        ({"name": "A", "formats": []}, 400),
        ({"name": "A", "formats": ["docx"]}, 400),
        ({"name": "A", "shares": {"train": 50, "dev": 10, "test": 10}}, 400),
        ({"name": "A", "window": 10}, 400),
        ({"name": "A", "seed": 2**31}, 400),
        ({"name": "A", "annotator": "a" * 16}, 422),
        ({"name": "A"}, 422),
    ],
)
def test_a_dataset_that_cannot_be_built_is_refused(api: Api, given: dict[str, Any], status: int) -> None:
    assert api.post("./builds/", given).status_code == status
    assert not DatasetBuild.objects.exists()


def test_a_build_is_cancelled(api: Api, project: Project, alice: User, bells: Bells) -> None:
    make_set(make_document(project), alice)
    build_id = api.post("./builds/", {"name": "First"}).json()["id"]
    assert api.post(f"./builds/{build_id}/cancel/").json()["status"] == "cancelled"
    assert Job.objects.get().status == "cancelled"


def test_reading_is_in_the_audit_chain_once_an_hour(api: Api, project: Project, alice: User) -> None:
    document = make_document(project)
    for _ in range(2):
        for resource in ("suggestions", "annotations", "decisions"):
            api.get(f"./{resource}/")
            api.get(f"./{resource}/?document={document.public_id}")
    for resource in ("suggestions", "annotations", "decisions"):
        events = AuditEvent.objects.filter(verb=f"{resource}.read", actor=alice).order_by("pk")
        assert [event.object_id for event in events] == [project.public_id, document.public_id]
    AuditEvent.objects.update(at=NOW - timedelta(hours=2))
    api.get("./suggestions/")
    assert AuditEvent.objects.filter(verb="suggestions.read").count() == 3
    assert Document.objects.count() == 1


def test_every_address_of_the_documentation_is_there() -> None:
    lines = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    found = {f"projects/{'a' * 16}{path}" for path in re.findall(r"\$P(/[\w/.-]*)", lines)}
    found |= set(re.findall(r"\$API/([\w/.-]+)", lines)) - {"projects/"}
    assert len(found) > 20
    for path in found:
        address = "/api/v1/" + re.sub(r"\b[A-Z]+\b", "a" * 16, path)
        assert resolve(address).url_name != "nothing", path


def test_the_description_is_sound_and_complete(api: Api) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO(), stderr=StringIO())
    description = api.get("schema/").json()
    assert description["openapi"].startswith("3.1")
    assert description["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "code points" in description["info"]["description"]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            assert operation["security"] == [{"token": []}], name
            assert operation["summary"], name
            assert {"401", "403", "429"} <= set(operation["responses"]), name
            assert ("{" in path) <= ("404" in operation["responses"]), name
            for status, answer in operation["responses"].items():
                kinds = set(answer.get("content", ()))
                assert kinds == ({"application/problem+json"} if status >= "400" else kinds), (name, status)
                assert kinds or status in {"204", "304"}, (name, method, status)
