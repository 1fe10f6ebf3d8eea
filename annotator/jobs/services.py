"""The life of a background job: made, claimed, moved on, finished; and the workers' signs of life."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotator.accounts.models import User
from annotator.jobs.bell import MAIN_QUEUE, TRAIN_QUEUE, ring
from annotator.jobs.models import Job, WorkerBeat
from annotator.jobs.patience import patiently
from annotator.notices.models import Kind
from annotator.notices.services import notify

LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 3
_DIED = f"its worker died {MAX_ATTEMPTS} times"
TASKS = {
    Job.Kind.IMPORT: "annotator.run_import",
    Job.Kind.BUILD: "annotator.run_build",
    Job.Kind.PURGE: "annotator.run_purge",
    Job.Kind.RULE: "annotator.run_rule",
    Job.Kind.REPORT: "annotator.run_report",
    Job.Kind.ROUND: "annotator.run_round",
    Job.Kind.TRAINING: "llm_labeler.train",
}
# A training takes hours: whoever trains does nothing else.
_QUEUES = {Job.Kind.TRAINING: TRAIN_QUEUE}
_FAILED = {
    Job.Kind.IMPORT: Kind.IMPORT_FAILED,
    Job.Kind.BUILD: Kind.BUILD_FAILED,
    Job.Kind.ROUND: Kind.ROUND_FAILED,
    Job.Kind.TRAINING: Kind.TRAINING_FAILED,
}
_OPEN = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.CANCELLING)


class JobLost(Exception):
    """The job is no longer this worker's: its lease ran out and another took it."""


class JobCancelled(Exception):
    """A person asked for the job to stop."""


class JobPutOff(Exception):
    """The worker is told to end: another, or the same one later, takes the job up again, and no attempt is counted."""


class JobRefused(Exception):
    """The job cannot be done as asked; the message is shown to the person who started it."""


def create_job(
    *, kind: Job.Kind, now: datetime, asked_by: User | None = None, project: str = "", subject: str = ""
) -> Job:
    """A queued job. Ring `start_job` once the row that it works for is saved."""
    return Job.objects.create(kind=kind, asked_by=asked_by, project=project, subject=subject, created_at=now)


def start_job(job: Job) -> None:
    """Tell a worker of the job, after commit."""
    kind = Job.Kind(job.kind)
    ring(TASKS[kind], job.pk, queue=_QUEUES.get(kind, MAIN_QUEUE))


def claim_job(*, job_id: int, now: datetime, worker: str = "") -> Job | None:
    """The job, leased to the caller under a fresh `run_token`; None where somebody has it or it has ended."""
    token = secrets.token_hex(16)
    claimed = (
        Job.objects.filter(pk=job_id, attempts__lt=MAX_ATTEMPTS)
        .filter(Q(status=Job.Status.QUEUED) | Q(status=Job.Status.RUNNING, lease_expires_at__lt=now))
        .update(
            status=Job.Status.RUNNING,
            run_token=token,
            worker=worker,
            lease_expires_at=now + LEASE,
            started_at=now,
            attempts=F("attempts") + 1,
            phase="",
            n_done=0,
        )
    )
    return Job.objects.get(pk=job_id) if claimed else None


def advance_job(*, job: Job, now: datetime, phase: str, n_done: int, n_total: int) -> None:
    """Renew the lease and show how far the job is.

    Raises JobCancelled where a person asked it to stop, JobLost where another worker has it.
    """
    mine = Job.objects.filter(pk=job.pk, run_token=job.run_token)
    is_running = mine.filter(status=Job.Status.RUNNING).update(
        phase=phase, n_done=n_done, n_total=n_total, lease_expires_at=now + LEASE
    )
    if is_running:
        return
    if mine.filter(status=Job.Status.CANCELLING).exists():
        raise JobCancelled
    raise JobLost


def finish_job(*, job: Job, now: datetime) -> None:
    """Mark the job as done, in the transaction that writes its result; JobLost where it is another's by now.

    A cancel that comes after the last chance to stop is answered by the finished result.
    """
    _end(job, Job.Status.DONE, now, "")


def run_job(*, job_id: int, work: Callable[[Job], None], clock: Callable[[], datetime], worker: str = "") -> None:
    """Claim the job and do `work(job)`; `work` finishes it in its own last transaction.

    A refusal and a cancel end the job; JobPutOff queues it again; any other exception hands it back (three attempts in
    all) and is raised. A job that was purged under the worker's hands is no failure.
    """
    job = claim_job(job_id=job_id, now=clock(), worker=worker)
    if job is None:
        return
    try:
        try:
            work(job)
        except JobRefused as refusal:
            _fail(job, clock(), str(refusal))
        except JobCancelled:
            _end(job, Job.Status.CANCELLED, clock(), "")
        except JobPutOff:
            patiently(lambda: _put_off(job))
    except JobLost:
        return
    except Exception as error:
        if not patiently(lambda: Job.objects.filter(pk=job.pk).exists()):
            return
        reason = f"failed {job.attempts} times ({type(error).__name__})"
        patiently(lambda: _hand_back(job, clock(), reason))
        raise


