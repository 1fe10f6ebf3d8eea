"""Annotations as the REST API shows them."""

from __future__ import annotations

from rest_framework import serializers

from annotator.annotations.models import Annotation
from annotator.web.api import SpanSerializer


class AnnotationSerializer(SpanSerializer):
    """A span that a person asserts."""

    id = serializers.CharField(source="public_id")
    annotator = serializers.CharField(source="annotator.username")
    stage = serializers.ChoiceField(Annotation.Stage.choices)
    suggestion = serializers.CharField(
        source="origin.public_id", default=None, allow_null=True, help_text="The suggestion that it came from."
    )
    created_at = serializers.DateTimeField()


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
    """The note, and whose set it is in: that of who read the note."""

    document = serializers.CharField(source="set.document.public_id")
    reader = serializers.CharField(source="set.annotator.username")
    schema_number = serializers.IntegerField(source="schema_version.number")


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
