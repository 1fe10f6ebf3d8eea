"""A person's notices, for programs."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.browse.serializers import NoticeSerializer
from annotator.notices.models import Notice
from annotator.notices.selectors import notices_of
from annotator.notices.services import mark_read
from annotator.projects.token_access import token_of, user_of
from annotator.web.api import ApiView, PageQuery, operation, page_of, page_serializer


class Notices(ApiView):
    @operation("notices_list", query=PageQuery, answers={200: page_serializer(NoticeSerializer)})
    def get(self, request: Request) -> Response:
        """What happened to the caller's work, newest first, in projects that the token opens."""
        return page_of(_notices(request), query=self.query, serializer=NoticeSerializer)


class NoticeRead(ApiView):
    @operation("notices_read", answers={204: None})
    def post(self, request: Request, notice_id: str) -> Response:
        """Mark one of the caller's notices as read."""
        found = get_object_or_404(_notices(request), public_id=notice_id)
        mark_read(user=user_of(request), notices=_notices(request).filter(pk=found.pk), now=timezone.now())
        return Response(status=204)


def _notices(request: Request) -> QuerySet[Notice]:
    found, project = notices_of(user_of(request)), token_of(request).project
    return found.filter(project=project) if project else found
