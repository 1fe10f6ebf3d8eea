"""Decisions: what a reviewer does to suggestions and annotations of a note they hold.

`decide` is the one way in for every page and API. One transaction checks the lease, the idempotency key and that the
item is still open, writes the annotations and appends the decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, Comment, Relation
from annotator.annotations.services import AnnotationExists, NewAnnotation, open_set
from annotator.audit.services import record_event
from annotator.core.spans import Span
from annotator.projects.selectors import current_schema
from annotator.review.deciding import accepted, edited, rejected
from annotator.review.decoys import live_answers
from annotator.review.desk import DecisionConflict as DecisionConflict
from annotator.review.desk import DecisionRefused as DecisionRefused
from annotator.review.desk import Desk, Outcome
from annotator.review.leases import LeaseConflict, hold, take_note_of
from annotator.review.models import UNASKED as UNASKED
from annotator.review.models import Decision, ReviewItem
from annotator.review.relating import classified, related, unrelated, with_relations
from annotator.review.selectors import Target
from annotator.review.spreading import spread
from annotator.review.telling import tell_of_questions, tell_tests
from annotator.review.undoing import redo, undo

Verdict = Decision.Verdict
GONE = "This span has been decided or changed already."
NOT_BACK = "Someone else is reading or has finished the note of your last decision, so it stays for now."


@dataclass(frozen=True, slots=True)
class Accept:
    item: ReviewItem


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a suggestion, or withdraw an annotation."""

    target: Target


@dataclass(frozen=True, slots=True)
class Edit:
    """Give the target another span, label or attributes; what is None stays as it is."""

    target: Target
    span: Span | None = None
    label: str | None = None
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Add:
    span: Span
    label: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Say that the words at `span`, which might have been missed, are no `label`: see `review.missed`."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Skip:
    item: ReviewItem


@dataclass(frozen=True, slots=True)
class Undo:
    """Undo the last decision in the note, if it is the reviewer's own; or (`is_own`) the reviewer's last in it, if
    nothing that others did since rests on it: then the note need not be in their hands, if it is in nobody's.
    """

    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Redo:
    """Do again what was undone last, if nothing was decided since."""


@dataclass(frozen=True, slots=True)
class FinishNote:
    """Submit the set. Refused while suggestions are open. A note that had to ask again is submitted by itself."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Accept or reject the target and all mentions in the note that read alike: see `review.spreading`."""

    target: Target
    is_rejected: bool = False


@dataclass(frozen=True, slots=True)
class Relate:
    """Join two of the reader's spans, from `head` to `tail`."""

    type: str
    head: Annotation
    tail: Annotation


@dataclass(frozen=True, slots=True)
class Unrelate:
    relation: Relation


@dataclass(frozen=True, slots=True)
class Classify:
    """Give a label of the note a value; an empty one takes the value back."""

    name: str
    value: str


Act = Accept | Reject | Edit | Add | Dismiss | Skip | Relate | Unrelate | Classify | Undo | Redo | Spread | FinishNote


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
    *,
    note_item: ReviewItem,
    reviewer: User,
    act: Act | None,
    key: str,
    now: datetime,
    asked: str = "",
    active_seconds: float | None = None,
) -> Decision:
    """Do `act` in the note and return the decision; a `key` seen before returns the first decision and only renews the
    lease.

    An act of several decisions returns the first; `standing.decisions_with` has all. `active_seconds` is how long the
    reviewer worked on it, by the page's measure. `asked` is the act in the words of who asked for it: a key that comes
    back with other words is refused. `act` is None where its target is no longer there, as after the first decision
    under the same key: any other conflicts. Raises LeaseConflict (someone else has the note), DecisionConflict (the
    target changed), DecisionRefused, and from the rules of spans SchemaError, SpanError and
    annotations.services.AnnotationExists.
    """
    with transaction.atomic():
        is_held = hold(note_item=note_item, reviewer=reviewer, now=now)
        # Now that the note's row is locked: two equal requests at once are one decision.
        repeat = repeat_of(key=key, note_item=note_item, reviewer=reviewer, asked=asked)
        if repeat is not None:
            return repeat
        if isinstance(act, Undo) and act.is_own and not is_held:
            is_held = take_note_of(item=note_item, reviewer=reviewer, now=now) is not None
            if not is_held:
                raise DecisionConflict(NOT_BACK)
        if not is_held:
            raise LeaseConflict("Someone else has taken this note since your lease ran out.")
        if act is None:
            raise DecisionConflict(GONE)
        note_item.refresh_from_db(fields=["project", "status", "version", "reason", "leased_by"])
        if note_item.status != ReviewItem.Status.OPEN and not isinstance(act, Undo):
            raise DecisionConflict("This note is done. Reopen it with Undo to change it.")
        desk = Desk(
            note_item=note_item,
            set=open_set(document=note_item.document, annotator=reviewer, kind=note_item.set_kind),
            reviewer=reviewer,
            schema_version=current_schema(note_item.document.project),
            now=now,
        )
        outcomes = _ACTS[type(act)](desk, act)
        if not isinstance(act, Undo) and desk.is_answered():
            outcomes += _finish(desk, FinishNote())
        decisions = Decision.objects.bulk_create(
            _rows(desk, outcomes, key=key, asked=asked, active_seconds=active_seconds)
        )
        document = note_item.document
        record_event(
            project=document.project.public_id,
            actor=reviewer,
            verb=f"note.{decisions[0].verdict}",
            object_id=document.public_id,
            now=now,
            detail={"decision": decisions[0].pk} | ({"n_decisions": len(decisions)} if len(decisions) > 1 else {}),
        )
        if outcomes[-1].verdict == Verdict.NOTE_DONE and not note_item.is_trial:
            others = Comment.objects.filter(set__document=document).exclude(set__annotator=reviewer)
            tell_of_questions(others, project=document.project, now=now)
        tell_tests(decisions=decisions)
        return decisions[0]


