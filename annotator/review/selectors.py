"""Reading a note under review: what is drawn in it, what waits in its queue."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from types import MappingProxyType

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from annotator.accounts.models import User
from annotator.annotations.comments import said_of_spans
from annotator.annotations.models import Annotation
from annotator.core.layout import TextLayout, text_layout
from annotator.core.schema import Label, Schema
from annotator.core.sections import Section
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.review.blinding import is_audited_blind, is_read_blind
from annotator.review.decoys import live_answers, with_decoys
from annotator.review.models import (
    ASKED_OF_READER,
    IN_HAND,
    REVEALED,
    UNSEEN,
    Decision,
    Decoy,
    DecoyAnswer,
    ReviewItem,
)
from annotator.review.relations import Joined, document_values_of, relations_of
from annotator.suggestions.models import Labeler, Suggestion

Place = tuple[float, float, int, int]
Source = Suggestion | Annotation | Decoy | DecoyAnswer
# What a mark stands for: an open item, or what its reader says.
Target = ReviewItem | Annotation | DecoyAnswer
SUGGESTED, PERSON, CERTIFIED, BLIND = "suggested", "person", "certified", "blind"
AUDIT = "audit"
# In the place of what a blind audit hides.
HIDDEN = Label(name="label hidden", code="?", colour="stone", hotkey="", definition="")
QUEUE_SHOWN = 40
# The units of what is asked in a note of another unit than a reader's.
_SPANS_APART: Mapping[str, tuple[ReviewItem.Unit, ...]] = {
    ReviewItem.Unit.TRIAL: (ReviewItem.Unit.TRIAL_SPAN,),
    ReviewItem.Unit.SECOND: (ReviewItem.Unit.SECOND_SPAN,),
}
SPANS_KEPT = 20_000
# How many characters of its key name a span in the note, and where another's key begins with the same ones.
NAMED_BY, NAMED_APART = 4, 12
# What marks are drawn from, in the order of `_suggested` and `_asserted`. As values: every decision reads all of its
# note, and making whole models of that took longer than everything else. Attributes come as written: few differ.
_OF_ITEM: tuple[str | Cast, ...] = (
    *("pk", "public_id", "stream", "reason", "status", "confidence", "skipped_at"),
    *(f"suggestion__{name}" for name in ("id", "fragments", "surface", "label")),
    Cast("suggestion__attributes", TextField()),
    "suggestion__score",
)
_OF_ANNOTATION: tuple[str | Cast, ...] = (
    *("public_id", "first_version", "origin_id", "fragments", "surface", "label"),
    Cast("attributes", TextField()),
    "certificate__public_id",
)
# Of what stands for an annotation, in the same order: it has no suggestion and no certificate.
_OF_ANSWER: tuple[str | Cast | Value, ...] = (
    *("public_id", "decoy__public_id", Value(0), "fragments", "surface", "label"),
    Cast("attributes", TextField()),
    Value(""),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One span as the page draws it. `key` names it in the page: 'i…' an open or held item, 'a…' an annotation.

    `place` is where an open item stands in the queue; None for a held one, which nobody is asked about, and for an
    annotation, which has a `thread`. `certificate` is the public id of the one that it was accepted under, empty where
    a person asserts it. `said` is the kind of the comment on it. Of what `is_masked` nothing is told but where it is.
    """

    key: str
    span: Span
    surface: str
    label: Label
    attributes: Mapping[str, str]
    state: str
    score: float | None = None
    confidence: float | None = None
    reason: str = ""
    place: Place | None = None
    thread: str = ""
    certificate: str = ""
    said: str = ""
    is_masked: bool = False

    @property
    def is_suggestion(self) -> bool:
        """Whether it waits for a person, or may be decided by one: it is no annotation."""
        return self.key.startswith("i")

    @property
    def is_held(self) -> bool:
        return self.is_suggestion and self.place is None

    @property
    def words(self) -> str:
        """Its state, for those who hear the page."""
        return "suggested, held" if self.is_held else self.state

    @property
    def tenths(self) -> int | None:
        """The confidence, or for as long as there is none the score, in tenths, for the tick."""
        value = self.score if self.confidence is None else self.confidence
        return None if value is None else round(value * 10)


