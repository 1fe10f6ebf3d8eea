"""Runs over notes, and what a worker does to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.suggestions.recording import NewSuggestion
from annotator.suggestions.services import begin_job, claim_jobs, commit_job, hand_back, start_run, unread_documents
from tests.cast import NOW, make_document

CHEST_PAIN = Span.of(15, 25)
WORKER = "label-1@here"


def make_documents(project: Project, n: int) -> list[Document]:
    """Notes "note-1"…, each one character longer than the one before."""
    texts = {f"note-{k}": "Assessment: no chest pain" + k * "." for k in range(1, n + 1)}
    return [make_document(project, external_id=name, text=text) for name, text in texts.items()]


def make_run(project: Project, *, n: int = 0, actor: User | None = None, now: datetime = NOW) -> LabelRun:
    """A run of the default labeler over the notes it has not read, `n` of them made for it."""
    make_documents(project, n)
    labeler = default_labeler(project=project, now=now)
    documents = unread_documents(project=project, labeler=labeler)
    return start_run(project=project, labeler=labeler, documents=documents, actor=actor, now=now)


def claim(run: LabelRun, *, worker: str = WORKER, now: datetime = NOW, limit: int = 8) -> list[LabelJob]:
    """Notes that the worker has claimed and begun."""
    jobs = claim_jobs(run_id=run.pk, worker=worker, now=now, limit=limit)
    for job in jobs:
        begin_job(job=job, now=now)
    return jobs


def found(*spans: Span | None, label: str = "Problem") -> list[NewSuggestion]:
    """Suggestions at these places; None is a quote that is not in the note."""
    return [
        NewSuggestion(
            span=span,
            surface="quote",
            label=label,
            attributes={},
            alignment="exact" if span else "unaligned",
            score=0.5,
        )
        for span in spans
    ]


def placed(job: LabelJob, *spans: Span, label: str = "Problem", score: float = 0.5) -> list[NewSuggestion]:
    """Suggestions that read as their places in the job's note."""
    text = job.document.text
    return [replace(new, surface=new.span.surface(text), score=score) for new in found(*spans, label=label) if new.span]


def finish(jobs: Sequence[LabelJob], *, now: datetime = NOW) -> None:
    for job in jobs:
        commit_job(job=job, suggestions=found(CHEST_PAIN), now=now)


def fail(run: LabelRun, *, error: str = "ValueError", now: datetime = NOW) -> None:
    """Fail every note of the run that waits, for good."""
    while jobs := claim(run, now=now):
        for job in jobs:
            hand_back(job=job, error=error, now=now)


def statuses(run: LabelRun) -> list[str]:
    return list(run.jobs.order_by("document__n_chars").values_list("status", flat=True))


def run_status(run: LabelRun) -> str:
    run.refresh_from_db()
    return run.status
