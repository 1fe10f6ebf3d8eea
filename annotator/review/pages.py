"""From a note's view to what the templates show."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.text import Truncator

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.core.tokens import fit, snap
from annotator.documents.models import Document
from annotator.projects.models import Membership
from annotator.review.acts import moved
from annotator.review.alike import alike_context
from annotator.review.blinding import has_unmasked, is_masked, is_read_blind
from annotator.review.card import card_context, model_said
from annotator.review.decoys import told_decoys
from annotator.review.filters import BY_SPAN, chips, chosen_reason, within
from annotator.review.history import history_of
from annotator.review.missed import missed_in
from annotator.review.missed_card import missed_context
from annotator.review.models import LATE, UNSEEN, Decision, ReviewItem
from annotator.review.remarks import remarks_context
from annotator.review.render import draw_context, draw_lines, draw_note, draw_queue, section_at, section_states
from annotator.review.selectors import (
    AUDIT,
    HIDDEN,
    QUEUE_SHOWN,
    Mark,
    NoteView,
    Target,
    n_unseen,
    place_of,
    source_of,
    target_for,
)
from annotator.review.spreading import others_alike
from annotator.review.standing import changed_spans, last_undo_id
from annotator.review.ties import (
    can_relate,
    note_labels,
    other_end,
    relating_context,
    ties_of,
    told_of_labels,
    words_of,
)

REASONS = {
    "low_score": ("low score", "low-margin"),
    "low_confidence": ("low confidence", "low-margin"),
    "approximate": ("approximate match", "disagree"),
    LATE: ("came when the note was done", "clock"),
    UNSEEN: ("not seen in the blind reading", "eye"),
    AUDIT: ("audit", "eye"),
    "unproven": ("not yet proven", "miss"),
    "revoked": ("certificate revoked", "alert"),
}
_PAST: dict[str, str] = {
    Decision.Verdict.ACCEPT: "accepted",
    Decision.Verdict.REJECT: "rejected",
    Decision.Verdict.EDIT: "changed",
    Decision.Verdict.ADD: "added",
    Decision.Verdict.SKIP: "skipped",
    Decision.Verdict.RELATE: "added",
    Decision.Verdict.UNRELATE: "removed",
    Decision.Verdict.CLASSIFY: "set",
    Decision.Verdict.DISMISS: "dismissed",
    Decision.Verdict.UNDO: "undone",
    Decision.Verdict.NOTE_DONE: "note done",
}
_KINDS = {"person": "Your span", "certified": "Span accepted without review", "suggested, held": "Held suggestion"}
# While the card is of something else, nothing is decided on the span in focus.
_UNDECIDED = {"can_change": False, "can_accept": False, "can_skip": False}


@dataclass(frozen=True, slots=True)
class NewSpan:
    """A span that a reviewer is about to add: what was selected, and whether it was taken to the character."""

    span: Span
    surface: str
    selected: tuple[int, int] | None = None
    is_exact: bool = False


def note_title(document: Document) -> str:
    """What the page calls the note: its title or type; never its id from outside."""
    return str(document.metadata.get("title") or document.note_type or "Note")


def main_of(decisions: Sequence[Decision]) -> Decision:
    """The decision that the page speaks of, of those that went together: the first about a span, where there is one."""
    return next((each for each in decisions if each.item_id or each.put or each.taken), decisions[0])


def focus_after(decision: Decision, *, target: Target | None, view: NoteView, asked: Mapping[str, Any]) -> str:
    """The key of the span in focus after a decision: the next that the queue shows, or the span just edited or joined,
    or labelled without what the model says of it. By span there is no next in the note.

    `asked` is the checked form that it was posted with.
    """
    shown = within(view, asked["queue"])
    relation = decision.made_relation or decision.withdrew_relation
    if relation is not None:
        ends = [mark.key for mark in (view.mark_of(relation.head), view.mark_of(relation.tail)) if mark]
        return next((key for key in (asked["relate"], asked["target"], *ends) if key in ends), _first(shown))
    if decision.made_value_id or decision.withdrew_value_id:
        return str(asked["target"])
    if relate_after(decision, asked=asked):
        return f"a{decision.put.public_id}" if decision.put else ""
    is_edited = decision.verdict in {Decision.Verdict.EDIT, Decision.Verdict.ADD} or has_unmasked(decision)
    if is_edited and decision.put:
        return f"a{decision.put.public_id}"
    if decision.verdict == Decision.Verdict.UNDO:
        if decision.item and f"i{decision.item.public_id}" in view.marks:
            return f"i{decision.item.public_id}"
        return f"a{decision.put.public_id}" if decision.put else _first(shown)
    if not isinstance(target, ReviewItem):
        return _first(shown)
    place = place_of(target)
    return next((mark.key for mark in shown.queue if mark.place and mark.place > place), _first(shown))


def relate_after(decision: Decision, *, asked: Mapping[str, Any]) -> str:
    """The key of the span that a relation is being drawn from, after a suggestion was accepted for it; else ''."""
    if not asked["relate"] or asked["verdict"] != "accept" or decision.put is None:
        return ""
    return f"a{decision.put.public_id}" if asked["relate"] == asked["target"] else str(asked["relate"])


def note_context(
    view: NoteView, *, focus: str, membership: Membership, now: datetime, queue: str = "", relate: str = ""
) -> dict[str, Any]:
    """What card, queue and action bar show; `focus` falls to the first of the queue where it names nothing.

    `queue` is the reason that the queue is narrowed to; it falls to all where nothing open has it. `relate` is the key
    of the span that a relation is being drawn from; without a `focus` beside it the nearest that fits is shown.
    """
    start = view.marks.get(relate) if view.note_item.status == "open" and queue != BY_SPAN else None
    if start is not None and start.is_masked:
        start = None
    if start is not None:
        focus = other_end(view, start, focus)
    reason, shown = chosen_reason(view, queue), within(view, queue, focus=focus)
    mark = view.marks.get(focus) or view.marks.get(_first(shown))
    key = mark.key if mark else ""
    target = target_for(note_item=view.note_item, key=key) if mark else None
    is_done = view.note_item.status != "open"
    is_by_span = reason == BY_SPAN
    in_queue = f"&queue={reason}" if reason else ""
    note_url = reverse("review:note", args=[view.document.project.public_id, view.note_item.public_id])
    return remarks_context(view.note_item, about=source_of(target) if target else None) | {
        "view": view,
        "project_id": view.document.project.public_id,
        "note_url": note_url,
        "note_item": view.note_item,
        "is_done": is_done,
        "mark": mark,
        "can_change": mark is not None and not is_done,
        "can_accept": mark is not None and mark.is_suggestion and not mark.is_masked and not is_done,
        "can_skip": mark is not None and mark.place is not None and not is_done,
        "told": _told(view, mark),
        "focus": key,
        "remark_key": key,
        "target": key,
        "can_walk": view.n_open > 0 and not is_by_span,
        "previous": shown.neighbour(key, -1),
        "next": shown.neighbour(key, 1),
        **_position(view, shown, key),
        "labels": [(label, mark is not None and mark.label == label) for label in view.schema.labels],
        **(card_context(view, mark, target, membership=membership, now=now) if mark else {}),
        "ties": ties_of(view, mark) if mark else [],
        "can_relate": mark is not None
        and not (is_done or is_by_span or mark.is_masked)
        and can_relate(view.schema, mark.label.name),
        "note_labels": [] if is_by_span else note_labels(view),
        "n_alike": len(others_alike(view.document.text, mark.span, mark.surface)) if mark else 0,
        "history": history_of(note_item=view.note_item, target=target)
        if target and mark and not mark.is_masked
        else [],
        "can_redo": last_undo_id(note_item=view.note_item) is not None,
        "reason": REASONS.get(mark.reason) if mark else None,
        "is_calibrated": all(mark.confidence is not None for mark in shown.queue),
        "chips": chips(view, queue, reasons=REASONS),
        "queue_reason": reason,
        "is_by_span": is_by_span,
        "is_read_blind": is_read_blind(view.note_item),
        "n_unseen": n_unseen(view.note_item),
        **_decoys(view.note_item),
        "in_queue": in_queue,
        "walk": in_queue,
        "queue": draw_queue(shown.queue[:QUEUE_SHOWN], current=key, note_url=note_url, queue=reason, reasons=REASONS),
        "n_more": max(shown.n_open - QUEUE_SHOWN, 0),
        "idempotency_key": uuid.uuid4().hex,
        **(relating_context(view, start, mark, in_queue=in_queue) if start and mark else {}),
    }


def _decoys(note_item: ReviewItem) -> dict[str, Any]:
    """The decoys that a submitted note held, and how many of them its reader rejected."""
    found = told_decoys(note_item) if note_item.status != ReviewItem.Status.OPEN else []
    return {"decoys": found, "n_caught": sum(1 for decoy in found if decoy.answer == decoy.Answer.REJECTED)}


def with_bounds(view: NoteView, target: ReviewItem, data: Mapping[str, Any]) -> tuple[NoteView, Span]:
    """The note with a span that waits for its label where the checked form moves it, and that place.

    Raises SpanError.
    """
    text = view.document.text
    span = moved(text, data["fragments"] or source_of(target).span, data)
    key = f"i{target.public_id}"
    queue = [replace(mark, span=span, surface=span.surface(text)) if mark.key == key else mark for mark in view.queue]
    return replace(view, queue=queue), span


def with_alike(context: dict[str, Any]) -> dict[str, Any]:
    """The context with all that reads like the span in focus, for the card that decides on all of it."""
    target = target_for(note_item=context["note_item"], key=context["focus"]) if context["focus"] else None
    if target is None or context["mark"].is_masked:
        return context
    return context | alike_context(context["note_item"], target)


def with_missed(context: dict[str, Any], *, reader: User, number: int) -> dict[str, Any]:
    """The context with what may have been missed, where nothing is left to decide: `number` (from 0) is in focus."""
    if context["view"].queue or context["mark"] is not None or context["is_done"] or context["is_by_span"]:
        return context
    return context | missed_context(context["view"], missed_in(context["view"], reader=reader), number)


def about_note(context: dict[str, Any]) -> dict[str, Any]:
    """The context for the card of the note's own labels; nothing is decided on the span in focus meanwhile."""
    about = {"is_about_note": True, "told": told_of_labels(context["note_labels"]), "remark_key": ""}
    return context | remarks_context(context["note_item"], about=None) | about | _UNDECIDED


