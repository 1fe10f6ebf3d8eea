"""One decision on one span: accepted, rejected or edited. Each returns what it did, and raises DecisionConflict where
the span has changed since it was read."""

from __future__ import annotations

from collections.abc import Mapping

from annotator.annotations.models import Annotation
from annotator.annotations.services import AnnotationExists, NewAnnotation, withdraw
from annotator.core.spans import Span
from annotator.review.blinding import is_masked
from annotator.review.desk import DecisionConflict, DecisionRefused, Desk, Outcome, close
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import Suggestion

_Verdict = Decision.Verdict


def accepted(desk: Desk, item: ReviewItem) -> Outcome:
    """The item's suggestion as the reviewer's own. Raises DecisionRefused where they do not see what it says."""
    if is_masked(item):
        raise DecisionRefused("What the model says here is hidden: give the label yourself.")
    return _taken(desk, item)


def _taken(desk: Desk, item: ReviewItem) -> Outcome:
    suggestion = suggestion_of(item)
    was_held = close(item)
    new = NewAnnotation(
        span=suggestion.span, label=suggestion.label, attributes=suggestion.attributes, origin_id=suggestion.pk
    )
    return Outcome(_Verdict.ACCEPT, item=item, made=_added(desk, new), is_unasked=was_held)


def _added(desk: Desk, new: NewAnnotation) -> Annotation | None:
    """The annotation; None where a person has asserted just this already, and there is nothing to add."""
    try:
        return desk.add(new)
    except AnnotationExists:
        return None


def rejected(desk: Desk, target: ReviewItem | Annotation) -> Outcome:
    """The suggestion closed, or the annotation withdrawn, whoever or whatever asserts it."""
    if isinstance(target, ReviewItem):
        return Outcome(_Verdict.REJECT, item=target, is_unasked=close(target))
    _withdraw(target)
    return Outcome(_Verdict.REJECT, withdrew=target)


def edited(
    desk: Desk,
    target: ReviewItem | Annotation,
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
        suggestion = suggestion_of(target)
        is_hidden = is_masked(target)
        if is_hidden:
            if label is None:
                raise DecisionRefused("What the model says here is hidden: give the label as well.")
            if label == suggestion.label and span in (None, suggestion.span) and attributes is None:
                return _taken(desk, target)
        was_held = close(target)
        new = _changed(desk, suggestion, span, label, attributes, origin_id=suggestion.pk)
        made = _added(desk, new) if is_hidden else desk.add(new)
        return Outcome(_Verdict.EDIT, item=target, made=made, is_unasked=was_held)
    _withdraw(target)
    made = desk.add(
        _changed(desk, target, span, label, attributes, origin_id=target.origin_id, first_version=target.thread)
    )
    return Outcome(_Verdict.EDIT, withdrew=target, made=made)


def suggestion_of(item: ReviewItem) -> Suggestion:
    """What a span item asks about. Raises DecisionRefused for a note, which is no suggestion."""
    if item.suggestion is None:
        raise DecisionRefused("Only a suggestion can be accepted.")
    return item.suggestion


def _changed(
    desk: Desk,
    source: Suggestion | Annotation,
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


def _withdraw(annotation: Annotation) -> None:
    if not withdraw(annotation):
        raise DecisionConflict("This span has been changed already.")
