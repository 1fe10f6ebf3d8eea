"""Rounds: listed, made, watched; for leads."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.browse.selectors import reviewers_of
from annotator.browse.serializers import (
    NewRoundSerializer,
    ReadingsSerializer,
    RoundProgressSerializer,
    RoundSerializer,
)
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.review.readings import Progress, progress_by_reader, progress_of, readers_of, rounds_of
from annotator.review.rounds import Chosen, RoundError, create_round
from annotator.web.api import ApiView, PageQuery, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Refused


class Rounds(ApiView):
    @operation("rounds_list", query=PageQuery, answers={200: page_serializer(RoundSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's rounds, newest first."""
        membership = membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ)
        return page_of(rounds_of(membership.project), query=self.query, serializer=RoundSerializer)

    @operation("rounds_create", body=NewRoundSerializer, answers={201: RoundProgressSerializer}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Give notes to readers. 422 where there are no such notes, or too few readers for them."""
        membership = membership_of(request, project_id, Action.MANAGE)
        data = checked_body(NewRoundSerializer, request)
        chosen = Chosen(**{key: data.pop(key) for key in ("n_notes", "note_type", "external_ids")})
        if chosen.external_ids and (chosen.n_notes or chosen.note_type is not None):
            raise Refused("List notes, or say how many of which type: not both.")
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
