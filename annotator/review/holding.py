"""Spans that a test or a certificate moves: held, asked about, released, accepted, withdrawn. `routing` says which.

Each function takes a page, of at most 500 suggestions, in one transaction and a fixed number of queries. It locks the
notes' items first, as whoever decides in them does, and may be repeated: what is not as it expects is left alone. The
audit event is the caller's, who knows why.

A note that was done and has to ask again opens for just these spans, and is done again when the last of them is decided
(`ASKED_AGAIN`, see `desk`). A note that was done without a reader, and whose acceptance is taken back, is to be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When

from annotator.annotations.models import Annotation, AnnotationSet, Relation
from annotator.annotations.services import NewAnnotation, add_certified
from annotator.certificates.models import Certificate
from annotator.documents.models import Document
from annotator.review.models import ASKED_AGAIN, LATE, UNSEEN, Decision, ReviewItem
from annotator.review.outcomes import DecidedCase as DecidedCase
from annotator.review.outcomes import candidates as candidates
from annotator.review.outcomes import decided_cases as decided_cases
from annotator.review.outcomes import outcomes_of as outcomes_of
from annotator.review.outcomes import second_outcomes_of as second_outcomes_of
from annotator.review.queue import tell_read
from annotator.suggestions.models import Labeler, Suggestion

_Status = ReviewItem.Status
_Unit = ReviewItem.Unit
_UNDECIDED = Q(status=_Status.HELD) | Q(status=_Status.OPEN, skipped_at=None)
_Slot = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Notes:
    """The note items of a page, locked, by (document, slot)."""

    by_slot: Mapping[_Slot, ReviewItem]

    @property
    def document_ids(self) -> set[int]:
        return {document_id for document_id, _ in self.by_slot}

    def of(self, items: Iterable[ReviewItem]) -> list[ReviewItem]:
        """The notes of these span items."""
        slots = dict.fromkeys((item.document_id, item.slot) for item in items)
        return [self.by_slot[slot] for slot in slots if slot in self.by_slot]

    def with_one_reader(self) -> set[_Slot]:
        """Those that one person reads, and with the suggestions shown: certificates leave the others alone."""
        n_slots = Counter(document_id for document_id, _ in self.by_slot)
        return {
            slot
            for slot, note in self.by_slot.items()
            if n_slots[slot[0]] == 1 and note.stream != ReviewItem.Stream.BLIND
        }


@transaction.atomic
def hold_spans(*, suggestions: Collection[int]) -> int:
    """Hold spans that wait and were never decided, until a test has said what becomes of them; how many are held."""
    _locked_notes(suggestions)
    decided = Decision.objects.filter(item=OuterRef("pk"))
    waiting = _spans(suggestions).filter(~Exists(decided), status=_Status.OPEN, skipped_at=None)
    return waiting.update(status=_Status.HELD, version=F("version") + 1)


@transaction.atomic
def ask_spans(*, keys: Mapping[int, float], stream: str, reason: str, now: datetime) -> int:
    """Ask a person about these spans, by suggestion with its audit key: those held, accepted or waiting that nobody has
    decided. What was accepted is a suggestion again. Notes that are done open for them. How many are asked.
    """
    notes = _locked_notes(keys)
    found = _spans(keys).filter(_UNDECIDED | Q(status=_Status.CERTIFIED))
    untouched = _certified_of([item.suggestion_id for item in found if item.status == _Status.CERTIFIED])
    accepted = {annotation.origin_id for annotation in untouched}
    asked = [item for item in found if item.status != _Status.CERTIFIED or item.suggestion_id in accepted]
    _withdraw(untouched)
    by_suggestion = (When(suggestion=pk, then=Value(key)) for pk, key in keys.items())
    n_asked = _move(asked, stream=stream, reason=reason, audit_key=Case(*by_suggestion)) if asked else 0
    opened = _reopen(notes.of(asked), is_asked=True)
    changed = {item.document_id for item in asked if item.suggestion_id in accepted}
    tell_read(document_ids=opened | changed)
    return n_asked


@transaction.atomic
def release_spans(*, suggestions: Collection[int], now: datetime, reason: str) -> int:
    """Give held spans back to the readers of their notes, as uncertain; how many."""
    notes = _locked_notes(suggestions)
    held = list(_spans(suggestions).filter(status=_Status.HELD))
    n_released = _move(held, stream=ReviewItem.Stream.UNCERTAIN, reason=reason) if held else 0
    tell_read(document_ids=_reopen(notes.of(held)))
    return n_released


@transaction.atomic
def ask_late(*, suggestions: Collection[int]) -> int:
    """Ask about those of these spans that came when their notes were done; how many. The notes open for them.

    Those of a blind reading that was not gone through yet wait with what its reader has not seen.
    """
    notes = _locked_notes(suggestions)
    late = list(_spans(suggestions).filter(status=_Status.CLOSED, reason=LATE))
    if not late:
        return 0
    unseen = ReviewItem.objects.filter(
        document__in=notes.document_ids, unit=_Unit.SPAN, status=_Status.CLOSED, reason=UNSEEN
    )
    untold = set(unseen.values_list("document_id", "slot"))
    asked = [item for item in late if (item.document_id, item.slot) not in untold]
    ReviewItem.objects.filter(pk__in={item.pk for item in late} - {item.pk for item in asked}).update(
        reason=UNSEEN, version=F("version") + 1
    )
    n_asked = _move(asked, stream=ReviewItem.Stream.UNCERTAIN) if asked else 0
    tell_read(document_ids=_reopen(notes.of(asked)))
    return n_asked


@transaction.atomic
def certify_spans(*, certificate: Certificate, suggestions: Collection[int], now: datetime) -> int:
    """Accept these spans under the certificate: those held or waiting that nobody has decided; how many.

    Each gets an annotation in its note's reading, which is nobody's where no one has taken the note. Notes that several
    people read, or that are read blind, are left as they are. What the reader has said already stays theirs: the
    certificate's annotation is withdrawn at once, and only tells that it was accepted.

    A note that nobody has begun, in which nothing waits any more, is done without a reader; not one of a round, which
    is to be read, nor where the schema asks for more of a note than spans.
    """
    notes = _locked_notes(suggestions)
    readable = notes.with_one_reader()
    found = _spans(suggestions).filter(_UNDECIDED).select_related("suggestion")
    accepted = [item for item in found if (item.document_id, item.slot) in readable]
    if not accepted:
        return 0
    labelers = Labeler.objects.select_related("schema_version")
    version = labelers.get(calibrators__batches__certificate=certificate).schema_version
    sets = _sets_of(notes.of(accepted))
    texts = dict(Document.objects.filter(pk__in=notes.document_ids).values_list("pk", "text"))
    add_certified(
        certificate=certificate,
        schema_version=version,
        news=[
            (sets[item.document_id].pk, texts[item.document_id], _new(item.suggestion))
            for item in accepted
            if item.suggestion is not None
        ],
        now=now,
    )
    n_accepted = (
        _spans(suggestions)
        .filter(pk__in=[item.pk for item in accepted])
        .update(status=_Status.CERTIFIED, version=F("version") + 1)
    )
    schema = version.schema
    done = [] if schema.relations or schema.document_labels else _finish_unread(notes.of(accepted), sets, now=now)
    submitted = {key for key, reading in sets.items() if reading.status == AnnotationSet.Status.SUBMITTED}
    tell_read(document_ids=submitted.union(done))
    return n_accepted


@transaction.atomic
def withdraw_certified(*, certificate: Certificate, limit: int, reason: str, now: datetime) -> int:
    """Withdraw the next page of what was accepted under the certificate, and ask about it; how many spans, 0 when
    nothing is left.

    What the note's reader has changed or rejected since is theirs and decided. Notes and readings open again.
    """
    accepted = Annotation.objects.filter(origin=OuterRef("suggestion"), certificate__isnull=False)
    page = ReviewItem.objects.filter(
        Exists(accepted.filter(certificate=certificate)),
        ~Exists(accepted.filter(status=Annotation.Status.LIVE).exclude(certificate=certificate)),
        project=certificate.project_id,
        unit=_Unit.SPAN,
        status=_Status.CERTIFIED,
    )
    suggestions = list(page.order_by("-priority").values_list("suggestion_id", flat=True)[:limit])
    notes = _locked_notes(suggestions)
    items = list(_spans(suggestions).filter(status=_Status.CERTIFIED))
    untouched = _certified_of([item.suggestion_id for item in items])
    as_accepted = {annotation.origin_id for annotation in untouched}
    _withdraw(untouched)
    asked = [item for item in items if item.suggestion_id in as_accepted]
    settled = [item.pk for item in items if item.suggestion_id not in as_accepted]
    if asked:
        _move(asked, stream=ReviewItem.Stream.UNCERTAIN, reason=reason)
    if settled:
        ReviewItem.objects.filter(pk__in=settled).update(status=_Status.DECIDED, version=F("version") + 1)
    _reopen(notes.of(asked))
    tell_read(document_ids={item.document_id for item in asked})
    return len(items)


def _locked_notes(suggestions: Collection[int]) -> _Notes:
    """The note items of all slots of these suggestions' notes. One query."""
    documents = Suggestion.objects.filter(pk__in=suggestions).values("document")
    found = ReviewItem.objects.select_for_update(no_key=True).filter(document__in=documents, unit=_Unit.NOTE)
    return _Notes({(note.document_id, note.slot): note for note in found.order_by("pk")})


