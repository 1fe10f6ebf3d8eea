"""Comparisons of two labelers on the locked test set: asked for, read for, measured, cancelled.

Each labeler reads the test notes that it has not read yet in a run of its own, which goes to no reviewer. The job of
the comparison waits for both runs; the end of a run rings for it, and so does the sweeper.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.labeler_comparison import CANDIDATE, CURRENT, Side
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import JobPutOff, JobRefused, advance_job, cancel_job, create_job, finish_job, start_job
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.models import Project
from annotator.projects.services import lock_projects
from annotator.suggestions.labelers import saved_labeler
from annotator.suggestions.models import Labeler, LabelRun
from annotator.suggestions.services import RunRefused, cancel_run, start_run
from annotator.training.compared import Plan, plan_comparison
from annotator.training.measuring import measure_comparison
from annotator.training.models import ComparedSpan, LabelerComparison
from annotator.web.ids import new_public_id

_PAGE = 500
_STOPPED = "run {} was stopped before it had read all notes: start the comparison again"


class ComparisonRefused(ValueError):
    """A comparison that cannot be made; the message says why, and what to do."""


@transaction.atomic
def start_comparison(
    *, project: Project, candidate: Labeler, current: Labeler, actor: User, now: datetime
) -> LabelerComparison:
    """A comparison, with the runs that it waits for. A labeler that is new is saved. Raises ComparisonRefused."""
    lock_projects(project)
    candidate, current = (saved_labeler(labeler, now=now) for labeler in (candidate, current))
    plan = plan_comparison(project=project, candidate=candidate, current=current)
    if plan.problems:
        raise ComparisonRefused(plan.problems[0])
    newest = project.labeler_comparisons.order_by("-number").first()
    public_id = new_public_id()
    comparison = LabelerComparison.objects.create(
        project=project,
        public_id=public_id,
        number=newest.number + 1 if newest else 1,
        candidate=candidate,
        current=current,
        candidate_run=_run(plan, CANDIDATE, actor, now),
        current_run=_run(plan, CURRENT, actor, now),
        job=create_job(kind=Job.Kind.COMPARISON, asked_by=actor, project=project.public_id, subject=public_id, now=now),
        created_by=actor,
        created_at=now,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="comparison.start",
        object_id=public_id,
        now=now,
        detail={
            "candidate": candidate.pk,
            "current": current.pk,
            "n_notes": len(plan.notes.sets) if plan.notes else 0,
            "n_to_read": sum(plan.n_unread.values()),
        },
    )
    start_job(comparison.job)
    return comparison


def ring_comparisons(*, run_id: int) -> None:
    """Ring for the comparisons that waited for this run."""
    waiting = LabelerComparison.objects.filter(
        Q(candidate_run=run_id) | Q(current_run=run_id), job__status=Job.Status.QUEUED
    )
    with transaction.atomic():
        for comparison in waiting.select_related("job"):
            start_job(comparison.job)


@transaction.atomic
def cancel_comparison(*, comparison: LabelerComparison, actor: User, now: datetime) -> bool:
    """Stop the comparison and its runs; False where it has ended already."""
    lock_projects(comparison.project)
    job = Job.objects.select_for_update().get(pk=comparison.job_id)
    if job.is_finished:
        return False
    cancel_job(job=job, now=now)
    for run in _runs_of(comparison):
        cancel_run(run=run, actor=actor, now=now)
    record_event(
        project=comparison.project.public_id,
        actor=actor,
        verb="comparison.cancel",
        object_id=comparison.public_id,
        now=now,
    )
    return True


def run_comparison(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Measure both labelers once both have read, and finish the job together with the report.

    Raises JobPutOff while one reads, JobRefused, JobCancelled, JobLost.
    """
    comparison = LabelerComparison.objects.select_related(
        *("project", "created_by", "candidate_run", "current_run"),
        *("candidate__schema_version", "current__schema_version"),
    ).get(job=job)
    runs = _runs_of(comparison)
    stopped = next((run for run in runs if run.status == LabelRun.Status.CANCELLED), None)
    if stopped is not None:
        raise JobRefused(_STOPPED.format(stopped.number))
    if any(run.status == LabelRun.Status.RUNNING for run in runs):
        raise JobPutOff

    def advance(phase: str, n_done: int, n_total: int) -> None:
        advance_job(job=job, now=clock(), phase=phase, n_done=n_done, n_total=n_total)

    measured = measure_comparison(comparison, advance)
    with transaction.atomic():
        now = clock()
        lock_projects(comparison.project)
        finish_job(job=job, now=now)
        there = Document.objects.filter(project=comparison.project, pk__in=measured.documents)
        if there.count() < len(measured.documents):
            raise JobRefused("notes were purged while they were compared: start the comparison again")
        LabelerComparison.objects.filter(pk=comparison.pk).update(report=measured.report)
        ComparedSpan.objects.bulk_create(measured.spans, batch_size=_PAGE)
        record_event(
            project=comparison.project.public_id,
            actor=comparison.created_by,
            verb="comparison.finish",
            object_id=comparison.public_id,
            now=now,
            detail={name: measured.report[name] for name in ("n_notes", "n_spans", "gold_sha256")},
        )
        notify(
            users=[job.asked_by_id],
            kind=Kind.COMPARISON_DONE,
            project=comparison.project.public_id,
            subject=comparison.public_id,
            detail={"number": comparison.number, "n_notes": measured.report["n_notes"]},
            actor=None,
            now=now,
        )


def _run(plan: Plan, side: Side, actor: User, now: datetime) -> LabelRun | None:
    """A run over what the labeler has not read; None where it has read all."""
    if not plan.n_unread[side]:
        return None
    labeler = plan.candidate if side == CANDIDATE else plan.current
    try:
        return start_run(
            project=labeler.project,
            labeler=labeler,
            documents=plan.unread[side],
            actor=actor,
            now=now,
            purpose=LabelRun.Purpose.COMPARISON,
        )
    except RunRefused as refusal:
        raise ComparisonRefused(f"“{labeler.name}” cannot read the notes: {refusal}") from refusal


def _runs_of(comparison: LabelerComparison) -> list[LabelRun]:
    return [run for run in (comparison.candidate_run, comparison.current_run) if run is not None]
