from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds import formats
from annotator.builds.manifest import reduced_manifest
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.core.prompting import COMPACT
from annotator.jobs.models import Job
from annotator.jobs.services import record_beat, run_job
from annotator.projects.models import Project
from tests.builds.identified import make_identified
from tests.builds.scene import annotate, asks_shortly, make_scene
from tests.cast import NOW, make_document, sign_in

HTMX = {"HX-Request": "true"}
FORM: dict[str, Any] = {
    "name": "Clinic",
    "formats": ["jsonl"],
    "train": 80,
    "dev": 10,
    "test": 10,
    "window": 2000,
    "seed": 0,
}


@pytest.fixture(autouse=True)
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "BUILDS_DIR", tmp_path)
    return tmp_path


@pytest.fixture
def dana_client(client: Client, dana: User) -> Client:
    return sign_in(client, dana)


@pytest.fixture
def build(project: Project, bob: User, dana: User) -> DatasetBuild:
    """Waits for a worker."""
    make_scene(project, bob)
    return create_build(
        project=project, name="<b>Clinic</b>", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW
    )


@pytest.fixture
def done(build: DatasetBuild) -> DatasetBuild:
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    build.refresh_from_db()
    return build


def url(name: str, *args: str) -> str:
    return reverse(f"builds:{name}", args=args)


def body(response: Any) -> str:
    return response.content.decode()


def test_list_without_a_build_says_what_a_dataset_is(dana_client: Client, project: Project) -> None:
    response = dana_client.get(url("builds", project.public_id))
    assert response.status_code == 200
    assert "No dataset yet" in body(response)
    assert url("new", project.public_id) in body(response)


def test_list_shows_builds_newest_first_and_the_sheet(dana_client: Client, done: DatasetBuild, dana: User) -> None:
    create_build(project=done.project, name="Second", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW)
    page = body(dana_client.get(url("builds", done.project.public_id)))
    assert page.index("Second") < page.index("&lt;b&gt;Clinic&lt;/b&gt;")
    assert "Waiting" in page
    assert "Ready" in page
    assert 'id="build-sheet"' in page


