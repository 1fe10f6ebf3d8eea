"""Reading a note under review: what is drawn in it, what waits in its queue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, F, Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.layout import line_bounds
from annotator.core.schema import Label, Schema
from annotator.core.sections import Section, sections
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import Labeler, Suggestion

SUGGESTED, PERSON = "suggested", "person"
QUEUE_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Mark:
    """One span as the page draws it. `key` names it in the page: 'i…' an open item, 'a…' an annotation."""

    key: str
    span: Span
    surface: str
    label: Label
    attributes: dict[str, str]
    state: str
    item: ReviewItem | None = None
    suggestion: Suggestion | None = None
    annotation: Annotation | None = None

    @property
    def score(self) -> float | None:
        return self.suggestion.score if self.suggestion else None

    @property
    def tenths(self) -> int | None:
        """The score in tenths, for the tick."""
        return None if self.score is None else round(self.score * 10)


@dataclass(frozen=True)
class NoteView:
    """A note with its marks; everything the page needs, from six queries however many marks there are."""

    note_item: ReviewItem
    document: Document
    schema: Schema
    queue: list[Mark]
    annotations: list[Mark]
    n_items: int

    @cached_property
    def marks(self) -> dict[str, Mark]:
        """All marks by key, in the order of the text."""
        both = sorted([*self.queue, *self.annotations], key=lambda mark: (mark.span.start, -mark.span.end))
        return {mark.key: mark for mark in both}

    @cached_property
    def lines(self) -> list[tuple[int, int]]:
        return line_bounds(self.document.text)

    @cached_property
    def sections(self) -> list[Section]:
        return sections(self.document.text)

    @property
    def n_open(self) -> int:
        return len(self.queue)

    @property
    def n_decided(self) -> int:
        return self.n_items - self.n_open

    def neighbour(self, key: str, step: int) -> str:
        """The key `step` places on in the queue (round its end), or of its first item where `key` is not in it."""
        keys = [mark.key for mark in self.queue]
        if not keys:
            return ""
        return keys[(keys.index(key) + step) % len(keys)] if key in keys else keys[0]


def note_item_for(*, project: Project, item_id: str) -> ReviewItem | None:
    """The note item of that public id in the project, with document and holder. One query."""
    return (
        ReviewItem.objects.select_related("document__project", "leased_by")
        .filter(public_id=item_id, unit=ReviewItem.Unit.NOTE, document__project=project)
        .first()
    )


def span_items(note_item: ReviewItem) -> QuerySet[ReviewItem]:
    """The span items of the note and slot of `note_item`."""
    return ReviewItem.objects.filter(document_id=note_item.document_id, slot=note_item.slot, unit=ReviewItem.Unit.SPAN)


def last_decision(*, note_item: ReviewItem) -> Decision | None:
    """The newest decision in the note that is neither an undo nor undone: what Undo takes back. One query."""
    return (
        Decision.objects.filter(note_item=note_item, undone_by=None)
        .exclude(verdict=Decision.Verdict.UNDO)
        .select_related("item__suggestion", "withdrew", "made")
        .order_by("-pk")
        .first()
    )


def note_view(*, note_item: ReviewItem) -> NoteView:
    """The note as its reader sees it: their annotations, and the suggestions still open in their slot."""
    document = note_item.document
    schema = current_schema(document.project).schema
    items = span_items(note_item)
    open_items = items.filter(status=ReviewItem.Status.OPEN).select_related("suggestion")
    return NoteView(
        note_item=note_item,
        document=document,
        schema=schema,
        queue=sorted(
            (_suggested(item, item.suggestion, schema) for item in open_items if item.suggestion),
            key=queue_order,
        ),
        annotations=[_asserted(annotation, schema) for annotation in _live_annotations(note_item)],
        n_items=items.exclude(status=ReviewItem.Status.CLOSED).count(),
    )


def queue_order(mark: Mark) -> tuple[float, float, int, int]:
    """Sort key of the queue: skipped ones last, then least certain first, then as in the text."""
    if mark.item is None:
        raise ValueError(f"{mark.key} is no item of the queue")
    skipped = mark.item.skipped_at.timestamp() if mark.item.skipped_at else 0.0
    certainty = mark.score if mark.item.confidence is None else mark.item.confidence
    return (skipped, certainty or 0.0, mark.span.start, mark.item.pk)


def mark_for(*, note_item: ReviewItem, key: str) -> Mark | None:
    """The open item or live annotation that `key` names in the note; None where it is no longer there. Two queries."""
    schema = current_schema(note_item.document.project).schema
    if key.startswith("i"):
        items = span_items(note_item).filter(status=ReviewItem.Status.OPEN, public_id=key[1:])
        item = items.select_related("suggestion").first()
        return _suggested(item, item.suggestion, schema) if item and item.suggestion else None
    annotation = _live_annotations(note_item).filter(public_id=key[1:]).first()
    return _asserted(annotation, schema) if annotation else None


def labeler_of(suggestion: Suggestion) -> Labeler:
    """The labeler that made the suggestion. One query."""
    return Labeler.objects.get(runs__jobs=suggestion.job_id)


def queue_counts(*, project: Project, reviewer: User) -> dict[str, int]:
    """Notes of the project by what is left of them, and how many of them this person finished. One query."""
    notes = ReviewItem.objects.filter(document__project=project, unit=ReviewItem.Unit.NOTE)
    is_open, is_done = Q(status=ReviewItem.Status.OPEN), Q(status=ReviewItem.Status.DECIDED)
    return notes.aggregate(
        n_open=Count("pk", filter=is_open),
        n_done=Count("pk", filter=is_done),
        n_mine_open=Count("pk", filter=is_open & Q(leased_by=reviewer)),
        n_mine_done=Count("pk", filter=is_done & Q(leased_by=reviewer)),
    )


def notes_of(*, project: Project, reviewer: User, status: str) -> list[ReviewItem]:
    """The reader's twenty newest notes that are open or done. One query."""
    notes = ReviewItem.objects.filter(
        document__project=project, unit=ReviewItem.Unit.NOTE, leased_by=reviewer, status=status
    )
    return list(
        notes.select_related("document")
        .defer("document__text")
        .order_by(F("lease_expires_at").desc(nulls_last=True), "-pk")[:20]
    )


