"""What the page shows of relations and of the labels of the note as a whole, and which of them it offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator

from annotator.core.schema import LABEL_KEYS, DocumentLabel, RelationType, Schema
from annotator.review.selectors import Mark, NoteView

SAID_CHARS = 40
NONE = "not given"


@dataclass(frozen=True, slots=True)
class Tie:
    """A relation of the span in focus: the span at its other end, and whether it goes there or comes from there."""

    public_id: str
    type: str
    other: Mark
    is_out: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A relation that may join two spans. `asked` is what the form posts for it; `stands`: they are joined so."""

    asked: str
    type: RelationType
    head: Mark
    tail: Mark
    stands: bool


@dataclass(frozen=True, slots=True)
class Relating:
    """A relation that is being drawn from `first` to the span in focus, `second`; None while that is `first` itself.

    `waits` is the one of them that is a suggestion. `reach` says of each type that `first` may have to which labels it
    goes or from which it comes: (type, arrow, labels).
    """

    first: Mark
    second: Mark | None
    offers: Sequence[Offer]
    waits: Mark | None
    reach: Sequence[tuple[str, str, str]]

    @property
    def sole(self) -> Offer | None:
        """The one that is meant without a choice, where a single type fits: the way out goes before the way in."""
        if len({offer.type.name for offer in self.offers}) != 1 or self.offers[0].stands:
            return None
        return self.offers[0]


@dataclass(frozen=True, slots=True)
class NoteLabel:
    """A document label and its value, '' for none; each choice is (value, whether it is set, what it posts, key)."""

    label: DocumentLabel
    value: str
    choices: Sequence[tuple[str, bool, str, str]]


def ties_of(view: NoteView, mark: Mark) -> list[Tie]:
    """The relations of a span of the note, oldest first."""
    ends = [(joined, f"a{joined.head}", f"a{joined.tail}") for joined in view.relations]
    return [
        Tie(joined.public_id, joined.type, view.marks[tail if mark.key == head else head], mark.key == head)
        for joined, head, tail in ends
        if mark.key in (head, tail) and head in view.marks and tail in view.marks
    ]


def can_relate(schema: Schema, label: str) -> bool:
    """Whether any relation may have a span of that label at one of its ends."""
    return any(label in (*relation.heads, *relation.tails) for relation in schema.relations)


def other_end(view: NoteView, first: Mark, focus: str) -> str:
    """The key of the span to show for the other end: the one in focus, else the nearest that may be joined."""
    if focus != first.key and focus in view.marks:
        return focus
    joined = {tie.other.key for tie in ties_of(view, first)}
    free = [mark for mark in _partners(view, first) if mark.key not in joined]
    if first.is_suggestion or not free:
        return first.key
    return min(free, key=lambda mark: _distance(first, mark)).key


def relating_context(view: NoteView, first: Mark, mark: Mark, *, in_queue: str) -> dict[str, Any]:
    """What card and action bar show while a relation is drawn from `first`, over `note_context` for `mark`."""
    second = mark if mark.key != first.key else None
    offers = _offers(view, first, second) if second else []
    waits = next((each for each in (first, second) if each and each.is_suggestion), None)
    relating = Relating(first, second, offers, waits if offers or not second else None, _reach(view.schema, first))
    keys = [each.key for each in _partners(view, first)]
    at = keys.index(mark.key) if mark.key in keys else -1
    return {
        "relating": relating,
        "target": relating.waits.key if relating.waits else mark.key,
        "can_change": False,
        "can_accept": relating.waits is not None,
        "can_skip": False,
        "can_walk": bool(keys),
        "previous": keys[max(at, 0) - 1] if keys else "",
        "next": keys[(at + 1) % len(keys)] if keys else "",
        "walk": f"{in_queue}&relate={first.key}",
        "told": _told(relating),
    }


def note_labels(view: NoteView) -> list[NoteLabel]:
    """The document labels with their values, and a key for each choice as far as there are keys."""
    keys = iter(LABEL_KEYS)
    found = []
    for label in view.schema.document_labels:
        current = view.values.get(label.name, "")
        choices = [
            (value, value == current, f"{label.name}={'' if value == current else value}", next(keys, ""))
            for value in label.values
        ]
        found.append(NoteLabel(label, current, choices))
    return found


def told_of_labels(labels: Iterable[NoteLabel]) -> str:
    """The labels of the note and their values, in words."""
    return f"Labels of the note: {'; '.join(f'{each.label.name} {each.value or NONE}' for each in labels)}."


def words_of(type: str, head: Mark | None, tail: Mark | None) -> str:
    """A relation in words, with the text of its spans as far as they are still there."""
    if head is None or tail is None:
        return type
    return f"{type}: {_short(head)} → {_short(tail)}"


def _short(mark: Mark) -> str:
    return Truncator(mark.surface).chars(SAID_CHARS)


def _told(relating: Relating) -> str:
    first, second = relating.first, relating.second
    start = f"Relation from {_short(first)}."
    if relating.waits:
        return f"{start} {_short(relating.waits)} is a suggestion: accept it first."
    if second is None:
        return f"{start} No other span of this note fits."
    said = f"{start} Other span: {_short(second)}, {second.label.name}."
    if not relating.offers:
        return f"{said} No relation joins these two."
    return f"{said} {', or '.join(words_of(each.type.name, each.head, each.tail) for each in relating.offers)}."


def _partners(view: NoteView, first: Mark) -> list[Mark]:
    """The other spans that some relation may join with `first`, in the order of the text."""
    return [mark for mark in view.marks.values() if mark.key != first.key and _types(view.schema, first, mark)]


def _types(schema: Schema, first: Mark, second: Mark) -> list[tuple[RelationType, bool]]:
    """The types that may join the two, and whether they go out from the first."""
    one, other = first.label.name, second.label.name
    out = [(type, True) for type in schema.relations_between(one, other)]
    return out + [(type, False) for type in schema.relations_between(other, one)]


def _offers(view: NoteView, first: Mark, second: Mark) -> list[Offer]:
    standing = {(tie.type, tie.is_out) for tie in ties_of(view, first) if tie.other.key == second.key}
    return [
        Offer(
            asked=f"{'out' if is_out else 'in'}:{type.name}",
            type=type,
            head=first if is_out else second,
            tail=second if is_out else first,
            stands=(type.name, is_out) in standing,
        )
        for type, is_out in _types(view.schema, first, second)
    ]


def _reach(schema: Schema, first: Mark) -> list[tuple[str, str, str]]:
    label = first.label.name
    sides = [(type, "→", type.tails) for type in schema.relations if label in type.heads]
    sides += [(type, "←", type.heads) for type in schema.relations if label in type.tails]
    return [(type.name, arrow, ", ".join(labels)) for type, arrow, labels in sides]


def _distance(one: Mark, other: Mark) -> int:
    return max(other.span.start - one.span.end, one.span.start - other.span.end, 0)
