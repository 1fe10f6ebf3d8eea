"""Gives every suggestion its stream. What no live certificate speaks for goes to people."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.review.models import ReviewItem
from annotator.review.queue import Queued, ensure_note_items, queue_spans
from annotator.routing.confidence import Confidence, confidence_of, note_priority, reason_for_review
from annotator.routing.watching import accept_later
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.services import mark_routed


@transaction.atomic
def route_job(*, label_job_id: int, now: datetime) -> bool:
    """Queue the note's suggestions for review, and accept those that a certificate speaks for; False where they were
    routed already. Safe to repeat.
    """
    if not mark_routed(job_id=label_job_id, now=now):
        return False
    job = LabelJob.objects.select_related("document__project", "run__labeler").get(pk=label_job_id)
    found = list(job.suggestions.exclude(alignment=Suggestion.Alignment.UNALIGNED))
    confidence = confidence_of(job.run.labeler)
    queued = [_queued(suggestion, confidence) for suggestion in found]
    same_labeler = LabelJob.objects.filter(document=job.document, run__labeler__name=job.run.labeler.name)
    older_jobs = list(same_labeler.filter(pk__lt=job.pk).values_list("pk", flat=True))
    is_outdated = same_labeler.filter(pk__gt=job.pk, routed_at__isnull=False).exists()
    priority = note_priority(scores=[entry.chance for entry in queued], n_chars=job.document.n_chars)
    items = ensure_note_items(document=job.document, n_slots=job.document.project.n_readers, priority=priority)
    for note_item in items:
        queue_spans(note_item=note_item, queued=queued, older_jobs=older_jobs, is_outdated=is_outdated)
    accept_later(job=job, now=now)
    return True


def _queued(suggestion: Suggestion, confidence: Confidence | None) -> Queued:
    value = confidence(suggestion.label, suggestion.score) if confidence else None
    reason = reason_for_review(alignment=suggestion.alignment, score=suggestion.score, confidence=value)
    return Queued(suggestion=suggestion, stream=ReviewItem.Stream.UNCERTAIN, reason=reason, confidence=value)