def new_span_context(span: NewSpan) -> dict[str, Any]:
    """What card and action bar show of a span to be added, over `note_context`."""
    return {
        "new_span": span,
        "told": f"New span: {Truncator(span.surface).chars(80)}. Choose its label.",
        "remarks": [],
        "may_remark": False,
        **_UNDECIDED,
    }


def said_of(decisions: Sequence[Decision], view: NoteView) -> str:
    """What was decided, in words, and what the model says where that was hidden until now."""
    decision = main_of(decisions)
    n_tied = sum(1 for each in decisions if each.made_relation_id or each.withdrew_relation_id)
    n_spans = sum(1 for each in decisions if each.item_id or each.made_id or each.withdrew_id)
    about = _about(decision, view)
    is_cleared = decision.verdict == Decision.Verdict.CLASSIFY and not decision.made_value_id
    past = "taken back" if is_cleared else _PAST[decision.verdict]
    what = f"{about} {past}" if about else past.capitalize()
    what += f" {n_spans} times" if n_spans > 1 else ""
    what += f" with {n_tied} relation{'s' if n_tied > 1 else ''}" if n_tied and n_spans else ""
    revealed = revealed_by(decision)
    return f"{what}: {revealed.rstrip('.')}" if revealed else what


def revealed_by(decision: Decision) -> str:
    """What the model says of a span that was decided without it, in words; empty for any other decision."""
    item = decision.item
    if item is None or item.suggestion is None or not has_unmasked(decision):
        return ""
    is_rejected = decision.verdict == Decision.Verdict.REJECT
    return model_said(item.suggestion, item, is_rejected=is_rejected, now_said=decision.made)


