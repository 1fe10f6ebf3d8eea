"""Working by span: which span comes next for a reviewer, and back to the one decided last.

Audits come first, in the random order of their keys; then what is uncertain, the least certain first; what was skipped
comes last. A span is served with its note, so only where nobody else holds the note and it is not read blind.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.review.desk import DecisionRefused
from annotator.review.leases import release, take_note_of, takeable_notes
from annotator.review.models import Decision, ReviewItem

Stream = ReviewItem.Stream


def take_next_span(
    *, project: Project, reviewer: User, now: datetime, leaving: ReviewItem | None = None
) -> tuple[ReviewItem, ReviewItem] | None:
    """Lease the note of the span that comes next: (note item, span item); None where no span is left for this person.

    The note that the reviewer was in (`leaving`) is free at once where the next span is in another.
    """
    found = None
    while (item := next_span(project=project, reviewer=reviewer, now=now)) is not None:
        note_item = take_note_of(item=item, reviewer=reviewer, now=now)
        if note_item is not None:
            found = note_item, item
            break
    if leaving is not None and (found is None or found[0].pk != leaving.pk):
        release(note_item=leaving, reviewer=reviewer)
    return found


def next_span(*, project: Project, reviewer: User, now: datetime) -> ReviewItem | None:
    """The span that comes next for this person, with its note and project. Three queries at most, each by an index."""
    waiting = _waiting(project=project, reviewer=reviewer, now=now).select_related("document__project")
    fresh = waiting.filter(skipped_at=None)
    in_order = (
        fresh.filter(stream=Stream.AUDIT).order_by("audit_key"),
        fresh.filter(stream=Stream.UNCERTAIN).order_by("-priority"),
        waiting.filter(skipped_at__isnull=False).order_by("skipped_at"),
    )
    return next((found for part in in_order if (found := part.first()) is not None), None)


def note_to_undo_in(*, project: Project, reviewer: User, key: str) -> ReviewItem:
    """The note of the reviewer's last decision in the project, which Undo by span takes back; of the decision made
    under `key` where there is one already. Raises DecisionRefused where there is none, or that note is read as a whole.
    """
    made = Decision.objects.filter(reviewer=reviewer, project=project)
    made = made.select_related("note_item__document__project")
    last = (
        made.filter(idempotency_key=key).first()
        or made.filter(undone_by=None).exclude(verdict=Decision.Verdict.UNDO).order_by("-decided_at", "-pk").first()
    )
    if last is None:
        raise DecisionRefused("There is nothing of yours to undo.")
    if last.verdict == Decision.Verdict.NOTE_DONE or last.note_item.stream == Stream.BLIND:
        raise DecisionRefused("Your last decision was made in a whole note. Open that note to undo it.")
    return last.note_item


def _waiting(*, project: Project, reviewer: User, now: datetime) -> QuerySet[ReviewItem]:
    notes = _notes(project=project, reviewer=reviewer, now=now).order_by()
    return _spans(project).filter(Exists(notes.filter(document=OuterRef("document"), slot=OuterRef("slot"))))


def _notes(*, project: Project, reviewer: User, now: datetime) -> QuerySet[ReviewItem]:
    """The notes in which this person may decide on a span."""
    notes = takeable_notes(project=project, reviewer=reviewer, now=now, with_held=True)
    return notes.exclude(stream=Stream.BLIND)


def _spans(project: Project) -> QuerySet[ReviewItem]:
    spans = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.SPAN, status=ReviewItem.Status.OPEN)
    return spans.exclude(stream=Stream.BLIND)
