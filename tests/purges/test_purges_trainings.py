"""Weights may hold what they have learnt from: they go with the notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds.models import DatasetBuild
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed, doomed_notes, toll_of
from annotator.purges.services import purge_notes, purge_project, run_purge
from annotator.suggestions.models import Promotion
from annotator.training.models import TrainingPoint, TrainingRun
from tests.cast import NOW, make_document
from tests.training.scene import begin, make_build, work

pytestmark = pytest.mark.usefixtures("bells")
HELD, OTHER = Doomed(patient_id="p1"), Doomed(patient_id="elsewhere")


@pytest.fixture
def done(project: Project, bob: User, dana: User) -> TrainingRun:
    """A model that learnt from ten patients' notes; p1 is one of them."""
    return work(begin(make_build(project, bob, dana), dana))


def finish(tombstone: Tombstone) -> None:
    run_job(job_id=tombstone.job.pk, work=lambda job: run_purge(job=job, clock=lambda: NOW), clock=lambda: NOW)
    tombstone.job.refresh_from_db()
    assert tombstone.job.status == Job.Status.DONE


def test_a_purge_of_a_patient_takes_the_weights_that_learnt_from_them(
    done: TrainingRun, alice: User, folders: Path, django_capture_on_commit_callbacks: Any
) -> None:
    toll = toll_of(project=done.project, notes=doomed_notes(project=done.project, doomed=HELD))
    assert (toll.n_builds, toll.n_trainings) == (1, 1)
    with django_capture_on_commit_callbacks(execute=True):
        tombstone = purge_notes(project=done.project, doomed=HELD, actor=alice, now=NOW)
    assert list((folders / "models").iterdir()) == []
    done.refresh_from_db()
    assert (done.files_removed_at, done.labeler is not None) == (NOW, True)
    assert tombstone.counts["n_trainings"] == 1
    assert AuditEvent.objects.get(verb="training.remove").detail == {"cause": "purge"}
    finish(tombstone)
    assert TrainingRun.objects.filter(pk=done.pk).exists()


def test_a_purge_of_another_patient_leaves_the_weights(done: TrainingRun, alice: User, folders: Path) -> None:
    make_document(done.project, external_id="later", patient_id="elsewhere")
    finish(purge_notes(project=done.project, doomed=OTHER, actor=alice, now=NOW))
    done.refresh_from_db()
    assert done.files_removed_at is None
    assert (folders / "models" / done.public_id / "pipeline").is_dir()


def test_a_purge_stops_what_is_still_learning_from_them(done: TrainingRun, alice: User, dana: User) -> None:
    waiting = begin(DatasetBuild.objects.get(pk=done.build.pk), dana)
    purge_notes(project=done.project, doomed=HELD, actor=alice, now=NOW)
    waiting.refresh_from_db()
    waiting.job.refresh_from_db()
    assert (waiting.files_removed_at, waiting.job.status) == (NOW, Job.Status.CANCELLED)


def test_a_purge_of_the_project_takes_trainings_and_their_folders(
    done: TrainingRun, alice: User, dana: User, folders: Path
) -> None:
    begin(DatasetBuild.objects.get(pk=done.build.pk), dana)
    labeler = done.labeler
    assert labeler is not None
    Promotion.objects.create(
        project=done.project, labeler=labeler, previous=labeler, promoted_by=alice, promoted_at=NOW
    )
    tombstone = purge_project(project=done.project, actor=alice, now=NOW)
    finish(tombstone)
    for table in (TrainingRun, TrainingPoint, Promotion, Project):
        assert not table.objects.exists()
    assert not Job.objects.filter(kind=Job.Kind.TRAINING).exists()
    assert list((folders / "models").iterdir()) == []
    tombstone.refresh_from_db()
    assert (tombstone.counts["n_trainings"], tombstone.counts["n_promotions"]) == (2, 1)