def _spans(suggestions: Collection[int]) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(suggestion__in=suggestions, unit=_Unit.SPAN)


def _move(items: Sequence[ReviewItem], **changed: Any) -> int:
    """Have these spans wait, as `changed` says."""
    pks = [item.pk for item in items]
    return ReviewItem.objects.filter(pk__in=pks).update(
        status=_Status.OPEN, skipped_at=None, version=F("version") + 1, **changed
    )


def _certified_of(suggestions: Collection[int | None]) -> list[Annotation]:
    """What was accepted of these under a certificate and nobody has changed since. One query."""
    if not suggestions:
        return []
    live = Annotation.objects.filter(origin__in=suggestions, certificate__isnull=False, status=Annotation.Status.LIVE)
    return list(live.only("set_id", "origin_id", "public_id"))


def _withdraw(annotations: Collection[Annotation]) -> None:
    """Withdraw what was accepted, and the relations from and to it. Two queries."""
    if not annotations:
        return
    threads = [annotation.public_id for annotation in annotations]
    Annotation.objects.filter(public_id__in=threads).update(status=Annotation.Status.WITHDRAWN)
    ties = Relation.objects.filter(set__in={annotation.set_id for annotation in annotations})
    ties.filter(Q(head__in=threads) | Q(tail__in=threads), status=Annotation.Status.LIVE).update(
        status=Annotation.Status.WITHDRAWN
    )


