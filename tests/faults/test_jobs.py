"""Imports and datasets whose worker dies, or whose database goes away while they are made: each comes in once."""

from __future__ import annotations

import json
import os
import signal

import pytest
from django.test import override_settings
from django.utils import timezone

from annotator.audit.models import AuditEvent
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build
from annotator.documents.models import Document
from annotator.exchange.spool import make_folder
from annotator.exchange.uploads import ImportOptions, create_import, start_import
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.web.ids import new_public_id
from tests.cast import make_document, make_set
from tests.faults.scene import APPENDING_EVENT, SHOWING_PROGRESS, Scene, note_text, until

pytestmark = [pytest.mark.db, pytest.mark.slow]
N_NOTES = 6


def start_upload(scene: Scene, project: Project) -> Job:
    """An import of six notes that are labelled as soon as they are in."""
    rows = [{"id": f"note-{place}", "text": note_text(place)} for place in range(N_NOTES)]
    with override_settings(SPOOL_DIR=scene.folder / "spool"):
        public_id, now = new_public_id(), timezone.now()
        (make_folder(public_id) / "0").write_text("".join(json.dumps(row) + "\n" for row in rows))
        item = create_import(
            project=project,
            public_id=public_id,
            names=[("0", "notes.jsonl")],
            n_other_files=0,
            actor=scene.lead(),
            now=now,
        )
        options = ImportOptions(spans_as="nothing", spans_by="", label_map={}, is_prelabelled=True)
        return start_import(item=item, options=options, actor=scene.lead(), now=now)


def wait_for(job: Job) -> None:
    def is_finished() -> bool:
        job.refresh_from_db()
        return job.is_finished

    until(is_finished, "the end of the job")


def break_off(scene: Scene, fault: str) -> None:
    """Have the fault meet the worker that is held."""
    (worker,) = scene.held()
    if fault == "worker killed":
        os.kill(worker, signal.SIGKILL)
        scene.let_go()
        return
    before = scene.n_logged("database away")
    with scene.database_away():
        scene.let_go()
        until(lambda: scene.n_logged("database away") > before, "the worker to notice")


FAULTS = pytest.mark.parametrize("fault", ["worker killed", "database away"])


@FAULTS
def test_an_import_that_breaks_off_comes_in_once(scene: Scene, fault: str) -> None:
    # In the transaction that writes; SQLite's lock cannot be taken from who writes, so there while it checks.
    point = SHOWING_PROGRESS if fault == "database away" and not scene.is_postgresql else APPENDING_EVENT
    project = scene.make_project()
    scene.hold(point)
    job = start_upload(scene, project)
    break_off(scene, fault)
    wait_for(job)
    assert (job.status, job.attempts) == (Job.Status.DONE, 2)
    assert Document.objects.filter(project=project).count() == N_NOTES
    assert AuditEvent.objects.filter(chain__project=project.public_id, verb="documents.import").count() == 1
    run = project.label_runs.get()
    scene.wait_for(run)
    scene.assert_whole(run)


@FAULTS
def test_a_dataset_that_breaks_off_is_written_once(scene: Scene, fault: str) -> None:
    project, lead = scene.make_project(), scene.lead()
    for place in range(N_NOTES):
        make_set(make_document(project, external_id=f"note-{place}", text=note_text(place)), lead)
    scene.hold(SHOWING_PROGRESS)
    build = create_build(
        project=project, name="all", formats=["jsonl"], options=BuildOptions(), actor=lead, now=timezone.now()
    )
    break_off(scene, fault)
    wait_for(build.job)
    assert (build.job.status, build.job.attempts) == (Job.Status.DONE, 2)
    build.refresh_from_db()
    folder = scene.folder / "builds"
    assert [entry.name for entry in folder.iterdir() if entry.name.startswith(build.public_id)] == [build.public_id]
    assert build.manifest["n_notes"] == N_NOTES
    assert AuditEvent.objects.filter(object_id=build.public_id, verb="build.finish").count() == 1
