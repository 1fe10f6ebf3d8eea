"""How notes and spans come to a project's reviewers; for leads."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.browse.serializers import StreamsSerializer
from annotator.projects.access import Action
from annotator.projects.token_access import membership_of
from annotator.review import streams
from annotator.web.api import ApiView, checked_body, operation


class Streams(ApiView):
    @operation("streams_get", answers={200: StreamsSerializer})
    def get(self, request: Request, project_id: str) -> Response:
        """The policy, how much is read blind and watched, and what audits show."""
        membership = membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ)
        return Response(StreamsSerializer(streams.streams_of(membership.project)).data)

    @operation("streams_set", body=StreamsSerializer, answers={200: StreamsSerializer})
    def post(self, request: Request, project_id: str) -> Response:
        """Set all four. Notes that somebody has begun stay in the stream they are in."""
        membership = membership_of(request, project_id, Action.MANAGE)
        wanted = streams.Streams(**checked_body(StreamsSerializer, request))
        streams.set_streams(project=membership.project, streams=wanted, actor=membership.user, now=timezone.now())
        return Response(StreamsSerializer(wanted).data)
