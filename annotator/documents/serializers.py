"""Notes as the REST API shows them."""

from __future__ import annotations

from rest_framework import serializers


class DocumentSerializer(serializers.Serializer):
    """A note without its text."""

    id = serializers.CharField(source="public_id")
    external_id = serializers.CharField(help_text="The id under which the note came in.")
    patient_id = serializers.CharField(allow_blank=True, help_text="The pseudonym that groups a patient's notes.")
    note_type = serializers.CharField(allow_blank=True)
    n_chars = serializers.IntegerField(help_text="Length of the text in Unicode code points.")
    sha256 = serializers.CharField(help_text="Of the text's UTF-8 bytes.")
    created_at = serializers.DateTimeField()


class DocumentTextSerializer(DocumentSerializer):
    """A note with its text, of which all offsets count code points."""

    text = serializers.CharField()
    metadata = serializers.DictField(child=serializers.JSONField())
