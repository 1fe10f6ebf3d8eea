from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.documents.models import Document
from annotator.exchange import uploads
from annotator.exchange.models import Import
from annotator.exchange.previews import first_rows
from annotator.exchange.spool import folder_of, make_folder, safe_name, spooled_source
from annotator.exchange.uploads import ImportConflict, ImportOptions
from annotator.jobs.models import Job
from annotator.jobs.services import advance_job, cancel_job, claim_job, finish_job, run_job
from annotator.projects.models import Project
from annotator.web.ids import new_public_id
from tests.cast import NOW, Bells

FILES = {"a.txt": "No chest pain.", "a.ann": "T1\tDisease 3 13\tchest pain\n", "b.txt": "Aspirin."}


def upload(project: Project, actor: User, files: Mapping[str, str | bytes] = FILES, n_other_files: int = 0) -> Import:
    public_id = new_public_id()
    folder = make_folder(public_id)
    names = []
    for number, (name, content) in enumerate(files.items()):
        (folder / str(number)).write_bytes(content if isinstance(content, bytes) else content.encode())
        names.append((str(number), name))
    return uploads.create_import(
        project=project, public_id=public_id, names=names, n_other_files=n_other_files, actor=actor, now=NOW
    )


def options(**chosen: Any) -> ImportOptions:
    return ImportOptions(**{"spans_as": "nothing", "spans_by": "", "label_map": {}, "is_prelabelled": False} | chosen)


def run(job: Job) -> Job:
    run_job(job_id=job.pk, work=lambda mine: uploads.run_import(job=mine, clock=lambda: NOW), clock=lambda: NOW)
    job.refresh_from_db()
    return job


def started(item: Import, **chosen: Any) -> Job:
    return uploads.start_import(item=item, options=options(**chosen), actor=item.created_by, now=NOW)


def report_of(item: Import) -> dict[str, Any]:
    item.refresh_from_db()
    return item.result["report"]


def test_an_upload_is_looked_at_and_kept_private(project: Project, dana: User) -> None:
    item = upload(project, dana, FILES | {"c.txt": " ", "d.jsonl": "{"}, n_other_files=2)
    look = item.result["look"]
    assert (look["n_rows"], look["n_files"], look["n_with_spans"], look["n_spans"]) == (4, 5, 1, 1)
    assert (look["labels"], look["n_other_files"], look["is_whole"]) == ([("Disease", 1)], 2, True)
    assert [(error["where"], error["message"]) for error in look["errors"]] == [
        ("c.txt", "'text' is empty"),
        (
            "d.jsonl",
            "its first object goes over several lines, where JSONL has one object a line: write each on one",
        ),
    ]
    assert "chest pain" not in json.dumps(item.result)
    folder = folder_of(item.public_id)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_first_rows_show_what_came(project: Project, dana: User) -> None:
    source = spooled_source(upload(project, dana, FILES | {"c.txt": " ", "d.ann": ""}).public_id)
    assert source is not None
    rows = first_rows(source)
    assert [(row.external_id, row.excerpt, row.n_spans, row.fault) for row in rows] == [
        ("a", "No chest pain.", 1, ""),
        ("b", "Aspirin.", None, ""),
        ("c", "", None, "'text' is empty"),
        ("d", "", 0, "there is no .txt file of this name"),
    ]


