"""The card that asks whether anything was missed: a few places at a time, one of them in focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotator.core.doubts import level, second_reader
from annotator.core.missed import Missed
from annotator.core.schema import Label
from annotator.core.text import excerpt
from annotator.core.wording import counted
from annotator.review.selectors import NoteView

SHOWN = 8
_CONTEXT = 30  # characters to each side
_TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True, slots=True)
class Offered:
    """A place that may have been missed, in its surroundings, with why; `number` names it in the address."""

    number: int
    start: int
    end: int
    label: Label
    before: str
    surface: str
    after: str
    why: str


def missed_context(view: NoteView, found: Sequence[Missed], number: int) -> dict[str, Any]:
    """The likeliest for the card, the one of that `number` or the last in focus; nothing where there is none.

    A label that the schema has no longer is not offered.
    """
    labels = {label.name: label for label in view.schema.labels}
    usable = [one for one in found if one.label in labels]
    offered = [_offered(view.document.text, at, one, labels[one.label]) for at, one in enumerate(usable[:SHOWN])]
    if not offered:
        return {}
    current = offered[min(number, len(offered) - 1)]
    told = f"Anything missed? {current.number + 1} of {len(usable)}: {current.surface}, {current.why}."
    return {
        "offered": offered,
        "n_offered": len(usable),
        "n_further": len(usable) - len(offered),
        "missed": current,
        "missed_before": (current.number - 1) % len(offered),
        "missed_after": (current.number + 1) % len(offered),
        "told_missed": told,
    }


def _offered(text: str, number: int, one: Missed, label: Label) -> Offered:
    before = text[max(one.start - _CONTEXT, 0) : one.start]
    return Offered(
        number=number,
        start=one.start,
        end=one.end,
        label=label,
        before=before.partition(" ")[2] if one.start > _CONTEXT else before,
        surface=excerpt(text[one.start : one.end], 80),
        after=text[one.end : one.end + _CONTEXT],
        why=_why(one),
    )


def _why(one: Missed) -> str:
    if one.found is not None:
        who = second_reader(one.found.reader)
        return f"{one.label} by {who} only: {level(one.found.score).lower()} score"
    if one.n_here or one.record is None:
        return f"labelled {one.label} {_times(one.n_here)} in this note"
    notes = counted(one.record.n_notes, "other note")
    return f"labelled {one.label} {_times(one.record.n_spans)} in {notes}"


def _times(n: int) -> str:
    return _TIMES.get(n, f"{n:,} times")
