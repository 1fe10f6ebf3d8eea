"""The caller's own reviewing: notes taken, held, decided in, commented and put back.

All of it goes by the services of the review page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.annotations.comments import CommentRefused, spans_of
from annotator.annotations.models import Annotation, Comment
from annotator.annotations.serializers import CommentSerializer
from annotator.annotations.services import AnnotationExists
from annotator.audit.services import record_read
from annotator.core.schema import SchemaError
from annotator.core.spans import SpanError
from annotator.core.wording import sentence
from annotator.documents.models import Document
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.review import leases, rounds, services
from annotator.review.blinding import hidden_among
from annotator.review.commenting import comment_on, take_back
from annotator.review.decoys import told_decoys
from annotator.review.models import IN_HAND, Decision, ReviewItem
from annotator.review.relations import relation_for
from annotator.review.selectors import note_item_for, note_view, target_for
from annotator.review.serializers import (
    REDO,
    DecisionSerializer,
    HeldNoteSerializer,
    NewCommentSerializer,
    NewDecisionSerializer,
    ReviewItemSerializer,
    ReviewQuery,
    TakeSerializer,
    asked_of,
)
from annotator.web.api import ApiView, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Conflict, Refused

_NOT_YOURS = "Someone else has this note, or nobody: take it first."


class ReviewItems(ApiView):
    @operation("review_list", query=ReviewQuery, answers={200: page_serializer(ReviewItemSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The notes that the caller has open or has finished."""
        membership = membership_of(request, project_id, Action.REVIEW)
        found = ReviewItem.objects.filter(project=membership.project, unit__in=IN_HAND, leased_by=membership.user)
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        found = found.select_related("document").defer("document__text", "document__metadata")
        return page_of(found, query=self.query, serializer=ReviewItemSerializer)


class ReviewNext(ApiView):
    @operation("review_next", answers={200: HeldNoteSerializer, 204: None})
    def post(self, request: Request, project_id: str) -> Response:
        """Take the note that a minute of reading buys most on, for ten minutes; 204 where no note is left.

        A note that the caller holds already comes first. Who has to qualify gets the notes of their try.
        """
        membership = membership_of(request, project_id, Action.REVIEW)
        item = leases.take_next(project=membership.project, reviewer=membership.user, now=timezone.now())
        return Response(status=204) if item is None else _held(membership, item.public_id)


class ReviewTake(ApiView):
    @operation("review_take", body=TakeSerializer, answers={200: HeldNoteSerializer}, problems=[409])
    def post(self, request: Request, project_id: str) -> Response:
        """Take this note, for ten minutes; 409 where it is someone else's, done, or not yet labelled."""
        membership = membership_of(request, project_id, Action.REVIEW)
        data = checked_body(TakeSerializer, request)
        documents = Document.objects.filter(project=membership.project).select_related("project")
        document = get_object_or_404(documents, public_id=data["document"])
        try:
            item = leases.take_note(document=document, reviewer=membership.user, now=timezone.now())
        except leases.LeaseConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        return _held(membership, item.public_id)


class ReviewNote(ApiView):
    @operation("review_get", answers={200: HeldNoteSerializer}, problems=[409])
    def get(self, request: Request, project_id: str, item_id: str) -> Response:
        """The note that the caller holds, with its text; 409 where they do not. That it was read is kept."""
        return _held(membership_of(request, project_id, Action.REVIEW), item_id)


class ReviewRenew(ApiView):
    @operation("review_renew", answers={204: None}, problems=[409])
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Hold the note for another ten minutes; 409 where it is no longer the caller's."""
        membership = membership_of(request, project_id, Action.REVIEW)
        note_item = _note_of(membership, item_id)
        if not leases.renew(note_item=note_item, reviewer=membership.user, now=timezone.now()):
            raise Conflict(_NOT_YOURS)
        return Response(status=204)


