"""The queue of a note by reason: what of it is shown, and the chips that choose. By span, it is the span in focus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from annotator.review.selectors import NoteView

# In the place of a reason: the page shows one span with its context, and goes on to the next of the project.
BY_SPAN = "span"


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice of what the queue shows; `reason` is empty for all of it."""

    reason: str
    word: str
    icon: str
    n_open: int
    is_chosen: bool


def chosen_reason(view: NoteView, reason: str) -> str:
    """`reason`, or '' (all) where no open suggestion has it."""
    return reason if reason == BY_SPAN or any(mark.reason == reason for mark in view.queue) else ""


def within(view: NoteView, reason: str, *, focus: str = "") -> NoteView:
    """The note with only the suggestions in its queue that `reason` shows; by span, only the one of key `focus`."""
    if reason == BY_SPAN:
        return replace(view, queue=[mark for mark in view.queue if mark.key == focus])
    if not chosen_reason(view, reason):
        return view
    return replace(view, queue=[mark for mark in view.queue if mark.reason == reason])


def chips(view: NoteView, reason: str, *, reasons: Mapping[str, tuple[str, str]]) -> list[Chip]:
    """All, then every reason that occurs, in the order of `reasons` (word and icon); none by span, or with no queue."""
    if not view.queue or reason == BY_SPAN:
        return []
    chosen = chosen_reason(view, reason)
    counts = Counter(mark.reason for mark in view.queue)
    every = Chip("", "All", "", view.n_open, not chosen)
    return [
        every,
        *(
            Chip(name, word[:1].upper() + word[1:], icon, counts[name], name == chosen)
            for name, (word, icon) in reasons.items()
            if counts[name]
        ),
    ]
