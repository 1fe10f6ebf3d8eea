"""Runs: listed, started, watched, stopped, tried again."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.suggestions import services
from annotator.suggestions.finding import look_for_identifiers
from annotator.suggestions.labelers import start_current_run
from annotator.suggestions.models import LabelRun
from annotator.suggestions.selectors import progress_of_runs, runs_of
from annotator.suggestions.serializers import RunQuery, RunSerializer
from annotator.web.api import ApiView, operation, page_of, page_serializer
from annotator.web.api_problems import Conflict


class Runs(ApiView):
    @operation("runs_list", query=RunQuery, answers={200: page_serializer(RunSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's runs, newest first."""
        membership = membership_of(request, project_id, Action.READ_NOTES, or_scope=Scope.RUN)
        found = runs_of(membership.project)
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        return page_of(found, query=self.query, serializer=RunSerializer, context=_progress)

    @operation("runs_start", answers={201: RunSerializer}, problems=[409])
    def post(self, request: Request, project_id: str) -> Response:
        """Send the project's labeler over the notes that it has not read; 409 where there is none, or where it cannot
        read here.

        That is the one that was promoted last; without a promotion, the installation's.
        """
        membership = membership_of(request, project_id, Action.RUN)
        try:
            made = start_current_run(project=membership.project, actor=membership.user, now=timezone.now())
        except services.RunRefused as refusal:
            raise Conflict(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Identifiers(ApiView):
    @operation("identifiers_look_for", answers={201: RunSerializer}, problems=[409])
    def post(self, request: Request, project_id: str) -> Response:
        """Look for identifiers in the notes that were not looked through; 409 where there is none.

        The schema gets the label for them where it lacks it. Notes that are done open for what is found.
        """
        membership = membership_of(request, project_id, Action.RUN)
        try:
            made = look_for_identifiers(project=membership.project, actor=membership.user, now=timezone.now())
        except services.RunRefused as refusal:
            raise Conflict(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Run(ApiView):
    @operation("runs_get", answers={200: RunSerializer})
    def get(self, request: Request, project_id: str, run_id: str) -> Response:
        """How far a run is."""
        membership = membership_of(request, project_id, Action.READ_NOTES, or_scope=Scope.RUN)
        return _answer(membership, run_id)


class RunCancel(ApiView):
    @operation("runs_cancel", answers={200: RunSerializer})
    def post(self, request: Request, project_id: str, run_id: str) -> Response:
        """Stop a run; what it has found stays. A run that has ended stays as it is."""
        membership = membership_of(request, project_id, Action.RUN)
        services.cancel_run(run=_run_of(membership, run_id), actor=membership.user, now=timezone.now())
        return _answer(membership, run_id)


class RunRetry(ApiView):
    @operation("runs_retry", answers={200: RunSerializer})
    def post(self, request: Request, project_id: str, run_id: str) -> Response:
        """Queue a run's failed and cancelled notes again."""
        membership = membership_of(request, project_id, Action.RUN)
        services.retry_run(run=_run_of(membership, run_id), actor=membership.user, now=timezone.now())
        return _answer(membership, run_id)


def _run_of(membership: Membership, run_id: str) -> LabelRun:
    return get_object_or_404(runs_of(membership.project), public_id=run_id)


def _answer(membership: Membership, run_id: str, *, status: int = 200) -> Response:
    run = _run_of(membership, run_id)
    return Response(RunSerializer(run, context=_progress([run])).data, status=status)


def _progress(runs: list[LabelRun]) -> dict[str, Any]:
    return {"progress": progress_of_runs([run.pk for run in runs])}