def test_list_takes_the_same_number_of_queries_for_many_builds(
    dana_client: Client, build: DatasetBuild, dana: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        create_build(
            project=build.project, name=f"B{number}", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW
        )
    dana_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(11):
        dana_client.get(url("builds", build.project.public_id))


def test_new_page_shows_the_form_with_its_checks(dana_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    page = body(dana_client.get(url("new", project.public_id)))
    assert 'action="' + url("create", project.public_id) in page
    assert "Notes are ready" in page
    assert "Notes not done yet are left out" in page
    assert "No worker is running" in page
    assert "<html" in page


def test_chat_rows_ask_as_the_labeler_of_the_project_does(
    dana_client: Client, project: Project, bob: User, settings: Any
) -> None:
    asks_shortly(settings)
    make_scene(project, bob)
    page = body(dana_client.get(url("new", project.public_id)))
    assert re.search(r'name="window" value="300"', page)
    assert re.search(rf'<option value="{COMPACT}" selected', page)
    other = BuildOptions(window=800)
    like = create_build(project=project, name="N", formats=["jsonl"], options=other, actor=bob, now=NOW)
    again = body(dana_client.get(url("new", project.public_id), {"like": like.public_id}))
    assert re.search(r'name="window" value="800"', again)


def test_formats_stand_by_what_they_are_for_and_one_that_is_missing_cannot_be_ticked(
    dana_client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "pyarrow" else name)
    page = body(dana_client.get(url("new", project.public_id)))
    further = [found for name, found in formats.FORMATS.items() if name not in formats.DEFAULT_FORMATS]
    places = [page.index(f'aria-label="{group}"') for group in dict.fromkeys(found.GROUP for found in further)]
    assert places == sorted(places)
    assert '<details class="fold"><summary>More formats: parquet, trl' in page
    boxes = {match[1]: match[0] for match in re.finditer(r'<input[^>]* value="([a-z-]+)"[^>]*>', page)}
    assert boxes.keys() >= set(formats.FORMATS)
    assert {name for name in formats.FORMATS if "disabled" in boxes[name]} == {"parquet"}
    assert {name for name in formats.FORMATS if "checked" in boxes[name]} == {"jsonl", "messages"}
    assert page.count("is not installed here") == 1
    refused = body(dana_client.post(url("create", project.public_id), {**FORM, "formats": ["csv"], "name": ""}))
    assert '<details class="fold" open>' in refused


def test_new_for_htmx_is_the_checks_for_what_the_form_holds(dana_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    response = dana_client.get(url("new", project.public_id), {**FORM, "train": 100, "dev": 0, "test": 0}, headers=HTMX)
    assert "<html" not in body(response)
    assert "Train <b>4</b>" in body(response)
    assert "HX-Request" in response["Vary"]
    wrong = body(dana_client.get(url("new", project.public_id), {**FORM, "train": 90}, headers=HTMX))
    assert "Shares are 90 10 10" in wrong


def test_new_does_not_warn_of_workers_that_live(dana_client: Client, project: Project) -> None:
    record_beat(name="w1", queues="main", model_id="", device="CPU", memory_bytes=1, started_at=NOW, now=timezone.now())
    assert "No worker is running" not in body(dana_client.get(url("new", project.public_id)))


def test_annotator_is_asked_for_where_several_people_read(
    dana_client: Client, project: Project, bob: User, adam: User
) -> None:
    document = make_document(project)
    annotate(document, bob)
    assert 'name="annotator"' not in body(dana_client.get(url("new", project.public_id)))
    annotate(document, adam)
    page = body(dana_client.get(url("new", project.public_id)))
    assert f'<option value="{bob.public_id}">Take bob' in page
    assert "open disagreements" in page
    checks = body(dana_client.get(url("new", project.public_id), {**FORM, "annotator": bob.public_id}, headers=HTMX))
    assert "open disagreements" not in checks


def test_create_starts_a_build_and_leads_to_it(dana_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    response = dana_client.post(url("create", project.public_id), FORM)
    build = DatasetBuild.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("build", project.public_id, build.public_id))
    assert (build.name, build.formats) == ("Clinic", ["jsonl"])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": ""}, "This field is required"),
        ({"formats": ["docx"]}, "docx is not one of the available choices"),
        ({"formats": []}, "This field is required"),
        ({"train": 81}, "Shares are 81 10 10"),
        ({"window": 10}, "greater than or equal to 200"),
        ({"seed": "x"}, "Enter a whole number"),
    ],
)
def test_create_keeps_a_wrong_form(
    dana_client: Client, project: Project, bob: User, wrong: dict[str, Any], reason: str
) -> None:
    make_scene(project, bob)
    response = dana_client.post(url("create", project.public_id), {**FORM, **wrong})
    assert response.status_code == 422
    assert reason in body(response)
    assert not DatasetBuild.objects.exists()


def test_create_says_when_there_is_nothing_to_build(dana_client: Client, project: Project) -> None:
    response = dana_client.post(url("create", project.public_id), FORM)
    assert response.status_code == 422
    assert "The project has no note yet." in body(response)


def test_waiting_build_polls_and_says_that_no_worker_runs(dana_client: Client, build: DatasetBuild) -> None:
    address = url("build", build.project.public_id, build.public_id)
    page = dana_client.get(address)
    assert "No worker is running" in body(page)
    assert f'hx-get="{address}" hx-trigger="every 2s"' in body(page)
    partial = dana_client.get(address, headers=HTMX)
    assert "<html" not in body(partial)
    assert 'hx-trigger="every 2s"' in body(partial)


def test_running_build_shows_how_far_it_is(dana_client: Client, build: DatasetBuild) -> None:
    Job.objects.update(status=Job.Status.RUNNING, n_done=200, n_total=500)
    assert "<b>200 of 500 notes</b>" in body(dana_client.get(url("build", build.project.public_id, build.public_id)))


def test_finished_build_comes_without_the_trigger(dana_client: Client, done: DatasetBuild) -> None:
    partial = body(dana_client.get(url("build", done.project.public_id, done.public_id), headers=HTMX))
    assert "hx-trigger" not in partial
    assert done.manifest["data_sha256"] in partial
    for file in done.manifest["files"]:
        assert file["sha256"] in partial
        assert url("download", done.project.public_id, done.public_id, file["name"]) in partial
    assert "No patient is in two parts" in partial
    assert "Notes left out: not submitted" in partial


def test_finished_build_says_what_each_format_leaves_out(
    dana_client: Client, project: Project, bob: User, dana: User
) -> None:
    make_scene(project, bob)
    build = create_build(
        project=project, name="N", formats=["jsonl", "conll"], options=BuildOptions(), actor=dana, now=NOW
    )
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    page = body(dana_client.get(url("build", project.public_id, build.public_id)))
    assert "What a format leaves out" in page
    assert "<b>1</b> discontinuous spans, cut into their pieces" in page
    assert "labels of whole notes, comments" in page


def test_failed_build_says_why(dana_client: Client, build: DatasetBuild) -> None:
    Job.objects.update(status=Job.Status.FAILED, error="no note is ready")
    page = body(dana_client.get(url("build", build.project.public_id, build.public_id)))
    assert "no note is ready" in page
    assert "hx-trigger" not in page


def test_cancel_is_a_post(dana_client: Client, build: DatasetBuild) -> None:
    address = url("cancel", build.project.public_id, build.public_id)
    assert dana_client.get(address).status_code == 405
    assert dana_client.post(address).status_code == 303
    assert Job.objects.get().status == Job.Status.CANCELLED


def test_build_page_takes_few_queries(
    dana_client: Client, done: DatasetBuild, django_assert_max_num_queries: Any
) -> None:
    address = url("build", done.project.public_id, done.public_id)
    dana_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(6):
        dana_client.get(address)


def test_download_is_an_attachment_and_audited(dana_client: Client, done: DatasetBuild, dana: User) -> None:
    response = dana_client.get(url("download", done.project.public_id, done.public_id, "train.jsonl"))
    assert response.status_code == 200
    content = b"".join(cast(Any, response).streaming_content)
    assert content == (Path(settings.BUILDS_DIR) / done.public_id / "train.jsonl").read_bytes()
    assert response["Content-Disposition"] == f'attachment; filename="{done.public_id}-train.jsonl"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get(verb="build.download")
    assert (event.actor, event.detail) == (dana, {"file": "train.jsonl"})


def test_every_file_can_be_downloaded(dana_client: Client, done: DatasetBuild) -> None:
    for name in [file["name"] for file in done.manifest["files"]] + ["manifest.json"]:
        assert dana_client.get(url("download", done.project.public_id, done.public_id, name)).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "..%2Fsecret",
        "%2e%2e%2fsecret",
        "..%5Csecret",
        "secret",
        "train.jsonl%00",
        "%2Fetc%2Fpasswd",
        "Train.jsonl",
    ],
)
def test_only_names_of_the_manifest_can_be_downloaded(
    dana_client: Client, done: DatasetBuild, builds_dir: Path, name: str
) -> None:
    (builds_dir / "secret").write_text("of the installation")
    (builds_dir / done.public_id / "secret").write_text("not in the manifest")
    address = url("download", done.project.public_id, done.public_id, "NAME").replace("NAME", name)
    assert dana_client.get(address).status_code in {404, 405}
    assert not AuditEvent.objects.filter(verb="build.download").exists()


