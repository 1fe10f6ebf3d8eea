"""Purges beside labelers, imports, builds and reviewers that are at work on the same notes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.audit.services import record_event
from annotator.builds import services as builds
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.documents.models import Document
from annotator.exchange import uploads
from annotator.exchange.uploads import ImportOptions, run_import, start_import
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.projects.services import lock_projects
from annotator.purges import services
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes, purge_project
from annotator.review.leases import LeaseConflict, take_note
from annotator.review.models import ReviewItem
from annotator.review.services import Accept, decide
from annotator.routing.services import route_job
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.services import commit_job, hand_back, ring_on
from tests.cast import NOW, Bells, make_document
from tests.purges.scene import CANARY, PATIENT, files_with, finish, make_scene, rows_with, suggest, upload
from tests.suggestions.scene import CHEST_PAIN, claim, found, make_run

pytestmark = pytest.mark.usefixtures("bells")
DOOMED = Doomed(patient_id=PATIENT)
NO_SPANS = ImportOptions(spans_as="nothing", spans_by="", label_map={}, is_prelabelled=False)


Purge = Callable[[Project], None]


def purge_patient(project: Project) -> None:
    finish(purge_notes(project=project, doomed=DOOMED, actor=None, now=NOW))


def purge_whole(project: Project) -> None:
    finish(purge_project(project=project, actor=None, now=NOW))


PURGES = pytest.mark.parametrize("purge", [purge_patient, purge_whole])


@pytest.fixture
def scene(project: Project, bob: User, dana: User, bells: Bells) -> Project:
    make_scene(project, bob, dana)
    return project


# Labelers


@PURGES
def test_a_labeler_that_was_reading_the_note_writes_nothing(project: Project, purge: Purge) -> None:
    make_document(project, external_id="a", patient_id=PATIENT)
    run = make_run(project)
    (job,) = claim(run)
    purge(project)
    assert commit_job(job=job, suggestions=found(CHEST_PAIN), now=NOW) is False
    hand_back(job=job, error="x", now=NOW)
    ring_on(run_id=run.pk, now=NOW)
    assert route_job(label_job_id=job.pk, now=NOW) is False
    assert not LabelJob.objects.exists()
    assert not Suggestion.objects.exists()


@PURGES
def test_a_labeler_that_comes_later_finds_nothing_to_read(project: Project, purge: Purge) -> None:
    make_document(project, external_id="a", patient_id=PATIENT)
    run = make_run(project)
    purge(project)
    assert claim(run) == []


# Imports and builds


def around(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch, *, call: int, before: Purge | None, after: Purge | None
) -> Callable[[Project], None]:
    """Have `before` and `after` done around the `call`th call of `module.name`, to the project given then."""
    own = getattr(module, name)
    calls = itertools.count(1)
    projects: list[Project] = []

    def wrapped(*args: Any, **kwargs: Any) -> None:
        is_it = next(calls) == call
        if is_it and before:
            before(projects[0])
        own(*args, **kwargs)
        if is_it and after:
            after(projects[0])

    monkeypatch.setattr(module, name, wrapped)
    return projects.append


def purge_note_of_nobody(project: Project) -> None:
    note = Document.objects.get(project=project, patient_id="")
    finish(purge_notes(project=project, doomed=Doomed(note=note.public_id), actor=None, now=NOW))


def run(job: Job, work: Callable[..., None]) -> None:
    run_job(job_id=job.pk, work=lambda job: work(job=job, clock=lambda: NOW), clock=lambda: NOW)


@pytest.mark.parametrize("call", [1, 2, 3])
@PURGES
def test_an_import_at_work_brings_nothing_back(
    scene: Project, dana: User, purge: Purge, call: int, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    """The purge comes before it reads, after it has read, and before it writes."""
    purge_note_of_nobody(scene)
    item = upload(scene, dana, {"id": f"{CANARY}-9", "patient_id": PATIENT, "text": f"{CANARY} new"})
    job = start_import(item=item, options=NO_SPANS, actor=dana, now=NOW)
    around(uploads, "advance_job", monkeypatch, call=call, before=purge, after=None)(scene)
    run(job, run_import)
    assert rows_with(CANARY) == []
    assert files_with(CANARY, folders) == []


@pytest.mark.parametrize("is_late", [False, True])
@PURGES
def test_a_build_at_work_keeps_no_file(
    scene: Project, dana: User, purge: Purge, is_late: bool, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    """The purge comes while notes are still being read, or after the last of them."""
    purge_note_of_nobody(scene)
    made = create_build(project=scene, name="Second", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW)
    before, after = (None, purge) if is_late else (purge, None)
    around(builds, "advance_job", monkeypatch, call=1, before=before, after=after)(scene)
    run(made.job, write_build)
    assert files_with(CANARY, folders) == []
    assert not (folders / "builds" / made.public_id).exists()
    assert not DatasetBuild.objects.filter(pk=made.pk, job__status=Job.Status.DONE).exists()


# Reviewers


@PURGES
def test_a_reviewer_with_the_note_open_can_decide_nothing(
    project: Project, bob: User, purge: Purge, bells: Bells
) -> None:
    note = make_document(project, text=f"{CANARY} and {CANARY}.", external_id="a", patient_id=PATIENT)
    suggest(project, note)
    held = take_note(document=note, reviewer=bob, now=NOW)
    item = ReviewItem.objects.filter(document=note, unit="span").first()
    purge(project)
    with pytest.raises(LeaseConflict):
        decide(note_item=held, reviewer=bob, act=Accept(item=item), key="k", now=NOW)


# At the same moment, each on a connection of its own


def at_once(*acts: Callable[[], None]) -> None:
    """Do all of them at the same time; what one raises is raised here."""
    ready, errors = threading.Barrier(len(acts)), []

    def do(act: Callable[[], None]) -> None:
        ready.wait()
        try:
            act()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_all_get_one_purge(scene: Project, alice: User) -> None:
    got: list[int] = []

    def ask() -> None:
        stale = Project.objects.get(pk=scene.pk)
        got.append(purge_notes(project=stale, doomed=DOOMED, actor=alice, now=NOW).pk)

    at_once(ask, ask, ask, ask)
    assert set(got) == {Tombstone.objects.get().pk}


@pytest.mark.django_db(transaction=True)
@PURGES
def test_labelers_and_purges_at_once_leave_nothing(
    scene: Project, purge: Purge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve notes are committed by labelers and routed while they are deleted, in either order."""
    monkeypatch.setattr(services, "clear_disk", lambda: None)
    monkeypatch.setattr(services, "BATCH", 2)
    for number in range(12):
        make_document(scene, external_id=f"new-{number}", patient_id=PATIENT)
    jobs = claim(make_run(scene), limit=20)

    def label(some: list[LabelJob]) -> None:
        for job in some:
            if commit_job(job=job, suggestions=found(CHEST_PAIN), now=NOW):
                route_job(label_job_id=job.pk, now=NOW)

    at_once(lambda: label(jobs[::2]), lambda: label(jobs[1::2]), lambda: purge(scene))
    assert not Document.objects.filter(patient_id=PATIENT).exists()
    assert Tombstone.objects.get().purged_at


