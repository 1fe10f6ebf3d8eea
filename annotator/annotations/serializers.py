"""Annotations as the REST API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.annotations.models import Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.web.api import SpanSerializer

PERSON, CERTIFICATE = "person", "certificate"
SOURCES = [(PERSON, "A person asserts it"), (CERTIFICATE, "Accepted under a certificate, read by nobody")]


class AnnotationSerializer(SpanSerializer):
    """A span that a person asserts, or that was accepted under a certificate."""

    id = serializers.CharField(source="public_id")
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    annotator = serializers.CharField(source="annotator.username", default=None, allow_null=True)
    certificate = serializers.CharField(
        source="certificate.public_id", default=None, allow_null=True, help_text="Id, where nobody has read the span."
    )
    stage = serializers.ChoiceField(Annotation.Stage.choices)
    suggestion = serializers.CharField(
        source="origin.public_id", default=None, allow_null=True, help_text="The suggestion that it came from."
    )
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(SOURCES))
    def get_source(self, annotation: Annotation) -> str:
        return PERSON if annotation.certificate_id is None else CERTIFICATE


class RelationSerializer(serializers.Serializer):
    id = serializers.CharField(source="public_id")
    type = serializers.CharField()


class JoinedSerializer(RelationSerializer):
    """A tie from one span to another."""

    head = serializers.CharField(help_text="The annotation that it goes from, as it is now.")
    tail = serializers.CharField(help_text="The annotation that it goes to, as it is now.")


class DocumentValueSerializer(serializers.Serializer):
    """What a person says of the note as a whole."""

    document_label = serializers.CharField(source="name")
    value = serializers.CharField()


class _SubmittedSerializer(serializers.Serializer):
    """The note, and whose set it is in: that of who read the note; nobody's where certificates alone finished it."""

    document = serializers.CharField(source="set.document.public_id")
    reader = serializers.CharField(source="set.annotator.username", default=None, allow_null=True)
    set_kind = serializers.SerializerMethodField(help_text="gold: settled from all readings; reader adjudicated.")
    schema_number = serializers.IntegerField(source="schema_version.number")

    @extend_schema_field(serializers.ChoiceField([AnnotationSet.Kind.READING.value, AnnotationSet.Kind.GOLD.value]))
    def get_set_kind(self, said: Annotation | Relation | DocumentValue) -> str:
        gold = AnnotationSet.Kind.GOLD
        return gold if said.set.kind == gold else AnnotationSet.Kind.READING


class _AssertedSerializer(_SubmittedSerializer):
    annotator = serializers.CharField(source="annotator.username")
    created_at = serializers.DateTimeField()


class SubmittedAnnotationSerializer(_SubmittedSerializer, AnnotationSerializer):
    """A span, with the note and whose set it is in."""


class SubmittedRelationSerializer(_AssertedSerializer, JoinedSerializer):
    """A tie from one span to another, with the note and whose set it is in. Read from a Relation with its ends."""

    head = serializers.CharField(source="head_id")
    tail = serializers.CharField(source="tail_id")


class SubmittedValueSerializer(_AssertedSerializer, DocumentValueSerializer):
    """What a person says of the note as a whole, with the note and whose set it is in."""


class CommentedSpanSerializer(SpanSerializer):
    """The span that a comment is about, as it stands now: an annotation, or a suggestion."""

    label = serializers.CharField(allow_null=True, help_text="Null where what the model says is hidden.")
    annotation = serializers.SerializerMethodField()
    suggestion = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_annotation(self, about: Any) -> str | None:
        return about.public_id if isinstance(about, Annotation) else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_suggestion(self, about: Any) -> str | None:
        return None if isinstance(about, Annotation) else about.public_id


class CommentSerializer(serializers.Serializer):
    """What a reader says about a span, or about the note as a whole. `context["spans"]` is of `comments.spans_of`,
    `context["hidden"]` has the row ids of suggestions of which only the place is told.
    """

    id = serializers.CharField(source="public_id")
    document = serializers.CharField(source="set.document.public_id")
    kind = serializers.ChoiceField(Comment.Kind.choices)
    body = serializers.CharField(allow_blank=True)
    author = serializers.CharField(source="author.username")
    span = serializers.SerializerMethodField(help_text="null where the note is meant")
    created_at = serializers.DateTimeField()

    @extend_schema_field(CommentedSpanSerializer(allow_null=True))
    def get_span(self, comment: Comment) -> dict[str, Any] | None:
        about = self.context["spans"].get(comment.pk)
        if about is None:
            return None
        is_hidden = comment.suggestion_id in self.context["hidden"]
        return CommentedSpanSerializer(about).data | ({"label": None, "attributes": {}} if is_hidden else {})