def test_files_of_an_unfinished_build_are_not_there(dana_client: Client, build: DatasetBuild, builds_dir: Path) -> None:
    (builds_dir / build.public_id).mkdir()
    (builds_dir / build.public_id / "manifest.json").write_text("{}")
    address = url("download", build.project.public_id, build.public_id, "manifest.json")
    assert dana_client.get(address).status_code == 404


def test_a_file_that_has_gone_is_a_404(dana_client: Client, done: DatasetBuild, builds_dir: Path) -> None:
    (builds_dir / done.public_id / "train.jsonl").unlink()
    address = url("download", done.project.public_id, done.public_id, "train.jsonl")
    assert dana_client.get(address).status_code == 404


def test_a_build_is_not_there_under_another_project(client: Client, done: DatasetBuild, charlie: User) -> None:
    sign_in(client, charlie)
    theirs = charlie.memberships.get().project.public_id
    for project_id in (theirs, done.project.public_id):
        assert client.get(url("build", project_id, done.public_id)).status_code == 404
        assert client.get(url("download", project_id, done.public_id, "train.jsonl")).status_code == 404
        assert client.post(url("cancel", project_id, done.public_id)).status_code == 404
    assert not AuditEvent.objects.filter(verb="build.download").exists()


def test_an_annotator_may_not_build(client: Client, done: DatasetBuild, bob: User) -> None:
    sign_in(client, bob)
    assert client.get(url("builds", done.project.public_id)).status_code == 403
    assert client.get(url("download", done.project.public_id, done.public_id, "train.jsonl")).status_code == 403
    assert client.post(url("create", done.project.public_id), FORM).status_code == 403


