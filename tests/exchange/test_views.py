from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.exchange import uploads
from annotator.exchange.models import Import
from annotator.exchange.receiving import SpoolUploadHandler
from annotator.exchange.spool import folder_of, spooled_source
from annotator.jobs.models import Job
from annotator.jobs.services import advance_job, claim_job, record_beat
from annotator.projects.models import Project
from tests.cast import NOW, Bells, sign_in
from tests.exchange.test_uploads import FILES, options, run, upload

HTMX = {"HX-Request": "true"}


def url(name: str, project: Project, item: Import | None = None) -> str:
    return reverse(f"exchange:{name}", args=[project.public_id, *([item.public_id] if item else [])])


def files(**named: str) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name.replace("_", "."), content.encode()) for name, content in named.items()]


def post_files(client: Client, project: Project, field: str = "notes", paths: str = "", **named: str) -> Any:
    return client.post(url("imports", project), {"paths": paths, field: files(**named)})


@pytest.fixture
def lead(client: Client, alice: User) -> Client:
    return sign_in(client, alice)


@pytest.fixture
def item(project: Project, alice: User) -> Import:
    return upload(project, alice)


def test_upload_leads_to_its_preview(lead: Client, project: Project, alice: User) -> None:
    response = post_files(lead, project, a_txt="No chest pain.", a_ann="T1\tX 0 2\tNo\n", c_pdf="", _d_txt="hidden")
    item = Import.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("import", project, item))
    assert (item.created_by, item.status, item.result["look"]["n_rows"]) == (alice, Import.Status.PREVIEW, 1)
    assert item.result["look"]["n_other_files"] == 2
    page = lead.get(response["Location"]).content.decode()
    assert "<mark>No</mark><small>X</small> chest pain." in page
    assert "2 files of other types are left out" in page


