"""Second readers are asked to decide audits again, and what is asked for nothing more is closed. `routing` says which.

What is asked stays asked, whatever becomes of the first reader's decision since. Each function may be repeated; the
project is locked by the caller, and the audit event is theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef

from annotator.annotations.models import AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Batch, BatchMember
from annotator.documents.models import Document
from annotator.review.models import (
    ASKED_AGAIN,
    FIRST_APART,
    INHERITED,
    SUPERSEDED,
    Barred,
    Decision,
    ReviewItem,
    SecondRead,
)
from annotator.review.second_reads import readers_of

AUDIT = "audit"
_Status = ReviewItem.Status
_Unit = ReviewItem.Unit
_Kind = AnnotationSet.Kind


@dataclass(slots=True)
class _Note:
    """A note item of a second reader, made or still to be; who may not have it; what is to be asked in it."""

    document_id: int
    item: ReviewItem | None = None
    barred: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    def may_be_read_by(self, reader: int, holders: Collection[int]) -> bool:
        """Whether the person may be its reader; `holders` are second readers of the note, in whatever slot."""
        is_theirs = self.item is not None and self.item.leased_by_id == reader
        return reader not in self.barred and (is_theirs or reader not in holders)


@transaction.atomic
def ask_second(*, batch: Batch, keys: Mapping[int, float], first: Mapping[int, bool], now: datetime) -> tuple[int, int]:
    """Ask second readers about these suggestions, with their audit keys, and whether the first took them; of how many
    somebody is asked, and how many others are settled: nobody is left who could be asked, or their second reader has
    decided them unasked. A fixed number of queries.

    Nobody is asked who decided it first, or has had the note since. Who that is stands with the note item, once for
    all: from then on nobody who may be its second reader is given the note in any other slot before.
    """
    spans = _first_spans(first)
    documents = {span.document_id for span in spans}
    _hold_off(documents)
    readers = readers_of(batch.project)
    barred = _barred(batch.project.public_id, spans)
    notes, holders = _notes_of(documents), _holders(documents)
    of_span: dict[int, _Note | None] = {}
    for span in spans:
        of_span[_about(span)] = _note_for(
            span.document_id, barred[span.pk], notes[span.document_id], holders[span.document_id], readers
        )
    for pk, note in of_span.items():
        if note is not None:
            note.asked.append(pk)
    asked = [note for found in notes.values() for note in found if note.asked]
    _make(asked, batch)
    items = _ask(asked, keys)
    _bar(asked)
    SecondRead.objects.bulk_create(
        SecondRead(
            batch=batch,
            suggestion_id=pk,
            item=items.get(pk),
            first=BatchMember.Outcome.RIGHT if first[pk] else BatchMember.Outcome.WRONG,
            asked_at=now,
        )
        for pk in of_span
    )
    n_asked = sum(item.status == _Status.OPEN for item in items.values())
    return n_asked, len(of_span) - n_asked


@transaction.atomic
def give_up_second(*, batch: Batch) -> int:
    """Ask no more where everybody who could have been the second reader has left the project; about how many."""
    waiting = list(_waiting(batch))
    if not waiting:
        return 0
    places = {read.pk: (read.item.document_id, read.item.slot) for read in waiting if read.item}
    documents = {document_id for document_id, _ in places.values()}
    holders, readers = _holders(documents), readers_of(batch.project, with_trials=True)
    alive = {
        (note.document_id, note.item.slot)
        for found in _notes_of(documents).values()
        for note in found
        if note.item and any(note.may_be_read_by(reader, holders[note.document_id]) for reader in readers)
    }
    lost = [read for read in waiting if places[read.pk] not in alive]
    _close(lost)
    SecondRead.objects.filter(pk__in=[read.pk for read in lost]).update(item=None)
    return len(lost)


@transaction.atomic
def close_second(*, batch: Batch) -> int:
    """Ask no more of what is asked for the batch, which has ended; about how many."""
    waiting = list(_waiting(batch))
    _close(waiting)
    return len(waiting)


def _first_spans(suggestions: Collection[int]) -> list[ReviewItem]:
    """The spans that the first reader decided, but for those that a second reader has been asked about already."""
    known = SecondRead.objects.filter(suggestion=OuterRef("suggestion"))
    found = ReviewItem.objects.filter(~Exists(known), suggestion__in=suggestions, unit=_Unit.SPAN, slot=1)
    return list(found.order_by("document", "pk"))


def _about(span: ReviewItem) -> int:
    if span.suggestion_id is None:
        raise ValueError("a note is no suggestion")
    return span.suggestion_id


def _hold_off(documents: Collection[int]) -> None:
    """Lock the notes, in the order in which others do, and have whoever is about to take one look again: it may be
    theirs to read a second time. Two queries.
    """
    notes = ReviewItem.objects.filter(document__in=documents, unit=_Unit.NOTE)
    pks = list(notes.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    ReviewItem.objects.filter(pk__in=pks).update(version=F("version") + 1)


def _barred(project: str, spans: Sequence[ReviewItem]) -> Mapping[int, set[int]]:
    """Who may not decide each of the spans again: who decided it or changed what was made of it, whose reading the note
    is, and who took the note since. Five queries.
    """
    documents = {span.document_id for span in spans}
    notes = list(ReviewItem.objects.filter(document__in=documents, unit=_Unit.NOTE).values_list("pk", flat=True))
    of_span = {_about(span): span.pk for span in spans}
    found: dict[int, set[int]] = {span.pk: set() for span in spans}
    since: dict[int, datetime] = {}
    decisions = Decision.objects.filter(note_item__in=notes).values_list(
        "item__suggestion", "made__origin", "withdrew__origin", "reviewer", "decided_at"
    )
    for *suggestions, reviewer, at in decisions.order_by():
        for pk in {of_span[each] for each in suggestions if each in of_span}:
            found[pk].add(reviewer)
            since[pk] = min(at, since.get(pk, at))
    readers, takers = _readers(documents), _takers(project, documents)
    for span in spans:
        found[span.pk] |= readers[span.document_id]
        found[span.pk] |= {who for who, at in takers[span.document_id] if at >= since.get(span.pk, at)}
    return found


def _readers(documents: Collection[int]) -> Mapping[int, set[int]]:
    """Whose readings there are of each note. One query."""
    sets = AnnotationSet.objects.filter(document__in=documents, annotator__isnull=False, kind=_Kind.READING)
    found: dict[int, set[int]] = defaultdict(set)
    for document, annotator in sets.values_list("document", "annotator"):
        found[document].add(annotator)
    return found


def _takers(project: str, documents: Collection[int]) -> Mapping[int, list[tuple[int, datetime]]]:
    """Who took each note in hand as its reader, and when: by the audit chain, which alone knows who let it go again.
    Two queries.
    """
    names = dict(Document.objects.filter(pk__in=documents).values_list("public_id", "pk"))
    taken = AuditEvent.objects.filter(
        chain__project=project, verb="note.take", object_id__in=list(names), actor__isnull=False
    )
    found: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for name, actor, at, detail in taken.order_by().values_list("object_id", "actor", "at", "detail"):
        if detail["slot"] < FIRST_APART:
            found[names[name]].append((actor, at))
    return found


def _notes_of(documents: Collection[int]) -> dict[int, list[_Note]]:
    """The note items of second readers in these notes, locked, by note. Two queries."""
    items = ReviewItem.objects.select_for_update(no_key=True).filter(document__in=documents, unit=_Unit.SECOND)
    items = items.exclude(status=_Status.CLOSED)
    found: dict[int, list[_Note]] = defaultdict(list)
    by_item: dict[int, _Note] = {}
    for item in items.order_by("pk"):
        by_item[item.pk] = _Note(item.document_id, item)
        found[item.document_id].append(by_item[item.pk])
    for item_id, user_id in Barred.objects.filter(item__in=by_item).values_list("item", "user"):
        by_item[item_id].barred.add(user_id)
    return found


def _holders(documents: Collection[int]) -> Mapping[int, set[int]]:
    """Who is or was a second reader of each note. One query."""
    sets = AnnotationSet.objects.filter(document__in=documents, kind=_Kind.SECOND)
    found: dict[int, set[int]] = defaultdict(set)
    for document, annotator in sets.values_list("document", "annotator"):
        found[document].add(annotator)
    return found


def _note_for(
    document_id: int, barred: set[int], notes: list[_Note], holders: Collection[int], readers: Collection[int]
) -> _Note | None:
    """The note item in which a second reader who is none of `barred` is asked, one there is already or a new one, which
    joins `notes`; None where nobody is left.
    """
    for note in [*notes, _Note(document_id)]:
        reader = note.item.leased_by_id if note.item else None
        wider = _Note(document_id, note.item, note.barred | barred)
        if reader not in barred and any(wider.may_be_read_by(each, holders) for each in readers):
            note.barred |= barred
            if note not in notes:
                notes.append(note)
            return note
    return None


def _make(notes: Sequence[_Note], batch: Batch) -> None:
    """Make those of these note items that are new, and hold all in them that was suggested to the first reader. Five
    queries.
    """
    documents = {note.document_id for note in notes}
    apart = ReviewItem.objects.filter(document__in=documents, slot__gte=FIRST_APART).order_by()
    last = dict(apart.values_list("document").annotate(last=Max("slot")))
    new = [note for note in notes if note.item is None]
    for note in new:
        last[note.document_id] = last.get(note.document_id, FIRST_APART - 1) + 1
        note.item = ReviewItem(
            project=batch.project,
            document_id=note.document_id,
            unit=_Unit.SECOND,
            slot=last[note.document_id],
            reason=ASKED_AGAIN,
        )
    ReviewItem.objects.bulk_create(note.item for note in new if note.item)
    spans = ReviewItem.objects.filter(document__in=documents)
    known = set(spans.filter(unit=_Unit.SECOND_SPAN).values_list("suggestion", "slot"))
    suggested: dict[int, list[ReviewItem]] = defaultdict(list)
    firsts = spans.filter(unit=_Unit.SPAN, slot=1).exclude(reason__in=[SUPERSEDED, INHERITED])
    for span in firsts.order_by("pk"):
        suggested[span.document_id].append(span)
    ReviewItem.objects.bulk_create(
        (
            ReviewItem(
                project=batch.project,
                document_id=note.document_id,
                suggestion_id=span.suggestion_id,
                unit=_Unit.SECOND_SPAN,
                slot=note.item.slot,
                status=_Status.HELD,
                reason=span.reason,
                confidence=span.confidence,
                priority=span.priority,
                audit_key=span.audit_key,
            )
            for note in notes
            if note.item
            for span in suggested[note.document_id]
            if (span.suggestion_id, note.item.slot) not in known
        ),
        batch_size=500,
    )


def _ask(notes: Sequence[_Note], keys: Mapping[int, float]) -> dict[int, ReviewItem]:
    """Open what is to be asked in these notes, and the notes for it; the items by suggestion. What their reader decided
    unasked is answered already.
    """
    places = {(note.document_id, note.item.slot): note for note in notes if note.item}
    wanted = {pk for note in notes for pk in note.asked}
    spans = ReviewItem.objects.filter(suggestion__in=wanted, unit=_Unit.SECOND_SPAN)
    items = {
        _about(span): span
        for span in spans
        if (note := places.get((span.document_id, span.slot))) and span.suggestion_id in note.asked
    }
    asked = [span for span in items.values() if span.status == _Status.HELD]
    for span in asked:
        span.status, span.stream, span.reason = _Status.OPEN, ReviewItem.Stream.AUDIT, AUDIT
        span.audit_key, span.version = keys[_about(span)], span.version + 1
    ReviewItem.objects.bulk_update(asked, ["status", "stream", "reason", "audit_key", "version"], batch_size=200)
    _reopen({(span.document_id, span.slot): places[span.document_id, span.slot] for span in asked}.values())
    return items


def _reopen(notes: Iterable[_Note]) -> None:
    """Open those of the notes that are done: they are done again when what is asked in them is decided."""
    done = [note.item for note in notes if note.item and note.item.status == _Status.DECIDED]
    ReviewItem.objects.filter(pk__in=[item.pk for item in done]).update(
        status=_Status.OPEN, reason=ASKED_AGAIN, lease_expires_at=None, version=F("version") + 1
    )
    theirs = ReviewItem.objects.filter(
        pk__in=[item.pk for item in done], document=OuterRef("document"), leased_by=OuterRef("annotator")
    )
    AnnotationSet.objects.filter(Exists(theirs), kind=_Kind.SECOND).update(
        status=AnnotationSet.Status.OPEN, submitted_at=None
    )


def _bar(notes: Iterable[_Note]) -> None:
    Barred.objects.bulk_create(
        (Barred(item=note.item, user_id=user_id) for note in notes for user_id in sorted(note.barred)),
        ignore_conflicts=True,
    )


def _waiting(batch: Batch) -> Iterable[SecondRead]:
    return SecondRead.objects.filter(batch=batch, item__status=_Status.OPEN).select_related("item").order_by("pk")


def _close(reads: Sequence[SecondRead]) -> None:
    """Close what is asked, and the notes in which nothing is asked any more. Three queries."""
    spans = ReviewItem.objects.filter(pk__in=[read.item_id for read in reads], status=_Status.OPEN)
    spans.update(status=_Status.CLOSED, reason=SUPERSEDED, version=F("version") + 1)
    documents = {read.item.document_id for read in reads if read.item}
    left = ReviewItem.objects.filter(
        document=OuterRef("document"), slot=OuterRef("slot"), unit=_Unit.SECOND_SPAN, status=_Status.OPEN
    )
    notes = ReviewItem.objects.filter(document__in=documents, unit=_Unit.SECOND, status=_Status.OPEN)
    empty = list(notes.filter(~Exists(left)).values_list("pk", flat=True))
    ReviewItem.objects.filter(pk__in=empty).update(status=_Status.CLOSED, version=F("version") + 1)
