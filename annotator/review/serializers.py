"""Notes under review and decisions as the REST API shows and takes them."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.annotations.comments import MOST_CHARACTERS
from annotator.annotations.models import Comment
from annotator.annotations.serializers import (
    CERTIFICATE,
    PERSON,
    SOURCES,
    AnnotationSerializer,
    DocumentValueSerializer,
    JoinedSerializer,
    RelationSerializer,
)
from annotator.core.spans import Span
from annotator.review.forms import MOST_SECONDS
from annotator.review.models import Decision, Decoy, ReviewItem
from annotator.review.selectors import Mark
from annotator.web.api import FragmentsField, PageQuery, SpanSerializer, StrictSerializer

Verdict = Decision.Verdict
REDO = "redo"
_ITEM, _ANNOTATION = "item", "annotation"
# What a verdict wants: one of the targets, and what may or must be said besides.
_TARGETS = {
    Verdict.ACCEPT: {_ITEM},
    Verdict.REJECT: {_ITEM, _ANNOTATION},
    Verdict.EDIT: {_ITEM, _ANNOTATION},
    Verdict.SKIP: {_ITEM},
}
_CHANGES = ("fragments", "label", "attributes")
# What these want, all of it; no other verdict has any of it.
_WHOLE = {
    Verdict.RELATE: {"type", "head", "tail"},
    Verdict.UNRELATE: {"relation"},
    Verdict.CLASSIFY: {"document_label", "value"},
}
_OF_WHOLE = set().union(*_WHOLE.values())


class ReviewQuery(PageQuery):
    status = serializers.ChoiceField([ReviewItem.Status.OPEN, ReviewItem.Status.DECIDED], required=False)


class ReviewItemSerializer(serializers.Serializer):
    """A note in the hands of its reader."""

    id = serializers.CharField(source="public_id")
    document = serializers.CharField(source="document.public_id")
    status = serializers.ChoiceField(ReviewItem.Status.choices)
    lease_expires_at = serializers.DateTimeField(allow_null=True)


class _MarkSerializer(SpanSerializer):
    """Read from a Mark."""

    id = serializers.SerializerMethodField()
    start = serializers.IntegerField(source="span.start")
    end = serializers.IntegerField(source="span.end")
    fragments = FragmentsField(source="span")
    label = serializers.CharField(source="label.name")

    def get_id(self, mark: Mark) -> str:
        return mark.key[1:]


class OwnAnnotationSerializer(_MarkSerializer):
    """A span of the reader's own, or one that was accepted under a certificate. Read from a Mark."""

    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    certificate = serializers.SerializerMethodField(help_text="Id, where nobody has read the span.")

    @extend_schema_field(serializers.ChoiceField(SOURCES))
    def get_source(self, mark: Mark) -> str:
        return CERTIFICATE if mark.certificate else PERSON

    def get_certificate(self, mark: Mark) -> str | None:
        return mark.certificate or None


class OpenItemSerializer(_MarkSerializer):
    """A suggestion that waits for a decision, least certain first. Read from a Mark."""

    label = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="Null in a blind audit: give one, by edit, or reject."
    )
    score = serializers.FloatField(
        allow_null=True, help_text="The model's raw number; no probability. Null in a blind audit."
    )
    confidence = serializers.FloatField(
        allow_null=True, help_text="How likely it is right. Null without a calibrator, and in a blind audit."
    )
    reason = serializers.CharField(allow_blank=True, help_text="Why a person is asked.")

    def get_label(self, mark: Mark) -> str | None:
        return None if mark.is_masked else mark.label.name


class DecoySerializer(SpanSerializer):
    """A suggestion that was wrong on purpose, and what its reader made of it. Read from a Decoy."""

    answer = serializers.ChoiceField(Decoy.Answer.choices)


class HeldNoteSerializer(ReviewItemSerializer):
    """The note with its text, what waits in it, and what its reader has said. Read from a mapping."""

    id = serializers.CharField(source="note_item.public_id")
    status = serializers.ChoiceField(ReviewItem.Status.choices, source="note_item.status")
    lease_expires_at = serializers.DateTimeField(source="note_item.lease_expires_at", allow_null=True)
    note_type = serializers.CharField(source="document.note_type", allow_blank=True)
    text = serializers.CharField(source="document.text", help_text="Offsets count its Unicode code points.")
    items = OpenItemSerializer(source="queue", many=True)
    held = OpenItemSerializer(
        many=True, help_text="Tested for acceptance without review: nobody is asked, and they may be decided."
    )
    annotations = OwnAnnotationSerializer(many=True)
    relations = JoinedSerializer(many=True)
    document_labels = serializers.DictField(child=serializers.CharField(), help_text="Label of the note: its value.")
    decoys = DecoySerializer(many=True, help_text="Which suggestions were decoys; empty until the note is submitted.")


class TakeSerializer(StrictSerializer):
    """The note to be taken."""

    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", help_text="Id of the note.")


