"""Comparisons of two labelers: listed, started, watched, stopped."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.suggestions.labelers import current_labeler
from annotator.suggestions.models import Labeler
from annotator.training import comparing
from annotator.training.compared import comparisons_of, labelers_to_compare
from annotator.training.comparison_serializers import (
    ComparisonQuery,
    ComparisonReportSerializer,
    ComparisonSerializer,
    NewComparisonSerializer,
)
from annotator.training.models import LabelerComparison
from annotator.web.api import ApiView, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Refused


class Comparisons(ApiView):
    @operation("comparisons_list", query=ComparisonQuery, answers={200: page_serializer(ComparisonSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's comparisons of labelers, newest first."""
        membership = membership_of(request, project_id, Action.MEASURE)
        found = comparisons_of(membership.project)
        if "status" in self.query:
            found = found.filter(job__status=self.query["status"])
        return page_of(found, query=self.query, serializer=ComparisonSerializer)

    @operation(
        "comparisons_start", body=NewComparisonSerializer, answers={201: ComparisonReportSerializer}, problems=[422]
    )
    def post(self, request: Request, project_id: str) -> Response:
        """Compare two labelers on the locked test set. 422 where they cannot be compared: the detail says why."""
        membership = membership_of(request, project_id, Action.BUILD)
        data = checked_body(NewComparisonSerializer, request)
        try:
            made = comparing.start_comparison(
                project=membership.project,
                candidate=_labeler(membership, "candidate", data["candidate"]),
                current=_labeler(membership, "current", data["current"])
                if data["current"]
                else current_labeler(membership.project),
                actor=membership.user,
                now=timezone.now(),
            )
        except comparing.ComparisonRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Comparison(ApiView):
    @operation("comparisons_get", answers={200: ComparisonReportSerializer})
    def get(self, request: Request, project_id: str, comparison_id: str) -> Response:
        """One comparison: how far it is, then its report."""
        return _answer(membership_of(request, project_id, Action.MEASURE), comparison_id)


class ComparisonCancel(ApiView):
    @operation("comparisons_cancel", answers={200: ComparisonReportSerializer})
    def post(self, request: Request, project_id: str, comparison_id: str) -> Response:
        """Stop a comparison and its runs. One that has ended stays as it is."""
        membership = membership_of(request, project_id, Action.BUILD)
        found = _comparison_of(membership, comparison_id)
        comparing.cancel_comparison(comparison=found, actor=membership.user, now=timezone.now())
        return _answer(membership, comparison_id)


def _labeler(membership: Membership, name: str, digest: str) -> Labeler:
    found = next((one for one in labelers_to_compare(membership.project) if one.digest == digest), None)
    if found is None:
        said = "No labeler of this project's newest schema."
        raise Refused("These labelers cannot be compared.", errors=[(name, said)])
    return found


def _comparison_of(membership: Membership, comparison_id: str) -> LabelerComparison:
    return get_object_or_404(comparisons_of(membership.project), public_id=comparison_id)


def _answer(membership: Membership, comparison_id: str, *, status: int = 200) -> Response:
    return Response(ComparisonReportSerializer(_comparison_of(membership, comparison_id)).data, status=status)
