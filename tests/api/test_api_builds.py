"""Datasets over the API: asked for with filters, compared, verified, taken in ranges; the locked test set."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import build_folder, create_build, write_build
from annotator.core.prompting import COMPACT, FULL
from annotator.documents.selectors import type_key
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from tests.api.scene import Api, assert_problem
from tests.builds.identified import make_identified
from tests.builds.scene import annotate, asks_shortly
from tests.cast import NOW, make_document

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


@pytest.fixture
def notes(project: Project, bob: User) -> None:
    """Ten patients' notes, half of them of the emergency department."""
    for number in range(10):
        document = make_document(
            project, external_id=f"n{number}", patient_id=f"p{number}", note_type="ED" if number % 2 else "Letter"
        )
        annotate(document, bob, ("metformin", "Medication"))


def built(project: Project, actor: User, **options: Any) -> DatasetBuild:
    build = create_build(
        project=project, name="N", formats=["jsonl"], options=BuildOptions(**options), actor=actor, now=NOW
    )
    assert build.job is not None
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    return DatasetBuild.objects.get(pk=build.pk)


@pytest.mark.usefixtures("notes")
def test_a_dataset_is_asked_for_with_filters(api: Api) -> None:
    wanted = {"note_types": ["ED"], "labels": ["Medication"], "since": "2026-01-01", "min_agreement": 0}
    body = {"name": "Some", "filters": wanted, "licence": " CC BY\n4.0 ", "keep_twins": True}
    made = api.post("./builds/", body)
    assert made.status_code == 201, made.content
    options = made.json()["options"]
    assert options["filters"]["note_types"] == [type_key("ED")]
    assert (options["licence"], options["stratified"], options["keep_twins"]) == ("CC BY 4.0", True, True)
    assert options["shares"] == {"train": 80, "dev": 10, "test": 10}


@pytest.mark.usefixtures("notes")
def test_chat_rows_ask_as_the_labeler_of_the_project_where_nothing_else_is_said(api: Api, settings: Any) -> None:
    asks_shortly(settings)
    options = api.post("./builds/", {"name": "N"}).json()["options"]
    assert (options["window"], options["template"]) == (300, COMPACT)
    options = api.post("./builds/", {"name": "N", "window": 800, "template": FULL}).json()["options"]
    assert (options["window"], options["template"]) == (800, FULL)


def test_a_dataset_without_identifiers_is_asked_for(api: Api, project: Project, bob: User) -> None:
    make_identified(project, bob)
    made = api.post("./builds/", {"name": "N", "identifiers": "replace", "surrogates": "project"})
    assert made.status_code == 201, made.content
    assert (made.json()["options"]["identifiers"], made.json()["options"]["surrogates"]) == ("replace", "project")
    plain = api.post("./builds/", {"name": "N"}).json()["options"]
    assert (plain["identifiers"], plain["surrogates"]) == ("keep", "own")
    for wrong in ({"identifiers": "hide"}, {"surrogates": "project"}, {"identifiers": "replace", "comments": True}):
        assert api.post("./builds/", {"name": "N", **wrong}).status_code == 400


@pytest.mark.usefixtures("notes")
def test_identifiers_that_nobody_looked_for_cannot_be_replaced(api: Api) -> None:
    assert_problem(api.post("./builds/", {"name": "N", "identifiers": "replace"}), 422, "refused")


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ({"states": ["x"]}, 400),
        ({"min_agreement": 101}, 400),
        ({"more": 1}, 400),
        ({"since": "2026-02-02", "until": "2026-02-01"}, 400),
        ({"labels": ["Nose"]}, 422),
        ({"note_types": ["Nobody's"]}, 422),
    ],
)
def test_filters_that_cannot_be_used_are_refused(api: Api, filters: dict[str, Any], status: int) -> None:
    response = api.post("./builds/", {"name": "Some", "filters": filters})
    assert response.status_code == status
    assert "Nose" not in response.content.decode()
    assert not DatasetBuild.objects.exists()