class ReviewPutBack(ApiView):
    @operation("review_put_back", answers={204: None}, problems=[409])
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Let the note go unfinished; what was decided in it stays. 409 where it is not the caller's."""
        membership = membership_of(request, project_id, Action.REVIEW)
        note_item = _note_of(membership, item_id)
        if not note_item.is_read_by(membership.user):
            raise Conflict(_NOT_YOURS)
        leases.put_back(note_item=note_item, reviewer=membership.user, now=timezone.now())
        return Response(status=204)


class ReviewHandBack(ApiView):
    @operation("review_hand_back", answers={204: None}, problems=[409])
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Give a note that is assigned to the caller to its round's other readers, with what is begun in it.

        409 where it is not assigned to them, or done.
        """
        return _passed_on(rounds.hand_back, request, project_id, item_id)


class ReviewTakeBack(ApiView):
    @operation("review_take_back", answers={204: None}, problems=[409])
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Undo that; 409 where someone else has the note by now."""
        return _passed_on(rounds.take_back, request, project_id, item_id)


class ReviewDecide(ApiView):
    @operation(
        "decisions_create",
        body=NewDecisionSerializer,
        answers={200: DecisionSerializer, 201: DecisionSerializer},
        problems=[409, 422],
    )
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Decide one thing in a note that the caller holds: 201, or 200 where `key` was decided before.

        409: the note is someone else's, or the span has changed. 422: the note, its text or the schema do not allow it.
        """
        membership = membership_of(request, project_id, Action.REVIEW)
        note_item = _note_of(membership, item_id)
        data = checked_body(NewDecisionSerializer, request)
        reviewer, key, asked = membership.user, data["key"], asked_of(data)
        try:
            repeat = services.repeat_of(key=key, note_item=note_item, reviewer=reviewer, asked=asked)
            decision = services.decide(
                note_item=note_item,
                reviewer=reviewer,
                act=_act_of(note_item, data),
                key=key,
                now=timezone.now(),
                asked=asked,
                active_seconds=data.get("active_seconds"),
            )
        except (services.DecisionConflict, leases.LeaseConflict) as conflict:
            raise Conflict(str(conflict)) from conflict
        except SchemaError as refusal:  # whose message quotes what was sent
            raise Refused("The schema has no such label, attribute, relation or value.") from refusal
        except (services.DecisionRefused, AnnotationExists, SpanError) as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return Response(DecisionSerializer(decision).data, status=200 if repeat else 201)


class HeldComments(ApiView):
    @operation("comments_create", body=NewCommentSerializer, answers={201: CommentSerializer}, problems=[409, 422])
    def post(self, request: Request, project_id: str, item_id: str) -> Response:
        """Say something about a span of a note that the caller holds, or about the note.

        A flag without words that stands already is answered as it is. 409: the note is someone else's.
        """
        membership = membership_of(request, project_id, Action.REVIEW)
        note_item = _note_of(membership, item_id)
        data = checked_body(NewCommentSerializer, request)
        key = f"i{data['item']}" if "item" in data else f"a{data['annotation']}" if "annotation" in data else ""
        try:
            comment = comment_on(
                note_item=note_item,
                reviewer=membership.user,
                key=key,
                kind=data["kind"],
                body=data["body"],
                now=timezone.now(),
            )
        except leases.LeaseConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        except CommentRefused as refusal:
            raise Refused(str(refusal)) from refusal
        hidden = hidden_among(membership.project, [comment.suggestion_id])
        said = CommentSerializer(comment, context={"spans": spans_of([comment]), "hidden": hidden})
        return Response(said.data, status=201)


class HeldComment(ApiView):
    @operation("comments_withdraw", answers={204: None}, problems=[409, 422])
    def delete(self, request: Request, project_id: str, item_id: str, comment_id: str) -> Response:
        """Take back a comment of the caller's own, in a note that they hold; the audit keeps it without its words."""
        membership = membership_of(request, project_id, Action.REVIEW)
        note_item = _note_of(membership, item_id)
        own = Comment.objects.filter(set__document=note_item.document_id, set__annotator=membership.user)
        comment = get_object_or_404(own.select_related("set__document__project"), public_id=comment_id)
        try:
            take_back(note_item=note_item, reviewer=membership.user, comment=comment, now=timezone.now())
        except leases.LeaseConflict as conflict:
            raise Conflict(str(conflict)) from conflict
        except CommentRefused as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(status=204)