def test_upload_of_many_files_keeps_one_open(lead: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    n_open: list[int] = []
    complete = SpoolUploadHandler.file_complete

    def count_and_complete(handler: SpoolUploadHandler, file_size: int) -> None:
        n_open.append(len(os.listdir("/dev/fd")))
        complete(handler, file_size)

    monkeypatch.setattr(SpoolUploadHandler, "file_complete", count_and_complete)
    post_files(lead, project, **{f"n{number}_txt": "text" for number in range(500)})
    assert Import.objects.get().result["look"]["n_rows"] == 500
    assert max(n_open) == min(n_open)


def test_upload_of_a_folder_keeps_paths_below_it(lead: Client, project: Project) -> None:
    two = [SimpleUploadedFile("a.txt", b"A"), SimpleUploadedFile(".DS_Store", b""), SimpleUploadedFile("a.txt", b"B")]
    paths = '["notes/ward/a.txt", "notes/.DS_Store", "notes/a.txt"]'
    lead.post(url("imports", project), {"paths": paths, "folder": two})
    source = spooled_source(Import.objects.get().public_id)
    assert source is not None
    assert [file.name for file in source.files] == ["a.txt", "ward/a.txt"]


@pytest.mark.parametrize("paths", ["", "{", "7", "[1]", '["notes/b.txt"]', '["n/a.txt", "n/b.txt"]'])
def test_paths_that_are_not_of_these_files_are_not_used(lead: Client, project: Project, paths: str) -> None:
    post_files(lead, project, field="folder", paths=paths, a_txt="A")
    source = spooled_source(Import.objects.get().public_id)
    assert source is not None
    assert [file.name for file in source.files] == ["a.txt"]


def test_a_path_from_outside_never_leaves_the_spool(lead: Client, project: Project, spool: Path) -> None:
    post_files(lead, project, field="folder", paths='["x/../../../../tmp/evil/a.txt"]', a_txt="A")
    item = Import.objects.get()
    assert {file.name for file in folder_of(item.public_id).iterdir()} == {"000000", "manifest.json"}
    assert [entry.name for entry in spool.iterdir()] == [item.public_id]
    source = spooled_source(item.public_id)
    assert source is not None
    assert [file.name for file in source.files] == ["tmp/evil/a.txt"]


def refused(response: Any, spool: Path) -> str:
    assert response.status_code == 422
    assert not Import.objects.exists()
    assert not list(spool.iterdir())
    return str(response.content.decode())


def test_upload_without_notes_is_refused(lead: Client, project: Project, spool: Path) -> None:
    assert "Choose a folder or files with notes" in refused(post_files(lead, project, a_pdf="x"), spool)
    assert "Choose a folder or files with notes" in refused(lead.post(url("imports", project)), spool)


def test_upload_of_two_files_of_one_name_is_refused(lead: Client, project: Project, spool: Path) -> None:
    two = [SimpleUploadedFile("a.txt", b"A"), SimpleUploadedFile("a.txt", b"B")]
    assert "same name: a.txt." in refused(lead.post(url("imports", project), {"notes": two}), spool)


def test_upload_is_bounded(lead: Client, project: Project, spool: Path, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1024
    assert "An upload may have 1.0" in refused(post_files(lead, project, a_txt="x" * 600, b_txt="x" * 600), spool)
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 1
    assert "too many files for a browser" in refused(post_files(lead, project, a_txt="x", b_txt="x"), spool)


def test_upload_needs_its_token(project: Project, alice: User, spool: Path) -> None:
    client = sign_in(Client(enforce_csrf_checks=True), alice)
    assert post_files(client, project, a_txt="A").status_code == 403
    assert not list(spool.iterdir())
    client.get(url("imports", project))
    token = client.cookies["marginalia_csrf"].value
    body = {"csrfmiddlewaretoken": token, "notes": files(a_txt="A")}
    assert client.post(url("imports", project), body).status_code == 303
    assert client.post(url("start", project, Import.objects.get())).status_code == 403


def test_nothing_is_spooled_for_who_may_not_import(
    client: Client, project: Project, bob: User, charlie: User, spool: Path
) -> None:
    for user, status in ((None, 302), (charlie, 404), (bob, 403)):
        if user is not None:
            sign_in(client, user)
        assert post_files(client, project, a_txt="A").status_code == status
        assert not list(spool.iterdir())


ROUTES = [
    ("imports", "get", False),
    ("import", "get", True),
    ("columns", "post", True),
    ("start", "post", True),
    ("cancel", "post", True),
    ("discard", "post", True),
]


@pytest.mark.parametrize(("name", "method", "has_item"), ROUTES)
def test_access(
    client: Client, project: Project, other_project: Project, item: Import, bob: User, charlie: User, adam: User,
    name: str, method: str, has_item: bool,
) -> None:  # fmt: skip
    address = url(name, project, item if has_item else None)
    response = getattr(client, method)(address)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:sign_in"))
    for user, status in ((charlie, 404), (bob, 403), (adam, 403)):
        assert getattr(sign_in(client, user), method)(address).status_code == status
    if has_item:
        theirs = url(name, other_project, item)
        assert getattr(sign_in(client, charlie), method)(theirs).status_code == 404
    assert Import.objects.get().status == Import.Status.PREVIEW


def test_pages_answer_whole_and_in_part(lead: Client, project: Project, item: Import) -> None:
    page = lead.get(url("import", project, item))
    part = lead.get(url("import", project, item), headers=HTMX)
    assert "HX-Request" in page["Vary"]
    assert "<html" in page.content.decode()
    assert part.content.decode().lstrip().startswith('<div id="import"')
    assert "<html" not in part.content.decode()


def test_preview_offers_the_schema_for_each_label(lead: Client, project: Project, alice: User) -> None:
    ann = "T1\tproblem 3 13\tchest pain\nT2\tAge 0 2\tNo\n"
    page = lead.get(url("import", project, upload(project, alice, {"a.txt": "No chest pain.", "a.ann": ann})))
    form = page.context["form"]
    assert [(field.label, count, field.initial) for field, count in form.label_rows()] == [
        ("problem", 1, "Problem"),
        ("Age", 1, ""),
    ]


def test_start_runs_as_the_form_says(lead: Client, project: Project, bob: User, item: Import, bells: Bells) -> None:
    chosen = {"spans_as": "annotations", "annotator": "bob", "label_0": "Problem", "is_prelabelled": "on"}
    with bells.after_commit():
        response = lead.post(url("start", project, item), chosen)
    assert (response.status_code, response["Location"]) == (303, url("import", project, item))
    item.refresh_from_db()
    assert (item.spans_as, item.spans_by, item.label_map) == ("annotations", "bob", {"Disease": "Problem"})
    assert item.is_prelabelled
    job = Job.objects.get()
    assert bells == [("annotator.run_import", (job.pk,), "main")]
    run(job)
    page = lead.get(url("import", project, item)).content.decode()
    assert "2 notes added" in page
    assert "as annotations of bob" in page
    assert "Run 1 started" in page
    assert "every 2s" not in page


def test_start_twice_says_so(lead: Client, project: Project, item: Import, bells: Bells) -> None:
    for _ in range(2):
        lead.post(url("start", project, item), {"spans_as": "nothing"})
    assert "started already" in lead.get(url("import", project, item)).content.decode()
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"spans_as": "suggestions"}, "Name the labeler"),
        ({"spans_as": "annotations"}, "Say whose annotations"),
        ({"spans_as": "annotations", "annotator": "charlie"}, "Select a valid choice"),
        ({"spans_as": "nothing", "label_0": "Drug"}, "Select a valid choice"),
        ({}, "This field is required"),
    ],
)
def test_options_that_do_not_fit_come_back(
    lead: Client, project: Project, item: Import, charlie: User, chosen: dict[str, str], message: str
) -> None:
    response = lead.post(url("start", project, item), chosen)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not Job.objects.exists()


def test_data_scientists_annotate_as_themselves_and_run_no_labeler(
    client: Client, project: Project, dana: User, alice: User
) -> None:
    item = upload(project, dana)
    form = sign_in(client, dana).get(url("import", project, item)).context["form"]
    assert form.fields["annotator"].choices == [("dana", "dana")]
    assert "is_prelabelled" not in form.fields
    chosen = {"spans_as": "annotations", "annotator": "alice", "is_prelabelled": "on"}
    assert client.post(url("start", project, item), chosen).status_code == 422