@dataclass(frozen=True)
class NoteView:
    """A note with its marks, and what is said beyond them; from seven queries at most, however many marks there are,
    and two more where there are decoys.

    `held` are suggestions that nobody is asked about while they are tested; `n_items` counts those that are asked.
    """

    note_item: ReviewItem
    document: Document
    schema: Schema
    queue: list[Mark]
    annotations: list[Mark]
    n_items: int
    held: Sequence[Mark] = ()
    relations: Sequence[Joined] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def marks(self) -> dict[str, Mark]:
        """All marks by key, in the order of the text."""
        both = sorted([*self.queue, *self.held, *self.annotations], key=lambda mark: (mark.span.start, -mark.span.end))
        return {mark.key: mark for mark in both}

    @cached_property
    def names(self) -> dict[str, str]:
        """What the page calls each mark by in the note: the first characters of its key, since keys do not compress; so
        many that no other key begins with them, but never all.
        """
        shared = Counter(key[:NAMED_BY] for key in self.marks)
        return {key: key[: NAMED_BY if shared[key[:NAMED_BY]] == 1 else NAMED_APART] for key in self.marks}

    def key_of(self, name: str) -> str:
        """The key of the mark that has this name, or key; what was given where there is none."""
        if len(name) not in {NAMED_BY, NAMED_APART}:
            return name
        return next((key for key in self.marks if key.startswith(name)), name)

    def namesakes(self, spans: Collection[Span]) -> list[Mark]:
        """The marks whose names may have become longer because marks on these spans came."""
        beginnings = {mark.key[:NAMED_BY] for mark in self.marks.values() if mark.span in spans}
        return [mark for mark in self.marks.values() if mark.key[:NAMED_BY] in beginnings and mark.span not in spans]

    @cached_property
    def n_ties(self) -> Counter[str]:
        """How many relations a thread has."""
        return Counter(thread for joined in self.relations for thread in (joined.head_thread, joined.tail_thread))

    def mark_of(self, thread: str) -> Mark | None:
        """The annotation of that thread, as it is now; None where it is no longer there."""
        return next((mark for mark in self.annotations if mark.thread == thread), None)

    @cached_property
    def layout(self) -> TextLayout:
        return text_layout(self.document.text)

    @property
    def lines(self) -> list[tuple[int, int]]:
        return self.layout.lines

    @property
    def sections(self) -> list[Section]:
        return self.layout.sections

    @property
    def has_certified(self) -> bool:
        return any(mark.certificate for mark in self.annotations)

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
    """The note item of that public id in the project, of a reader or of a trial, with its document. One query."""
    units = (*IN_HAND, ReviewItem.Unit.TRIAL)
    found = (
        ReviewItem.objects.select_related("document").filter(public_id=item_id, unit__in=units, project=project).first()
    )
    if found is not None:
        found.document.project = project
    return found


def span_items(note_item: ReviewItem) -> QuerySet[ReviewItem]:
    """The span items of the note and slot of `note_item`, and those of its decoys."""
    units = _SPANS_APART.get(note_item.unit, ASKED_OF_READER)
    return ReviewItem.objects.filter(document_id=note_item.document_id, slot=note_item.slot, unit__in=units)


def waiting_items(note_item: ReviewItem) -> QuerySet[ReviewItem]:
    """The span items that the note's reader may decide: open and held, none while the note is read blind."""
    items = span_items(note_item).filter(status__in=[ReviewItem.Status.OPEN, ReviewItem.Status.HELD])
    return items.none() if is_read_blind(note_item) else items


def n_unseen(note_item: ReviewItem) -> int:
    """How many suggestions a blind reading closed that nobody has looked at since; a query for such a note alone."""
    if note_item.reason != REVEALED or note_item.status == ReviewItem.Status.OPEN:
        return 0
    return span_items(note_item).filter(status=ReviewItem.Status.CLOSED, reason=UNSEEN).count()


