from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from annotator.jobs import bell
from annotator.jobs.models import Job
from annotator.jobs.selectors import has_worker, worker_health
from annotator.jobs.services import (
    LEASE,
    MAX_ATTEMPTS,
    JobCancelled,
    JobLost,
    JobPutOff,
    JobRefused,
    advance_job,
    cancel_job,
    claim_job,
    create_job,
    finish_job,
    record_beat,
    record_stop,
    release_worker,
    ring_again,
    run_job,
    start_job,
)
from tests.cast import NOW, Bells

Status = Job.Status
LATER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
def job(db: None) -> Job:
    return create_job(kind=Job.Kind.BUILD, now=NOW)


def claimed(job: Job, now: datetime = NOW) -> Job:
    found = claim_job(job_id=job.pk, now=now)
    assert found is not None
    return found


def finish(job: Job) -> None:
    finish_job(job=job, now=NOW)


def run(job: Job, work: Callable[[Job], None], now: datetime = NOW) -> Job:
    run_job(job_id=job.pk, work=work, clock=lambda: now)
    return Job.objects.get(pk=job.pk)


def fail(job: Job) -> None:
    raise ZeroDivisionError("note text that must not be kept")


def test_a_job_is_claimed_once(job: Job) -> None:
    first = claimed(job)
    assert (first.status, first.attempts, first.lease_expires_at) == (Status.RUNNING, 1, NOW + LEASE)
    assert len(first.run_token) == 32
    assert claim_job(job_id=job.pk, now=NOW + LEASE) is None


def test_an_expired_claim_goes_to_another_under_a_fresh_token(job: Job) -> None:
    first = claimed(job)
    advance_job(job=first, now=NOW, phase="writing", n_done=1, n_total=2)
    second = claimed(job, LATER)
    assert first.run_token != second.run_token
    assert (second.attempts, second.phase, second.n_done) == (2, "", 0)


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_gets_the_job() -> None:
    job = create_job(kind=Job.Kind.BUILD, now=NOW)
    ready, won = threading.Barrier(4), []

    def claim() -> None:
        ready.wait()
        found = claim_job(job_id=job.pk, now=NOW)
        if found is not None:
            won.append(found.run_token)
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [Job.objects.get().run_token]


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.CANCELLED, Status.CANCELLING])
def test_a_job_that_has_ended_is_not_claimed(job: Job, status: Job.Status) -> None:
    Job.objects.update(status=status, lease_expires_at=NOW)
    assert claim_job(job_id=job.pk, now=LATER) is None


def test_progress_is_shown_and_renews_the_lease(job: Job) -> None:
    mine = claimed(job)
    soon = NOW + timedelta(minutes=1)
    advance_job(job=mine, now=soon, phase="Writing", n_done=3, n_total=9)
    job.refresh_from_db()
    assert (job.phase, job.n_done, job.n_total, job.lease_expires_at) == ("Writing", 3, 9, soon + LEASE)


def test_who_lost_the_job_can_neither_advance_nor_finish_it(job: Job) -> None:
    slow = claimed(job)
    fast = claimed(job, LATER)
    with pytest.raises(JobLost):
        advance_job(job=slow, now=LATER, phase="x", n_done=1, n_total=1)
    with pytest.raises(JobLost):
        finish_job(job=slow, now=LATER)
    job.refresh_from_db()
    assert (job.status, job.phase, job.run_token) == (Status.RUNNING, "", fast.run_token)


def test_a_result_is_undone_with_the_finish_that_lost(job: Job) -> None:
    slow = claimed(job)
    claimed(job, LATER)

    def write_result() -> None:
        with transaction.atomic():
            create_job(kind=Job.Kind.IMPORT, now=NOW)
            finish_job(job=slow, now=LATER)

    with pytest.raises(JobLost):
        write_result()
    assert Job.objects.count() == 1


def test_run_does_the_work_and_ends(job: Job) -> None:
    done = run(job, finish)
    assert (done.status, done.finished_at, done.lease_expires_at) == (Status.DONE, NOW, None)
    assert run(job, fail).status == Status.DONE, "a second bell finds nothing to do"


def test_a_refusal_is_shown_and_not_tried_again(job: Job, bells: Bells) -> None:
    def refuse(job: Job) -> None:
        raise JobRefused("the project has no note yet")

    failed = run(job, refuse)
    assert (failed.status, failed.error, failed.attempts) == (Status.FAILED, "the project has no note yet", 1)
    assert ring_again(now=LATER) == 0


def test_a_failure_hands_the_job_back_until_the_third(job: Job, bells: Bells) -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        with pytest.raises(ZeroDivisionError), bells.after_commit():
            run(job, fail)
        assert bells.tasks() == ["annotator.run_build"] * attempt
        job.refresh_from_db()
        assert (job.status, job.attempts, job.lease_expires_at, job.error) == (Status.QUEUED, attempt, None, "")
    with pytest.raises(ZeroDivisionError):
        run(job, fail)
    job.refresh_from_db()
    assert (job.status, job.error) == (Status.FAILED, "failed 3 times (ZeroDivisionError)")


def test_a_job_that_is_put_off_waits_and_no_attempt_is_counted(job: Job, bells: Bells) -> None:
    def put_off(job: Job) -> None:
        raise JobPutOff

    for _ in range(MAX_ATTEMPTS + 1):
        with bells.after_commit():
            waiting = run(job, put_off)
        assert (waiting.status, waiting.attempts, waiting.worker) == (Status.QUEUED, 0, "")
        assert (waiting.started_at, waiting.lease_expires_at) == (None, None)
    assert bells == [], "whoever puts it off would only be asked again"
    assert run(job, finish).status == Status.DONE