def test_only_who_uploaded_sees_the_text_and_starts(client: Client, project: Project, dana: User, item: Import) -> None:
    page = sign_in(client, dana).get(url("import", project, item)).content.decode()
    assert "chest pain" not in page
    assert "alice uploaded this" in page
    for name in ("start", "columns"):
        assert client.post(url(name, project, item), {"spans_as": "nothing"}).status_code == 404
    assert client.post(url("discard", project, item)).status_code == 303
    assert not Import.objects.exists()


def test_a_look_at_note_text_is_one_event_an_hour(
    client: Client, project: Project, alice: User, dana: User, item: Import
) -> None:
    sign_in(client, dana).get(url("import", project, item))
    assert not AuditEvent.objects.filter(verb="import.preview").exists()
    for _ in range(2):
        sign_in(client, alice).get(url("import", project, item))
    event = AuditEvent.objects.get(verb="import.preview")
    assert (event.actor, event.object_id) == (alice, item.public_id)


def test_progress_is_polled_until_it_ends(lead: Client, project: Project, item: Import, bells: Bells) -> None:
    job = uploads.start_import(item=item, options=options(), actor=item.created_by, now=NOW)

    def part() -> str:
        return lead.get(url("import", project, item), headers=HTMX).content.decode()

    assert 'hx-trigger="every 2s"' in part()
    assert "No worker is running" in part()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("django.utils.timezone.now", lambda: NOW)
        record_beat(name="w", queues="main", model_id="", device="", memory_bytes=0, started_at=NOW, now=NOW)
        assert "No worker is running" not in part()
    held = claim_job(job_id=job.pk, now=NOW)
    assert held is not None
    advance_job(job=held, now=NOW, phase="checking", n_done=200, n_total=1000)
    assert "<b>200 of 1000 notes</b> are checked" in part()
    assert "Cancel" in part()
    advance_job(job=held, now=NOW, phase="writing", n_done=0, n_total=1000)
    assert "can no longer be stopped" in part()
    assert "Cancel" not in part()
    lead.post(url("cancel", project, item))
    assert "can no longer be stopped" in lead.get(url("imports", project)).content.decode()
    Job.objects.filter(pk=job.pk).update(status=Job.Status.QUEUED)
    lead.post(url("cancel", project, item))
    assert "Cancelled. Nothing came in." in part()
    assert "hx-trigger" not in part()


def test_result_lists_the_errors(lead: Client, project: Project, alice: User, bells: Bells) -> None:
    item = upload(project, alice, FILES | {"c.txt": ""})
    preview = lead.get(url("import", project, item))
    assert "'text' is empty" in preview.context["look"]["errors"][0]["message"]
    assert "Put these right and upload again: an import is all or nothing." in preview.content.decode()
    assert "Import 3 notes" not in preview.content.decode()
    run(uploads.start_import(item=item, options=options(), actor=item.created_by, now=NOW))
    page = lead.get(url("import", project, item)).content.decode()
    assert "Nothing was imported: 1 error in 3 rows" in page
    assert "c.txt" in page


def test_note_text_is_escaped(lead: Client, project: Project, alice: User) -> None:
    row = '{"id": "<b>i", "patient_id": "<b>p", "note_type": "<b>t", "text": "<b>x</b>", "spans": '
    item = upload(project, alice, {"<b>a.jsonl": row + '[{"start": 0, "end": 4, "label": "<b>l"}]}\n{'})
    page = lead.get(url("import", project, item)).content.decode()
    for letter in "iptxl":
        assert f"&lt;b&gt;{letter}" in page
        assert f"<b>{letter}" not in page


def test_list_shows_every_import_in_a_fixed_number_of_queries(
    lead: Client, project: Project, alice: User, bells: Bells, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        upload(project, alice)
    run(uploads.start_import(item=upload(project, alice), options=options(), actor=alice, now=NOW))
    lead.get(url("imports", project))  # notes the browser
    with django_assert_num_queries(6):
        page = lead.get(url("imports", project))
    assert page.content.decode().count("Not started") == 3


def test_pages_of_one_import_take_a_fixed_number_of_queries(
    lead: Client, project: Project, item: Import, bells: Bells, django_assert_num_queries: Any
) -> None:
    lead.get(url("import", project, item))  # appends the event of the hour
    with django_assert_num_queries(8):
        lead.get(url("import", project, item))
    uploads.start_import(item=item, options=options(), actor=item.created_by, now=NOW)
    with django_assert_num_queries(6):
        lead.get(url("import", project, item))


def test_get_changes_nothing(lead: Client, project: Project, item: Import) -> None:
    for name in ("columns", "start", "cancel", "discard"):
        assert lead.get(url(name, project, item)).status_code == 405
    assert lead.head(url("imports", project)).status_code == 200
