"""Working by span: which span comes next for a reviewer, and back to the one decided last.

Audits come first, those that wait for a second reader before the others, in the random order of their keys; then what
is uncertain, in the order of the project's policy (`review.policies`); what was skipped comes last. A span is served
with its note, so only where nobody else holds the note and it is not read blind.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, QuerySet

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.qualification.selectors import is_on_trial
from annotator.review.desk import DecisionRefused
from annotator.review.leases import release, take_note_of, takeable_notes
from annotator.review.models import Decision, ReviewItem
from annotator.review.policies import next_uncertain
from annotator.review.second_reads import next_second_span

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
    """The span that comes next for this person, with its note and project: of the notes assigned to them, then of any.

    Fourteen queries at most, fifteen where there are decoys, each by an index. Spans are looked through only where
    there is such a note: those of other people's would be looked through to the last.
    """
    notes = _notes(project=project, reviewer=reviewer, now=now).order_by()
    second = next_second_span(project=project, reviewer=reviewer, now=now)
    if second is not None and is_on_trial(project=project, user=reviewer):
        second = None
    if second is not None and second.skipped_at is None:
        return second
    mine, others = notes.filter(assigned_to=reviewer), notes.exclude(assigned_to=reviewer)
    spans = _spans(project)
    found = _first(spans.filter(document__in=mine.values("document")), mine, project) if mine.exists() else None
    found = found or (_first(spans, others, project) if others.exists() else None)
    return (_decoy_before(found, notes, project) if project.decoy_percent else None) or found or second


def _decoy_before(found: ReviewItem | None, notes: QuerySet[ReviewItem], project: Project) -> ReviewItem | None:
    """The decoy that comes before the span found: one of its note that is less certain; any where no span is left."""
    decoys = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.DECOY, status=ReviewItem.Status.OPEN)
    decoys = decoys.select_related("document__project", "decoy").order_by("-priority", "pk")
    if found is None:
        of_notes = Exists(notes.filter(document=OuterRef("document"), slot=OuterRef("slot")))
        return decoys.filter(of_notes).order_by(F("skipped_at").asc(nulls_first=True), "-priority", "pk").first()
    if found.stream != Stream.UNCERTAIN:
        return None
    of_note = decoys.filter(document=found.document_id, slot=found.slot, skipped_at=None)
    return (of_note if found.skipped_at else of_note.filter(priority__gte=found.priority)).first()


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
    is_note_done = last.verdict == Decision.Verdict.NOTE_DONE and not last.batch  # else with its last answer
    if is_note_done or last.note_item.stream == Stream.BLIND or last.note_item.is_trial:
        raise DecisionRefused("Your last decision was made in a whole note. Open that note to undo it.")
    return last.note_item


def _first(spans: QuerySet[ReviewItem], notes: QuerySet[ReviewItem], project: Project) -> ReviewItem | None:
    """Of the spans that are in one of the notes, in its slot, the one that comes first."""
    of_notes = Exists(notes.filter(document=OuterRef("document"), slot=OuterRef("slot")))
    waiting = spans.filter(of_notes).select_related("document__project")
    fresh = waiting.filter(skipped_at=None)
    return (
        fresh.filter(stream=Stream.AUDIT).order_by("audit_key").first()
        or next_uncertain(fresh.filter(stream=Stream.UNCERTAIN), notes, project=project)
        or waiting.filter(skipped_at__isnull=False).order_by("skipped_at").first()
    )


def _notes(*, project: Project, reviewer: User, now: datetime) -> QuerySet[ReviewItem]:
    """The notes in which this person may decide on a span; none of a try, which are read as a whole."""
    notes = takeable_notes(project=project, reviewer=reviewer, now=now, with_held=True)
    return notes.filter(unit=ReviewItem.Unit.NOTE).exclude(stream=Stream.BLIND)


def _spans(project: Project) -> QuerySet[ReviewItem]:
    spans = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.SPAN, status=ReviewItem.Status.OPEN)
    return spans.exclude(stream=Stream.BLIND)
