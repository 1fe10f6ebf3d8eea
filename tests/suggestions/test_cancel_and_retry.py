from __future__ import annotations

from datetime import timedelta

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from annotator.suggestions import services
from annotator.suggestions.models import LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import (
    LEASE,
    cancel_run,
    commit_job,
    hand_back,
    retry_run,
    ring_again,
)
from tests.cast import NOW, Bells
from tests.suggestions.scene import CHEST_PAIN, claim, fail, finish, found, make_run, run_status, statuses

LATER = NOW + LEASE + timedelta(seconds=1)
Status = LabelJob.Status
pytestmark = pytest.mark.usefixtures("bells")


def test_cancel_stops_waiting_notes_and_keeps_what_is_read(project: Project, alice: User) -> None:
    run = make_run(project, n=3)
    finish(claim(run, limit=1))
    (reading,) = claim(run, limit=1)
    cancel_run(run=run, actor=alice, now=NOW)
    assert statuses(run) == [Status.DONE, Status.RUNNING, Status.CANCELLED]
    assert claim(run) == []
    assert commit_job(job=reading, suggestions=found(CHEST_PAIN), now=NOW)
    assert Suggestion.objects.count() == 2
    assert run_status(run) == LabelRun.Status.CANCELLED
    assert AuditEvent.objects.get(verb="run.cancel").object_id == run.public_id


def test_cancelling_twice_is_one_event(project: Project, alice: User) -> None:
    run = make_run(project, n=1)
    cancel_run(run=run, actor=alice, now=NOW)
    cancel_run(run=run, actor=alice, now=NOW)
    assert AuditEvent.objects.filter(verb="run.cancel").count() == 1


def test_a_finished_run_cannot_be_cancelled(project: Project, alice: User) -> None:
    run = make_run(project, n=1)
    finish(claim(run))
    cancel_run(run=run, actor=alice, now=NOW)
    assert run_status(run) == LabelRun.Status.DONE
    assert not AuditEvent.objects.filter(verb="run.cancel").exists()


def test_notes_handed_back_to_a_cancelled_run_are_cancelled_by_the_sweeper(project: Project, alice: User) -> None:
    run = make_run(project, n=1)
    (job,) = claim(run)
    cancel_run(run=run, actor=alice, now=NOW)
    hand_back(job=job, error="MemoryError", now=NOW)
    ring_again(now=NOW)
    assert statuses(run) == [Status.CANCELLED]


def test_a_note_of_a_cancelled_run_whose_worker_died_is_cancelled_by_the_sweeper(project: Project, alice: User) -> None:
    run = make_run(project, n=1)
    claim(run)
    cancel_run(run=run, actor=alice, now=NOW)
    ring_again(now=NOW)
    assert statuses(run) == [Status.RUNNING], "its worker may still answer"
    ring_again(now=LATER)
    assert statuses(run) == [Status.CANCELLED]


def test_retry_queues_failed_and_cancelled_notes_with_three_new_attempts(
    project: Project, alice: User, bells: Bells
) -> None:
    run = make_run(project, n=3)
    finish(claim(run, limit=1))
    fail(run)
    bells.clear()
    with bells.after_commit():
        assert retry_run(run=run, actor=alice, now=LATER) == 2
    assert statuses(run) == [Status.DONE, Status.QUEUED, Status.QUEUED]
    assert set(run.jobs.filter(status=Status.QUEUED).values_list("attempts", "error")) == {(0, "")}
    assert run_status(run) == LabelRun.Status.RUNNING
    assert bells == [(services.LABEL_TASK, (run.pk,), "label")]
    event = AuditEvent.objects.get(verb="run.retry")
    assert (event.actor, event.detail) == (alice, {"n_documents": 2})
    finish(claim(run))
    assert run_status(run) == LabelRun.Status.DONE


def test_retry_resumes_a_cancelled_run(project: Project, alice: User) -> None:
    run = make_run(project, n=2)
    cancel_run(run=run, actor=alice, now=NOW)
    assert retry_run(run=run, actor=alice, now=NOW) == 2
    assert len(claim(run)) == 2


def test_retry_of_a_run_without_a_failure_does_nothing(project: Project, alice: User) -> None:
    run = make_run(project, n=1)
    finish(claim(run))
    assert retry_run(run=run, actor=alice, now=NOW) == 0
    assert run_status(run) == LabelRun.Status.DONE
    assert not AuditEvent.objects.filter(verb="run.retry").exists()
