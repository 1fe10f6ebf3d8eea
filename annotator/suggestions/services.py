"""Label runs: started, claimed note by note, committed behind a fence, swept, cancelled.

The database is the queue. A worker claims notes (a lease and a fresh `run_token`), labels them with no transaction
open, and commits each in one transaction that only counts while the token is still its own.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.identifiers import asked_of
from annotator.documents.models import Document
from annotator.jobs.bell import LABEL_QUEUE, ROUTE_QUEUE, ring
from annotator.projects.models import Guideline, Project, SchemaVersion
from annotator.projects.services import lock_projects
from annotator.suggestions.disclosure import ServerNotAllowed, refuse_undisclosed, remote_server
from annotator.suggestions.models import ExamplePool, Labeler, LabelJob, LabelRun
from annotator.suggestions.prompts import PoolIncomplete, refuse_incomplete
from annotator.suggestions.recording import (
    NewSuggestion,
    SuggestionRow,
    add_candidates,
    add_suggestions,
    candidate_rows,
    count_placed,
    distinct,
    suggestion_row,
)
from annotator.suggestions.telling import hold_up, tell_of_end

LABEL_TASK = "llm_labeler.label_run"
ROUTE_TASK = "annotator.route_jobs"
READ_TASK = "annotator.compare_when_read"
CLAIM_SIZE = 8
FIRST_BELLS = 32
LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 3
_PAGE = 500
_OF_LABELER = ("run__labeler__schema_version", "run__labeler__guideline", "run__labeler__pool")
# How long a note's own bell for routing has until the sweeper rings for it.
ROUTING_TIME = timedelta(seconds=30)
_NAMED = ("name", "backend", "model_id", "revision", "prompt_digest", "decoding")
Status = LabelJob.Status


class RunRefused(Exception):
    """A run that cannot be started; the message says why."""


@dataclass(frozen=True, slots=True)
class LabelerSpec:
    """What names a labeler: see `Labeler`."""

    name: str
    backend: str
    model_id: str
    revision: str
    prompt_digest: str = ""
    decoding: Mapping[str, Any] = field(default_factory=dict)
    guideline: Guideline | None = None
    pool: ExamplePool | None = None
    n_examples: int = 0

    @property
    def digest(self) -> str:
        """Guideline and pool count by what they hold."""
        named: dict[str, Any] = {name: getattr(self, name) for name in _NAMED}
        if self.guideline is not None:
            named["guideline"] = self.guideline.digest
        if self.pool is not None:
            named |= {"pool": self.pool.digest, "n_examples": self.n_examples}
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


def labeler_for(*, project: Project, schema_version: SchemaVersion, spec: LabelerSpec, now: datetime) -> Labeler:
    """The labeler row of `spec`, made if it is new."""
    labeler, _ = Labeler.objects.get_or_create(
        project=project,
        schema_version=schema_version,
        digest=spec.digest,
        defaults=_columns(spec) | {"created_at": now},
    )
    return labeler


def new_labeler(*, project: Project, schema_version: SchemaVersion, spec: LabelerSpec) -> Labeler:
    """A labeler row of `spec` that is not saved, for looking at what it would be."""
    return Labeler(project=project, schema_version=schema_version, digest=spec.digest, **_columns(spec))


@transaction.atomic
def start_run(
    *,
    project: Project,
    labeler: Labeler,
    documents: QuerySet[Document],
    actor: User | None,
    now: datetime,
    purpose: LabelRun.Purpose = LabelRun.Purpose.WORK,
) -> LabelRun:
    """A run of `labeler` over `documents`, one queued job each.

    Raises RunRefused where there is no note or nothing to ask the labeler for, where the labeler's examples are not all
    there any more, or where the notes would go to a server that they may not go to.
    """
    if not asked_of(labeler.schema_version.schema, backend=labeler.backend).labels:
        raise RunRefused("the schema has no label that this labeler is asked for")
    run = _create_run(project=project, labeler=labeler, actor=actor, now=now, purpose=purpose)
    ids = documents.order_by("pk").values_list("pk", flat=True)
    LabelJob.objects.bulk_create(
        (LabelJob(run=run, document_id=pk) for pk in ids.iterator(chunk_size=2000)), batch_size=500
    )
    n_jobs = run.jobs.count()
    if not n_jobs:
        raise RunRefused("there is no note that this labeler has not read yet")
    try:
        refuse_incomplete(labeler)
        refuse_undisclosed(labeler)
    except (PoolIncomplete, ServerNotAllowed) as reason:
        raise RunRefused(str(reason)) from reason
    record_event(
        project=project.public_id,
        actor=actor,
        verb="run.start",
        object_id=run.public_id,
        now=now,
        detail={
            "labeler": labeler.pk,
            "backend": labeler.backend,
            "server": remote_server(labeler),
            "n_documents": n_jobs,
            "purpose": run.purpose,
        },
    )
    _ring_for(run, n_jobs=n_jobs)
    return run


def unread_documents(*, project: Project, labeler: Labeler) -> QuerySet[Document]:
    """The project's notes that no run of `labeler` has read for review or is going to."""
    taken = LabelJob.for_review.filter(run__labeler=labeler).exclude(status__in=[Status.CANCELLED, Status.FAILED])
    return Document.objects.filter(project=project).exclude(pk__in=taken.values("document_id"))


