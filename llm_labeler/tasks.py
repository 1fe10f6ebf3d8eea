"""Pre-labelling as background work: claims notes of a run, labels each, hands the result over."""

from __future__ import annotations

import logging
from functools import cache, partial

from celery import Task, shared_task
from django.conf import settings
from django.db import connection
from django.utils import timezone

from annotator.jobs.patience import patiently
from annotator.suggestions import services
from annotator.suggestions.models import LabelJob
from llm_labeler.backends import Backend, load_backend
from llm_labeler.pipeline import label_note

logger = logging.getLogger(__name__)


class WrongModel(Exception):
    """The run asks for a model that this worker has not loaded."""


@shared_task(name="llm_labeler.label_run", bind=True)
def label_run(self: Task, run_id: int) -> None:
    """Label up to `CLAIM_SIZE` notes of the run. A failed note goes back to the queue; the others go on."""
    worker = self.request.hostname or "eager"
    jobs = services.claim_jobs(run_id=run_id, worker=worker, now=timezone.now())
    for position, job in enumerate(jobs):
        if patiently(partial(_begin, job, jobs[position:])):
            _label(job)
    if jobs:
        services.ring_on(run_id=run_id, now=timezone.now())


def _begin(job: LabelJob, claimed: list[LabelJob]) -> bool:
    return services.begin_job(job=job, claimed=claimed, now=timezone.now())


def _label(job: LabelJob) -> None:
    try:
        suggestions = _suggestions(job)
        patiently(lambda: services.commit_job(job=job, suggestions=suggestions, now=timezone.now()))
    except Exception as error:
        # Whatever happened, the claim goes back, on a connection that works.
        connection.close()
        reason = str(error) if isinstance(error, WrongModel) else type(error).__name__
        patiently(lambda: services.hand_back(job=job, error=reason, now=timezone.now()))
        logger.warning("note not labelled job=%s attempt=%s reason=%s", job.pk, job.attempts, type(error).__name__)


def _suggestions(job: LabelJob) -> list[services.NewSuggestion]:
    labeler = job.run.labeler
    backend = _backend(labeler.backend)
    if (backend.model_id, backend.revision) != (labeler.model_id, labeler.revision):
        raise WrongModel(
            f"the run wants {labeler.model_id} {labeler.revision}, "
            f"the worker has {backend.model_id} {backend.revision}: start a new run"
        )
    result = label_note(
        text=job.document.text,
        schema=labeler.schema_version.schema,
        backend=backend,
        max_chars=labeler.decoding["window"],
        overlap=labeler.decoding["overlap"],
    )
    return [
        services.NewSuggestion(
            span=found.span,
            surface=found.span.surface(job.document.text) if found.span else found.quote,
            label=found.label,
            attributes=found.attributes,
            alignment=found.alignment,
            score=found.score,
            signals=found.signals,
        )
        for found in result.spans
    ]


@cache
def _backend(name: str) -> Backend:
    """The model, loaded once in this process."""
    if name not in settings.LABELERS:
        raise WrongModel(f"this worker has no backend {name!r}")
    return load_backend(name, **settings.LABELERS[name].get("config", {}))