def note_view(*, note_item: ReviewItem) -> NoteView:
    """The note as its reader sees it: their annotations, what certificates accepted, and the suggestions that are open
    or held in their slot.
    """
    project = note_item.document.project
    schema = current_schema(project).schema
    labels = {label.name: label for label in schema.labels}
    counted = span_items(note_item).filter(status__in=[ReviewItem.Status.OPEN, ReviewItem.Status.DECIDED])
    waiting = list(waiting_items(note_item).values_list(*_OF_ITEM))
    asserted = list(live_annotations(note_item).values_list(*_OF_ANNOTATION))
    said = said_of_spans(document_id=note_item.document_id, reader_id=note_item.leased_by_id)
    is_decoy = Q(unit=ReviewItem.Unit.DECOY)
    n = counted.aggregate(all=Count("pk"), decoys=Count("pk", filter=is_decoy))
    if n["decoys"]:
        waiting = with_decoys(waiting, at=_OF_ITEM.index("suggestion__id"))
        asserted += live_answers(note_item).values_list(*_OF_ANSWER)
    suggested = [_suggested(project, labels, said, *row) for row in waiting]
    return NoteView(
        note_item=note_item,
        document=note_item.document,
        schema=schema,
        queue=sorted((mark for mark in suggested if not mark.is_held), key=lambda mark: mark.place or ()),
        held=[mark for mark in suggested if mark.is_held],
        annotations=[_asserted(labels, said, *row) for row in asserted],
        n_items=0 if is_read_blind(note_item) else n["all"],
        relations=relations_of(note_item) if schema.relations else [],
        values=document_values_of(note_item) if schema.document_labels else {},
    )


def target_for(*, note_item: ReviewItem, key: str) -> Target | None:
    """The open or held item or live annotation that a mark's key names in the note; None where it is no longer there.

    One query, two where it is a decoy's or gone; an item comes with its suggestion, an annotation with its origin and
    who or what made it.
    """
    if key.startswith("i"):
        item = waiting_items(note_item).filter(public_id=key[1:]).select_related("suggestion").first()
        if item is not None:
            item.document = note_item.document
        return item
    annotations = live_annotations(note_item).filter(public_id=key[1:])
    found = annotations.select_related("annotator", "origin", "certificate__batch").first()
    if found is not None:
        return found
    return live_answers(note_item).filter(public_id=key[1:]).select_related("annotator", "decoy").first()


def source_of(target: Target) -> Source:
    """What says where a target is and what it is called: a span item's suggestion, or the annotation itself."""
    if not isinstance(target, ReviewItem):
        return target
    asked = target.asked
    if asked is None:
        raise ValueError("a note is no span")
    return asked


def place_of(item: ReviewItem) -> Place:
    """Where a span item, come with its suggestion, stands in the queue of its note."""
    asked = item.asked
    if asked is None:
        raise ValueError("a note stands in no queue of spans")
    score = 0.0 if is_audited_blind(item) else asked.score if item.confidence is None else item.confidence
    return _place(item.skipped_at, score, asked.span.start, item.pk)


def labeler_of(suggestion: Suggestion | Decoy) -> Labeler:
    """The labeler that made the suggestion; of a decoy, the one that it goes by. One query."""
    return Labeler.objects.get(runs__jobs=suggestion.job_id)


def queue_counts(*, project: Project, reviewer: User) -> dict[str, int]:
    """Notes of the project by what is left of them, and how many of them this person finished. One query."""
    notes = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.NOTE)
    is_open, is_done = Q(status=ReviewItem.Status.OPEN), Q(status=ReviewItem.Status.DECIDED)
    return notes.aggregate(
        n_open=Count("pk", filter=is_open),
        n_done=Count("pk", filter=is_done),
        n_mine_done=Count("pk", filter=is_done & Q(leased_by=reviewer)),
    )


