"""What is read across a project: notes, suggestions, annotations, relations, labels of notes, decisions.

Whose own reading must be independent sees less of it (`independence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.annotations.comments import spans_of
from annotator.annotations.serializers import (
    CommentSerializer,
    SubmittedAnnotationSerializer,
    SubmittedRelationSerializer,
    SubmittedValueSerializer,
)
from annotator.audit.services import record_read
from annotator.browse.independence import (
    annotations_for,
    comments_for,
    decisions_for,
    document_values_for,
    hidden_for,
    relations_for,
    suggestions_for,
)
from annotator.browse.selectors import notes_with_state
from annotator.browse.serializers import (
    CommentQuery,
    DecisionQuery,
    DocumentQuery,
    DocumentValueQuery,
    NoteSerializer,
    NoteTextSerializer,
    RelationQuery,
    SpanQuery,
    SuggestionQuery,
)
from annotator.exchange.api import DocumentsImport
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of, require_scope
from annotator.review.serializers import DecisionSerializer
from annotator.suggestions.serializers import SuggestionSerializer
from annotator.web.api import ApiView, operation, page_of, page_serializer


class Documents(DocumentsImport):
    @operation("documents_list", query=DocumentQuery, answers={200: page_serializer(NoteSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's notes without their text, as they came in."""
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = notes_with_state(membership.project).defer("text", "metadata")
        if "state" in self.query:
            found = found.filter(state=self.query["state"])
        return page_of(found, query=self.query, serializer=NoteSerializer, newest_first=False)


class Document(ApiView):
    @operation("documents_get", answers={200: NoteTextSerializer})
    def get(self, request: Request, project_id: str, document_id: str) -> Response:
        """A note with its text. That it was read is kept."""
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = get_object_or_404(notes_with_state(membership.project), public_id=document_id)
        _record(membership, found.public_id, "note.read")
        return Response(NoteTextSerializer(found).data)


class Suggestions(ApiView):
    @operation("suggestions_list", query=SuggestionQuery, answers={200: page_serializer(SuggestionSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """What models suggested, in the order in which it came.

        Suggestions of a note that waits for a blind reader are left out for whoever may be that reader.
        """
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = suggestions_for(membership)
        document = _read(membership, self.query, "suggestions.read")
        if document is not None:
            found = found.filter(document=document)
        if "run" in self.query:
            found = found.filter(job__run__public_id=self.query["run"])
        if "label" in self.query:
            found = found.filter(label=self.query["label"])
        return page_of(found, query=self.query, serializer=SuggestionSerializer, newest_first=False)


class Annotations(ApiView):
    @operation("annotations_list", query=SpanQuery, answers={200: page_serializer(SubmittedAnnotationSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """What people assert, of submitted readings only, in the order in which it was said.

        While a note waits for another reader, what others said of it is left out for whoever may be that reader.
        """
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = _narrowed(annotations_for(membership), membership, self.query, label="label")
        return page_of(found, query=self.query, serializer=SubmittedAnnotationSerializer, newest_first=False)


class Relations(ApiView):
    @operation("relations_list", query=RelationQuery, answers={200: page_serializer(SubmittedRelationSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """How the spans of submitted readings are joined, left out where annotations are."""
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = _narrowed(relations_for(membership), membership, self.query, type="type")
        return page_of(found, query=self.query, serializer=SubmittedRelationSerializer, newest_first=False)


class DocumentValues(ApiView):
    @operation(
        "document_labels_list", query=DocumentValueQuery, answers={200: page_serializer(SubmittedValueSerializer)}
    )
    def get(self, request: Request, project_id: str) -> Response:
        """What submitted readings say of notes as a whole, left out where annotations are."""
        membership = membership_of(request, project_id, Action.READ_NOTES)
        found = _narrowed(document_values_for(membership), membership, self.query, name="document_label")
        return page_of(found, query=self.query, serializer=SubmittedValueSerializer, newest_first=False)


class Decisions(ApiView):
    @operation("decisions_list", query=DecisionQuery, answers={200: page_serializer(DecisionSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """What people decided, newest first; for leads.

        While a note waits for a reader, what others decided in it is left out.
        """
        membership = membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ)
        found = decisions_for(membership)
        document = _read(membership, self.query, "decisions.read")
        if document is not None:
            found = found.filter(note_item__document=document)
        if "verdict" in self.query:
            found = found.filter(verdict=self.query["verdict"])
        return page_of(found, query=self.query, serializer=DecisionSerializer)


class Comments(ApiView):
    @operation("comments_list", query=CommentQuery, answers={200: page_serializer(CommentSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """Comments, flags and what is to be discussed, newest first.

        The caller's own; for who reads notes also those of others, but in notes that another reader is to come to.
        """
        membership = membership_of(request, project_id, Action.VIEW)
        require_scope(request, Scope.READ, Scope.REVIEW)
        found = comments_for(membership, now=timezone.now())
        document = _read(membership, self.query, "comments.read")
        if document is not None:
            found = found.filter(set__document=document)
        if "kind" in self.query:
            found = found.filter(kind=self.query["kind"])
        return page_of(
            found,
            query=self.query,
            serializer=CommentSerializer,
            context=lambda shown: {"spans": spans_of(shown), "hidden": hidden_for(membership, shown)},
        )


def _narrowed(found: QuerySet[Any], membership: Membership, query: Mapping[str, Any], **asked: str) -> QuerySet[Any]:
    """What people said, of the note and with the values that the query asks for: `asked` has the query's word for each
    column. That it was read is kept. Raises Http404 where the project has no such note.
    """
    document = _read(membership, query, "annotations.read")
    wanted = {column: query[word] for column, word in asked.items() if word in query}
    return found.filter(**wanted) if document is None else found.filter(set__document=document, **wanted)


def _read(membership: Membership, query: Mapping[str, Any], verb: str) -> int | None:
    """The row id of the note that the query names, None where it names none; that it was read is kept.

    Raises Http404 where the project has no such note.
    """
    project = membership.project
    if "document" not in query:
        _record(membership, project.public_id, verb)
        return None
    found: int = get_object_or_404(project.documents.only("pk"), public_id=query["document"]).pk
    _record(membership, query["document"], verb)
    return found


def _record(membership: Membership, object_id: str, verb: str) -> None:
    record_read(
        project=membership.project.public_id, actor=membership.user, object_id=object_id, now=timezone.now(), verb=verb
    )