def claim_jobs(*, run_id: int, worker: str, now: datetime, limit: int = CLAIM_SIZE) -> list[LabelJob]:
    """Up to `limit` notes of the run, leased to the caller, shortest note first; empty where none waits.

    Jobs out of attempts are failed on the way, so that a note that kills its worker stops the run only three times.
    """
    _fail_exhausted(LabelJob.objects.filter(run_id=run_id, lease_expires_at__lt=now), now=now)
    claimable = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, lease_expires_at__lt=now)
    candidates = list(
        LabelJob.objects.filter(claimable, run_id=run_id, document__project=F("run__project"))  # not one being purged
        .order_by("document__n_chars", "pk")
        .values_list("pk", flat=True)[: limit * 2]
    )
    # Conditions of the update itself, on one table: in a subquery PostgreSQL would not check them again after a wait.
    running = LabelRun.objects.filter(pk=run_id, status=LabelRun.Status.RUNNING)
    claimed: list[int] = []
    for pk in candidates:
        if len(claimed) == limit:
            break
        token = secrets.token_hex(16)
        won = LabelJob.objects.filter(claimable, pk=pk, run__in=running).update(
            status=Status.RUNNING,
            run_token=token,
            worker=worker,
            lease_expires_at=now + LEASE,
            started_at=now,
            error="",
        )
        if won:
            claimed.append(pk)
    jobs = LabelJob.objects.select_related("document", *_OF_LABELER).in_bulk(claimed)
    return [jobs[pk] for pk in claimed]


def ring_on(*, run_id: int, now: datetime) -> None:
    """Have the next notes of the run claimed, by a worker that has done its own; where none is left, end the run.

    On PostgreSQL the last two notes may be committed at the same moment, each while the other was being read.
    """
    if LabelJob.objects.filter(run_id=run_id, status=Status.QUEUED).exists():
        ring(LABEL_TASK, run_id, queue=LABEL_QUEUE)
    else:
        _close_if_finished(run_id=run_id, now=now)


def begin_job(*, job: LabelJob, now: datetime) -> bool:
    """Count the attempt at `job`, and renew its lease.

    Attempts count notes that were begun, so that one that kills its worker does not fail those claimed with it. False
    where the claim was lost. Safe to repeat.
    """
    n_attempts = job.attempts + 1
    begun = LabelJob.objects.filter(pk=job.pk, run_token=job.run_token, status=Status.RUNNING).update(
        attempts=n_attempts, started_at=now, lease_expires_at=now + LEASE
    )
    if begun:
        job.attempts = n_attempts
    return bool(begun)


