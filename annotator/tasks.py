"""Background work of the main queue: ids in, thin adapters around services."""

from __future__ import annotations

from collections.abc import Callable

from celery import Task, shared_task
from django.utils import timezone

from annotator import heartbeat  # noqa: F401  a worker that has our tasks tells of itself
from annotator.adjudication.rules import run_rule
from annotator.annotations.models import AnnotationSet
from annotator.builds.services import write_build
from annotator.certificates.bell import ring_trust
from annotator.exchange.uploads import run_import
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.purges.services import run_purge
from annotator.quality.evidence import evidence_of
from annotator.quality.services import write_report
from annotator.review.queue import fill_slots
from annotator.review.round_jobs import run_round
from annotator.routing import confidence, fitting
from annotator.routing.services import route_job
from annotator.routing.steps import step_project
from annotator.suggestions.services import READ_TASK
from annotator.training.comparing import ring_comparisons, run_comparison


@shared_task(name="annotator.run_import", bind=True)
def import_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: run_import(job=job, clock=timezone.now))
    fill_slots(sets=AnnotationSet.objects.filter(document__project__imports__job=job_id))


@shared_task(name="annotator.run_build", bind=True)
def build_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: write_build(job=job, clock=timezone.now, evidence=evidence_of))


@shared_task(name="annotator.run_purge", bind=True)
def purge_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: run_purge(job=job, clock=timezone.now))


@shared_task(name="annotator.run_rule", bind=True)
def rule_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: run_rule(job=job, clock=timezone.now))


@shared_task(name="annotator.run_report", bind=True)
def report_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: write_report(job=job, clock=timezone.now))


@shared_task(name="annotator.run_round", bind=True)
def round_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: run_round(job=job, clock=timezone.now))


@shared_task(name="annotator.run_comparison", bind=True)
def comparison_task(self: Task, job_id: int) -> None:
    _run(self, job_id, lambda job: run_comparison(job=job, clock=timezone.now))


@shared_task(name=READ_TASK)
def read_task(run_id: int) -> None:
    """A run for a comparison has ended."""
    ring_comparisons(run_id=run_id)


@shared_task(name="annotator.route_jobs")
def route_task(label_job_id: int) -> None:
    route_job(label_job_id=label_job_id, now=timezone.now())


@shared_task(name="annotator.step_trust")
def trust_task(project_id: int) -> None:
    if step_project(project_id=project_id, now=timezone.now()):
        ring_trust(project_id)


@shared_task(name=fitting.FIT_TASK)
def fit_task(labeler_id: int) -> None:
    """Because a lead asked, else by count."""
    now = timezone.now()
    if fitting.fit_wished(labeler_id=labeler_id, now=now) is None:
        fitting.fit_by_count(labeler_id=labeler_id, now=now)


@shared_task(name=confidence.APPLY_TASK)
def apply_task(calibrator_id: int) -> None:
    while confidence.apply_page(calibrator_id=calibrator_id):
        pass


def _run(task: Task, job_id: int, work: Callable[[Job], None]) -> None:
    run_job(job_id=job_id, work=work, clock=timezone.now, worker=task.request.hostname or "")
