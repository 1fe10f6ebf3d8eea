"""What the card says of a span: where it comes from, what speaks against it, and what helps to decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Subquery

from annotator.annotations.models import Annotation
from annotator.certificates.models import BatchMember
from annotator.core.doubts import LabelShares, Sign, label_shares, level, signs
from annotator.core.guidance import in_short, passage_about
from annotator.core.schema import Attribute, Label, Schema
from annotator.core.spans import Span
from annotator.core.text import excerpt
from annotator.core.wording import ago_words
from annotator.projects.models import Membership
from annotator.projects.selectors import current_guideline
from annotator.review.models import Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import Mark, NoteView, Source, Target, labeler_of, span_items
from annotator.review.similar import AFTER_CHARS, BEFORE_CHARS, SimilarDecision, similar_decisions
from annotator.suggestions.models import Suggestion

CONTEXT_CHARS = 60
DEFINITION_CHARS = 160
_MINUTE = 60
_COUNTS = {1: "One similar decision", 2: "Two similar decisions", 3: "Three similar decisions"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the card's bar, in per cent of its width; `colour` is empty for what is no label."""

    kind: str
    start: float
    width: float
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A number in [0, 1] as a bar, or the shares of the labels; `key` says its parts in words."""

    parts: list[Part]
    summary: str
    key: list[str]


@dataclass(frozen=True, slots=True)
class Similar:
    """An earlier decision as one line of the card."""

    before: str
    surface: str
    after: str
    label: Label | None
    words: str
    who: str
    ago: str


def card_context(
    view: NoteView, mark: Mark, target: Target | None, *, membership: Membership, now: datetime
) -> dict[str, Any]:
    """What the card shows of the span `mark`, whose row is `target`. Four queries, whatever the project holds, and one
    more of what a certificate accepted; of a blind audit the span in its surroundings alone, since all else would tell
    of the label.
    """
    if mark.is_masked:
        return {"quote": _quote(view.document.text, mark.span)}
    suggestion = target.asked if isinstance(target, ReviewItem) else None
    annotation = None if isinstance(target, ReviewItem) else target
    origin = suggestion or (annotation.origin if annotation else None)
    guideline = current_guideline(view.document.project)
    similar = similar_decisions(
        note_item=view.note_item,
        reader=membership.user,
        surface=mark.surface,
        leave_out=annotation if isinstance(annotation, Annotation) else None,
    )
    return {
        "attributes": attribute_choices(view.schema, mark),
        "quote": _quote(view.document.text, mark.span),
        "suggestion": suggestion,
        "annotation": annotation,
        "labeler": labeler_of(origin) if origin else None,
        "guideline": guideline if guideline and guideline.text else None,
        "passage": passage_about(mark.label.name, guideline.text) if guideline else None,
        "definition_in_short": in_short(mark.label.definition, DEFINITION_CHARS),
        "similar": [_shown(found, view.schema, membership, now) for found in similar],
        "similar_title": _COUNTS.get(len(similar), ""),
        **(_of_suggestion(view.schema, target, suggestion) if suggestion and isinstance(target, ReviewItem) else {}),
        **(_of_annotation(view.schema, annotation, membership, now) if annotation and annotation.annotator else {}),
        **(
            _of_certified(view.note_item, annotation)
            if isinstance(annotation, Annotation) and annotation.certificate
            else {}
        ),
    }


def model_said(suggestion: Suggestion, item: ReviewItem, *, is_rejected: bool, now_said: Annotation | None) -> str:
    """What a blind audit had hidden, in words, beside what the reviewer has said: that there is no span, or an
    annotation, which is None where they had said so before.
    """
    value, name = (suggestion.score, "score") if item.confidence is None else (item.confidence, "confidence")
    words = ", ".join([suggestion.label, *(word for _, word in sorted(suggestion.attributes.items()))])
    if is_rejected:
        own = "you say there is no span"
    elif now_said is None:
        own = "you had said what you say now"
    elif now_said.label != suggestion.label:
        own = f"you say {now_said.label}"
    else:
        own = "you say the same" if now_said.fragments == suggestion.fragments else "you say the same of another place"
    return f"the model says {words}, with a {name} of {value:.2f}; {own}."


def attribute_choices(schema: Schema, mark: Mark) -> list[tuple[Attribute, str, list[tuple[Any, bool, str]]]]:
    """Each attribute of the mark's label with its values: (value, whether it is set, what pressing it sets).

    Pressing the value that is set goes back to the default.
    """
    choices = []
    for attribute in schema.attributes_of(mark.label.name):
        current = mark.attributes.get(attribute.name, attribute.default)
        values = [
            (value, value.name == current, attribute.default if value.name == current else value.name)
            for value in attribute.values
        ]
        choices.append((attribute, current, values))
    return choices


def _of_suggestion(schema: Schema, item: ReviewItem, suggestion: Suggestion | Decoy) -> dict[str, Any]:
    """The verdict in words: on the confidence, or on the raw score for as long as nothing is calibrated."""
    score, confidence = suggestion.score, item.confidence
    shares = label_shares(label=suggestion.label, signals=suggestion.signals)
    value, name, basis = (
        (score, "score", "raw, not calibrated")
        if confidence is None
        else (confidence, "confidence", f"calibrated, raw {score:.2f}")
    )
    return {
        "verdict": f"{level(value)} {name}",
        "figure": f"{value:.2f}",
        "basis": basis,
        "bar": _bar_of_shares(schema, shares) if shares else _bar_of(schema, suggestion.label, value, name),
        "runner_up": shares.runner_up if shares else "",
        "signs": _signs(suggestion),
    }


def _of_annotation(
    schema: Schema, annotation: Annotation | DecoyAnswer, membership: Membership, now: datetime
) -> dict[str, Any]:
    """Who made an annotation, and whether a suggestion was taken as it stood or changed for it."""
    origin = annotation.origin
    who = "you" if annotation.annotator_id == membership.user_id else annotation.person.get_username()
    is_as_suggested = origin is not None and _asserted(schema, origin) == _asserted(schema, annotation)
    done = "added" if origin is None else "accepted" if is_as_suggested else "changed"
    return {"made": f"{done} by {who}", "made_ago": _ago(annotation.created_at, now)}


def _of_certified(note_item: ReviewItem, annotation: Annotation) -> dict[str, Any]:
    """Under which certificate a span was accepted, and how confident the model was of it. One query.

    What came after the frozen batch is accepted as an extrapolation, with the confidence that its item has.
    """
    certificate = annotation.certificate
    if certificate is None or annotation.origin is None:
        raise ValueError("a person asserts this, no certificate")
    member = BatchMember.objects.filter(batch=certificate.batch_id, suggestion=annotation.origin_id)
    of_item = span_items(note_item).filter(suggestion=annotation.origin_id)
    confidences = of_item.annotate(frozen=Subquery(member.values("confidence")[:1])).values_list("frozen", "confidence")
    frozen, current = next(iter(confidences), (None, None))
    confidence = current if frozen is None else frozen
    value, name = (annotation.origin.score, "score") if confidence is None else (confidence, "confidence")
    return {
        "certificate": certificate,
        "is_extrapolated": frozen is None,
        "verdict": f"{level(value)} {name}",
        "figure": f"{value:.2f}",
        "target_percent": f"{100 * certificate.batch.target:g}",
    }


def _asserted(schema: Schema, source: Source) -> tuple[str, str, dict[str, str]]:
    """What is said of which place; an attribute that is not given is the default."""
    defaults = {attribute.name: attribute.default for attribute in schema.attributes_of(source.label)}
    return source.fragments, source.label, defaults | source.attributes


def _signs(suggestion: Suggestion | Decoy) -> list[Sign]:
    bounds = ", ".join(f"{start}–{end}" for start, end in suggestion.span.fragments)
    return signs(
        label=suggestion.label, alignment=suggestion.alignment, place=f"at {bounds}", signals=suggestion.signals
    )


def _bar_of(schema: Schema, label: str, value: float, name: str) -> Bar:
    width = 100 * min(max(value, 0.0), 1.0)
    parts = [Part("first", 0.0, width, _colour(schema, label)), Part("rest", width, 100 - width)]
    return Bar(parts=parts, summary=f"{name.capitalize()} {value:.2f} of 1", key=[])


def _bar_of_shares(schema: Schema, shares: LabelShares) -> Bar:
    named = [("first", shares.label, shares.share), ("second", shares.runner_up, shares.runner_up_share)]
    parts, key, at = [], [], 0.0
    for kind, name, share in named:
        if name:
            parts.append(Part(kind, 100 * at, 100 * share, _colour(schema, name)))
            key.append(f"{name} {share:.2f}")
            at += share
    parts.append(Part("rest", 100 * at, 100 * shares.rest))
    key.append(f"other labels {shares.rest:.2f}")
    return Bar(parts=parts, summary=f"The model's labels: {', '.join(key)}", key=key)


def _colour(schema: Schema, name: str) -> str:
    return next((label.colour for label in schema.labels if label.name == name), "")


def _shown(found: SimilarDecision, schema: Schema, membership: Membership, now: datetime) -> Similar:
    """Only leads are told which other person it was."""
    is_lead = membership.role == Membership.Role.LEAD
    defaults = {attribute.name: attribute.default for attribute in schema.attributes}
    values = [value for name, value in sorted(found.attributes.items()) if value != defaults.get(name)]
    return Similar(
        before=_line_before(found.before),
        surface=excerpt(found.surface, CONTEXT_CHARS),
        after=_line_after(found.after),
        label=next((label for label in schema.labels if label.name == found.label), None),
        words=", ".join([found.label, *values]),
        who="You" if found.is_own else found.annotator.get_username() if is_lead else "Another reader",
        ago=_ago(found.made_at, now),
    )


def _line_before(window: str) -> str:
    line = excerpt(window, BEFORE_CHARS)
    if len(window) == BEFORE_CHARS:
        line = line.partition(" ")[2]
    return f"{line} " if line and window[-1].isspace() else line


def _line_after(window: str) -> str:
    line = excerpt(window, AFTER_CHARS)
    if len(window) == AFTER_CHARS:
        line = line.rpartition(" ")[0]
    return f" {line}" if line and window[0].isspace() else line


def _ago(then: datetime, now: datetime) -> str:
    seconds = (now - then).total_seconds()
    return "just now" if seconds < _MINUTE else ago_words(seconds)


def _quote(text: str, span: Span) -> dict[str, Any]:
    """The span in its surroundings: text before, its fragments and gaps, text after; cut at words."""
    before, after = text[max(span.start - CONTEXT_CHARS, 0) : span.start], text[span.end : span.end + CONTEXT_CHARS]
    if span.start > CONTEXT_CHARS:
        before = before[before.find(" ") + 1 :]
    if span.end + CONTEXT_CHARS < len(text):
        after = after[: after.rfind(" ") + 1]
    parts, at = [], span.start
    for start, end in span.fragments:
        if at < start:
            parts.append((text[at:start], False))
        parts.append((text[start:end], True))
        at = end
    return {"before": before, "parts": parts, "after": after}