def renew_jobs(*, jobs: Sequence[LabelJob], now: datetime) -> set[int]:
    """Push the leases of claimed jobs on; the ids of those that are still the caller's. Two queries."""
    held = LabelJob.objects.filter(run_token__in=[job.run_token for job in jobs], status=Status.RUNNING)
    held.update(lease_expires_at=now + LEASE)
    return set(held.values_list("pk", flat=True))


@transaction.atomic
def commit_job(
    *,
    job: LabelJob,
    suggestions: Sequence[NewSuggestion],
    now: datetime,
    others: Sequence[NewSuggestion] = (),
    n_truncated: int = 0,
    n_problems: int = 0,
) -> bool:
    """Write the note's suggestions and mark it done; False, and nothing written, where the claim was lost.

    Of `others`, which a second reader found, what is not suggested is kept as candidates.
    """
    rows = distinct(map(suggestion_row, suggestions))
    n_suggestions, n_unaligned = count_placed(rows)
    held = LabelJob.objects.filter(pk=job.pk, run_token=job.run_token, status=Status.RUNNING).update(
        status=Status.DONE,
        finished_at=now,
        lease_expires_at=None,
        n_suggestions=n_suggestions,
        n_unaligned=n_unaligned,
        n_truncated=n_truncated,
        n_problems=n_problems,
        routed_at=now if job.run.purpose == LabelRun.Purpose.COMPARISON else None,
    )
    if not held:
        return False
    add_suggestions(found=[(job, rows)])
    add_candidates(job=job, rows=candidate_rows(text=job.document.text, found=others, suggested=rows))
    LabelRun.objects.filter(pk=job.run_id).exclude(trouble="").update(trouble="")
    _close_if_finished(run_id=job.run_id, now=now)
    if job.run.purpose == LabelRun.Purpose.WORK:
        ring(ROUTE_TASK, job.pk, queue=ROUTE_QUEUE)
    return True


def hand_back(*, job: LabelJob, error: str, now: datetime) -> None:
    """Give a claim back after a failure: to the queue, or to *failed* with the reason after the third attempt."""
    is_last = job.attempts >= MAX_ATTEMPTS
    handed = LabelJob.objects.filter(pk=job.pk, run_token=job.run_token, status=Status.RUNNING).update(
        status=Status.FAILED if is_last else Status.QUEUED,
        error=error[:500],
        lease_expires_at=None,
        finished_at=now if is_last else None,
    )
    if not handed:
        return
    if is_last:
        _close_if_finished(run_id=job.run_id, now=now)
    else:
        ring(LABEL_TASK, job.run_id, queue=LABEL_QUEUE)


def put_off(*, jobs: Sequence[LabelJob], begun: Collection[int], reason: str, now: datetime) -> None:
    """Give claims back because the model is away; the run's page says why its notes wait. `begun`: the ids of those
    whose attempt was counted, which it is no more. Safe to repeat.

    No bell is rung, or workers would go in circles: the sweeper's next one tries again.
    """
    for n_counted in (0, 1):
        tokens = [job.run_token for job in jobs if (job.pk in begun) == bool(n_counted)]
        LabelJob.objects.filter(run_token__in=tokens, status=Status.RUNNING).update(
            status=Status.QUEUED, attempts=F("attempts") - n_counted, lease_expires_at=None, started_at=None
        )
    hold_up(runs={job.run_id for job in jobs}, trouble=reason[:500], now=now)


def fail_run(*, run_id: int, jobs: Sequence[LabelJob], reason: str, now: datetime) -> None:
    """Fail what waits of the run, and the caller's `jobs`, at once: no note of it can be read here.

    A retry queues them again.
    """
    mine = Q(run_token__in=[job.run_token for job in jobs], status=Status.RUNNING)
    LabelJob.objects.filter(mine | Q(status=Status.QUEUED), run_id=run_id).update(
        status=Status.FAILED, error=reason[:500], lease_expires_at=None, finished_at=now
    )
    _close_if_finished(run_id=run_id, now=now)


