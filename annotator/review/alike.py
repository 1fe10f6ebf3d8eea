"""What the page shows of the mentions that read like the span in focus, before one decision goes for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotator.annotations.models import Annotation
from annotator.review.models import ReviewItem
from annotator.review.selectors import Target, source_of
from annotator.review.spreading import MOST, mentions_like

_CONTEXT = 30  # characters to each side
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A mention in its surroundings, and what will become of it if all are accepted."""

    before: str
    surface: str
    after: str
    becomes: str


def alike_context(note_item: ReviewItem, target: Target) -> dict[str, Any]:
    """The mentions for the card: the first ones in full, and how many there are. Two queries."""
    mentions = mentions_like(note_item=note_item, target=target)
    label = source_of(target).label
    text = note_item.document.text
    return {
        "alike": [
            Shown(
                before=text[max(mention.span.start - _CONTEXT, 0) : mention.span.start],
                surface=mention.span.surface(text),
                after=text[mention.span.end : mention.span.end + _CONTEXT],
                becomes=_becomes(mention.items, mention.annotations, label),
            )
            for mention in mentions[:SHOWN]
        ],
        "n_mentions": len(mentions),
        "n_others": max(len(mentions) - SHOWN, 0),
        "is_too_many": len(mentions) > MOST,
    }


def _becomes(items: tuple[ReviewItem, ...], annotations: tuple[Annotation, ...], label: str) -> str:
    if annotations:
        labels = ", ".join(sorted({annotation.label for annotation in annotations}))
        if any(annotation.certificate_id for annotation in annotations):
            return f"stays {labels}, as it was accepted"
        return f"stays {labels}, as you labelled it"
    if not items:
        return f"{label}, added"
    suggested = {source_of(item).label for item in items}
    return f"{label}, as suggested" if label in suggested else f"{label}, instead of {', '.join(sorted(suggested))}"
