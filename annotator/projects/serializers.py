"""Projects, members and schemas as the REST API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from annotator.core.schema import Schema, SchemaError, schema_from_json
from annotator.core.wording import sentence
from annotator.projects.models import Membership
from annotator.projects.services import NAME_LENGTH
from annotator.web.api import StrictSerializer


class ProjectSerializer(serializers.Serializer):
    """A project, as a member of it sees it: read from the membership."""

    id = serializers.CharField(source="project.public_id")
    name = serializers.CharField(source="project.name")
    slug = serializers.CharField(source="project.slug", help_text="What commands of the command line call it.")
    n_readers = serializers.IntegerField(source="project.n_readers", help_text="How many people read each note.")
    role = serializers.ChoiceField(Membership.Role.choices, help_text="That of the token's user.")
    created_at = serializers.DateTimeField(source="project.created_at")


class NewProjectSerializer(StrictSerializer):
    """A project to be made."""

    name = serializers.CharField(max_length=NAME_LENGTH)
    schema = serializers.JSONField(help_text="What may be said of its notes, in the form that docs/schema.md shows.")

    def validate_schema(self, value: object) -> Schema:
        try:
            return schema_from_json(value)
        except SchemaError as error:
            raise serializers.ValidationError(sentence(str(error))) from error


class MemberSerializer(serializers.Serializer):
    id = serializers.CharField(source="user.public_id")
    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(Membership.Role.choices)


class LabelSerializer(serializers.Serializer):
    name = serializers.CharField()
    code = serializers.CharField()
    colour = serializers.CharField()
    hotkey = serializers.CharField()
    definition = serializers.CharField()
    positive_examples = serializers.ListField(child=serializers.CharField())
    negative_examples = serializers.ListField(child=serializers.CharField())


class AttributeValueSerializer(serializers.Serializer):
    name = serializers.CharField()
    hotkey = serializers.CharField(allow_blank=True)
    glyph = serializers.CharField(allow_blank=True)


class AttributeSerializer(serializers.Serializer):
    name = serializers.CharField()
    values = AttributeValueSerializer(many=True)
    default = serializers.CharField()
    labels = serializers.ListField(child=serializers.CharField(), help_text="The labels that it applies to.")


class RelationTypeSerializer(serializers.Serializer):
    name = serializers.CharField()
    definition = serializers.CharField()
    heads = serializers.ListField(child=serializers.CharField(), help_text="The labels that it may go from.")
    tails = serializers.ListField(child=serializers.CharField(), help_text="The labels that it may go to.")


class DocumentLabelSerializer(serializers.Serializer):
    name = serializers.CharField()
    definition = serializers.CharField()
    values = serializers.ListField(child=serializers.CharField())


class SchemaSerializer(serializers.Serializer):
    """One immutable version of a project's schema."""

    number = serializers.IntegerField()
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()
    labels = LabelSerializer(many=True, source="schema.labels")
    attributes = AttributeSerializer(many=True, source="schema.attributes")
    relations = RelationTypeSerializer(many=True, source="schema.relations")
    document_labels = DocumentLabelSerializer(many=True, source="schema.document_labels")