def release_worker(*, worker: str, now: datetime) -> int:
    """Put back what `worker` held when it died; called by the worker of that name when it starts.

    What it died of three times is failed, and not counted: otherwise that note would kill it again and again.
    """
    held = LabelJob.objects.filter(worker=worker, status=Status.RUNNING)
    _fail_exhausted(held, now=now)
    run_ids = set(held.values_list("run_id", flat=True))
    n_released = held.update(status=Status.QUEUED, lease_expires_at=None, error="its worker died")
    for run_id in run_ids:
        ring(LABEL_TASK, run_id, queue=LABEL_QUEUE)
    return n_released


@transaction.atomic
def cancel_run(*, run: LabelRun, actor: User, now: datetime) -> None:
    """Stop the run: waiting notes are cancelled, the ones being read keep their result, suggestions stay."""
    lock_projects(run.project)
    stopped = LabelRun.objects.filter(pk=run.pk, status=LabelRun.Status.RUNNING).update(
        status=LabelRun.Status.CANCELLED, finished_at=now
    )
    if not stopped:
        return
    LabelJob.objects.filter(run=run, status=Status.QUEUED).update(status=Status.CANCELLED, finished_at=now)
    record_event(project=run.project.public_id, actor=actor, verb="run.cancel", object_id=run.public_id, now=now)


@transaction.atomic
def retry_run(*, run: LabelRun, actor: User, now: datetime) -> int:
    """Queue the run's failed and cancelled notes again; how many."""
    lock_projects(run.project)
    again = LabelJob.objects.filter(
        run=run, status__in=[Status.FAILED, Status.CANCELLED], document__project=run.project_id
    )
    n_again = again.update(status=Status.QUEUED, attempts=0, error="", finished_at=None, lease_expires_at=None)
    if not n_again:
        return 0
    LabelRun.objects.filter(pk=run.pk).update(status=LabelRun.Status.RUNNING, trouble="", finished_at=None)
    record_event(
        project=run.project.public_id,
        actor=actor,
        verb="run.retry",
        object_id=run.public_id,
        now=now,
        detail={"n_documents": n_again},
    )
    _ring_for(run, n_jobs=n_again)
    return n_again


@transaction.atomic
def import_run(
    *,
    project: Project,
    labeler: Labeler,
    suggestions: Iterable[tuple[int, Sequence[SuggestionRow]]],
    actor: User | None,
    now: datetime,
) -> LabelRun:
    """A finished run whose suggestions come from outside, as (document id, suggestions); routed like any other.

    Streams: of each note only its bell is kept until the commit.
    """
    run = _create_run(project=project, labeler=labeler, actor=actor, now=now)
    left = iter(suggestions)
    while page := [(document_id, distinct(rows)) for document_id, rows in islice(left, _PAGE)]:
        LabelJob.objects.bulk_create(_done_job(run, document_id, rows, now) for document_id, rows in page)
        found = dict(page)
        jobs = LabelJob.objects.filter(run=run, document_id__in=list(found)).order_by("pk")
        add_suggestions(found=[(job, found[job.document_id]) for job in jobs])
        for job in jobs:
            ring(ROUTE_TASK, job.pk, queue=ROUTE_QUEUE)
    LabelRun.objects.filter(pk=run.pk).update(status=LabelRun.Status.DONE, finished_at=now)
    return run


@transaction.atomic
def mark_routed(*, job_id: int, now: datetime) -> bool:
    """Take the job's suggestions for routing; False where they have been routed already."""
    return bool(LabelJob.objects.filter(pk=job_id, status=Status.DONE, routed_at=None).update(routed_at=now))