def _accept(desk: Desk, act: Accept) -> list[Outcome]:
    return [accepted(desk, act.item)]


def _reject(desk: Desk, act: Reject) -> list[Outcome]:
    return with_relations(desk, [rejected(desk, act.target)])


def _edit(desk: Desk, act: Edit) -> list[Outcome]:
    changed = edited(desk, act.target, span=act.span, label=act.label, attributes=act.attributes)
    return with_relations(desk, [changed])


def _add(desk: Desk, act: Add) -> list[Outcome]:
    if live_answers(desk.note_item).filter(label=act.label, fragments=str(act.span)).exists():
        raise AnnotationExists(f"this span is labelled {act.label} already")
    made = desk.add(NewAnnotation(span=act.span, label=act.label, attributes=act.attributes))
    return [Outcome(Verdict.ADD, made=made)]


def _dismiss(desk: Desk, act: Dismiss) -> list[Outcome]:
    desk.schema_version.schema.label(act.label)
    act.span.surface(desk.note_item.document.text)
    return [Outcome(Verdict.DISMISS, dismissed=(act.label, str(act.span)))]


def _skip(desk: Desk, act: Skip) -> list[Outcome]:
    desk.skip(act.item)
    return [Outcome(Verdict.SKIP, item=act.item)]


def _finish(desk: Desk, act: FinishNote) -> list[Outcome]:
    desk.finish()
    return [Outcome(Verdict.NOTE_DONE)]


_ACTS: dict[type, Callable[..., list[Outcome]]] = {
    Accept: _accept,
    Reject: _reject,
    Edit: _edit,
    Add: _add,
    Dismiss: _dismiss,
    Skip: _skip,
    Undo: lambda desk, act: undo(desk, is_own=act.is_own),
    Redo: lambda desk, act: redo(desk),
    Spread: lambda desk, act: with_relations(desk, spread(desk, act.target, is_rejected=act.is_rejected)),
    Relate: lambda desk, act: [related(desk, type=act.type, head=act.head, tail=act.tail)],
    Unrelate: lambda desk, act: [unrelated(desk, act.relation)],
    Classify: lambda desk, act: [classified(desk, name=act.name, value=act.value)],
    FinishNote: _finish,
}


def _rows(
    desk: Desk, outcomes: Sequence[Outcome], *, key: str, asked: str, active_seconds: float | None
) -> list[Decision]:
    """An act as decisions that are not saved yet; the first has the key and the time."""
    return [
        Decision(
            project_id=desk.note_item.project_id,
            note_item=desk.note_item,
            item=outcome.item,
            reviewer=desk.reviewer,
            verdict=outcome.verdict,
            stream=outcome.stream,
            withdrew=outcome.withdrew,
            made=outcome.made,
            withdrew_relation=outcome.withdrew_relation,
            made_relation=outcome.made_relation,
            withdrew_value=outcome.withdrew_value,
            made_value=outcome.made_value,
            withdrew_answer=outcome.withdrew_answer,
            made_answer=outcome.made_answer,
            undoes=outcome.undoes,
            redoes=outcome.redoes,
            dismissed_label=outcome.dismissed[0],
            dismissed_fragments=outcome.dismissed[1],
            batch=_digest(key) if len(outcomes) > 1 else "",
            active_seconds=active_seconds if number == 0 else None,
            idempotency_key=key if number == 0 else f"{_digest(key)[:48]}:{number}",
            asked_sha256=_digest(asked),
            decided_at=desk.now,
        )
        for number, outcome in enumerate(outcomes)
    ]


def _digest(asked: str) -> str:
    return hashlib.sha256(asked.encode()).hexdigest()
