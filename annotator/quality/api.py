"""How far a project's readers agree, what its labelers miss and what they save, for programs."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.projects.access import Action
from annotator.projects.token_access import membership_of
from annotator.quality.effort import effort_of
from annotator.quality.forms import PERIODS
from annotator.quality.recall import recall_of
from annotator.quality.reports import report_json
from annotator.quality.selectors import names_of_readers
from annotator.quality.services import agreement_standing
from annotator.web.api import ApiView, StrictSerializer, operation

# Fewer than the command draws: who asks waits.
N_RESAMPLES = 200


class AgreementQuery(StrictSerializer):
    days = serializers.ChoiceField(PERIODS, default="0", help_text="Of the last so many days; 0 for all time.")
    round = serializers.CharField(
        max_length=16, default="", help_text="The id of a round, of whose notes; else of all."
    )


class Recall(ApiView):
    @operation("recall_get", answers={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, project_id: str) -> Response:
        """What labelers miss, by the notes that were read blind, as `manage.py measure_trust --json` has it.

        Figures are null, and `caveat` says why, where there is not enough data.
        """
        membership = membership_of(request, project_id, Action.MEASURE)
        return Response(recall_of(membership.project, n_resamples=N_RESAMPLES).to_json())


class Effort(ApiView):
    @operation("effort_get", answers={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, project_id: str) -> Response:
        """How long people take with suggestions and without, as `manage.py measure_trust --json` has it."""
        membership = membership_of(request, project_id, Action.MEASURE)
        return Response(effort_of(membership.project, n_resamples=N_RESAMPLES).to_json())


class Agreement(ApiView):
    @operation("agreement_get", query=AgreementQuery, answers={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, project_id: str) -> Response:
        """How far people agree with one another, with labelers and with gold, as `manage.py agreement --json` has it.

        Figures are as of `computed_at`; `n_since` comparisons are newer and being counted. Of a large project
        `computed_at` is null until they are counted for the first time: ask again.
        """
        membership = membership_of(request, project_id, Action.MEASURE)
        round_id = self.query.get("round", "")
        if round_id:
            get_object_or_404(membership.project.rounds, public_id=round_id)
        standing = agreement_standing(
            project=membership.project, days=int(self.query.get("days", "0")), round_id=round_id, now=timezone.now()
        )
        data = standing.report.data if standing.report else {}
        computed_at = standing.report.computed_at if standing.report else None
        figures = report_json(data, names_of_readers(membership, data)) if data else {}
        return Response({"computed_at": computed_at, "n_since": standing.n_since, **figures})