def test_replacing_identifiers_is_asked_for_in_plain_words(
    dana_client: Client, project: Project, bob: User, dana: User
) -> None:
    make_identified(project, bob)
    page = body(dana_client.get(url("new", project.public_id)))
    assert '<input type="radio" name="identifiers" value="keep"' in page
    assert "A report says what may be left" in page
    asked = {**FORM, "identifiers": "replace", "train": 100, "dev": 0, "test": 0}
    checks = body(dana_client.get(url("new", project.public_id), asked, headers=HTMX))
    assert "Identifiers are looked for and decided" in checks
    assert "whose identifiers no labeler has looked for" in checks
    refused = dana_client.post(url("create", project.public_id), {**asked, "comments": "on"})
    assert refused.status_code == 422
    assert "Comments quote what people like" in body(refused)
    made = dana_client.post(url("create", project.public_id), {**asked, "same_surrogates": "on"})
    assert made.status_code == 303
    build = DatasetBuild.objects.get()
    assert (build.options["identifiers"], build.options["surrogates"]) == ("replace", "project")
    assert AuditEvent.objects.get(verb="build.create").detail["options"]["identifiers"] == "replace"
    like = body(dana_client.get(url("new", project.public_id), {"like": build.public_id}))
    assert re.search(r'name="identifiers" value="replace"[^>]*checked', like)
    assert re.search(r'name="same_surrogates"[^>]*checked', like)


def test_surrogates_beside_keeping_them_say_nothing(dana_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    asked = {**FORM, "identifiers": "keep", "same_surrogates": "on"}
    assert dana_client.post(url("create", project.public_id), asked).status_code == 303
    assert "surrogates" not in DatasetBuild.objects.get().options


def test_a_schema_without_the_label_is_refused(dana_client: Client, project: Project, bob: User) -> None:
    make_scene(project, bob)
    response = dana_client.post(url("create", project.public_id), {**FORM, "identifiers": "replace"})
    assert response.status_code == 422
    assert "The schema has no label Identifier" in body(response)


def test_the_page_says_what_may_be_left(
    client: Client, dana_client: Client, project: Project, alice: User, bob: User, dana: User, builds_dir: Path
) -> None:
    documents = make_identified(project, bob)
    options = BuildOptions(shares=(50, 0, 50), identifiers="replace", surrogates="project")
    builds = []
    for _ in range(2):
        made = create_build(project=project, name="N", formats=["jsonl"], options=options, actor=dana, now=NOW)
        run_job(job_id=made.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
        builds.append(DatasetBuild.objects.get(pk=made.pk))
    made = builds[1]
    assert set(made.documents.all()) == set(documents)
    page = body(dana_client.get(url("build", project.public_id, made.public_id)))
    assert "17 in 3 notes of 2 patients" in page
    assert "What nobody found is still there." in page
    assert url("download", project.public_id, made.public_id, "deidentification.md") in page
    got = dana_client.get(url("download", project.public_id, made.public_id, "deidentification.json"))
    assert json.loads(b"".join(got.streaming_content))["n_notes"] == 3
    compared = body(dana_client.get(url("compare", project.public_id, made.public_id)))
    assert "each note is in both" in compared
    sign_in(client, alice)
    locked = client.post(url("lock", project.public_id, made.public_id))
    assert locked.status_code == 409
    assert "names no patient" in body(locked)
    assert "Lock this test set" not in body(locked)


def test_datasets_with_other_keys_are_compared_by_their_counts(
    dana_client: Client, project: Project, bob: User, dana: User
) -> None:
    make_identified(project, bob)
    for _ in range(2):
        options = BuildOptions(identifiers="replace")
        made = create_build(project=project, name="N", formats=["jsonl"], options=options, actor=dana, now=NOW)
        run_job(job_id=made.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    compared = body(dana_client.get(url("compare", project.public_id, made.public_id)))
    assert "the notes have other ids in it" in compared


def test_a_purge_leaves_counts_of_what_was_replaced(project: Project, bob: User, dana: User) -> None:
    make_identified(project, bob)
    options = BuildOptions(identifiers="replace")
    made = create_build(project=project, name="N", formats=["jsonl"], options=options, actor=dana, now=NOW)
    run_job(job_id=made.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    kept = reduced_manifest(DatasetBuild.objects.get(pk=made.pk).manifest)
    assert kept["deidentification"]["kinds"]["name"] == 6
    assert "notes" not in kept["deidentification"]["leftovers"]