@pytest.mark.usefixtures("notes")
def test_two_datasets_are_compared_page_by_page(api: Api, project: Project, alice: User, bob: User) -> None:
    before = built(project, alice, shares=(100, 0, 0))
    for number in range(3):
        annotate(make_document(project, external_id=f"new-{number}"), bob, ("metformin", "Medication"))
    after = built(project, alice, shares=(100, 0, 0), seed=4)
    address = f"./builds/{after.public_id}/compare/"
    first = api.get(f"{address}?with={before.public_id}&limit=2").json()
    assert first["settings"] == [{"name": "seed", "before": "0", "after": "4"}]
    assert {"label": "Medication", "before": 10, "after": 13} in first["labels"]
    assert (first["notes"], first["n_same"]) == ({"added": 3, "removed": 0, "changed": 0}, 10)
    assert [row["external_id"] for row in first["results"]] == ["new-0", "new-1"]
    (span,) = first["results"][0]["spans"]
    assert span["before"] is None
    assert span["after"] == {"label": "Medication", "attributes": {}, "by": "person, base"}
    assert span["fragments"] == [[40, 49]]
    last = api.get(f"{address}?with={before.public_id}&limit=2&cursor={first['next']}").json()
    assert ([row["external_id"] for row in last["results"]], last["next"]) == (["new-2"], None)
    assert api.get(address).json()["notes"]["added"] == 3  # from the one before, where none is named
    assert_problem(api.get(f"./builds/{before.public_id}/compare/"), 422, "refused")
    assert api.get(f"{address}?with={'a' * 16}").status_code == 404


@pytest.mark.usefixtures("notes")
def test_a_dataset_is_verified(api: Api, project: Project, alice: User) -> None:
    build = built(project, alice)
    address = f"./builds/{build.public_id}/verify/"
    assert api.post(address).json()["is_right"]
    (build_folder(build) / "train.jsonl").write_text("{}")
    found = api.post(address).json()
    assert (found["is_right"], found["altered"], found["missing"]) == (False, ["train.jsonl"], [])


@pytest.mark.usefixtures("notes")
def test_a_file_is_taken_in_ranges_under_its_digest(api: Api, project: Project, alice: User) -> None:
    build = built(project, alice)
    address = f"./builds/{build.public_id}/files/train.jsonl/"
    headers = {"Authorization": f"Bearer {api.text}"}
    data = (build_folder(build) / "train.jsonl").read_bytes()
    whole = api.get(address)
    assert b"".join(whole.streaming_content) == data
    assert whole["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    asked = headers | {"Range": "bytes=10-19", "If-Range": whole["ETag"]}
    part: Any = api.client.get(api.url(address), headers=asked)
    assert (part.status_code, b"".join(part.streaming_content)) == (206, data[10:20])
    assert part["Content-Range"] == f"bytes 10-19/{len(data)}"
    changed: Any = api.client.get(api.url(address), headers=asked | {"If-Range": '"other"'})
    assert changed.status_code == 200
    behind = api.client.get(api.url(address), headers=headers | {"Range": f"bytes={len(data)}-"})
    assert_problem(behind, 416, "range")
    assert behind["Content-Range"] == f"bytes */{len(data)}"
    assert api.client.get(api.url(address), headers=headers | {"If-None-Match": whole["ETag"]}).status_code == 304


@pytest.mark.usefixtures("notes")
def test_a_test_set_is_locked_once_and_unlocked(api: Api, project: Project, alice: User) -> None:
    build = built(project, alice)
    assert api.get("./test-set/").status_code == 404
    made = api.post("./test-set/", {"build": build.public_id})
    assert (made.status_code, made.json()["n_patients"], made.json()["build_number"]) == (201, 1, 1)
    assert_problem(api.post("./test-set/", {"build": build.public_id}), 422, "refused")
    assert api.post("./builds/", {"name": "Next"}).json()["options"]["shares"]["test"] == 0
    assert api.ask("DELETE", "./test-set/").status_code == 204
    assert api.get("./test-set/").status_code == 404


@pytest.mark.usefixtures("notes")
def test_a_failed_build_is_written_after_all(api: Api, project: Project, alice: User) -> None:
    build = create_build(project=project, name="N", formats=["jsonl"], options=BuildOptions(), actor=alice, now=NOW)
    Job.objects.update(status=Job.Status.FAILED, error="disk full")
    answer = api.post(f"./builds/{build.public_id}/resume/").json()
    assert (answer["status"], answer["error"]) == ("queued", "")
