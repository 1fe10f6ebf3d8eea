"""What every act on a note needs, and what it leaves: see `services.decide`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.annotations.services import (
    AnnotationExists,
    NewAnnotation,
    add_annotation,
    annotation_row,
    restore,
    submit_set,
    withdraw,
)
from annotator.core.spans import Span
from annotator.projects.models import SchemaVersion
from annotator.qualification.services import trial_note_submitted
from annotator.review.blinding import is_read_blind
from annotator.review.decoying import tell_decoys
from annotator.review.decoys import live_answers
from annotator.review.models import (
    ASKED_AGAIN,
    ON_DECOY,
    REVEALED,
    UNASKED,
    UNSEEN,
    Decision,
    Decoy,
    DecoyAnswer,
    ReviewItem,
)
from annotator.review.queue import tell_read
from annotator.review.selectors import span_items

WITHDRAWN_SINCE = "What you changed here was accepted under a certificate that has been withdrawn since, so it stays."
_Status = ReviewItem.Status
_BEFORE_AND_AFTER = (
    ("withdrew", "made"),
    ("withdrew_relation", "made_relation"),
    ("withdrew_value", "made_value"),
    ("withdrew_answer", "made_answer"),
)


class DecisionConflict(Exception):
    """The thing decided on has changed since it was shown; the message says how."""


class DecisionRefused(Exception):
    """A decision that the note does not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act did, for the decision's row. `dismissed` is a label and the fragments that were not given it;
    `is_unasked`: the item was held, and its reader decided it all the same.
    """

    verdict: Decision.Verdict
    item: ReviewItem | None = None
    withdrew: Annotation | None = None
    made: Annotation | None = None
    withdrew_relation: Relation | None = None
    made_relation: Relation | None = None
    withdrew_value: DocumentValue | None = None
    made_value: DocumentValue | None = None
    withdrew_answer: DecoyAnswer | None = None
    made_answer: DecoyAnswer | None = None
    undoes: Decision | None = None
    redoes: Decision | None = None
    is_unasked: bool = False
    dismissed: tuple[str, str] = ("", "")

    @property
    def stream(self) -> str:
        """What the decision's row calls the stream."""
        if self.withdrew_answer or self.made_answer or (self.item and self.item.unit == ReviewItem.Unit.DECOY):
            return ON_DECOY
        return self.item.stream if self.item and not self.is_unasked else UNASKED