_OF_THE_NOTE: dict[str, type[services.Undo | services.Redo | services.FinishNote]] = {
    Decision.Verdict.UNDO: services.Undo,
    REDO: services.Redo,
    Decision.Verdict.NOTE_DONE: services.FinishNote,
}


def _act_of(note_item: ReviewItem, data: dict[str, Any]) -> services.Act | None:
    """The act that checked data ask for; None where its target is gone."""
    verdict = data["verdict"]
    if verdict in _OF_THE_NOTE:
        return _OF_THE_NOTE[verdict]()
    if verdict == Decision.Verdict.ADD:
        return services.Add(span=data["fragments"], label=data["label"], attributes=data.get("attributes", {}))
    if verdict == Decision.Verdict.DISMISS:
        return services.Dismiss(span=data["fragments"], label=data["label"])
    if verdict == Decision.Verdict.CLASSIFY:
        return services.Classify(name=data["document_label"], value=data["value"])
    if verdict == Decision.Verdict.RELATE:
        ends = [target_for(note_item=note_item, key=f"a{data[end]}") for end in ("head", "tail")]
        found = [end for end in ends if isinstance(end, Annotation)]
        return services.Relate(data["type"], *found) if len(found) == 2 else None
    if verdict == Decision.Verdict.UNRELATE:
        relation = relation_for(note_item=note_item, public_id=data["relation"])
        return services.Unrelate(relation) if relation else None
    target = target_for(note_item=note_item, key=f"i{data['item']}" if "item" in data else f"a{data['annotation']}")
    if target is None:
        return None
    if data.get("alike"):
        return services.Spread(target=target, is_rejected=verdict == Decision.Verdict.REJECT)
    if verdict == Decision.Verdict.REJECT:
        return services.Reject(target=target)
    if verdict == Decision.Verdict.EDIT:
        changes = {"span": data.get("fragments"), "label": data.get("label"), "attributes": data.get("attributes")}
        return services.Edit(target=target, **changes)
    item = cast(ReviewItem, target)  # of these verdicts a decision names an item
    return services.Accept(item=item) if verdict == Decision.Verdict.ACCEPT else services.Skip(item=item)


def _note_of(membership: Membership, item_id: str) -> ReviewItem:
    note_item = note_item_for(project=membership.project, item_id=item_id)
    if note_item is None:
        raise Http404
    return note_item


def _passed_on(change: Callable[..., None], request: Request, project_id: str, item_id: str) -> Response:
    membership = membership_of(request, project_id, Action.REVIEW)
    try:
        change(reading=_note_of(membership, item_id), reader=membership.user, now=timezone.now())
    except rounds.RoundError as refusal:
        raise Conflict(sentence(str(refusal))) from refusal
    return Response(status=204)


def _held(membership: Membership, item_id: str) -> Response:
    """The note with its text and marks, for who holds it."""
    note_item = _note_of(membership, item_id)
    is_put_back = note_item.status == ReviewItem.Status.OPEN and note_item.lease_expires_at is None
    if not note_item.is_read_by(membership.user) or is_put_back:
        raise Conflict(_NOT_YOURS)
    record_read(
        project=membership.project.public_id,
        actor=membership.user,
        object_id=note_item.document.public_id,
        now=timezone.now(),
    )
    view = note_view(note_item=note_item)
    held = {
        "note_item": note_item,
        "document": view.document,
        "queue": view.queue,
        "held": view.held,
        "annotations": sorted(view.annotations, key=lambda mark: (mark.span, mark.label.name)),
        "relations": view.relations,
        "document_labels": view.values,
        "decoys": [] if note_item.status == ReviewItem.Status.OPEN else told_decoys(note_item),
    }
    return Response(HeldNoteSerializer(held).data)