def test_a_training_is_told_to_those_who_do_nothing_else(db: None, bells: Bells) -> None:
    with bells.after_commit():
        start_job(create_job(kind=Job.Kind.TRAINING, now=NOW))
    assert [(task, queue) for task, _, queue in bells] == [("llm_labeler.train", bell.TRAIN_QUEUE)]


def test_cancel_ends_a_waiting_job_at_once(job: Job) -> None:
    cancel_job(job=job, now=NOW)
    assert run(job, fail).status == Status.CANCELLED


def test_cancel_stops_a_running_job_at_its_next_step(job: Job) -> None:
    steps: list[int] = []

    def work(mine: Job) -> None:
        for step in range(5):
            if step == 2:
                cancel_job(job=mine, now=NOW)
            advance_job(job=mine, now=NOW, phase="x", n_done=step, n_total=5)
            steps.append(step)

    cancelled = run(job, work)
    assert steps == [0, 1]
    assert (cancelled.status, cancelled.finished_at) == (Status.CANCELLED, NOW)


def test_cancel_after_the_last_step_is_answered_by_the_result(job: Job) -> None:
    def work(mine: Job) -> None:
        cancel_job(job=mine, now=NOW)
        finish_job(job=mine, now=NOW)

    assert run(job, work).status == Status.DONE


def test_a_cancelled_job_says_so_to_its_worker_only(job: Job) -> None:
    slow = claimed(job)
    fast = claimed(job, LATER)
    cancel_job(job=job, now=LATER)
    with pytest.raises(JobLost):
        advance_job(job=slow, now=LATER, phase="x", n_done=1, n_total=1)
    with pytest.raises(JobCancelled):
        advance_job(job=fast, now=LATER, phase="x", n_done=1, n_total=1)


def test_the_sweeper_rings_for_what_nobody_holds(job: Job, bells: Bells) -> None:
    expired, held, done = (create_job(kind=Job.Kind.IMPORT, now=NOW) for _ in range(3))
    claimed(expired)
    run(done, finish)
    claimed(held, LATER)
    with bells.after_commit():
        assert ring_again(now=LATER) == 2
    assert bells == [("annotator.run_build", (job.pk,), "main"), ("annotator.run_import", (expired.pk,), "main")]


def test_the_sweeper_ends_what_its_workers_died_of(job: Job, bells: Bells) -> None:
    Job.objects.update(status=Status.RUNNING, attempts=MAX_ATTEMPTS, lease_expires_at=NOW)
    assert ring_again(now=LATER) == 0
    job.refresh_from_db()
    assert (job.status, job.error) == (Status.FAILED, "its worker died 3 times")


def test_the_sweeper_ends_a_cancelled_job_whose_worker_died(job: Job) -> None:
    claimed(job)
    cancel_job(job=job, now=NOW)
    assert ring_again(now=NOW) == 0
    job.refresh_from_db()
    assert job.status == Status.CANCELLING, "its worker may still answer"
    ring_again(now=LATER)
    job.refresh_from_db()
    assert job.status == Status.CANCELLED


def test_the_bell_rings_after_commit_only(job: Job, bells: Bells) -> None:
    with bells.after_commit():
        start_job(job)
        assert bells == []
    assert bells.tasks() == ["annotator.run_build"]


def test_a_broker_that_is_down_loses_no_work(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("celery.current_app.send_task", refuse)
    bell._send("annotator.run_build", (job.pk,), "main")
    assert Job.objects.get().status == Status.QUEUED


def beat(name: str, now: datetime, queues: str = "main") -> None:
    record_beat(name=name, queues=queues, model_id="m", device="CPU", memory_bytes=7, started_at=NOW, now=now)


def test_a_worker_is_healthy_then_silent_then_forgotten(db: None) -> None:
    beat("w1", NOW)
    beat("w1", NOW + timedelta(seconds=10))

    def states(seconds: int) -> list[str]:
        return [health.state for health in worker_health(now=NOW + timedelta(seconds=seconds))]

    assert states(20) == ["healthy"]
    assert states(46) == ["silent"]
    assert states(2 * 24 * 3600) == []


def test_a_stopped_worker_listens_to_nothing(db: None) -> None:
    beat("w1", NOW)
    beat("w2", NOW, queues="label")
    assert has_worker(queue="main", now=NOW)
    record_stop(name="w1", now=NOW)
    assert not has_worker(queue="main", now=NOW)
    assert has_worker(queue="label", now=NOW)
    beat("w1", NOW + timedelta(seconds=5))
    assert has_worker(queue="main", now=NOW + timedelta(seconds=5))
    assert not has_worker(queue="main", now=NOW + timedelta(seconds=60))


def test_a_worker_that_starts_queues_again_what_one_of_its_name_held(job: Job, bells: Bells) -> None:
    assert claim_job(job_id=job.pk, now=NOW, worker="main@here") is not None
    with bells.after_commit():
        release_worker(worker="main@elsewhere", now=NOW)
        release_worker(worker="main@here", now=NOW)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (Job.Status.QUEUED, 1)
    assert bells.tasks() == ["annotator.run_build"]


def test_a_job_that_kills_its_worker_fails_after_three_times(job: Job, bells: Bells) -> None:
    for _ in range(3):
        assert claim_job(job_id=job.pk, now=NOW, worker="main@here") is not None
        release_worker(worker="main@here", now=NOW)
    job.refresh_from_db()
    assert (job.status, job.error) == (Job.Status.FAILED, "its worker died 3 times")


def test_a_job_that_is_put_off_and_asked_to_stop_meanwhile_is_cancelled(job: Job) -> None:
    def wait(mine: Job) -> None:
        cancel_job(job=mine, now=NOW)
        raise JobPutOff

    run_job(job_id=job.pk, work=wait, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.status == Status.CANCELLED
