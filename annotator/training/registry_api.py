"""A project's labelers: listed with their lines, and promoted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership, Project
from annotator.projects.token_access import membership_of
from annotator.suggestions.models import Labeler
from annotator.training import registry
from annotator.training.models import LabelerComparison
from annotator.training.promoting import PromotionRefused, promote
from annotator.training.registry_serializers import ModelSerializer, PromoteSerializer, PromotionSerializer
from annotator.web.api import ApiView, PageQuery, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Conflict


class Models(ApiView):
    @operation("models_list", query=PageQuery, answers={200: page_serializer(ModelSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's labelers that have a run, a training or a promotion, newest first."""
        project = membership_of(request, project_id, Action.MEASURE).project
        found = registry.models_of(project)
        return page_of(found, query=self.query, serializer=ModelSerializer, context=_entries_in(project))


class Model(ApiView):
    @operation("models_get", answers={200: ModelSerializer})
    def get(self, request: Request, project_id: str, model_id: str) -> Response:
        """One labeler, where it comes from, and what became of what it suggested."""
        membership = membership_of(request, project_id, Action.MEASURE)
        found = _labeler_of(membership, model_id)
        return Response(ModelSerializer(found, context=_entries_in(membership.project)([found])).data)


class ModelPromote(ApiView):
    @operation("models_promote", body=PromoteSerializer, answers={201: PromotionSerializer}, problems=[409])
    def post(self, request: Request, project_id: str, model_id: str) -> Response:
        """Have new runs use this labeler, and a run of it read the notes that nobody has decided.

        What was decided stays; tests and certificates of the labeler before end. 409 where it cannot be promoted.
        """
        membership = membership_of(request, project_id, Action.MANAGE)
        labeler = _labeler_of(membership, model_id)
        data = checked_body(PromoteSerializer, request)
        comparison = _comparison(membership.project, data["comparison"]) if "comparison" in data else None
        try:
            made = promote(labeler=labeler, comparison=comparison, actor=membership.user, now=timezone.now())
        except PromotionRefused as refusal:
            raise Conflict(sentence(str(refusal))) from refusal
        return Response(PromotionSerializer(made).data, status=201)


def _labeler_of(membership: Membership, model_id: str) -> Labeler:
    return get_object_or_404(registry.models_of(membership.project), public_id=model_id)


def _comparison(project: Project, comparison_id: str) -> LabelerComparison:
    rows = LabelerComparison.objects.filter(project=project).select_related("job", "candidate", "current")
    return get_object_or_404(rows, public_id=comparison_id)


def _entries_in(project: Project) -> Callable[[list[Any]], dict[str, Any]]:
    def context(labelers: list[Any]) -> dict[str, Any]:
        standing = registry.standing_of(project)
        entries = registry.entries_of(project, labelers, standing=standing)
        return {"entries": {entry.labeler.pk: entry for entry in entries}}

    return context
