"""How notes and spans come to a project's reviewers; for leads."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.browse.serializers import StreamsSerializer
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.token_access import membership_of
from annotator.review import streams
from annotator.web.api import ApiView, checked_body, operation
from annotator.web.api_problems import Refused


class Streams(ApiView):
    @operation("streams_get", answers={200: StreamsSerializer})
    def get(self, request: Request, project_id: str) -> Response:
        """The policy, how much is read blind and watched, what audits show, how many decoys there are, and who decides
        audits again.
        """
        membership = membership_of(request, project_id, Action.MANAGE, or_scope=Scope.READ)
        return Response(StreamsSerializer(streams.streams_of(membership.project)).data)

    @operation("streams_set", body=StreamsSerializer, answers={200: StreamsSerializer}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Set all of them. Notes that somebody has begun stay in the stream they are in.

        422: no label is left for decoys.
        """
        membership = membership_of(request, project_id, Action.MANAGE)
        wanted = streams.Streams(**checked_body(StreamsSerializer, request))
        try:
            streams.set_streams(project=membership.project, streams=wanted, actor=membership.user, now=timezone.now())
        except streams.StreamsRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return Response(StreamsSerializer(wanted).data)
