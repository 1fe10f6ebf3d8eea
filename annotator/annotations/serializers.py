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


class SubmittedAnnotationSerializer(AnnotationSerializer):
    """With the note, and whose set it is in: that of who read the note."""

    document = serializers.CharField(source="set.document.public_id")
    reader = serializers.CharField(source="set.annotator.username")
    schema_number = serializers.IntegerField(source="schema_version.number")
