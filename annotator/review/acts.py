"""From a posted form to an act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from annotator.annotations.models import Annotation
from annotator.core.spans import Span
from annotator.core.tokens import Edge, move_boundary, set_bounds
from annotator.review import services
from annotator.review.filters import BY_SPAN
from annotator.review.models import ReviewItem
from annotator.review.relations import relation_for
from annotator.review.selectors import Target, source_of, target_for

_ASKED = (
    *("target", "fragments", "verdict", "label", "dismiss", "attribute", "move", "bounds", "alike"),
    *("relate", "relation", "unrelate", "classify"),
)
_OF_THE_NOTE: dict[str, type[services.Redo | services.FinishNote]] = {
    "redo": services.Redo,
    "note_done": services.FinishNote,
}


def asked_of(data: Mapping[str, Any]) -> str:
    """What the checked form asks for, in words that are the same whenever it is sent again."""
    return ", ".join(f"{name} {data[name]}" for name in _ASKED if data[name])


def act_of(note_item: ReviewItem, target: Target | None, data: Mapping[str, Any]) -> services.Act | None:
    """What the checked form asks for of its target; None where that is gone. Raises DecisionRefused."""
    if data["verdict"] == "undo":
        return services.Undo(is_own=data["queue"] == BY_SPAN)
    if data["verdict"] in _OF_THE_NOTE:
        return _OF_THE_NOTE[data["verdict"]]()
    if data["classify"]:
        name, _, value = data["classify"].partition("=")
        return services.Classify(name=name, value=value)
    if data["unrelate"]:
        relation = relation_for(note_item=note_item, public_id=data["unrelate"])
        return None if relation is None else services.Unrelate(relation)
    if data["dismiss"] or (data["label"] and not data["target"]):
        return _add_or_dismiss(data)
    if not data["target"]:
        raise services.DecisionRefused("Choose a span first.")
    if target is None:
        return None
    return _relate(note_item, target, data) if data["relation"] else _act_on(note_item, target, data)


def _add_or_dismiss(data: Mapping[str, Any]) -> services.Add | services.Dismiss:
    if data["fragments"] is None:
        raise services.DecisionRefused("Select the text of the new span first.")
    if data["dismiss"]:
        return services.Dismiss(span=data["fragments"], label=data["dismiss"])
    return services.Add(span=data["fragments"], label=data["label"])


def _act_on(note_item: ReviewItem, target: Target, data: Mapping[str, Any]) -> services.Act:
    verdict = data["verdict"]
    if not verdict:
        return _edit_of(note_item.document.text, target, data)
    if data["alike"]:
        return services.Spread(target=target, is_rejected=verdict == "reject")
    if verdict == "reject":
        return services.Reject(target=target)
    if not isinstance(target, ReviewItem):
        accepted = "accepted" if isinstance(target, Annotation) and target.certificate_id else "your own"
        raise services.DecisionRefused(f"This span is {accepted} already.")
    return services.Accept(item=target) if verdict == "accept" else services.Skip(item=target)


def _relate(note_item: ReviewItem, target: Target, data: Mapping[str, Any]) -> services.Relate | None:
    """A relation between the target and the span that it was drawn from."""
    first = target_for(note_item=note_item, key=data["relate"])
    if first is None:
        return None
    if not isinstance(first, Annotation) or not isinstance(target, Annotation):
        raise services.DecisionRefused("Accept the suggestion first: a relation joins spans that are decided.")
    way, _, type = data["relation"].partition(":")
    head, tail = (first, target) if way == "out" else (target, first)
    return services.Relate(type, head=head, tail=tail)


def _edit_of(text: str, target: Target, data: Mapping[str, Any]) -> services.Edit:
    """What the checked form changes of the target."""
    if data["label"]:
        return services.Edit(target=target, label=data["label"], span=data["fragments"])
    if data["attribute"]:
        name, _, value = data["attribute"].partition("=")
        return services.Edit(target=target, attributes={name: value})
    return services.Edit(target=target, span=moved(text, source_of(target).span, data))


def moved(text: str, span: Span, data: Mapping[str, Any]) -> Span:
    """The span with the bounds that the checked form asks for. Raises SpanError."""
    if data["bounds"]:
        return set_bounds(text, span, *data["bounds"])
    edge, step, *exact = data["move"].split(":")
    return move_boundary(text, span, cast(Edge, edge), cast(Literal[-1, 1], int(step)), exact=bool(exact))
