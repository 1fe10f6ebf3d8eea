"""Notes come in over the API and are read: all or nothing, errors by row, by the importer of the pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.exchange.uploads import run_import
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.suggestions.models import LabelRun
from tests.api.scene import CANARY, Api, assert_problem, make_upload, results
from tests.cast import NOW, Bells, make_document

pytestmark = pytest.mark.django_db

GOOD = {"id": "n-1", "text": f"{CANARY}.\r\n😀 Cough.", "patient_id": "p1", "note_type": "ED", "metadata": {"ward": 3}}


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


def jsonl(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def test_notes_come_in_as_json(api: Api, project: Project) -> None:
    response = api.post("./documents/", {"documents": [GOOD, {"id": "n-2", "text": "Other."}]})
    assert response.status_code == 201
    assert response.json() == {"n_rows": 2, "n_added": 2, "n_known": 0, "n_repeated": 0, "run_number": None}
    assert AuditEvent.objects.filter(verb="documents.import", chain__project=project.public_id).count() == 1
    first, second = results(api.get("./documents/"))
    assert (first["external_id"], first["state"], second["external_id"]) == ("n-1", "waiting", "n-2")
    assert "text" not in first
    note = api.get(f"./documents/{first['id']}/").json()
    assert note["text"] == f"{CANARY}.\n😀 Cough."
    assert note["n_chars"] == len(note["text"])
    assert (note["patient_id"], note["note_type"], note["metadata"]) == ("p1", "ED", {"ward": 3})
    assert AuditEvent.objects.filter(verb="note.read", object_id=first["id"]).count() == 1


def test_notes_come_in_as_jsonl_and_again_change_nothing(api: Api) -> None:
    rows = jsonl(GOOD, {"id": "n-2", "text": "Other."})
    for counts in ({"n_added": 2, "n_known": 0}, {"n_added": 0, "n_known": 2}):
        response = api.post("./documents/", rows, content_type="application/x-ndjson")
        assert response.status_code == 201
        assert response.json().items() >= counts.items()
    assert Document.objects.count() == 2


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_one_wrong_row_keeps_all_out_and_is_named(api: Api, kind: str) -> None:
    rows = [GOOD, {"id": "n-2"}, {"id": "n-3", "text": f"{CANARY}\0"}, {"id": "n-4", "text": f"{CANARY}\ud800"}, 7]
    body = {"documents": rows} if kind == "application/json" else jsonl(*rows)
    found = assert_problem(api.post("./documents/", body, content_type=kind), 422, "refused")
    assert [error["where"] for error in found["errors"]] == ["row 2", "row 3", "row 4", "row 5"]
    assert CANARY not in json.dumps(found)
    assert not Document.objects.exists()


def test_another_text_under_a_known_id_is_refused(api: Api, project: Project) -> None:
    make_document(project, external_id="n-1")
    found = assert_problem(api.post("./documents/", {"documents": [GOOD]}), 422, "refused")
    assert found["errors"][0]["where"] == "row 1"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"documents": []}, 422, "refused"),
        ({}, 400, "invalid"),
        ([GOOD], 400, "invalid"),
        ({"documents": GOOD}, 400, "invalid"),
        ({"documents": [GOOD], "project": "x"}, 400, "invalid"),
        (b"", 422, "refused"),
        (b'{"documents": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", 400, "invalid"),
        (b'{"documents": [{"id": ' + b"1" * 5000 + b"}]}", 400, "invalid"),
    ],
)
def test_a_body_without_notes_is_a_problem(api: Api, body: Any, status: int, kind: str) -> None:
    assert_problem(api.post("./documents/", body), status, kind)


def test_a_body_that_is_too_long_is_a_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.exchange.api.MAX_JSON_BYTES", 1024 * 1024)
    body = {"documents": [{"id": "n", "text": "a" * 1024 * 1024}]}
    assert_problem(api.post("./documents/", body), 413, "too-large")
    assert not Document.objects.exists()


def test_nothing_of_a_body_stays_in_the_spool(api: Api, settings: Any) -> None:
    api.post("./documents/", {"documents": [GOOD]})
    api.post("./documents/", {"documents": [7]})
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


def test_prelabelling_starts_where_it_is_asked_for(api: Api, bells: Bells) -> None:
    assert api.post("./documents/?prelabel=true", {"documents": [GOOD]}).json()["run_number"] == 1
    assert LabelRun.objects.count() == 1


def test_prelabelling_wants_role_and_scope(alice: User, dana: User, project: Project) -> None:
    body = {"documents": [GOOD]}
    assert_problem(Api(dana, project=project).post("./documents/?prelabel=true", body), 403, "role")
    narrow = Api(alice, project=project, scopes=["import"])
    assert_problem(narrow.post("./documents/?prelabel=true", body), 403, "scope")
    assert not Document.objects.exists()


def test_notes_are_filtered_by_their_state(api: Api, project: Project) -> None:
    make_document(project)
    assert len(results(api.get("./documents/?state=waiting"))) == 1
    assert results(api.get("./documents/?state=reviewed")) == []
    assert_problem(api.get("./documents/?state=lost"), 400, "invalid")


def upload(api: Api, *rows: Any) -> Any:
    return api.upload("./imports/", files=SimpleUploadedFile("notes.jsonl", jsonl(*rows)))


ANNOTATED = {**GOOD, "spans": [{"start": 0, "end": len(CANARY), "label": "Disease"}]}


def test_an_upload_is_looked_at_started_and_run(api: Api, alice: User, bells: Bells) -> None:
    made = upload(api, ANNOTATED)
    assert made.status_code == 201
    found = made.json()
    assert (found["status"], found["report"]) == ("not_started", None)
    assert found["look"]["labels"] == [{"label": "Disease", "n_spans": 1}]
    address = f"./imports/{found['id']}/"
    (row,) = api.get(f"{address}preview/").json()["first_rows"]
    assert row["excerpt"].startswith(CANARY)
    assert AuditEvent.objects.filter(verb="import.preview", object_id=found["id"]).count() == 1
    options = {"spans_as": "annotations", "annotator": "alice", "label_map": {"Disease": "Problem"}}
    with bells.after_commit():
        assert api.post(f"{address}start/", options).json()["status"] == "queued"
    assert bells.tasks() == ["annotator.run_import"]
    job = Job.objects.get()
    run_job(job_id=job.pk, work=lambda job: run_import(job=job, clock=lambda: NOW), clock=lambda: NOW)
    done = api.get(address).json()
    assert (done["status"], done["report"]["n_added"], done["report"]["n_spans"]) == ("done", 1, 1)
    assert Annotation.objects.get().label == "Problem"
    assert_problem(api.post(f"{address}start/", options), 409, "conflict")
    assert_problem(api.ask("DELETE", address), 409, "conflict")
    assert_problem(api.get(f"{address}preview/"), 409, "conflict")


def test_the_state_of_an_import_holds_no_note_text(api: Api) -> None:
    made = upload(api, GOOD, {"id": "n-2", "text": f"{CANARY}\0"})
    assert CANARY not in made.content.decode()
    assert CANARY not in api.get("./imports/").content.decode()


@pytest.mark.parametrize(
    ("options", "status", "where"),
    [
        ({"spans_as": "everything"}, 400, "spans_as"),
        ({"spans_as": "annotations"}, 400, "annotator"),
        ({"spans_as": "suggestions", "annotator": "alice"}, 400, "annotator"),
        ({"spans_as": "annotations", "annotator": "nobody"}, 422, "annotator"),
        ({"spans_as": "suggestions", "labeler": "m", "label_map": {"Disease": "Nothing"}}, 422, "label_map"),
        ({"spans_as": "suggestions", "labeler": "m", "label_map": {"D" * 200: ""}}, 400, "label_map"),
        ({"label_map": {"Disease": [7]}}, 400, "label_map.…"),
        ({"csv": {"text": 0}}, 422, "csv"),
        ({"csv": {"text": 10**30}}, 400, "csv.text"),
        ({"csv": {}}, 400, "csv.text"),
    ],
)
def test_an_import_is_not_started_by_wrong_options(api: Api, options: dict[str, Any], status: int, where: str) -> None:
    address = f"./imports/{upload(api, ANNOTATED).json()['id']}/"
    response = api.post(f"{address}start/", options)
    assert response.status_code == status, response.content
    assert where in [error["where"] for error in response.json()["errors"]]
    assert api.get(address).json()["status"] == "not_started"


def test_only_who_uploaded_starts_and_previews(api: Api, dana: User, project: Project) -> None:
    address = f"./imports/{make_upload(project, dana)}/"
    assert api.get(address).status_code == 200
    assert_problem(api.post(f"{address}start/", {}), 404, "not-found")
    assert_problem(api.get(f"{address}preview/"), 404, "not-found")


def test_a_started_import_is_cancelled(api: Api, bells: Bells, settings: Any) -> None:
    address = f"./imports/{upload(api, GOOD).json()['id']}/"
    assert_problem(api.post(f"{address}cancel/"), 409, "conflict")
    api.post(f"{address}start/", {})
    assert api.post(f"{address}cancel/").json()["status"] == "cancelled"
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


def test_an_upload_is_discarded_with_its_files(api: Api, settings: Any) -> None:
    address = f"./imports/{upload(api, GOOD).json()['id']}/"
    assert api.ask("DELETE", address).status_code == 204
    assert_problem(api.get(address), 404, "not-found")
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"files": SimpleUploadedFile("notes.pdf", b"%PDF")},
        {"files": [SimpleUploadedFile("a.txt", b"One."), SimpleUploadedFile("a.txt", b"Two.")]},
        {"paths": '["x"]'},
    ],
    ids=["nothing", "another type", "twice", "no file"],
)
def test_an_upload_without_notes_is_a_400_and_leaves_nothing(api: Api, settings: Any, files: dict[str, Any]) -> None:
    assert_problem(api.upload("./imports/", **files), 400, "invalid")
    assert not Import.objects.exists()
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


def test_an_upload_that_is_too_long_is_a_413_and_leaves_nothing(api: Api, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    assert_problem(upload(api, GOOD), 413, "too-large")
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=é", "multipart/form-data; boundary=x"]
)
def test_a_form_that_is_none_is_a_400(api: Api, settings: Any, kind: str) -> None:
    assert_problem(api.post("./imports/", b"--nothing\r\n", content_type=kind), 400, "invalid")
    assert list(Path(settings.SPOOL_DIR).iterdir()) == []


def test_csv_is_read_as_asked_for(api: Api, bells: Bells) -> None:
    made = api.upload("./imports/", files=SimpleUploadedFile("notes.csv", b"id;note\nn-1;No cough.\n")).json()
    assert made["csv"]["delimiter"] == ";"
    address = f"./imports/{made['id']}/"
    assert_problem(api.post(f"{address}start/", {"csv": {"delimiter": ";", "text": 9}}), 422, "refused")
    assert_problem(api.post(f"{address}start/", {"csv": {"delimiter": ";", "text": None}}), 422, "refused")
    options = {"csv": {"delimiter": ";", "text": 1, "external_id": 0}}
    assert api.post(f"{address}start/", options).json()["csv"]["text"] == 1
    job = Job.objects.get()
    run_job(job_id=job.pk, work=lambda job: run_import(job=job, clock=lambda: NOW), clock=lambda: NOW)
    assert Document.objects.get().text == "No cough."