def _sets_of(notes: Collection[ReviewItem]) -> dict[int, AnnotationSet]:
    """The reading of each of these notes, of its reader or nobody's, made where it is new. Three queries at most."""
    wanted = {(note.document_id, note.leased_by_id) for note in notes}
    found = _readings(wanted)
    missing = wanted - found.keys()
    if missing:
        AnnotationSet.objects.bulk_create(
            AnnotationSet(document_id=document_id, annotator_id=reader_id) for document_id, reader_id in sorted(missing)
        )
        found = _readings(wanted)
    return {document_id: reading for (document_id, _), reading in found.items()}


def _readings(wanted: Collection[tuple[int, int | None]]) -> dict[tuple[int, int | None], AnnotationSet]:
    """The readings by (document, reader), of those wanted. One query."""
    sets = AnnotationSet.objects.filter(
        document__in={document_id for document_id, _ in wanted}, kind=AnnotationSet.Kind.READING
    )
    known = {(reading.document_id, reading.annotator_id): reading for reading in sets}
    return {key: known[key] for key in wanted if key in known}


def _new(suggestion: Suggestion) -> NewAnnotation:
    return NewAnnotation(
        span=suggestion.span, label=suggestion.label, attributes=suggestion.attributes, origin_id=suggestion.pk
    )


def _finish_unread(notes: Collection[ReviewItem], sets: Mapping[int, AnnotationSet], *, now: datetime) -> list[int]:
    """Of these notes those that nobody has begun and no round has are done where nothing in them waits; which. Three
    queries.
    """
    untouched = [
        note for note in notes if note.status == _Status.OPEN and note.leased_by_id is None and note.round_id is None
    ]
    spans = ReviewItem.objects.filter(document__in=[note.document_id for note in untouched], unit=_Unit.SPAN)
    waiting = set(spans.filter(status__in=[_Status.OPEN, _Status.HELD]).values_list("document_id", flat=True))
    done = [note for note in untouched if note.document_id not in waiting]
    ReviewItem.objects.filter(pk__in=[note.pk for note in done]).update(
        status=_Status.DECIDED, version=F("version") + 1
    )
    AnnotationSet.objects.filter(pk__in=[sets[note.document_id].pk for note in done]).update(
        status=AnnotationSet.Status.SUBMITTED, submitted_at=now
    )
    return [note.document_id for note in done]


def _reopen(notes: Iterable[ReviewItem], *, is_asked: bool = False) -> set[int]:
    """Open those of the notes that are done, and their readings; which notes these are. Five queries at most.

    They are done again when what waits in them is decided, but for one that nobody has read: it is to be read, unless
    it only has to answer (`is_asked`).
    """
    done = [note for note in notes if note.status == _Status.DECIDED]
    if not done:
        return set()
    items = ReviewItem.objects.filter(pk__in=[note.pk for note in done])
    items.update(status=_Status.OPEN, lease_expires_at=None, version=F("version") + 1)
    read = items if is_asked else items.filter(leased_by__isnull=False)
    read.filter(reason="").update(reason=ASKED_AGAIN)
    readings = _readings({(note.document_id, note.leased_by_id) for note in done})
    AnnotationSet.objects.filter(pk__in=[reading.pk for reading in readings.values()]).update(
        status=AnnotationSet.Status.OPEN, submitted_at=None
    )
    return {note.document_id for note in done}
