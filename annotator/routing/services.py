"""Gives every suggestion its stream. What no live certificate speaks for goes to people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction

from annotator.core.identifiers import FINDER
from annotator.review.decoying import plant_decoys, withdraw_touched
from annotator.review.holding import ask_late
from annotator.review.models import ReviewItem
from annotator.review.queue import Queued, ensure_note_items, queue_spans
from annotator.routing.confidence import Confidence, confidence_of, note_priority, reason_for_review
from annotator.routing.watching import accept_later
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.selectors import promoted_of
from annotator.suggestions.services import mark_routed


@transaction.atomic
def route_job(*, label_job_id: int, now: datetime) -> bool:
    """Queue the note's suggestions for review, and accept those that a certificate speaks for; False where they were
    routed already. Safe to repeat.
    """
    if not mark_routed(job_id=label_job_id, now=now):
        return False
    job = LabelJob.objects.select_related("document__project", "run__labeler__project").get(pk=label_job_id)
    found = list(job.suggestions.exclude(alignment=Suggestion.Alignment.UNALIGNED))
    confidence = confidence_of(job.run.labeler)

    def queue(suggestion: Suggestion) -> Queued:
        return queued_as(suggestion, confidence)

    queued = [queue(suggestion) for suggestion in found]
    older_jobs, is_outdated = _beside(job)
    priority = note_priority(scores=[entry.chance for entry in queued], n_chars=job.document.n_chars)
    items = ensure_note_items(document=job.document, n_slots=job.document.project.n_readers, priority=priority)
    for note_item in items:
        queue_spans(note_item=note_item, queued=queued, older_jobs=older_jobs, is_outdated=is_outdated)
    if job.run.labeler.backend == FINDER:
        # Else a note that was done before identifiers were looked for would keep them.
        ask_late(suggestions=[suggestion.pk for suggestion in found])
    _plant(job, items, found=found, queue=queue, older_jobs=older_jobs, is_outdated=is_outdated)
    accept_later(job=job, now=now)
    return True


def _beside(job: LabelJob) -> tuple[list[int], bool]:
    """The jobs of the note that this one takes the place of, and whether a later one has taken its place already.

    Those are of its labeler, by name; and of the labelers that another was promoted over, in whose place that one's
    jobs come. Three queries.
    """
    name, promoted = job.run.labeler.name, promoted_of(job.run.labeler.project)
    older_names = newer_names = {name}
    if name == promoted.name:
        older_names = promoted.former_names | {name}
    elif name in promoted.former_names:
        newer_names = {promoted.name, name}
    jobs = LabelJob.for_review.filter(document=job.document)
    older = jobs.filter(run__labeler__name__in=older_names, pk__lt=job.pk)
    newer = jobs.filter(run__labeler__name__in=newer_names, pk__gt=job.pk, routed_at__isnull=False)
    return list(older.values_list("pk", flat=True)), newer.exists()


def queued_as(suggestion: Suggestion, confidence: Confidence | None) -> Queued:
    """How a suggestion comes to its reader."""
    value = confidence(suggestion.label, suggestion.score) if confidence else None
    reason = reason_for_review(alignment=suggestion.alignment, score=suggestion.score, confidence=value)
    return Queued(suggestion=suggestion, stream=ReviewItem.Stream.UNCERTAIN, reason=reason, confidence=value)


def _plant(
    job: LabelJob,
    items: Sequence[ReviewItem],
    *,
    found: Sequence[Suggestion],
    queue: Callable[[Suggestion], Queued],
    older_jobs: Sequence[int],
    is_outdated: bool,
) -> None:
    """Take away the note's decoys that the job makes stale, and plant those that it gets instead."""
    withdraw_touched(job=job, found=found, older_jobs=[] if is_outdated else older_jobs)
    if not is_outdated:
        for note_item in items:
            note_item.document = job.document
            plant_decoys(note_item=note_item, job=job, n_queued=len(found), queue=queue)
