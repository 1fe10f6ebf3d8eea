"""How likely suggestions are right, by the calibrator in use of their labeler: for what comes, and for what waits.

What waits gets it a page of notes at a time. How far that is stands in the calibrator's row, so that a worker that dies
leaves the rest to the next one, and the sweeper rings for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, QuerySet, Sum, Value

from annotator.certificates.models import Calibrator
from annotator.core.calibration import Calibration
from annotator.documents.models import Document
from annotator.jobs.bell import ring
from annotator.review.models import ReviewItem
from annotator.suggestions.models import Labeler, Suggestion

APPLY_TASK = "annotator.apply_calibrator"
LOW_SCORE = 0.6
# Reading is the cost: characters that a reviewer reads in the time that one decision takes.
CHARS_PER_DECISION = 60
NOTES_A_PAGE = 50
# The reasons that go by score or confidence: a calibrator changes them.
_BY_CONFIDENCE = {"low_score", "low_confidence", "unproven"}

Confidence = Callable[[str, float], float]
_Status = ReviewItem.Status
_Unit = ReviewItem.Unit


class _Waiting(NamedTuple):
    """A span item that waits, and what of it a calibrator may change."""

    pk: int
    document_id: int
    reason: str
    confidence: float | None
    label: str
    score: float
    alignment: str


def confidence_of(labeler: Labeler) -> Confidence | None:
    """What gives a label and a raw score of the labeler its confidence; None where it has no calibrator. One query."""
    found = calibrator_of(labeler)
    return None if found is None else confidence_by(found)


def calibrator_of(labeler: Labeler) -> Calibrator | None:
    """The labeler's calibrator that is in use. One query."""
    return Calibrator.objects.filter(labeler=labeler, status=Calibrator.Status.CURRENT).first()


def reason_for_review(*, alignment: str, score: float, confidence: float | None) -> str:
    """Why a person must look, as a code the pages put in words; the most telling reason first."""
    if alignment != Suggestion.Alignment.EXACT:
        return "approximate"
    if confidence is None:
        return "low_score" if score < LOW_SCORE else "unproven"
    return "low_confidence" if confidence < LOW_SCORE else "unproven"


def note_priority(*, scores: Collection[float], n_chars: int) -> float:
    """Expected wrong suggestions found per decision's worth of time, reading included; higher is served first.

    `scores` are the suggestions' confidences, or their raw scores as long as no calibrator gives these.
    """
    return _priority(sum(1 - score for score in scores), len(scores), n_chars)


def ring_apply(calibrator: Calibrator) -> None:
    """Have a worker write the calibrator's confidence over what waits."""
    ring(APPLY_TASK, calibrator.pk)


@transaction.atomic
def apply_page(*, calibrator_id: int) -> bool:
    """Give the spans that wait in the next notes their confidence, reason and place in the queue; True where more notes
    are left. Nothing where the calibrator is not in use any more. Ten queries, and one for each two hundred spans.

    The notes are locked before their spans, as whoever decides in them does. Versions stay: nothing happened to a span.
    """
    in_use = Calibrator.objects.filter(pk=calibrator_id, status=Calibrator.Status.CURRENT, applied_to__isnull=False)
    calibrator = in_use.select_for_update(no_key=True).first()
    if calibrator is None:
        return False
    notes = Document.objects.filter(project=calibrator.project_id, pk__gt=calibrator.applied_to).order_by("pk")
    page = dict(notes.values_list("pk", "n_chars")[:NOTES_A_PAGE])
    if page:
        _apply(calibrator, page)
    Calibrator.objects.filter(pk=calibrator.pk).update(applied_to=max(page) if page else None)
    return bool(page)


def ring_unapplied() -> int:
    """Ring for every calibrator in use whose confidence is not written over all that waits; the number of bells."""
    left = Calibrator.objects.filter(status=Calibrator.Status.CURRENT, applied_to__isnull=False)
    for calibrator in left.order_by("pk"):
        ring_apply(calibrator)
    return len(left)


def confidence_by(calibrator: Calibrator) -> Confidence:
    calibration = Calibration.from_json(calibrator.curves)
    return lambda label, score: calibration.confidence(label=label, score=score)


def _apply(calibrator: Calibrator, page: dict[int, int]) -> None:
    items = ReviewItem.objects.filter(document__in=list(page))
    open_notes = items.filter(unit=_Unit.NOTE, status=_Status.OPEN).select_for_update(no_key=True)
    notes = list(open_notes.order_by("document", "slot"))
    waiting = items.filter(
        unit=_Unit.SPAN,
        status__in=[_Status.OPEN, _Status.HELD],
        suggestion__job__run__labeler=calibrator.labeler_id,
    ).order_by("pk")
    columns = (
        "pk",
        "document",
        "reason",
        "confidence",
        "suggestion__label",
        "suggestion__score",
        "suggestion__alignment",
    )
    rows = [*waiting.values_list(*columns), *_decoys(calibrator, items)]
    confidence, changed, documents = confidence_by(calibrator), [], set()
    for row in map(_Waiting._make, rows):
        value = confidence(row.label, row.score)
        reason = row.reason
        if reason in _BY_CONFIDENCE:
            reason = reason_for_review(alignment=row.alignment, score=row.score, confidence=value)
        documents.add(row.document_id)
        if (row.confidence, row.reason) != (value, reason):
            changed.append(ReviewItem(pk=row.pk, confidence=value, priority=1 - value, reason=reason))
    ReviewItem.objects.bulk_update(changed, ["confidence", "priority", "reason"], batch_size=200)
    _sort_notes([note for note in notes if note.document_id in documents], page)


def _decoys(calibrator: Calibrator, items: QuerySet[ReviewItem]) -> Iterable[tuple[Any, ...]]:
    """The decoys that go by the calibrator's labeler, which must not stand out among its suggestions."""
    decoys = items.filter(unit=_Unit.DECOY, status=_Status.OPEN, decoy__job__run__labeler=calibrator.labeler_id)
    columns = ("pk", "document", "reason", "confidence", "decoy__label", "decoy__score")
    return decoys.order_by("pk").values_list(*columns, Value(Suggestion.Alignment.EXACT.value))


def _sort_notes(notes: Collection[ReviewItem], n_chars: dict[int, int]) -> None:
    """Give these open notes the priority of what waits in them now."""
    waiting = ReviewItem.objects.filter(
        document__in={note.document_id for note in notes}, unit=_Unit.SPAN, status=_Status.OPEN
    ).order_by()
    sums = {
        (document, slot): (n_wrong, n)
        for document, slot, n_wrong, n in waiting.values_list("document", "slot").annotate(Sum("priority"), Count("pk"))
    }
    for note in notes:
        n_wrong, n = sums.get((note.document_id, note.slot), (0.0, 0))
        note.priority = _priority(n_wrong, n, n_chars[note.document_id])
    ReviewItem.objects.bulk_update(notes, ["priority"], batch_size=200)


def _priority(n_wrong: float, n: int, n_chars: int) -> float:
    return n_wrong / (n + n_chars / CHARS_PER_DECISION)