@dataclass(frozen=True, slots=True)
class Desk:
    """A note in the hands of its reviewer, locked for the act."""

    note_item: ReviewItem
    set: AnnotationSet
    reviewer: User
    schema_version: SchemaVersion
    now: datetime

    def add(self, new: NewAnnotation) -> Annotation:
        """Raises what `add_annotation` raises."""
        return add_annotation(
            target=self.set,
            annotator=self.reviewer,
            text=self.note_item.document.text,
            schema_version=self.schema_version,
            new=new,
            now=self.now,
        )

    def answer(self, decoy: Decoy, new: NewAnnotation) -> DecoyAnswer:
        """What stands for an annotation of a decoy. Raises what `add_annotation` raises."""
        row = annotation_row(text=self.note_item.document.text, schema=self.schema_version.schema, new=new)._asdict()
        if self.says(label=new.label, span=new.span):
            raise AnnotationExists(f"this span is labelled {new.label} already")
        return DecoyAnswer.objects.create(
            decoy=decoy,
            annotator=self.reviewer,
            created_at=self.now,
            **{name: row[name] for name in ("label", "fragments", "start", "end", "surface", "attributes")},
        )

    def says(self, *, label: str, span: Span) -> bool:
        """Whether the reader has labelled this span so, in earnest or on a decoy. Two queries."""
        same = {"label": label, "fragments": str(span)}
        live = Annotation.objects.filter(set=self.set, status=Annotation.Status.LIVE, **same)
        return live.exists() or live_answers(self.note_item).filter(**same).exists()

    def skip(self, item: ReviewItem) -> None:
        skipped = ReviewItem.objects.filter(pk=item.pk, status=ReviewItem.Status.OPEN).update(
            skipped_at=self.now, version=F("version") + 1
        )
        if not skipped:
            raise DecisionConflict("This suggestion has been decided already.")

    def is_answered(self) -> bool:
        """Whether the note was done, had to ask again, and has its answers: nothing more is open in it."""
        is_asked = self.note_item.reason == ASKED_AGAIN and self.note_item.status == _Status.OPEN
        return is_asked and not span_items(self.note_item).filter(status=_Status.OPEN).exists()

    def finish(self) -> None:
        """Submit the set. Raises DecisionRefused while suggestions are open, but for those of a note that is read
        blind: they close unseen, and whoever reopens the note sees them. Held ones keep no note from being done.
        """
        waiting = span_items(self.note_item).filter(status=ReviewItem.Status.OPEN)
        if is_read_blind(self.note_item) and not self.note_item.is_trial:
            waiting.update(status=ReviewItem.Status.CLOSED, reason=UNSEEN, version=F("version") + 1)
            ReviewItem.objects.filter(pk=self.note_item.pk).update(reason=REVEALED)
            self.note_item.reason = REVEALED
        n_open = waiting.count()
        if n_open:
            are = "suggestion is" if n_open == 1 else "suggestions are"
            raise DecisionRefused(f"{n_open} {are} still to be decided.")
        close(self.note_item)
        submit_set(target=self.set, now=self.now)
        if self.note_item.is_trial:
            trial_note_submitted(document_id=self.note_item.document_id, user=self.reviewer, now=self.now)
        elif not self.note_item.is_second:
            tell_decoys(note_item=self.note_item, now=self.now)
            tell_read(document_ids=[self.note_item.document_id])


def close(item: ReviewItem) -> bool:
    """Decide an item that is open or held, as it was read; whether it was held."""
    waiting = ReviewItem.objects.filter(pk=item.pk, version=item.version, status__in=[_Status.OPEN, _Status.HELD])
    if not waiting.update(status=_Status.DECIDED, version=F("version") + 1):
        raise DecisionConflict("This suggestion has been decided already.")
    was_held = item.status == _Status.HELD
    item.status = _Status.DECIDED
    return was_held


def reopen(item: ReviewItem) -> None:
    """Make a decided item open again, in its old place. One that was held is open then too: who took their decision
    back has begun to decide it.
    """
    reopened = ReviewItem.objects.filter(pk=item.pk, status=ReviewItem.Status.DECIDED).update(
        status=ReviewItem.Status.OPEN, skipped_at=None, version=F("version") + 1
    )
    if not reopened:
        raise DecisionConflict("This has been changed since.")
    item.status = ReviewItem.Status.OPEN


def swap(decision: Decision) -> dict[str, Any]:
    """Withdraw what the decision made and restore what it withdrew; what an Outcome says of that.

    Raises DecisionConflict where one of them is so already.
    """
    said: dict[str, Any] = {}
    for before, after in _BEFORE_AND_AFTER:
        out, back = getattr(decision, after), getattr(decision, before)
        if isinstance(back, Annotation) and back.certificate_id is not None and not _is_certified(back, decision):
            raise DecisionConflict(WITHDRAWN_SINCE)
        if (out is not None and not withdraw(out)) or (back is not None and not restore(back)):
            raise DecisionConflict("This has been changed since.")
        said |= {before: out, after: back}
    return said


def _is_certified(annotation: Annotation, decision: Decision) -> bool:
    """Whether what was accepted of this span under a certificate is still accepted. One query."""
    item = ReviewItem.objects.filter(suggestion=annotation.origin_id, slot=decision.note_item.slot)
    return item.filter(status=_Status.CERTIFIED).exists()