def changed_spans(decision: Decision) -> list[Span]:
    """The spans that the decision took from or put into the note."""
    found = [decision.withdrew, decision.made, decision.item.suggestion if decision.item else None]
    return [source.span for source in found if source is not None]


def _live_annotations(note_item: ReviewItem) -> QuerySet[Annotation]:
    """What the note's reader asserts."""
    return Annotation.objects.filter(
        set__document=note_item.document_id, set__annotator=note_item.leased_by_id, status=Annotation.Status.LIVE
    ).select_related("annotator")


def _suggested(item: ReviewItem, suggestion: Suggestion, schema: Schema) -> Mark:
    return Mark(
        key=f"i{item.public_id}",
        span=suggestion.span,
        surface=suggestion.surface,
        label=_label(schema, suggestion.label),
        attributes=suggestion.attributes,
        state=SUGGESTED,
        item=item,
        suggestion=suggestion,
    )


def _asserted(annotation: Annotation, schema: Schema) -> Mark:
    return Mark(
        key=f"a{annotation.public_id}",
        span=annotation.span,
        surface=annotation.surface,
        label=_label(schema, annotation.label),
        attributes=annotation.attributes,
        state=PERSON,
        annotation=annotation,
    )


def _label(schema: Schema, name: str) -> Label:
    """The label of that name, or one in its place that says that the schema has it no longer."""
    if name in schema.label_names:
        return schema.label(name)
    return Label(name=name, code="?", colour="stone", hotkey="", definition="The schema no longer has this label.")
