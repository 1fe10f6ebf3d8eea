"""Reports of agreement: asked for by who looks at the page, counted at once or by a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max

from annotator.jobs.models import Job
from annotator.jobs.services import create_job, finish_job, start_job
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.quality.measuring import is_labeler, measure_pair, measure_project, start_of
from annotator.quality.models import AgreementReport
from annotator.readings.models import Comparison, ReaderPair

# So many comparisons are counted while the page is waited for; more by a job.
AT_ONCE = 2000
# What is told of a single pair is counted when it is asked for where they share so few notes; else with the report.
AT_ONCE_OF_PAIR = 400


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest report, None while the first is being counted, and how many comparisons are new since."""

    report: AgreementReport | None
    n_since: int


def agreement_standing(*, project: Project, days: int, round_id: str = "", now: datetime) -> Standing:
    """What is known of a period, and of a round by its public id, empty for all notes. Where it is no longer true it is
    counted anew: now, where that is quick, else by a job that is asked for here, and the last report stands until then.
    A cache for who looks: nothing that anybody works on changes. Three queries where the report is true.
    """
    reports = AgreementReport.objects.filter(project=project, days=days, round=round_id)
    reports = reports.select_related("project").defer("of_pairs")
    newest = reports.exclude(computed_at=None).order_by("-pk").first()
    n, last = _counted(project)
    if newest is not None and (newest.n_comparisons, newest.last_comparison) == (n, last) and not _is_old(newest, now):
        return Standing(newest, 0)
    if n <= AT_ONCE:
        report = AgreementReport(project=project, days=days, round=round_id)
        _count(report, now)
        return Standing(report, 0)
    _ask(project, days, round_id, now)
    n_since = Comparison.objects.filter(project=project, pk__gt=newest.last_comparison).count() if newest else n
    return Standing(newest, n_since)


def figures_of_pair(*, report: AgreementReport, pair: ReaderPair, now: datetime) -> Mapping[str, Any]:
    """What `measure_pair` tells of a pair: as of the report where they share many notes, else as of now."""
    known = next((each for each in report.data["pairs"] if each["id"] == pair.public_id), None)
    if known and known["n_documents"] > AT_ONCE_OF_PAIR and pair.public_id in report.of_pairs:
        kept: Mapping[str, Any] = report.of_pairs[pair.public_id]
        return kept
    return _measured_pair(report, pair, now)


def write_report(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Count what the job's report is of, and finish the job with it. Raises JobLost."""
    report = AgreementReport.objects.select_related("project").get(job=job)
    now = clock()
    with transaction.atomic():
        _count(report, now)
        finish_job(job=job, now=clock())


def _counted(project: Project) -> tuple[int, int]:
    """How many comparisons there are, and the newest. One query."""
    found = Comparison.objects.filter(project=project).aggregate(n=Count("pk"), last=Max("pk"))
    return found["n"], found["last"] or 0


def _is_old(report: AgreementReport, now: datetime) -> bool:
    """Whether its last so many days are others than today's, or its labels others than the project's."""
    has_other_days = report.days and report.computed_at and now - report.computed_at > timedelta(days=1)
    is_older = "coefficients" not in report.data
    return bool(has_other_days) or is_older or report.data["of_labels"] != _labels(report.project)


def _labels(project: Project) -> list[str]:
    return list(current_schema(project).schema.label_names)


def _count(report: AgreementReport, now: datetime) -> None:
    """Fill and save the report; those before it go, each with its job."""
    report.n_comparisons, report.last_comparison = _counted(report.project)
    report.data = measure_project(
        project=report.project,
        labels=_labels(report.project),
        since=start_of(report.days, now),
        round_id=report.round,
    )
    large = [
        each["id"]
        for each in report.data["pairs"]
        if each["n_documents"] > AT_ONCE_OF_PAIR and not is_labeler(each["b"])
    ]
    rows = ReaderPair.objects.filter(project=report.project, public_id__in=large).order_by("pk")
    report.of_pairs = {row.public_id: _measured_pair(report, row, now) for row in rows}
    report.computed_at = now
    with transaction.atomic():
        report.save()
        older = AgreementReport.objects.filter(
            project=report.project, days=report.days, round=report.round, pk__lt=report.pk
        )
        jobs = list(older.exclude(job=None).values_list("job_id", flat=True))
        older.delete()
        Job.objects.filter(pk__in=jobs).delete()


def _measured_pair(report: AgreementReport, pair: ReaderPair, now: datetime) -> dict[str, Any]:
    return measure_pair(
        project=report.project,
        row=pair,
        labels=_labels(report.project),
        since=start_of(report.days, now),
        round_id=report.round,
    )


@transaction.atomic
def _ask(project: Project, days: int, round_id: str, now: datetime) -> None:
    """Have a job count, unless one is about to."""
    waiting = AgreementReport.objects.filter(project=project, days=days, round=round_id, computed_at=None)
    if waiting.filter(job__status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).exists():
        return
    job = create_job(kind=Job.Kind.REPORT, now=now)
    AgreementReport.objects.create(project=project, days=days, round=round_id, job=job)
    start_job(job)