def ring_again(*, now: datetime) -> int:
    """Ring for every run with notes that nobody holds, and for every note not routed yet; the number of bells."""
    _fail_exhausted(LabelJob.objects.filter(lease_expires_at__lt=now), now=now)
    unfinished = LabelJob.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
    running = LabelRun.objects.filter(status=LabelRun.Status.RUNNING).order_by("pk")
    for run_id in running.exclude(pk__in=unfinished.values("run")).values_list("pk", flat=True):
        _close_if_finished(run_id=run_id, now=now)
    left = Q(status=Status.QUEUED) | Q(status=Status.RUNNING, lease_expires_at__lt=now)
    LabelJob.objects.filter(left, run__status=LabelRun.Status.CANCELLED).update(
        status=Status.CANCELLED, finished_at=now, lease_expires_at=None
    )
    runs = LabelJob.objects.filter(left, run__status=LabelRun.Status.RUNNING).values_list("run_id", flat=True)
    run_ids = sorted(set(runs.distinct()))
    for run_id in run_ids:
        ring(LABEL_TASK, run_id, queue=LABEL_QUEUE)
    unrouted = LabelJob.objects.filter(status=Status.DONE, routed_at=None, finished_at__lt=now - ROUTING_TIME).order_by(
        "pk"
    )
    job_ids = list(unrouted.values_list("pk", flat=True)[:1000])
    for job_id in job_ids:
        ring(ROUTE_TASK, job_id, queue=ROUTE_QUEUE)
    return len(run_ids) + len(job_ids)


def _ring_for(run: LabelRun, *, n_jobs: int) -> None:
    """Wake as many workers as can be busy with the run; each rings once more for every bell it answered with work."""
    for _ in range(min(-(-n_jobs // CLAIM_SIZE), FIRST_BELLS)):
        ring(LABEL_TASK, run.pk, queue=LABEL_QUEUE)


def _done_job(run: LabelRun, document_id: int, rows: Sequence[SuggestionRow], now: datetime) -> LabelJob:
    n_suggestions, n_unaligned = count_placed(rows)
    return LabelJob(
        run=run,
        document_id=document_id,
        status=Status.DONE,
        attempts=1,
        n_suggestions=n_suggestions,
        n_unaligned=n_unaligned,
        started_at=now,
        finished_at=now,
    )


def _columns(spec: LabelerSpec) -> dict[str, Any]:
    return {field.name: getattr(spec, field.name) for field in fields(spec)}


def _create_run(
    *,
    project: Project,
    labeler: Labeler,
    actor: User | None,
    now: datetime,
    purpose: LabelRun.Purpose = LabelRun.Purpose.WORK,
) -> LabelRun:
    lock_projects(project)
    newest = project.label_runs.order_by("-number").first()
    return LabelRun.objects.create(
        project=project,
        labeler=labeler,
        number=newest.number + 1 if newest else 1,
        purpose=purpose,
        created_by=actor,
        created_at=now,
    )


def _fail_exhausted(lost: QuerySet[LabelJob], *, now: datetime) -> None:
    """Fail those of the jobs whose worker is gone that have had all their attempts."""
    dead = lost.filter(status=Status.RUNNING, attempts__gte=MAX_ATTEMPTS)
    run_ids = set(dead.values_list("run_id", flat=True))
    if not run_ids:
        return
    dead.update(
        status=Status.FAILED, finished_at=now, lease_expires_at=None, error=f"its worker died {MAX_ATTEMPTS} times"
    )
    for finished in run_ids:
        _close_if_finished(run_id=finished, now=now)


@transaction.atomic
def _close_if_finished(*, run_id: int, now: datetime) -> None:
    left = LabelJob.objects.filter(run_id=run_id, status__in=[Status.QUEUED, Status.RUNNING])
    if left.exists():
        return
    # Once more behind the run's row: a retry that commits in between would leave notes that wait in a run that is done.
    run = LabelRun.objects.select_for_update().filter(pk=run_id).first()
    if run is not None and run.status == LabelRun.Status.RUNNING and not left.exists():
        LabelRun.objects.filter(pk=run_id).update(status=LabelRun.Status.DONE, finished_at=now)
        if run.purpose == LabelRun.Purpose.COMPARISON:
            ring(READ_TASK, run_id)  # the comparison tells who asked for it; its job waits in the database
        else:
            tell_of_end(run, now=now)
