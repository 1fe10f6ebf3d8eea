"""Adjudicating over the REST API: notes that several people have read, taken, settled and finished.

All of it goes by the services of the adjudication pages. As there, nobody who may still read a note sees its readings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.adjudication import leases, services
from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import adjudications_of, case_file, may_see
from annotator.adjudication.serializers import (
    REDO,
    AdjudicatedNoteSerializer,
    AdjudicationQuery,
    AdjudicationSerializer,
    ChoiceSerializer,
    NewChoiceSerializer,
)
from annotator.audit.services import record_read
from annotator.core.cases import SaidSpan
from annotator.core.schema import SchemaError
from annotator.core.spans import SpanError
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.readings.models import Adjudication
from annotator.review.serializers import asked_of
from annotator.web.api import ApiView, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Conflict, Refused

_CONFLICTS = (services.ChoiceConflict, leases.LeaseConflict)
_NOT_YOURS = "Someone else has this note, nobody, or a reader is still to come: take it first."


class Adjudications(ApiView):
    @operation("adjudications_list", query=AdjudicationQuery, answers={200: page_serializer(AdjudicationSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The notes that several people have read."""
        membership = membership_of(request, project_id, Action.ADJUDICATE)
        found = adjudications_of(membership.project).defer("document__text")
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        return page_of(found, query=self.query, serializer=AdjudicationSerializer)


class AdjudicationNext(ApiView):
    @operation("adjudications_next", answers={200: AdjudicatedNoteSerializer, 204: None})
    def post(self, request: Request, project_id: str) -> Response:
        """Take the note that waits longest, for half an hour; 204 where no note is left.

        A note that the caller holds already comes first, those that they have read themselves last.
        """
        membership = membership_of(request, project_id, Action.ADJUDICATE)
        found = services.take_next(project=membership.project, adjudicator=membership.user, now=timezone.now())
        return Response(status=204) if found is None else _shown(membership, found)


class AdjudicationNote(ApiView):
    @operation("adjudications_get", answers={200: AdjudicatedNoteSerializer}, problems=[409])
    def get(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """The note with what its readers say, for who holds it or once it is finished; 409 otherwise.

        That it was read is kept.
        """
        return _shown(*_note_of(request, project_id, adjudication_id))


class AdjudicationTake(ApiView):
    @operation("adjudications_take", answers={200: AdjudicatedNoteSerializer}, problems=[409])
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Take this note, for half an hour; 409 where it is someone else's, finished, or waits for a reader."""
        return _after(services.take, *_note_of(request, project_id, adjudication_id))


class AdjudicationReopen(ApiView):
    @operation("adjudications_reopen", answers={200: AdjudicatedNoteSerializer}, problems=[409])
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Take finished gold back to work on it; 409 where it is not finished."""
        return _after(services.reopen, *_note_of(request, project_id, adjudication_id))


class AdjudicationRenew(ApiView):
    @operation("adjudications_renew", answers={204: None}, problems=[409])
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Hold the note for another half an hour; 409 where it is no longer the caller's."""
        membership, adjudication = _note_of(request, project_id, adjudication_id)
        if not leases.renew(adjudication=adjudication, adjudicator=membership.user, now=timezone.now()):
            raise Conflict(_NOT_YOURS)
        return Response(status=204)


class AdjudicationPutBack(ApiView):
    @operation("adjudications_put_back", answers={204: None})
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Let the note go if the caller holds it; what was settled in it stays."""
        membership, adjudication = _note_of(request, project_id, adjudication_id)
        leases.put_back(adjudication=adjudication, adjudicator=membership.user)
        return Response(status=204)


class AdjudicationChoose(ApiView):
    @operation(
        "adjudications_choose",
        body=NewChoiceSerializer,
        answers={201: ChoiceSerializer},
        problems=[409, 422],
    )
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Settle one case of a note that the caller holds; the same answer where `key` was used for it before.

        409: the note is someone else's, or the readers say something else by now. 422: the case, the text or the schema
        do not allow it.
        """
        membership, adjudication = _note_of(request, project_id, adjudication_id)
        data = checked_body(NewChoiceSerializer, request)
        try:
            choice = services.choose(
                adjudication=adjudication,
                adjudicator=membership.user,
                act=_act_of(data),
                key=data["key"],
                now=timezone.now(),
                asked=asked_of(data),
                active_seconds=data.get("active_seconds"),
            )
        except _CONFLICTS as conflict:
            raise Conflict(str(conflict)) from conflict
        except SchemaError as refusal:  # whose message quotes what was sent
            raise Refused("The schema has no such label, attribute or value.") from refusal
        except (services.ChoiceRefused, SpanError) as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return Response(ChoiceSerializer(choice).data, status=201)


class AdjudicationFinish(ApiView):
    @operation("adjudications_finish", answers={200: AdjudicatedNoteSerializer}, problems=[409, 422])
    def post(self, request: Request, project_id: str, adjudication_id: str) -> Response:
        """Submit the gold of a note that the caller holds; 422 while a difference is open."""
        membership, adjudication = _note_of(request, project_id, adjudication_id)
        try:
            return _after(services.finish, membership, adjudication)
        except services.ChoiceRefused as refusal:
            raise Refused(str(refusal)) from refusal


def _act_of(data: dict[str, Any]) -> services.Act:
    """The act that checked data ask for."""
    if data["what"] in {Choice.What.UNDO, REDO}:
        return services.Redo() if data["what"] == REDO else services.Undo()
    spans = (
        SaidSpan(span["fragments"], span["label"], tuple(sorted(span["attributes"].items())))
        for span in data.get("spans", ())
    )
    return services.Settle(
        case_key=data["case"],
        digest=data["digest"],
        what=Choice.What(data["what"]),
        version=data.get("version", ""),
        spans=tuple(spans),
        value=data.get("value", ""),
        reason=data.get("reason", ""),
        proposes_example=data.get("proposes_example", False),
    )


def _note_of(request: Request, project_id: str, adjudication_id: str) -> tuple[Membership, Adjudication]:
    membership = membership_of(request, project_id, Action.ADJUDICATE)
    return membership, get_object_or_404(adjudications_of(membership.project), public_id=adjudication_id)


def _after(act: Callable[..., None], membership: Membership, adjudication: Adjudication) -> Response:
    """The note as it is when `act` is done. Raises Conflict."""
    try:
        act(adjudication=adjudication, adjudicator=membership.user, now=timezone.now())
    except _CONFLICTS as conflict:
        raise Conflict(str(conflict)) from conflict
    adjudication.refresh_from_db(fields=["status", "done_at", "lease_expires_at"])
    return _shown(membership, adjudication)


def _shown(membership: Membership, adjudication: Adjudication) -> Response:
    """The note with its text and cases, for who may see them."""
    if not may_see(adjudication=adjudication, viewer=membership.user):
        raise Conflict(_NOT_YOURS)
    record_read(
        project=membership.project.public_id,
        actor=membership.user,
        object_id=adjudication.document.public_id,
        now=timezone.now(),
    )
    file = case_file(adjudication)
    return Response(AdjudicatedNoteSerializer(file, context={"file": file}).data)
