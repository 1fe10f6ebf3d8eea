"""Undo and redo: the note's last decision is taken back, and what was taken back is done again.

An undo is a decision that `undoes` another; the decisions that went together (`batch`) come back together. A redo is a
decision of its own, of the same verdict, that `redoes` the undo: whoever counts decisions need not know of it.

By note, nothing is taken back past what someone else did since. By span, where readers come and go in a note, it is the
reviewer's own last decision, unless what others did since rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F

from annotator.annotations.services import reopen_set
from annotator.qualification.models import Trial
from annotator.qualification.selectors import trial_of
from annotator.review.desk import DecisionConflict, DecisionRefused, Desk, Outcome, close, reopen, swap
from annotator.review.models import ASKED_AGAIN, LATE, UNASKED, UNSEEN, Decision, ReviewItem
from annotator.review.queue import tell_read
from annotator.review.selectors import span_items
from annotator.review.standing import changed_spans, decisions_since, decisions_with, last_decision, last_undo

_Verdict = Decision.Verdict


def undo(desk: Desk, *, is_own: bool) -> list[Outcome]:
    """Take back the note's last decision, or (`is_own`) the reviewer's last in it. Raises DecisionRefused where there
    is none, it is someone else's, or others have gone on from it.
    """
    last = last_decision(note_item=desk.note_item, reviewer=desk.reviewer if is_own else None)
    if last is None:
        raise DecisionRefused("There is nothing to undo in this note.")
    if last.reviewer_id != desk.reviewer.pk:
        raise DecisionRefused("The last decision in this note is someone else's.")
    if last.verdict != _Verdict.NOTE_DONE and desk.note_item.status != ReviewItem.Status.OPEN:
        raise DecisionConflict("This note is done.")
    together = decisions_with(last)
    if is_own and _is_rested_on(together):
        raise DecisionRefused("Someone else has gone on from your last decision, so it stays.")
    return [_undone(desk, decision) for decision in reversed(together)]


def redo(desk: Desk) -> list[Outcome]:
    """Do again what was undone last. Raises DecisionRefused where nothing was, or something new was done since."""
    undo = last_undo(note_item=desk.note_item)
    if undo is None or undo.reviewer_id != desk.reviewer.pk:
        raise DecisionRefused("There is nothing to redo in this note.")
    return _redone(desk, list(reversed(decisions_with(undo))))


def _is_rested_on(decisions: Sequence[Decision]) -> bool:
    """Whether a standing decision made since is about a place, a span or a label of the note that these are about.

    The same place is enough: a span there may have been left unsaid because it was said already.
    """
    since = decisions_since(decisions[-1])
    mine, theirs = changed_spans(decisions), changed_spans(since)
    if any(one.start < other.end and other.start < one.end for one in mine for other in theirs):
        return True
    return bool(_threads_and_labels(decisions) & _threads_and_labels(since))


def _threads_and_labels(decisions: Sequence[Decision]) -> set[str]:
    found = set()
    for each in decisions:
        found |= {said.thread for said in (each.taken, each.put) if said is not None}
        found |= {end for tie in (each.withdrew_relation, each.made_relation) if tie for end in (tie.head, tie.tail)}
        found |= {value.name for value in (each.withdrew_value, each.made_value) if value is not None}
    return found


def _undone(desk: Desk, last: Decision) -> Outcome:
    if last.verdict == _Verdict.NOTE_DONE:
        _reopen_note(desk)
    swapped = swap(last)
    if last.item is not None and last.verdict == _Verdict.SKIP:
        ReviewItem.objects.filter(pk=last.item.pk, status=ReviewItem.Status.OPEN).update(skipped_at=None)
    elif last.item is not None:
        reopen(last.item)
    return Outcome(_Verdict.UNDO, item=last.item, undoes=last, **swapped)


def _reopen_note(desk: Desk) -> None:
    """Take back that the note is done. One that had to ask again opens for that alone; one that is open for it already
    is its reader's to finish from then on.
    """
    _refuse_finished_trial(desk)
    note_item = desk.note_item
    is_asked_again = note_item.reason == ASKED_AGAIN
    if is_asked_again and note_item.status == ReviewItem.Status.OPEN:
        ReviewItem.objects.filter(pk=note_item.pk).update(reason="", version=F("version") + 1)
        note_item.reason = ""
        return
    reopen(note_item)
    if not is_asked_again:
        span_items(note_item).filter(status=ReviewItem.Status.CLOSED, reason__in=[LATE, UNSEEN]).update(
            status=ReviewItem.Status.OPEN, version=F("version") + 1
        )
    reopen_set(target=desk.set)
    if not (note_item.is_trial or note_item.is_second):
        tell_read(document_ids=[note_item.document_id])


def _refuse_finished_trial(desk: Desk) -> None:
    if not desk.note_item.is_trial:
        return
    trial = trial_of(document_id=desk.note_item.document_id, user=desk.reviewer)
    if trial.status != Trial.Status.OPEN:
        raise DecisionRefused("This try is finished: its notes stay as they were submitted.")


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
        is_unasked = first.item is not None and first.stream == UNASKED
        outcomes.append(
            Outcome(
                _Verdict(first.verdict),
                item=first.item,
                redoes=undo,
                dismissed=dismissed,
                is_unasked=is_unasked,
                **swapped,
            )
        )
    return outcomes