def revealed_context(decision: Decision) -> dict[str, str]:
    """What the card says of it, with the span's own words, since it may be the card of the next."""
    revealed = revealed_by(decision)
    about = decision.item.suggestion.surface if revealed and decision.item and decision.item.suggestion else ""
    return {"revealed": revealed, "revealed_about": Truncator(about).chars(40)}


def drawn_note(view: NoteView, *, focus: str, queue: str = "") -> dict[str, Any]:
    """The whole text, for a full page; by span the lines around the span in focus."""
    if queue == BY_SPAN:
        mark = view.marks.get(focus)
        sections = draw_context(view, mark.span, current=focus) if mark else []
    else:
        sections = draw_note(view, current=focus)
    return {
        "sections": sections,
        "title": note_title(view.document),
        "n_words": len(view.document.text.split()),
    }


def changes(view: NoteView, *, decisions: Sequence[Decision], focus: str, told: str, queue: str = "") -> dict[str, Any]:
    """The lines and margins that decisions changed, and what is told of them before `told`.

    `queue` is the reason that the queue was narrowed to.
    """
    ties = [tie for each in decisions for tie in (each.made_relation, each.withdrew_relation) if tie]
    ends = [view.mark_of(thread) for tie in ties for thread in (tie.head, tie.tail)]
    spans = [*changed_spans(decisions), *(mark.span for mark in ends if mark)]
    drawn = [*spans, *(mark.span for mark in view.namesakes(spans))]
    numbers = {
        number
        for span in drawn
        for number, (start, end) in enumerate(view.lines)
        if start < span.end and span.start < end
    }
    return {
        "changed_lines": draw_lines(view, numbers, current=focus),
        "changed_sections": section_states(view, {section_at(view, span.start) for span in spans}),
        "told": f"{said_of(decisions, view)}, {view.n_open} left. {told}{_told_of_queue(view, queue)}",
    }


