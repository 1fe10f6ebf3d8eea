"""What the REST API lists across a project, and the filters of these lists."""

from __future__ import annotations

from rest_framework import serializers

from annotator.annotations.models import Comment
from annotator.browse.selectors import NoteState
from annotator.documents.serializers import DocumentSerializer, DocumentTextSerializer
from annotator.notices.models import Kind
from annotator.review.models import Decision
from annotator.web.api import PageQuery


class DocumentQuery(PageQuery):
    state = serializers.ChoiceField(NoteState.choices, required=False)


class NoteSerializer(DocumentSerializer):
    """A note and where it is on its way."""

    state = serializers.ChoiceField(NoteState.choices)


class NoteTextSerializer(DocumentTextSerializer):
    state = serializers.ChoiceField(NoteState.choices)


class _OfNoteQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="Of this note only.")


class SpanQuery(_OfNoteQuery):
    label = serializers.CharField(required=False, max_length=40)  # type: ignore[assignment]


class SuggestionQuery(SpanQuery):
    run = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="Of this run only.")


class RelationQuery(_OfNoteQuery):
    type = serializers.CharField(required=False, max_length=40)


class DocumentValueQuery(_OfNoteQuery):
    document_label = serializers.CharField(required=False, max_length=40)


class DecisionQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="In this note only.")
    verdict = serializers.ChoiceField(Decision.Verdict.choices, required=False)


class NoticeSerializer(serializers.Serializer):
    """Something that happened to the caller's work."""

    id = serializers.CharField(source="public_id")
    project = serializers.CharField(help_text="Id of the project.")
    kind = serializers.ChoiceField(Kind.choices)
    subject = serializers.CharField(help_text="Id of the run, import or dataset that it is about; empty for others.")
    n = serializers.IntegerField(help_text="How often it happened while it was unread.")
    detail = serializers.DictField(help_text="Counts, by kind.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class CommentQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="In this note only.")
    kind = serializers.ChoiceField(Comment.Kind.choices, required=False)
