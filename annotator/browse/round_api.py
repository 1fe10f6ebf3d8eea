"""Rounds: listed, made, watched; for leads."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.browse.round_forms import IDS_FILE, MAX_IDS_BYTES, ids_in
from annotator.browse.selectors import reviewers_of
from annotator.browse.serializers import (
    NewRoundSerializer,
    ReadingsSerializer,
    RoundProgressSerializer,
    RoundSerializer,
    RoundUploadSerializer,
)
from annotator.core.id_lists import IdList, IdListError
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.review.readings import Progress, progress_by_reader, progress_of, readers_of, rounds_of
from annotator.review.rounds import Chosen, RoundError, create_round
from annotator.web.api import ApiView, PageQuery, checked_body, operation, page_of, page_serializer
from annotator.web.api_bodies import JsonBody, read_json
from annotator.web.api_problems import Refused, Unreadable
from annotator.web.files import OneFile


class Rounds(ApiView):
    parser_classes = (JsonBody, MultiPartParser)

    @operation("rounds_list", query=PageQuery, answers={200: page_serializer(RoundSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's rounds, newest first."""
        membership = membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ)
        return page_of(rounds_of(membership.project), query=self.query, serializer=RoundSerializer)

    @operation(
        "rounds_create",
        body={"application/json": NewRoundSerializer, "multipart/form-data": RoundUploadSerializer},
        answers={201: RoundProgressSerializer},
        problems=[422],
    )
    def post(self, request: Request, project_id: str) -> Response:
        """Give notes to readers. 422 where there are no such notes, or too few readers for them.

        Of more than 5,000 notes a job makes the round, and nobody reads in it before: `work` says how far that is. A
        list of many notes comes as a file (`multipart/form-data`); a 422 names the rows that are wrong.
        """
        membership = membership_of(request, project_id, Action.MANAGE)
        upload = OneFile(request._request, field=IDS_FILE, max_bytes=MAX_IDS_BYTES)
        request._request.upload_handlers = [upload]
        data, listed = _asked(request, upload)
        chosen = Chosen(**{key: data.pop(key) for key in ("n_notes", "note_type", "external_ids")})
        if chosen.external_ids and (chosen.n_notes or chosen.note_type is not None):
            raise Refused("List notes, or say how many of which type: not both.")
        if listed is not None:
            if chosen != Chosen():
                raise Refused("List notes in the file, or say in the round which: not both.")
            chosen = Chosen(external_ids=listed.ids, rows=listed.rows)
        people = {user.public_id: user for user in reviewers_of(membership.project)}
        asked = {reader["id"]: reader.get("n_notes") for reader in data.pop("readers")}
        if not asked.keys() <= people.keys():
            raise Refused("A reader does not review in this project.", errors=[("readers", "No such member.")])
        try:
            made = create_round(
                project=membership.project,
                chosen=chosen,
                readers=[(people[key], n_notes) for key, n_notes in asked.items()],
                actor=membership.user,
                now=timezone.now(),
                **data,
            )
        except RoundError as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Round(ApiView):
    @operation("rounds_get", answers={200: RoundProgressSerializer})
    def get(self, request: Request, project_id: str, round_id: str) -> Response:
        """One round: how far it and each of its readers is."""
        return _answer(membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ), round_id)


def _asked(request: Request, upload: OneFile) -> tuple[dict[str, Any], IdList | None]:
    """The round that is asked for, checked, and the ids of its file, if it has one."""
    if not request.content_type.startswith(MultiPartParser.media_type):
        return checked_body(NewRoundSerializer, request), None
    try:
        fields: Any = request.data
        listed = ids_in(upload)
    except IdListError as refusal:
        raise Refused(sentence(str(refusal)), errors=[(IDS_FILE, sentence(str(refusal)))]) from refusal
    if listed is None or set(fields) - {"round", IDS_FILE}:
        raise Unreadable("`round` and the file `ids_file` are wanted, and nothing else.")
    found = NewRoundSerializer(data=read_json(str(fields.get("round", "")).encode()))
    found.is_valid(raise_exception=True)
    return found.validated_data, listed


def _answer(membership: Membership, round_id: str, *, status: int = 200) -> Response:
    found = get_object_or_404(rounds_of(membership.project), public_id=round_id)
    by_reader = progress_by_reader(found)
    shown = RoundSerializer(found).data | {
        "progress": ReadingsSerializer(progress_of([found]).get(found.pk, Progress())).data,
        "n_handed_back": by_reader.get(None, Progress()).n_left,
        "readers": [
            {"id": user.public_id, "username": user.username}
            | ReadingsSerializer(by_reader.get(user.pk, Progress())).data
            for user in readers_of(found)
        ],
    }
    return Response(shown, status=status)