@pytest.mark.django_db(transaction=True)
@PURGES
def test_an_import_and_a_purge_at_once_leave_nothing(
    scene: Project, dana: User, purge: Purge, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    monkeypatch.setattr(services, "clear_disk", lambda: None)
    purge_note_of_nobody(scene)
    rows = [{"id": f"{CANARY}-{n}", "patient_id": PATIENT, "text": f"{CANARY} {n}"} for n in range(20, 60)]
    item = upload(scene, dana, *rows)
    job = start_import(item=item, options=NO_SPANS, actor=dana, now=NOW)
    at_once(lambda: run(job, run_import), lambda: purge(scene))
    assert rows_with(CANARY) == []
    assert files_with(CANARY, folders) == []


@pytest.mark.django_db(transaction=True)
def test_who_has_locked_a_project_gets_its_audit_chain_from_who_commits_a_note(scene: Project) -> None:
    """The database looks at a note's project when the note is committed, and its writer has the chain by then."""
    is_locked, is_recorded = threading.Event(), threading.Event()

    def record(verb: str) -> None:
        record_event(project=scene.public_id, actor=None, verb=verb, object_id=scene.public_id, now=NOW)

    def lock() -> None:
        with transaction.atomic():
            lock_projects(scene)
            is_locked.set()
            is_recorded.wait(1)  # SQLite lets nobody write meanwhile
            record("run.start")

    def write() -> None:
        is_locked.wait(10)
        with transaction.atomic():
            make_document(scene, external_id="late")
            record("documents.import")
            is_recorded.set()

    at_once(lock, write)
    assert AuditEvent.objects.filter(verb__in=["run.start", "documents.import"]).count() == 2