def redrawn(view: NoteView, *, focus: str, queue: str) -> dict[str, Any]:
    """Every line and margin, for a page that does not show the note as it is; by span all that it shows of the note."""
    if queue == BY_SPAN:
        return drawn_note(view, focus=focus, queue=queue)
    return {
        "changed_lines": draw_lines(view, range(len(view.lines)), current=focus),
        "changed_sections": section_states(view, range(len(view.sections))),
    }


def new_span(view: NoteView, *, start: int, end: int, exact: bool) -> NewSpan:
    """The selection as a span, grown to tokens or, where `exact`, to characters. Raises SpanError where it is none."""
    text = view.document.text
    span = Span.of(*(fit if exact else snap)(text, start, end))
    return NewSpan(span=span, surface=span.surface(text), selected=(start, end), is_exact=exact)


def _about(decision: Decision, view: NoteView) -> str:
    """What a decision is about: a label, a relation with its spans, or a value of the note; '' for the note itself."""
    if decision.item and is_masked(decision.item):
        return HIDDEN.name.capitalize()
    relation = decision.made_relation or decision.withdrew_relation
    if relation is not None:
        return words_of(relation.type, view.mark_of(relation.head), view.mark_of(relation.tail))
    values = [decision.made_value, decision.withdrew_value]
    value = next(filter(None, reversed(values) if decision.verdict == Decision.Verdict.UNDO else values), None)
    if value is not None:
        return f"{value.name} “{value.value}”"
    about = decision.put or decision.taken or (decision.item.asked if decision.item else None)
    return about.label if about else ""


def _told(view: NoteView, mark: Mark | None) -> str:
    if mark is None:
        return "No suggestion is left to decide."
    kind = _KINDS.get(mark.words, "Suggestion")
    words = [mark.label.name, *(value for _, value in sorted(mark.attributes.items()))]
    return f"{kind}: {Truncator(mark.surface).chars(80)}, {', '.join(words)}."


def _told_of_queue(view: NoteView, queue: str) -> str:
    """That the last suggestion of the chosen reason is decided, and the queue shows all again."""
    if queue not in REASONS or chosen_reason(view, queue) or not view.queue:
        return ""
    return f" That was the last for “{REASONS[queue][0]}”; the queue shows all."


def _position(view: NoteView, shown: NoteView, key: str) -> dict[str, int]:
    """Which of how many of the queue a suggestion is: as it is shown, or of all where it is not shown."""
    queue = next((queue for queue in (shown.queue, view.queue) if any(mark.key == key for mark in queue)), [])
    return {"position": next((n for n, mark in enumerate(queue, 1) if mark.key == key), 0), "n_queue": len(queue)}


def _first(view: NoteView) -> str:
    return view.queue[0].key if view.queue else ""
