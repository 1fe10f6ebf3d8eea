"""Rules that settle what needs no adjudicator: seen beforehand, then applied by a job, note by note."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from annotator.accounts.models import User
from annotator.adjudication.leases import LeaseConflict, put_back
from annotator.adjudication.models import Choice, RuleRun
from annotator.adjudication.selectors import (
    SEPARATOR,
    CaseFile,
    adjudications_of,
    case_file,
    case_files,
    labels_between,
)
from annotator.adjudication.services import finish, take
from annotator.audit.services import record_event
from annotator.core.cases import Case, Version
from annotator.jobs.models import Job
from annotator.jobs.services import advance_job, cancel_job, create_job, finish_job, start_job
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.readings.models import Adjudication

MOST_PREVIEWED = 500
FEWEST_READERS = 3
_PAGE = 50
_Rule = RuleRun.Rule


class RuleRefused(Exception):
    """A rule that cannot be applied now; the message says why."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would do to the notes that wait: how many it would finish, the differences it would settle, and those
    it would leave to people.
    """

    rule: RuleRun.Rule
    n_notes: int
    n_finished: int
    n_settled: int
    n_left: int


def previews(*, project: Project, now: datetime) -> list[Preview]:
    """What each rule would do to up to MOST_PREVIEWED notes. Five queries for 50 notes."""
    totals = {rule: [0, 0, 0, 0] for rule in _Rule}
    for file in _files(project, now):
        for rule, counts in totals.items():
            n_settled = len(settled_by(file, rule))
            n_left = len(file.differences) - file.n_settled - n_settled
            for place, n in enumerate((1, int(not n_left), n_settled, n_left)):
                counts[place] += n
    return [Preview(rule, *counts) for rule, counts in totals.items()]


def settled_by(file: CaseFile, rule: str) -> list[tuple[Case, Version]]:
    """The open differences of a note that the rule settles, each with the version that it takes.

    A majority are more than half of three readers or more who say the same in the case, to the character.
    """
    if rule != _Rule.MAJORITY or len(file.readings) < FEWEST_READERS:
        return []
    found = []
    for case in file.differences:
        most = max(case.versions, key=lambda version: len(version.readers))
        if case.key not in file.standing and 2 * len(most.readers) > len(file.readings):
            found.append((case, most))
    return found


@transaction.atomic
def start_rule(*, project: Project, rule: str, actor: User, now: datetime) -> RuleRun:
    """Have the rule applied to the notes that wait. Raises RuleRefused while another one is at it."""
    if rule not in _Rule.values:
        raise RuleRefused("There is no such rule.")
    if project.rule_runs.exclude(job__status__in=[Job.Status.DONE, Job.Status.FAILED, Job.Status.CANCELLED]).exists():
        raise RuleRefused("A rule is being applied already.")
    job = create_job(kind=Job.Kind.RULE, now=now)
    run = RuleRun.objects.create(project=project, rule=rule, job=job, created_by=actor, created_at=now)
    record_event(
        project=project.public_id,
        actor=actor,
        verb="adjudication.rule",
        object_id=project.public_id,
        now=now,
        detail={"rule": rule},
    )
    start_job(job)
    return run


@transaction.atomic
def cancel_rule(*, project: Project, actor: User, now: datetime) -> None:
    """Have the rule that is being applied stop before its next note; what it has settled stays."""
    waiting = project.rule_runs.filter(job__status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    for run in waiting.select_related("job"):
        cancel_job(job=run.job, now=now)
        record_event(
            project=project.public_id,
            actor=actor,
            verb="adjudication.rule_cancel",
            object_id=project.public_id,
            now=now,
            detail={"rule": run.rule},
        )


def run_rule(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Apply the job's rule, a transaction for each note: what is done stays done when it is begun again.

    A note that someone has meanwhile is left to them. Raises JobCancelled, JobLost.
    """
    run = RuleRun.objects.select_related("project", "created_by").get(job=job)
    waiting = list(_free(run.project, clock()).values_list("pk", flat=True))
    for number, pk in enumerate(waiting):
        advance_job(job=job, now=clock(), phase="Settling notes", n_done=number, n_total=len(waiting))
        adjudication = adjudications_of(run.project).filter(pk=pk, status=Adjudication.Status.OPEN).first()
        if adjudication is not None:
            _apply(run, adjudication, clock())
    finish_job(job=job, now=clock())


@transaction.atomic
def _apply(run: RuleRun, adjudication: Adjudication, now: datetime) -> None:
    """Settle what the rule settles, and finish the note where that is all."""
    file = case_file(adjudication)
    settled = settled_by(file, run.rule)
    is_finished = len(settled) == len(file.differences) - file.n_settled
    if not settled and not is_finished:
        return
    try:
        Choice.objects.bulk_create(_choice(run, adjudication, case, version, now) for case, version in settled)
        take(adjudication=adjudication, adjudicator=run.created_by, now=now)
    except LeaseConflict:
        transaction.set_rollback(True)
        return
    if is_finished:
        finish(adjudication=adjudication, adjudicator=run.created_by, now=now)
    else:
        put_back(adjudication=adjudication, adjudicator=run.created_by)
    RuleRun.objects.filter(pk=run.pk).update(
        n_settled=F("n_settled") + len(settled), n_finished=F("n_finished") + int(is_finished)
    )


def _choice(run: RuleRun, adjudication: Adjudication, case: Case, version: Version, now: datetime) -> Choice:
    return Choice(
        adjudication=adjudication,
        adjudicator=run.created_by,
        what=Choice.What.VERSION,
        case_key=case.key,
        digest=case.digest,
        kind=case.kind,
        version=version.digest,
        between=labels_between(case),
        label=SEPARATOR.join(version.labels),
        rule=run.rule,
        idempotency_key=uuid.uuid4().hex,
        decided_at=now,
    )


def _free(project: Project, now: datetime) -> QuerySet[Adjudication]:
    """The notes that wait and are in nobody's hands, the longest waiting first."""
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    return adjudications_of(project).filter(is_free, status=Adjudication.Status.OPEN).order_by("pk")


def _files(project: Project, now: datetime) -> Iterator[CaseFile]:
    version = current_schema(project)
    found = list(_free(project, now).defer("document__text")[:MOST_PREVIEWED])
    for first in range(0, len(found), _PAGE):
        yield from case_files(found[first : first + _PAGE], schema_version=version)