def test_a_look_is_bounded(project: Project, dana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.exchange.previews.LOOK_ROWS", 2)
    look = upload(project, dana, {"a.jsonl": '{"id": 1}\n' * 5}).result["look"]
    assert (look["n_rows"], look["n_looked_at"], look["is_whole"]) == (5, 2, False)


def test_a_started_import_brings_all_in_and_removes_its_files(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    with bells.after_commit():
        job = started(item, spans_as="annotations", spans_by="dana", label_map={"Disease": "Problem"})
    assert bells == [("annotator.run_import", (job.pk,), "main")]
    assert run(job).status == Job.Status.DONE
    report = report_of(item)
    assert (report["n_added"], report["n_spans"], report["errors"]) == (2, 1, [])
    assert Annotation.objects.get().annotator == dana
    assert not folder_of(item.public_id).exists()
    event = AuditEvent.objects.get(verb="documents.import")
    assert (event.actor, event.object_id) == (dana, item.public_id)


def test_spans_can_come_in_as_suggestions(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    job = started(item, spans_as="suggestions", spans_by="clinspan", label_map={"Disease": ""})
    assert run(job).status == Job.Status.DONE
    assert report_of(item)["n_spans_left_out"] == 1
    assert project.label_runs.get().labeler.name == "clinspan"


def test_a_refused_import_says_why_and_leaves_nothing(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana, FILES | {"c.txt": ""})
    job = run(started(item, spans_as="annotations", spans_by="dana"))
    assert (job.status, job.error) == (Job.Status.FAILED, "nothing was imported: 2 errors in 3 rows")
    assert [error["where"] for error in report_of(item)["errors"]] == ["c.txt", "labels"]
    assert not Document.objects.exists()
    assert not folder_of(item.public_id).exists()


def test_a_map_that_the_schema_does_not_have_is_refused(project: Project, dana: User, bells: Bells) -> None:
    job = run(started(upload(project, dana), spans_as="annotations", spans_by="dana", label_map={"Disease": "Gone"}))
    assert job.error == "the schema has no label 'Gone'; it has Problem, Medication"


def test_an_import_whose_files_are_gone_is_refused(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    job = started(item)
    uploads.remove_folder(item.public_id)
    assert run(job).error == "the uploaded files are gone: upload them again"


def test_an_import_is_started_once(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    started(item)
    with pytest.raises(ImportConflict, match="started already"):
        started(item)
    assert Job.objects.count() == 1
    with pytest.raises(ImportConflict, match="cancel it"):
        uploads.discard_import(item=item, actor=dana, now=NOW)


def test_a_waiting_import_is_cancelled_at_once(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    started(item)
    item.refresh_from_db()
    uploads.cancel_import(item=item, actor=dana, now=NOW)
    assert Job.objects.get().status == Job.Status.CANCELLED
    assert not folder_of(item.public_id).exists()


@pytest.mark.parametrize("phase", ["checking", "writing"])
def test_a_cancelled_import_leaves_nothing(
    project: Project, dana: User, bells: Bells, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    item = upload(project, dana)
    job = started(item)
    advance = uploads.advance_job

    def cancel_then_advance(**step: Any) -> None:
        if step["phase"] == phase and step["n_done"]:
            cancel_job(job=job, now=NOW)
        advance(**step)

    monkeypatch.setattr(uploads, "advance_job", cancel_then_advance)
    run(job)
    assert not Document.objects.exists()
    assert not folder_of(item.public_id).exists()
    assert job.status == Job.Status.CANCELLED


def test_an_import_whose_notes_are_being_written_is_not_cancelled(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    held = claim_job(job_id=started(item).pk, now=NOW)
    assert held is not None
    item.refresh_from_db()
    advance_job(job=held, now=NOW, phase="writing", n_done=0, n_total=2)
    with pytest.raises(ImportConflict, match="being written"):
        uploads.cancel_import(item=item, actor=dana, now=NOW)
    held.refresh_from_db()
    assert held.status == Job.Status.RUNNING
    finish_job(job=held, now=NOW)
    uploads.cancel_import(item=item, actor=dana, now=NOW)
    assert not AuditEvent.objects.filter(verb="import.cancel").exists()


def test_an_import_that_is_being_checked_is_asked_to_stop(project: Project, dana: User, bells: Bells) -> None:
    item = upload(project, dana)
    held = claim_job(job_id=started(item).pk, now=NOW)
    assert held is not None
    advance_job(job=held, now=NOW, phase="checking", n_done=0, n_total=2)
    item.refresh_from_db()
    uploads.cancel_import(item=item, actor=dana, now=NOW)
    held.refresh_from_db()
    assert held.status == Job.Status.CANCELLING
    assert folder_of(item.public_id).exists(), "its worker still reads them"


def test_what_people_do_with_an_upload_is_audited(project: Project, alice: User, dana: User, bells: Bells) -> None:
    ended, dropped = upload(project, dana), upload(project, dana)
    started(ended, spans_as="suggestions", spans_by="Zebrafever", label_map={"Disease": "Problem"})
    ended.refresh_from_db()
    uploads.cancel_import(item=ended, actor=alice, now=NOW)
    uploads.discard_import(item=dropped, actor=alice, now=NOW)
    events = AuditEvent.objects.filter(verb__startswith="import.").order_by("number")
    counts = {"n_files": 3, "n_rows": 2, "n_spans": 1, "n_errors": 0}
    assert [(event.verb, event.object_id, event.actor, event.detail) for event in events] == [
        ("import.upload", ended.public_id, dana, counts),
        ("import.upload", dropped.public_id, dana, counts),
        ("import.start", ended.public_id, dana, {"spans_as": "suggestions", "is_prelabelled": False}),
        ("import.cancel", ended.public_id, alice, {}),
        ("import.discard", dropped.public_id, alice, {}),
    ]


def test_an_import_that_was_not_started_is_discarded_with_its_files(project: Project, dana: User) -> None:
    item = upload(project, dana)
    with pytest.raises(ImportConflict, match="discard it"):
        uploads.cancel_import(item=item, actor=dana, now=NOW)
    uploads.discard_import(item=item, actor=dana, now=NOW)
    assert not Import.objects.exists()
    assert not folder_of(item.public_id).exists()


def test_files_stay_for_the_next_attempt_after_an_unexpected_error(
    project: Project, dana: User, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = upload(project, dana)
    job = started(item)
    with monkeypatch.context() as patched:
        patched.setattr(uploads, "finish_job", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(job)
    assert not Document.objects.exists()
    assert run(job).status == Job.Status.DONE
    assert Document.objects.count() == 2


def test_the_sweeper_removes_what_nobody_needs(project: Project, dana: User, bells: Bells, spool: Path) -> None:
    fresh, forgotten, ended, waiting = (upload(project, dana) for _ in range(4))
    run(started(ended))
    started(waiting)
    make_folder(ended.public_id)
    (spool / "broken.upload").write_text("")
    Import.objects.filter(pk=forgotten.pk).update(created_at=NOW - timedelta(days=2))
    for entry in spool.iterdir():
        _age(entry, NOW - timedelta(days=3))
    assert uploads.sweep_spool(now=NOW) == 3
    left = {entry.name for entry in spool.iterdir()}
    assert left == {fresh.public_id, waiting.public_id}
    assert set(Import.objects.all()) == {fresh, ended, waiting}
    assert AuditEvent.objects.get(verb="import.discard").object_id == forgotten.public_id


def test_the_sweeper_leaves_an_import_that_is_started_meanwhile(
    project: Project, dana: User, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = upload(project, dana)
    later = NOW + timedelta(days=2)
    _age(folder_of(item.public_id), NOW)
    discard = uploads.discard_import

    def start_then_discard(**chosen: Any) -> None:
        started(item)
        discard(**chosen)

    monkeypatch.setattr(uploads, "discard_import", start_then_discard)
    assert uploads.sweep_spool(now=later) == 0
    assert Import.objects.get().job is not None
    assert folder_of(item.public_id).exists()


def test_the_sweeper_leaves_uploads_that_are_under_way(db: None) -> None:
    folder = make_folder("underway")
    _age(folder, NOW - timedelta(hours=20))
    assert uploads.sweep_spool(now=NOW) == 0


def _age(entry: Path, moment: datetime) -> None:
    os.utime(entry, (moment.timestamp(), moment.timestamp()))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.txt", "a.txt"),
        ("ward/a.txt", "ward/a.txt"),
        ("../../etc/a.txt", "etc/a.txt"),
        ("/etc//./a.txt", "etc/a.txt"),
        ("C:\\notes\\..\\a.txt", "C:/notes/a.txt"),
        ("a\n\x00b\u202e.txt", "a__b_.txt"),
        ("e\u0301.txt", "é.txt"),
        ("", "."),
    ],
)
def test_names_from_outside_are_made_safe(given: str, kept: str) -> None:
    assert safe_name(given) == kept
