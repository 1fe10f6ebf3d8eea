"""One decision for every mention in the note that reads alike, as a batch that is undone as one.

Accepted, all of them get the label of the first: a suggestion there is accepted or relabelled and keeps its attributes,
since these are about its own surroundings ("no pain"); where there is none, a span like the first is added. What a
person has labelled, or a certificate accepted, is left as it is. Rejected, suggestions and annotations of the same text
and label go. Held suggestions are decided with the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.core.mentions import alike
from annotator.core.spans import Span
from annotator.review.blinding import is_masked
from annotator.review.deciding import accepted, edited, rejected
from annotator.review.desk import DecisionRefused, Desk, Outcome
from annotator.review.models import Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import Target, live_annotations, source_of, waiting_items

MOST = 200  # mentions at once


@dataclass(frozen=True, slots=True)
class Mention:
    """Another place that reads like the span, with the open or held items and live annotations that are there."""

    span: Span
    items: tuple[ReviewItem, ...] = ()
    annotations: tuple[Annotation, ...] = ()


def others_alike(text: str, span: Span, surface: str) -> list[Span]:
    """The other places in the text that read like the span; none where it is in pieces."""
    return [] if span.is_discontinuous else [other for other in alike(text, surface) if other != span]


def mentions_like(*, note_item: ReviewItem, target: Target) -> list[Mention]:
    """The other places in the note that read like the target, in order, but for those of blind audits. Two queries.

    A decoy stands on words that its note has once (`review.decoying`), so none is among them, nor has one of its own.
    """
    source = source_of(target)
    if isinstance(source, Decoy | DecoyAnswer):
        return []
    text = note_item.document.text
    places = others_alike(text, source.span, source.surface)
    items: dict[str, list[ReviewItem]] = {}
    annotations: dict[str, list[Annotation]] = {}
    wanted = [str(span) for span in places]
    waiting = waiting_items(note_item).filter(suggestion__fragments__in=wanted)
    for item in waiting.select_related("suggestion").order_by("pk"):
        item.document = note_item.document
        items.setdefault(source_of(item).fragments, []).append(item)
    for annotation in live_annotations(note_item).filter(fragments__in=wanted).order_by("pk"):
        annotations.setdefault(annotation.fragments, []).append(annotation)
    mentions = [
        Mention(span, tuple(items.get(str(span), ())), tuple(annotations.get(str(span), ()))) for span in places
    ]
    return [mention for mention in mentions if not any(is_masked(item) for item in mention.items)]


def spread(desk: Desk, target: Target, *, is_rejected: bool) -> list[Outcome]:
    """Decide on the target and all that read like it. Raises DecisionRefused where nothing else does."""
    if isinstance(target, ReviewItem) and is_masked(target):
        raise DecisionRefused("What the model says here is hidden: decide on it alone.")
    mentions = mentions_like(note_item=desk.note_item, target=target)
    if len(mentions) > MOST:
        raise DecisionRefused(f"{len(mentions)} mentions read like this; {MOST} is the most that can be done at once.")
    outcomes = _rejected(desk, target, mentions) if is_rejected else _accepted(desk, target, mentions)
    if not outcomes:
        raise DecisionRefused("No other mention in this note reads like this and is still open.")
    return outcomes


def _accepted(desk: Desk, target: Target, mentions: list[Mention]) -> list[Outcome]:
    source = source_of(target)
    outcomes = [accepted(desk, target)] if isinstance(target, ReviewItem) else []
    for mention in mentions:
        if mention.annotations:
            continue
        same = next((item for item in mention.items if source_of(item).label == source.label), None)
        item = same or next(iter(mention.items), None)
        if item is None:
            new = NewAnnotation(span=mention.span, label=source.label, attributes=source.attributes)
            outcomes.append(Outcome(Decision.Verdict.ADD, made=desk.add(new)))
        elif item is same:
            outcomes.append(accepted(desk, item))
        else:
            outcomes.append(edited(desk, item, label=source.label))
    return outcomes


def _rejected(desk: Desk, target: Target, mentions: list[Mention]) -> list[Outcome]:
    label = source_of(target).label
    all_of_them: list[Target] = [target]
    for mention in mentions:
        all_of_them += [item for item in mention.items if source_of(item).label == label]
        all_of_them += [annotation for annotation in mention.annotations if annotation.label == label]
    return [rejected(desk, each) for each in all_of_them]