def cancel_job(*, job: Job, now: datetime) -> None:
    """Ask the job to stop: at once where nobody works on it, at its next step otherwise."""
    Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(status=Job.Status.CANCELLED, finished_at=now)
    Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(status=Job.Status.CANCELLING)


def restart_job(*, job: Job, asked_by: User) -> bool:
    """Queue a job that failed or was cancelled once more, for `asked_by`; False where it is neither."""
    ended = Job.objects.filter(pk=job.pk, status__in=[Job.Status.FAILED, Job.Status.CANCELLED])
    is_queued = ended.update(
        status=Job.Status.QUEUED,
        asked_by=asked_by,
        attempts=0,
        error="",
        phase="",
        n_done=0,
        lease_expires_at=None,
        finished_at=None,
    )
    if is_queued:
        start_job(job)
    return bool(is_queued)


def release_worker(*, worker: str, now: datetime) -> None:
    """Queue again what `worker` held when it died; called by the worker of that name when it starts."""
    held = Job.objects.filter(worker=worker, status=Job.Status.RUNNING)
    _fail_exhausted(held, now=now)
    released = list(held)
    held.update(status=Job.Status.QUEUED, lease_expires_at=None)
    for job in released:
        start_job(job)


def ring_again(*, now: datetime) -> int:
    """Ring for every job that nobody holds, end those out of attempts; the number of bells rung."""
    expired = Q(lease_expires_at__lt=now)
    Job.objects.filter(expired, status=Job.Status.CANCELLING).update(status=Job.Status.CANCELLED, finished_at=now)
    _fail_exhausted(Job.objects.filter(expired, status=Job.Status.RUNNING), now=now)
    waiting = Job.objects.filter(Q(status=Job.Status.QUEUED) | Q(expired, status=Job.Status.RUNNING)).order_by("pk")
    for job in waiting:
        start_job(job)
    return len(waiting)


def record_beat(
    *, name: str, queues: str, model_id: str, device: str, memory_bytes: int, started_at: datetime, now: datetime
) -> None:
    """Note that the worker `name` lives."""
    WorkerBeat.objects.update_or_create(
        name=name,
        defaults={
            "queues": queues,
            "model_id": model_id,
            "device": device,
            "memory_bytes": memory_bytes,
            "started_at": started_at,
            "seen_at": now,
            "stopped_at": None,
        },
    )


def record_stop(*, name: str, now: datetime) -> None:
    """Note that the worker `name` stopped as it was told to."""
    WorkerBeat.objects.filter(name=name).update(stopped_at=now)


def _put_off(job: Job) -> None:
    """Safe to repeat. The sweeper rings, once there is a worker again."""
    mine = Job.objects.filter(pk=job.pk, run_token=job.run_token, status=Job.Status.RUNNING)
    mine.update(status=Job.Status.QUEUED, lease_expires_at=None, attempts=F("attempts") - 1)


def _hand_back(job: Job, now: datetime, reason: str) -> None:
    """Have the job done again, or fail it for `reason` after its last attempt. Safe to repeat."""
    if job.attempts < MAX_ATTEMPTS:
        mine = Job.objects.filter(pk=job.pk, run_token=job.run_token, status=Job.Status.RUNNING)
        if mine.update(status=Job.Status.QUEUED, lease_expires_at=None):
            start_job(job)
    else:
        with suppress(JobLost):
            _fail(job, now, reason)


@transaction.atomic
def _fail_exhausted(lost: QuerySet[Job], *, now: datetime) -> None:
    """Fail those of the jobs whose worker is gone that have had all their attempts."""
    for job in lost.filter(attempts__gte=MAX_ATTEMPTS).select_for_update().order_by("pk"):
        _fail(job, now, _DIED)


@transaction.atomic
def _fail(job: Job, now: datetime, error: str) -> None:
    _end(job, Job.Status.FAILED, now, error)
    kind = _FAILED.get(Job.Kind(job.kind))
    if kind is not None:
        notify(users=[job.asked_by_id], kind=kind, project=job.project, subject=job.subject, actor=None, now=now)


def _end(job: Job, status: Job.Status, now: datetime, error: str) -> None:
    ended = Job.objects.filter(pk=job.pk, run_token=job.run_token, status__in=_OPEN).update(
        status=status, finished_at=now, error=error, lease_expires_at=None
    )
    if not ended:
        raise JobLost
