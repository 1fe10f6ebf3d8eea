"""Rounds of many notes: made, and taken back, by a job, a transaction for each few hundred notes.

Until the last step nobody reads in the round, so that a job which is stopped has given nobody anything. What it has
done stays when its worker dies, and another goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from django.db import transaction
from django.db.models import F

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.assigning import CannotAssign
from annotator.core.wording import sentence
from annotator.jobs.models import Job
from annotator.jobs.services import JobRefused, advance_job, finish_job
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.selectors import members_who
from annotator.projects.services import lock_projects
from annotator.review.drawing import AT_ONCE, draw_shares, forget_draw, give, in_batches, let_out, notes_in, take_in
from annotator.review.models import ReviewItem, RoundJob
from annotator.review.readings import progress_by_reader
from annotator.review.rounds import remove_round
from annotator.review.telling import tell_assigned


class _Stopped(Exception):
    """Somebody wants the round to be taken back."""


def run_round(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Do what the job is for: make its round, or take it back; also where that is asked for meanwhile.

    Raises JobRefused where the readers cannot read what there is, JobLost.
    """
    work = RoundJob.objects.select_related("round__project", "round__created_by").get(job=job)
    if work.task == RoundJob.Task.MAKE:
        with suppress(_Stopped):
            _make(work, job, clock)
            return
    _take_back(work, job, clock)


def _make(work: RoundJob, job: Job, clock: Callable[[], datetime]) -> None:
    made, chosen = work.round, work.documents

    def step(phase: str, n_done: int, n_total: int) -> None:
        advance_job(job=job, now=clock(), phase=phase, n_done=n_done, n_total=n_total)
        if not RoundJob.objects.filter(pk=work.pk, task=RoundJob.Task.MAKE).exists():
            raise _Stopped

    for number, some in enumerate(in_batches(chosen)):
        step("Taking notes", number * AT_ONCE, len(chosen))
        take_in(made, some)
    if job.attempts > 1:
        for number, some in enumerate(in_batches(chosen)):
            step("Drawing anew", number * AT_ONCE, len(chosen))
            forget_draw(made, some)
    try:
        shares = draw_shares(made, tell=lambda n_done, n_total: step("Drawing readers", n_done, n_total))
    except CannotAssign as refusal:
        raise JobRefused(sentence(f"notes were begun meanwhile, and now {refusal}")) from refusal
    n_done, n_total = 0, sum(len(share.documents) for share in shares)
    if not n_total:
        raise JobRefused("All of its notes were begun meanwhile.")
    for share in shares:
        for some in in_batches(share.documents):
            step("Giving notes to readers", n_done, n_total)
            give(made, share, some)
            n_done += len(some)
    step("Giving notes to readers", n_total, n_total)
    _open(work, job, clock())


@transaction.atomic
def _open(work: RoundJob, job: Job, now: datetime) -> None:
    """Let the readers begin, and tell them. What is assigned to who reviews no longer is for the round's others."""
    made, project = work.round, work.round.project
    lock_projects(project)
    _end(work, job, now, RoundJob.Task.MAKE)
    reviewers = User.objects.filter(pk__in=members_who(project, Action.REVIEW))
    gone = ReviewItem.objects.filter(round=made, leased_by=None, assigned_to__isnull=False)
    gone.exclude(assigned_to__in=reviewers.values("pk")).update(assigned_to=None, version=F("version") + 1)
    n_notes = made.items.filter(project=project, slot=1).count()
    detail = {"n_notes": n_notes, "n_left_out": len(work.documents) - n_notes}
    record_event(
        project=project.public_id,
        actor=made.created_by,
        verb="round.open",
        object_id=made.public_id,
        now=now,
        detail=detail,
    )
    loads = {reader: found.n_left for reader, found in progress_by_reader(made).items() if reader is not None}
    tell_assigned(round=made, n_notes=loads, actor=made.created_by, now=now)
    notify(
        users=[job.asked_by_id],
        kind=Kind.ROUND_MADE,
        project=project.public_id,
        subject=made.public_id,
        actor=None,
        now=now,
        detail={"number": made.number, **detail},
    )


def _take_back(work: RoundJob, job: Job, clock: Callable[[], datetime]) -> None:
    """Take all notes out of the round, and delete it."""
    round = work.round
    n_notes, n_done = round.items.order_by().values("document").distinct().count(), 0
    while some := notes_in(round, most=AT_ONCE):
        advance_job(job=job, now=clock(), phase="Taking it back", n_done=n_done, n_total=n_notes)
        let_out(round, some)
        n_done += len(some)
    with transaction.atomic():
        lock_projects(round.project)
        _end(work, job, clock(), RoundJob.Task.UNDO)
        remove_round(round=round, actor=None, n_notes=n_done, now=clock())


def _end(work: RoundJob, job: Job, now: datetime, task: RoundJob.Task) -> None:
    """Delete the work that is done, with its job. Raises JobLost where it is another's by now."""
    finish_job(job=job, now=now)
    n_deleted, _ = RoundJob.objects.filter(pk=work.pk, task=task).delete()
    if not n_deleted:
        raise _Stopped
    Job.objects.filter(pk=job.pk).delete()
