"""Reports of agreement: asked for by who looks at the page, counted at once or by a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max

from annotator.jobs.models import Job
from annotator.jobs.services import create_job, finish_job, start_job
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.quality.measuring import measure_project, start_of
from annotator.quality.models import AgreementReport
from annotator.readings.models import Comparison

# So many comparisons are counted while the page is waited for; more by a job.
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest report, None while the first is being counted, and how many comparisons are new since."""

    report: AgreementReport | None
    n_since: int


def agreement_standing(*, project: Project, days: int, now: datetime) -> Standing:
    """What is known of a period. Where it is no longer true it is counted anew: now, where that is quick, else by a job
    that is asked for here, and the last report stands until then. A cache for who looks: nothing that anybody works on
    changes. Three queries where the report is true.
    """
    reports = AgreementReport.objects.filter(project=project, days=days).select_related("project")
    newest = reports.exclude(computed_at=None).order_by("-pk").first()
    n, last = _counted(project)
    if newest is not None and (newest.n_comparisons, newest.last_comparison) == (n, last) and not _is_old(newest, now):
        return Standing(newest, 0)
    if n <= AT_ONCE:
        report = AgreementReport(project=project, days=days)
        _count(report, now)
        return Standing(report, 0)
    _ask(project, days, now)
    n_since = Comparison.objects.filter(project=project, pk__gt=newest.last_comparison).count() if newest else n
    return Standing(newest, n_since)


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
    return bool(has_other_days) or report.data["of_labels"] != _labels(report.project)


def _labels(project: Project) -> list[str]:
    return list(current_schema(project).schema.label_names)


def _count(report: AgreementReport, now: datetime) -> None:
    """Fill and save the report; those before it go, each with its job."""
    report.n_comparisons, report.last_comparison = _counted(report.project)
    report.data = measure_project(
        project=report.project, labels=_labels(report.project), since=start_of(report.days, now)
    )
    report.computed_at = now
    with transaction.atomic():
        report.save()
        older = AgreementReport.objects.filter(project=report.project, days=report.days, pk__lt=report.pk)
        jobs = list(older.exclude(job=None).values_list("job_id", flat=True))
        older.delete()
        Job.objects.filter(pk__in=jobs).delete()


@transaction.atomic
def _ask(project: Project, days: int, now: datetime) -> None:
    """Have a job count, unless one is about to."""
    waiting = AgreementReport.objects.filter(project=project, days=days, computed_at=None)
    if waiting.filter(job__status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).exists():
        return
    job = create_job(kind=Job.Kind.REPORT, now=now)
    AgreementReport.objects.create(project=project, days=days, job=job)
    start_job(job)