def notes_of(*, project: Project, reviewer: User, status: str) -> list[ReviewItem]:
    """The reader's twenty newest notes that are begun or done. One query."""
    notes = ReviewItem.objects.filter(is_begun(), project=project, unit__in=IN_HAND, leased_by=reviewer, status=status)
    return list(
        notes.select_related("document")
        .defer("document__text")
        .order_by(F("lease_expires_at").desc(nulls_last=True), "-pk")[:20]
    )


def is_begun() -> Q:
    """Whether a note that someone took is work of theirs: held, put back or done, or with a decision of theirs. One in
    which they only looked at a span is not, nor one of a round that is someone else's by now.
    """
    decided = Decision.objects.filter(note_item=OuterRef("pk"), reviewer=OuterRef("leased_by"))
    is_held_or_done = Q(lease_expires_at__isnull=False) | Q(status=ReviewItem.Status.DECIDED)
    is_work = is_held_or_done | Q(skipped_at__isnull=False) | Q(Exists(decided))
    return is_work & (Q(round=None) | Q(assigned_to=F("leased_by")))


def live_annotations(note_item: ReviewItem) -> QuerySet[Annotation]:
    """What the note's reader asserts, and what certificates accepted in their reading."""
    return Annotation.objects.filter(
        set__document=note_item.document_id,
        set__annotator=note_item.leased_by_id,
        set__kind=note_item.set_kind,
        status=Annotation.Status.LIVE,
    )


@lru_cache(maxsize=SPANS_KEPT)
def _span(fragments: str) -> Span:
    return Span.parse(fragments)


@lru_cache(maxsize=SPANS_KEPT)
def _attributes(written: str) -> Mapping[str, str]:
    return MappingProxyType(json.loads(written))


def _suggested(
    project: Project,
    labels: Mapping[str, Label],
    said: Mapping[str | int, str],
    pk: int,
    public_id: str,
    stream: str,
    reason: str,
    status: str,
    confidence: float | None,
    skipped_at: datetime | None,
    about: int | str,
    fragments: str,
    surface: str,
    label: str,
    attributes: str,
    score: float,
) -> Mark:
    span = _span(fragments)
    if (
        status == ReviewItem.Status.OPEN
        and stream == ReviewItem.Stream.AUDIT
        and project.audits == Project.Audits.BLIND
    ):
        return Mark(
            key=f"i{public_id}",
            span=span,
            surface=surface,
            label=HIDDEN,
            attributes={},
            state=BLIND,
            reason=AUDIT,
            place=_place(skipped_at, 0.0, span.start, pk),
            said=said.get(about, ""),
            is_masked=True,
        )
    return Mark(
        key=f"i{public_id}",
        span=span,
        surface=surface,
        label=labels.get(label) or lost_label(label),
        attributes=_attributes(attributes),
        state=SUGGESTED,
        score=score,
        confidence=confidence,
        reason=reason,
        place=None
        if status == ReviewItem.Status.HELD
        else _place(skipped_at, score if confidence is None else confidence, span.start, pk),
        said=said.get(about, ""),
    )


def _asserted(
    labels: Mapping[str, Label],
    said: Mapping[str | int, str],
    public_id: str,
    first_version: str,
    origin_id: int | None,
    fragments: str,
    surface: str,
    label: str,
    attributes: str,
    certificate: str | None,
) -> Mark:
    return Mark(
        key=f"a{public_id}",
        span=_span(fragments),
        surface=surface,
        label=labels.get(label) or lost_label(label),
        attributes=_attributes(attributes),
        state=CERTIFIED if certificate else PERSON,
        thread=first_version or public_id,
        certificate=certificate or "",
        said=said.get(first_version or public_id) or said.get(origin_id or 0, ""),
    )


def _place(skipped_at: datetime | None, certainty: float, start: int, pk: int) -> Place:
    """Sort key of the queue: skipped ones last, then least certain first, then as in the text."""
    return (skipped_at.timestamp() if skipped_at else 0.0, certainty, start, pk)


def lost_label(name: str) -> Label:
    """A label in place of the one that the schema has no longer, which says so."""
    return Label(name=name, code="?", colour="stone", hotkey="", definition="The schema no longer has this label.")
