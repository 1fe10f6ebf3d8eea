"""What a reader does not see of the model until they have said what they think: the one rule for every path.

A note in the blind stream is read without its suggestions, until it is submitted. Where the project asks for blind
audits, a span in the audit stream has a place and nothing else until it is decided.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from annotator.projects.models import Project
from annotator.review.models import REVEALED, Decision, ReviewItem
from annotator.suggestions.models import Suggestion

# `is_read_blind` of rows that may be of spans as well.
IS_READ_BLIND = Q(
    ~Q(reason=REVEALED),
    unit=ReviewItem.Unit.NOTE,
    status=ReviewItem.Status.OPEN,
    stream=ReviewItem.Stream.BLIND,
)
_UNMASKING = {Decision.Verdict.ACCEPT, Decision.Verdict.REJECT, Decision.Verdict.EDIT}


def stream_of_note(project: Project, blind_key: float) -> ReviewItem.Stream:
    """The stream of a note that no round has and nobody has begun: the first in the random order are read blind."""
    is_blind = blind_key < project.blind_percent / 100
    return ReviewItem.Stream.BLIND if is_blind else ReviewItem.Stream.UNCERTAIN


def is_read_blind(note_item: ReviewItem) -> bool:
    """Whether the reader of this note is to see none of its suggestions."""
    return (
        note_item.stream == ReviewItem.Stream.BLIND
        and note_item.status == ReviewItem.Status.OPEN
        and note_item.reason != REVEALED
    )


def is_read_alone(note_item: ReviewItem) -> bool:
    """Whether the reader of this note is to be told nothing of what was labelled elsewhere: it is read blind, or shows
    how they read.
    """
    return note_item.is_trial or is_read_blind(note_item)


def is_audited_blind(item: ReviewItem) -> bool:
    """Whether what the model says of this span item is hidden for as long as it is open."""
    return item.stream == ReviewItem.Stream.AUDIT and item.document.project.audits == Project.Audits.BLIND


def is_masked(item: ReviewItem) -> bool:
    """Whether what the model says of this span item is hidden now."""
    return item.status == ReviewItem.Status.OPEN and is_audited_blind(item)


def has_unmasked(decision: Decision) -> bool:
    """Whether the decision was made without what the model says, which is shown from then on."""
    return (
        decision.item_id is not None
        and decision.verdict in _UNMASKING
        and decision.stream == ReviewItem.Stream.AUDIT
        and decision.note_item.document.project.audits == Project.Audits.BLIND
    )


def blind_notes(project: Project) -> QuerySet[ReviewItem]:
    """The note items whose readers are to see no suggestion."""
    return ReviewItem.objects.filter(IS_READ_BLIND, project=project)


def hidden_suggestions(project: Project) -> Q:
    """The suggestions of the project that a person who may still become their reader is not to see."""
    hidden = Q(document__in=blind_notes(project).values("document"))
    if project.audits != Project.Audits.BLIND:
        return hidden
    masked = ReviewItem.objects.filter(
        project=project,
        unit__in=[ReviewItem.Unit.SPAN, ReviewItem.Unit.SECOND_SPAN],
        status=ReviewItem.Status.OPEN,
        stream=ReviewItem.Stream.AUDIT,
    )
    return hidden | Q(pk__in=masked.values("suggestion"))


def hidden_among(project: Project, suggestions: Collection[int | None]) -> set[int]:
    """Which of these suggestions of the project, by row id, are hidden so. One query."""
    found = Suggestion.objects.filter(hidden_suggestions(project), pk__in={pk for pk in suggestions if pk})
    return set(found.values_list("pk", flat=True))
