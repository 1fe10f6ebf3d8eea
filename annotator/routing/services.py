"""Gives every suggestion its stream. Without a certificate, all of them go to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from annotator.review.decoying import plant_decoys, withdraw_touched
from annotator.review.models import ReviewItem
from annotator.review.queue import Queued, ensure_note_items, queue_spans
from annotator.suggestions.models import Candidate, LabelJob, Suggestion
from annotator.suggestions.services import mark_routed

LOW_SCORE = 0.6
# Reading is the cost: characters that a reviewer reads in the time that one decision takes.
CHARS_PER_DECISION = 60


@transaction.atomic
def route_job(*, label_job_id: int, now: datetime) -> bool:
    """Queue the note's suggestions for review; False where they were routed already. Safe to repeat."""
    if not mark_routed(job_id=label_job_id, now=now):
        return False
    job = LabelJob.objects.select_related("document__project", "run__labeler").get(pk=label_job_id)
    found = list(job.suggestions.exclude(alignment=Suggestion.Alignment.UNALIGNED))
    queued = [queue(suggestion) for suggestion in found]
    same_labeler = LabelJob.objects.filter(document=job.document, run__labeler__name=job.run.labeler.name)
    older_jobs = list(same_labeler.filter(pk__lt=job.pk).values_list("pk", flat=True))
    is_outdated = same_labeler.filter(pk__gt=job.pk, routed_at__isnull=False).exists()
    priority = note_priority(scores=[suggestion.score for suggestion in found], n_chars=job.document.n_chars)
    items = ensure_note_items(document=job.document, n_slots=job.document.project.n_readers, priority=priority)
    for note_item in items:
        queue_spans(note_item=note_item, queued=queued, older_jobs=older_jobs, is_outdated=is_outdated)
    _plant(job, items, n_queued=len(found), older_jobs=older_jobs, is_outdated=is_outdated)
    return True


def queue(suggestion: Suggestion) -> Queued:
    """How a suggestion comes to its reader."""
    return Queued(suggestion=suggestion, stream=ReviewItem.Stream.UNCERTAIN, reason=reason_for_review(suggestion))


def _plant(
    job: LabelJob, items: Sequence[ReviewItem], *, n_queued: int, older_jobs: Sequence[int], is_outdated: bool
) -> None:
    """Take away the note's decoys that the job makes stale, and plant those that it gets instead."""
    arriving: list[Suggestion | Candidate] = [
        *job.suggestions.exclude(alignment=Suggestion.Alignment.UNALIGNED),
        *job.candidates.all(),
    ]
    withdraw_touched(document=job.document, older_jobs=[] if is_outdated else older_jobs, arriving=arriving)
    if not is_outdated:
        for note_item in items:
            note_item.document = job.document
            plant_decoys(note_item=note_item, job=job, n_queued=n_queued, queue=queue)


def reason_for_review(suggestion: Suggestion) -> str:
    """Why a person must look, as a code the pages put in words; the most telling reason first."""
    if suggestion.alignment != Suggestion.Alignment.EXACT:
        return "approximate"
    if suggestion.score < LOW_SCORE:
        return "low_score"
    return "unproven"


def note_priority(*, scores: list[float], n_chars: int) -> float:
    """Expected wrong suggestions found per decision's worth of time, reading included; higher is served first.

    Scores stand in for probabilities until a calibrator gives them.
    """
    n_wrong = sum(1 - score for score in scores)
    return n_wrong / (len(scores) + n_chars / CHARS_PER_DECISION)
