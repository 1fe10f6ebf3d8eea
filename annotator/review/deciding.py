"""One decision on one span: accepted, rejected or edited. Each returns what it did, and raises DecisionConflict where
the span has changed since it was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.annotations.models import Annotation
from annotator.annotations.services import AnnotationExists, NewAnnotation, withdraw
from annotator.core.spans import Span
from annotator.review.blinding import is_masked
from annotator.review.desk import DecisionConflict, DecisionRefused, Desk, Outcome, close
from annotator.review.models import Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import Source, Target
from annotator.suggestions.models import Suggestion

_Verdict = Decision.Verdict


def accepted(desk: Desk, item: ReviewItem) -> Outcome:
    """The item's suggestion as the reviewer's own. Raises DecisionRefused where they do not see what it says."""
    if is_masked(item):
        raise DecisionRefused("What the model says here is hidden: give the label yourself.")
    return _taken(desk, item)


def _taken(desk: Desk, item: ReviewItem) -> Outcome:
    asked = asked_by(item)
    was_held = close(item)
    new = NewAnnotation(span=asked.span, label=asked.label, attributes=asked.attributes, origin_id=_origin_id(asked))
    try:
        return Outcome(_Verdict.ACCEPT, item=item, is_unasked=was_held, **_put(desk, asked, new))
    except AnnotationExists:  # a person has asserted just this already, and there is nothing to add
        return Outcome(_Verdict.ACCEPT, item=item, is_unasked=was_held)


def rejected(desk: Desk, target: Target) -> Outcome:
    """The suggestion closed, or the annotation withdrawn, whoever or whatever asserts it."""
    if isinstance(target, ReviewItem):
        return Outcome(_Verdict.REJECT, item=target, is_unasked=close(target))
    return Outcome(_Verdict.REJECT, **_withdrawn(target))


def edited(
    desk: Desk,
    target: Target,
    *,
    span: Span | None = None,
    label: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Outcome:
    """The target with another span, label or attributes; what is None stays as it is.

    Where the reviewer does not see what the model says, they give a label: the model's own, at its place, is accepted.
    A label that they have given there already is taken too: to refuse it would tell that the model's is another.
    """
    if isinstance(target, ReviewItem):
        asked = asked_by(target)
        is_hidden = is_masked(target)
        if is_hidden:
            if label is None:
                raise DecisionRefused("What the model says here is hidden: give the label as well.")
            if label == asked.label and span in (None, asked.span) and attributes is None:
                return _taken(desk, target)
        was_held = close(target)
        new = _changed(desk, asked, span, label, attributes, origin_id=_origin_id(asked))
        try:
            return Outcome(_Verdict.EDIT, item=target, is_unasked=was_held, **_put(desk, asked, new))
        except AnnotationExists:
            if is_hidden:
                return Outcome(_Verdict.EDIT, item=target, is_unasked=was_held)
            raise
    before = _withdrawn(target)
    new = _changed(desk, target, span, label, attributes, origin_id=target.origin_id, first_version=target.thread)
    return Outcome(_Verdict.EDIT, **before, **_put(desk, target, new))


def asked_by(item: ReviewItem) -> Suggestion | Decoy:
    """What a span item asks about. Raises DecisionRefused for a note, which is no suggestion."""
    asked = item.asked
    if asked is None:
        raise DecisionRefused("Only a suggestion can be accepted.")
    return asked


def _origin_id(asked: Suggestion | Decoy) -> int | None:
    return asked.pk if isinstance(asked, Suggestion) else None


def _put(desk: Desk, source: Source, new: NewAnnotation) -> dict[str, Any]:
    """Put `new` into the note in the place of `source`; what an Outcome says of it. Of a decoy it is no annotation."""
    if isinstance(source, Decoy):
        return {"made_answer": desk.answer(source, new)}
    if isinstance(source, DecoyAnswer):
        return {"made_answer": desk.answer(source.decoy, new)}
    return {"made": desk.add(new)}


def _changed(
    desk: Desk,
    source: Source,
    span: Span | None,
    label: str | None,
    attributes: Mapping[str, str] | None,
    *,
    origin_id: int | None,
    first_version: str = "",
) -> NewAnnotation:
    label = label or source.label
    known = source.attributes if attributes is None else {**source.attributes, **attributes}
    allowed = {attribute.name for attribute in desk.schema_version.schema.attributes_of(label)}
    return NewAnnotation(
        span=span or source.span,
        label=label,
        attributes={name: value for name, value in known.items() if name in allowed},
        origin_id=origin_id,
        first_version=first_version,
    )


def _withdrawn(said: Annotation | DecoyAnswer) -> dict[str, Any]:
    """Withdraw it; what an Outcome says of that."""
    if not withdraw(said):
        raise DecisionConflict("This span has been changed already.")
    return {"withdrew_answer" if isinstance(said, DecoyAnswer) else "withdrew": said}
