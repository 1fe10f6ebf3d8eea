"""Decisions: what a reviewer does to suggestions and annotations of a note they hold.

`decide` is the one way in for every page and API. One transaction checks the lease, the idempotency key and that the
item is still open, writes the annotations and appends the decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import F

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import (
    AnnotationExists,
    NewAnnotation,
    add_annotation,
    open_set,
    reopen_set,
    restore,
    submit_set,
    withdraw,
)
from annotator.audit.services import record_event
from annotator.core.spans import Span
from annotator.projects.models import SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.review.leases import LeaseConflict, hold
from annotator.review.models import LATE, Decision, ReviewItem
from annotator.review.selectors import last_decision, span_items
from annotator.suggestions.models import Suggestion

Verdict = Decision.Verdict
UNASKED = "unasked"
GONE = "This span has been decided or changed already."


class DecisionConflict(Exception):
    """The thing decided on has changed since it was shown; the message says how."""


class DecisionRefused(Exception):
    """A decision that the note does not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class Accept:
    item: ReviewItem


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a suggestion, or withdraw an annotation."""

    target: ReviewItem | Annotation


@dataclass(frozen=True, slots=True)
class Edit:
    """Give the target another span, label or attributes; what is None stays as it is."""

    target: ReviewItem | Annotation
    span: Span | None = None
    label: str | None = None
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Add:
    span: Span
    label: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    item: ReviewItem


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo the last decision in the note, if it is the reviewer's own."""


@dataclass(frozen=True, slots=True)
class FinishNote:
    """Submit the set. Refused while suggestions are open."""


Act = Accept | Reject | Edit | Add | Skip | Undo | FinishNote


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every act needs."""

    note_item: ReviewItem
    set: AnnotationSet
    reviewer: User
    schema_version: SchemaVersion
    now: datetime

    def add(self, new: NewAnnotation) -> Annotation:
        return add_annotation(
            target=self.set,
            annotator=self.reviewer,
            text=self.note_item.document.text,
            schema_version=self.schema_version,
            new=new,
            now=self.now,
        )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an act did, for the decision's row."""

    verdict: Verdict
    item: ReviewItem | None = None
    withdrew: Annotation | None = None
    made: Annotation | None = None
    undoes: Decision | None = None


def repeat_of(*, key: str, note_item: ReviewItem, reviewer: User, asked: str) -> Decision | None:
    """The decision that was made under this key; None where there is none. One query.

    Raises DecisionRefused where the key was used for something else: by another person, in another note, or for
    another act (`asked`).
    """
    found = Decision.objects.filter(idempotency_key=key).first()
    if found is None:
        return None
    if (found.reviewer_id, found.note_item_id, found.asked_sha256) != (reviewer.pk, note_item.pk, _digest(asked)):
        raise DecisionRefused("This key belongs to another decision.")
    return found


def decide(
    *, note_item: ReviewItem, reviewer: User, act: Act | None, key: str, now: datetime, asked: str = ""
) -> Decision:
    """Do `act` in the note and return the decision; a `key` seen before returns the first decision and only renews the
    lease.

    `asked` is the act in the words of who asked for it: a key that comes back with other words is refused. `act` is
    None where its target is no longer there, as after the first decision under the same key: any other conflicts.
    Raises LeaseConflict (someone else has the note), DecisionConflict (the target changed), DecisionRefused, and from
    the rules below SchemaError, SpanError and annotations.services.AnnotationExists.
    """
    with transaction.atomic():
        is_held = hold(note_item=note_item, reviewer=reviewer, now=now)
        # Now that the note's row is locked: two equal requests at once are one decision.
        repeat = repeat_of(key=key, note_item=note_item, reviewer=reviewer, asked=asked)
        if repeat is not None:
            return repeat
        if not is_held:
            raise LeaseConflict("Someone else has taken this note since your lease ran out.")
        if act is None:
            raise DecisionConflict(GONE)
        note_item.refresh_from_db(fields=["status", "version"])
        if note_item.status != ReviewItem.Status.OPEN and not isinstance(act, Undo):
            raise DecisionConflict("This note is done. Reopen it with Undo to change it.")
        desk = _Desk(
            note_item=note_item,
            set=open_set(document=note_item.document, annotator=reviewer),
            reviewer=reviewer,
            schema_version=current_schema(note_item.document.project),
            now=now,
        )
        outcome = _ACTS[type(act)](desk, act)
        decision = Decision.objects.create(
            note_item=note_item,
            item=outcome.item,
            reviewer=reviewer,
            verdict=outcome.verdict,
            stream=outcome.item.stream if outcome.item else UNASKED,
            withdrew=outcome.withdrew,
            made=outcome.made,
            undoes=outcome.undoes,
            idempotency_key=key,
            asked_sha256=_digest(asked),
            decided_at=now,
        )
        document = note_item.document
        record_event(
            project=document.project.public_id,
            actor=reviewer,
            verb=f"note.{outcome.verdict}",
            object_id=document.public_id,
            now=now,
            detail={"decision": decision.pk},
        )
        return decision


def _accept(desk: _Desk, act: Accept) -> _Outcome:
    suggestion = suggestion_of(act.item)
    _close(act.item)
    new = NewAnnotation(
        span=suggestion.span,
        label=suggestion.label,
        attributes=suggestion.attributes,
        origin_id=suggestion.pk,
    )
    try:
        made = desk.add(new)
    except AnnotationExists:
        made = None  # a person has asserted just this already: the suggestion is right, and there is nothing to add
    return _Outcome(Verdict.ACCEPT, item=act.item, made=made)


