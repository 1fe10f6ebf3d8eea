"""Undo and redo: the note's last decision is taken back, and what was taken back is done again.

An undo is a decision that `undoes` another; the decisions that went together (`batch`) come back together. A redo is a
decision of its own, of the same verdict, that `redoes` the undo: whoever counts decisions need not know of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from annotator.annotations.services import reopen_set
from annotator.review.desk import DecisionConflict, DecisionRefused, Desk, Outcome, close, reopen, swap
from annotator.review.models import LATE, UNSEEN, Decision, ReviewItem
from annotator.review.queue import tell_read
from annotator.review.selectors import decisions_with, last_decision, last_undo, span_items

_Verdict = Decision.Verdict


def undo(desk: Desk) -> list[Outcome]:
    """Take back the note's last decision. Raises DecisionRefused where there is none, or it is someone else's."""
    last = last_decision(note_item=desk.note_item)
    if last is None:
        raise DecisionRefused("There is nothing to undo in this note.")
    if last.reviewer_id != desk.reviewer.pk:
        raise DecisionRefused("The last decision in this note is someone else's.")
    if last.verdict != _Verdict.NOTE_DONE and desk.note_item.status != ReviewItem.Status.OPEN:
        raise DecisionConflict("This note is done.")
    return [_undone(desk, decision) for decision in reversed(decisions_with(last))]


def redo(desk: Desk) -> list[Outcome]:
    """Do again what was undone last. Raises DecisionRefused where nothing was, or something new was done since."""
    undo = last_undo(note_item=desk.note_item)
    if undo is None or undo.reviewer_id != desk.reviewer.pk:
        raise DecisionRefused("There is nothing to redo in this note.")
    return _redone(desk, list(reversed(decisions_with(undo))))


def _undone(desk: Desk, last: Decision) -> Outcome:
    if last.verdict == _Verdict.NOTE_DONE:
        reopen(desk.note_item)
        span_items(desk.note_item).filter(status=ReviewItem.Status.CLOSED, reason__in=[LATE, UNSEEN]).update(
            status=ReviewItem.Status.OPEN, version=F("version") + 1
        )
        reopen_set(target=desk.set)
        tell_read(document_ids=[desk.note_item.document_id])
    swapped = swap(last)
    if last.item is not None and last.verdict == _Verdict.SKIP:
        ReviewItem.objects.filter(pk=last.item.pk, status=ReviewItem.Status.OPEN).update(skipped_at=None)
    elif last.item is not None:
        reopen(last.item)
    return Outcome(_Verdict.UNDO, item=last.item, undoes=last, **swapped)


def _redone(desk: Desk, undos: Sequence[Decision]) -> list[Outcome]:
    outcomes = []
    for undo in undos:
        first = undo.undoes
        if first is None:
            raise DecisionConflict("This has been changed since.")
        swapped = swap(undo)
        if first.verdict == _Verdict.NOTE_DONE:
            desk.finish()
        elif first.item is not None and first.verdict == _Verdict.SKIP:
            desk.skip(first.item)
        elif first.item is not None:
            close(first.item)
        dismissed = (first.dismissed_label, first.dismissed_fragments)
        outcomes.append(Outcome(_Verdict(first.verdict), item=first.item, redoes=undo, dismissed=dismissed, **swapped))
    return outcomes
