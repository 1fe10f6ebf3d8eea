"""A project with a note in every state."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.routing.services import route_job
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import LabelRun
from annotator.suggestions.recording import NewSuggestion
from annotator.suggestions.services import begin_job, claim_jobs, commit_job, hand_back, start_run
from tests.cast import NOW, make_document, make_set

SPANS = (Span.of(15, 25), Span.of(27, 35))


def make_states(project: Project, reviewer: User) -> LabelRun:
    """Notes "1-waiting", "2-failed", "3-to-review", "4-in-review" (held by `reviewer`) and "5-reviewed"."""
    names = ("1-waiting", "2-failed", "3-to-review", "4-in-review", "5-reviewed")
    documents = {name: make_document(project, external_id=name, note_type=f"Type {name[0]}") for name in names}
    run = start_run(
        project=project,
        labeler=default_labeler(project=project, now=NOW),
        documents=Document.objects.filter(project=project).exclude(external_id="1-waiting"),
        actor=None,
        now=NOW,
    )
    while jobs := claim_jobs(run_id=run.pk, worker="w", now=NOW):
        for job in jobs:
            begin_job(job=job, now=NOW)
            if job.document.external_id == "2-failed":
                hand_back(job=job, error="ValueError", now=NOW)
            else:
                commit_job(job=job, suggestions=_suggested(job.document), now=NOW)
                route_job(label_job_id=job.pk, now=NOW)
    take_note(document=documents["4-in-review"], reviewer=reviewer, now=NOW)
    review(documents["5-reviewed"], reviewer)
    return run


def review(document: Document, reviewer: User) -> AnnotationSet:
    """The note as done by `reviewer`, with one annotation."""
    document.review_items.update(status=ReviewItem.Status.DECIDED, leased_by=reviewer)
    return make_set(document, reviewer, NewAnnotation(span=SPANS[0], label="Problem", attributes={}))


def _suggested(document: Document) -> list[NewSuggestion]:
    return [
        NewSuggestion(
            span=span,
            surface=span.surface(document.text),
            label="Problem",
            attributes={},
            alignment="exact",
            score=0.5,
        )
        for span in SPANS
    ]