def _reject(desk: _Desk, act: Reject) -> _Outcome:
    if isinstance(act.target, ReviewItem):
        _close(act.target)
        return _Outcome(Verdict.REJECT, item=act.target)
    _withdraw(act.target)
    return _Outcome(Verdict.REJECT, withdrew=act.target)


def _edit(desk: _Desk, act: Edit) -> _Outcome:
    if isinstance(act.target, ReviewItem):
        suggestion = suggestion_of(act.target)
        _close(act.target)
        made = desk.add(_edited(desk, suggestion, act, origin_id=suggestion.pk))
        return _Outcome(Verdict.EDIT, item=act.target, made=made)
    _withdraw(act.target)
    made = desk.add(_edited(desk, act.target, act, origin_id=act.target.origin_id))
    return _Outcome(Verdict.EDIT, withdrew=act.target, made=made)


def _add(desk: _Desk, act: Add) -> _Outcome:
    made = desk.add(NewAnnotation(span=act.span, label=act.label, attributes=act.attributes))
    return _Outcome(Verdict.ADD, made=made)


def _skip(desk: _Desk, act: Skip) -> _Outcome:
    skipped = ReviewItem.objects.filter(pk=act.item.pk, status=ReviewItem.Status.OPEN).update(
        skipped_at=desk.now, version=F("version") + 1
    )
    if not skipped:
        raise DecisionConflict("This suggestion has been decided already.")
    return _Outcome(Verdict.SKIP, item=act.item)


def _finish(desk: _Desk, act: FinishNote) -> _Outcome:
    n_open = span_items(desk.note_item).filter(status=ReviewItem.Status.OPEN).count()
    if n_open:
        raise DecisionRefused(f"{n_open} {'suggestion is' if n_open == 1 else 'suggestions are'} still to be decided.")
    _close(desk.note_item)
    submit_set(target=desk.set, now=desk.now)
    return _Outcome(Verdict.NOTE_DONE)


def _undo(desk: _Desk, act: Undo) -> _Outcome:
    last = last_decision(note_item=desk.note_item)
    if last is None:
        raise DecisionRefused("There is nothing to undo in this note.")
    if last.reviewer_id != desk.reviewer.pk:
        raise DecisionRefused("The last decision in this note is someone else's.")
    if last.verdict == Verdict.NOTE_DONE:
        _reopen(desk.note_item)
        span_items(desk.note_item).filter(status=ReviewItem.Status.CLOSED, reason=LATE).update(
            status=ReviewItem.Status.OPEN, version=F("version") + 1
        )
        reopen_set(target=desk.set)
    elif desk.note_item.status != ReviewItem.Status.OPEN:
        raise DecisionConflict("This note is done.")
    if last.made is not None and not withdraw(last.made):
        raise DecisionConflict("This span has been changed since.")
    if last.withdrew is not None and not restore(last.withdrew):
        raise DecisionConflict("This span has been changed since.")
    if last.item is not None and last.verdict == Verdict.SKIP:
        ReviewItem.objects.filter(pk=last.item.pk, status=ReviewItem.Status.OPEN).update(skipped_at=None)
    elif last.item is not None:
        _reopen(last.item)
    return _Outcome(Verdict.UNDO, item=last.item, withdrew=last.made, made=last.withdrew, undoes=last)


_ACTS: dict[type, Callable[..., _Outcome]] = {
    Accept: _accept,
    Reject: _reject,
    Edit: _edit,
    Add: _add,
    Skip: _skip,
    Undo: _undo,
    FinishNote: _finish,
}


def _edited(desk: _Desk, source: Suggestion | Annotation, act: Edit, origin_id: int | None) -> NewAnnotation:
    label = act.label or source.label
    attributes = source.attributes if act.attributes is None else {**source.attributes, **act.attributes}
    allowed = {attribute.name for attribute in desk.schema_version.schema.attributes_of(label)}
    return NewAnnotation(
        span=act.span or source.span,
        label=label,
        attributes={name: value for name, value in attributes.items() if name in allowed},
        origin_id=origin_id,
    )


def suggestion_of(item: ReviewItem) -> Suggestion:
    """What a span item asks about. Raises DecisionRefused for a note, which is no suggestion."""
    if item.suggestion is None:
        raise DecisionRefused("Only a suggestion can be accepted.")
    return item.suggestion


def _close(item: ReviewItem) -> None:
    closed = ReviewItem.objects.filter(pk=item.pk, version=item.version, status=ReviewItem.Status.OPEN).update(
        status=ReviewItem.Status.DECIDED, version=F("version") + 1
    )
    if not closed:
        raise DecisionConflict("This suggestion has been decided already.")
    item.status = ReviewItem.Status.DECIDED


def _reopen(item: ReviewItem) -> None:
    reopened = ReviewItem.objects.filter(pk=item.pk, status=ReviewItem.Status.DECIDED).update(
        status=ReviewItem.Status.OPEN, skipped_at=None, version=F("version") + 1
    )
    if not reopened:
        raise DecisionConflict("This has been changed since.")
    item.status = ReviewItem.Status.OPEN


def _digest(asked: str) -> str:
    return hashlib.sha256(asked.encode()).hexdigest()


def _withdraw(annotation: Annotation) -> None:
    if not withdraw(annotation):
        raise DecisionConflict("This span has been changed already.")