class NewDecisionSerializer(StrictSerializer):
    """One decision. `key` is yours: a request that is sent again with it is answered with the first decision.

    accept, skip: `item`. reject: `item` or `annotation`. edit: one of them and what changes. add: `fragments` and
    `label`. dismiss: the same, for a place that was looked at and has not this label. relate: `type`, `head` and
    `tail`. unrelate: `relation`. classify: `document_label` and `value`, which is empty where the value is taken back.
    undo, redo, note_done: nothing else.

    With `alike`, accept (then an `annotation` too) and reject go for all mentions in the note that read alike, and are
    undone as one.
    """

    key = serializers.CharField(min_length=8, max_length=64, help_text="Idempotency key, such as a UUID.")
    verdict = serializers.ChoiceField([*Verdict.choices, (REDO, "Redo")])
    alike = serializers.BooleanField(required=False, help_text="All mentions in the note that read alike.")
    active_seconds = serializers.FloatField(
        required=False, min_value=0, max_value=MOST_SECONDS, help_text="How long the reviewer worked on it."
    )
    item = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="An open or held item of the note.")
    annotation = serializers.RegexField(
        r"\A[a-z2-7]{16}\Z", required=False, help_text="An annotation of your own, or one that was accepted."
    )
    fragments = FragmentsField(required=False, help_text="Code points, half-open.")
    label = serializers.CharField(required=False, max_length=40)  # type: ignore[assignment]
    attributes = serializers.DictField(
        child=serializers.CharField(max_length=40), required=False, help_text="Attribute: value."
    )
    type = serializers.CharField(required=False, max_length=40, help_text="Of the relation.")
    head = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="An annotation of your own.")
    tail = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="An annotation of your own.")
    relation = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="A relation of your own.")
    document_label = serializers.CharField(required=False, max_length=40)
    value = serializers.CharField(required=False, allow_blank=True, max_length=40)

    def validate_attributes(self, value: dict[str, str]) -> dict[str, str]:
        if any(len(name) > 40 for name in value):
            raise serializers.ValidationError("An attribute's name has at most 40 characters.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        verdict = attrs["verdict"]
        targets = {name for name in (_ITEM, _ANNOTATION) if name in attrs}
        changes = {name for name in _CHANGES if name in attrs}
        allowed = _TARGETS.get(verdict, set())
        if attrs.get("alike"):
            if verdict not in {Verdict.ACCEPT, Verdict.REJECT}:
                raise serializers.ValidationError("alike goes with accept and reject.")
            allowed = {_ITEM, _ANNOTATION}
        if targets - allowed or (allowed and len(targets) != 1):
            wanted = " or ".join(sorted(allowed)) or "no target"
            raise serializers.ValidationError(f"{verdict} goes with {wanted}.")
        if changes and verdict not in {Verdict.EDIT, Verdict.ADD, Verdict.DISMISS}:
            raise serializers.ValidationError(f"{verdict} changes nothing: leave {', '.join(sorted(changes))} out.")
        if verdict == Verdict.EDIT and not changes:
            raise serializers.ValidationError(f"edit goes with one or more of {', '.join(_CHANGES)}.")
        if verdict in {Verdict.ADD, Verdict.DISMISS} and not {"fragments", "label"} <= changes:
            raise serializers.ValidationError(f"{verdict} goes with fragments and label.")
        if verdict == Verdict.DISMISS and "attributes" in changes:
            raise serializers.ValidationError("dismiss takes no attributes.")
        if _OF_WHOLE & set(attrs) != _WHOLE.get(verdict, set()):
            wanted = ", ".join(sorted(_WHOLE.get(verdict, set()))) or f"none of {', '.join(sorted(_OF_WHOLE))}"
            raise serializers.ValidationError(f"{verdict} goes with {wanted}.")
        return attrs


class NewCommentSerializer(StrictSerializer):
    """A comment on a span, `item` or `annotation`, or without either on the note. A flag or what is to be discussed
    needs no words.
    """

    kind = serializers.ChoiceField(Comment.Kind.choices)
    body = serializers.CharField(required=False, default="", allow_blank=True, max_length=MOST_CHARACTERS)
    item = serializers.RegexField(
        r"\A[a-z2-7]{16}\Z", required=False, help_text="An item of the note, open or decided."
    )
    annotation = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="An annotation of your own.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if _ITEM in attrs and _ANNOTATION in attrs:
            raise serializers.ValidationError("A comment goes with item or annotation, or neither.")
        return attrs


def asked_of(data: dict[str, Any]) -> str:
    """What checked data ask for, in words that are the same whenever they are sent again."""
    asked = {name: value for name, value in data.items() if name not in ("key", "active_seconds")}
    return json.dumps(asked, sort_keys=True, default=_written)


def _written(value: Any) -> str:
    if isinstance(value, Span):
        return str(value)
    raise TypeError(type(value).__name__)


class DecisionSerializer(serializers.Serializer):
    """What was decided, and what was there before and after."""

    verdict = serializers.ChoiceField(Verdict.choices)
    document = serializers.CharField(source="note_item.document.public_id")
    review_item = serializers.CharField(source="note_item.public_id")
    item = serializers.CharField(source="item.public_id", default=None, allow_null=True)
    reviewer = serializers.CharField(source="reviewer.username")
    withdrew = serializers.CharField(
        source="taken.public_id", default=None, allow_null=True, help_text="The annotation that was taken away."
    )
    made = AnnotationSerializer(source="put", allow_null=True, help_text="The annotation that was made or came back.")
    withdrew_relation = RelationSerializer(allow_null=True)
    made_relation = RelationSerializer(allow_null=True)
    withdrew_value = DocumentValueSerializer(allow_null=True)
    made_value = DocumentValueSerializer(allow_null=True)
    decided_at = serializers.DateTimeField()
