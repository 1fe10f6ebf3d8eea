"""Trainings: listed, started, watched, stopped, resumed."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.builds.selectors import builds_of
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.training import services
from annotator.training.folders import LOG, model_folder
from annotator.training.models import TrainingRun
from annotator.training.options import OPTIONS
from annotator.training.selectors import trainings_of
from annotator.training.serializers import (
    NewTrainingSerializer,
    TrainingDetailSerializer,
    TrainingQuery,
    TrainingSerializer,
)
from annotator.web.api import ApiView, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Refused


class Trainings(ApiView):
    @operation("trainings_list", query=TrainingQuery, answers={200: page_serializer(TrainingSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's trainings, newest first."""
        membership = membership_of(request, project_id, Action.BUILD)
        found = trainings_of(membership.project)
        if "status" in self.query:
            found = found.filter(job__status=self.query["status"])
        return page_of(found, query=self.query, serializer=TrainingSerializer)

    @operation("trainings_start", body=NewTrainingSerializer, answers={201: TrainingDetailSerializer}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Train a model from a dataset; a worker does it. 422 where the dataset cannot be learnt from in this way."""
        membership = membership_of(request, project_id, Action.BUILD)
        data = checked_body(NewTrainingSerializer, request)
        build = get_object_or_404(builds_of(membership.project), public_id=data["build"])
        try:
            made = services.start_training(
                project=membership.project,
                build=build,
                kind=data["kind"],
                base=data["base"],
                recipe=_whole(data["kind"], data["recipe"]),
                actor=membership.user,
                now=timezone.now(),
            )
        except services.TrainingRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Training(ApiView):
    @operation("trainings_get", answers={200: TrainingDetailSerializer})
    def get(self, request: Request, project_id: str, training_id: str) -> Response:
        """One training, with what it told at each step."""
        return _answer(membership_of(request, project_id, Action.BUILD), training_id)


class TrainingCancel(ApiView):
    @operation("trainings_cancel", answers={200: TrainingDetailSerializer})
    def post(self, request: Request, project_id: str, training_id: str) -> Response:
        """Ask a training to stop. One that has ended stays as it is."""
        membership = membership_of(request, project_id, Action.BUILD)
        services.cancel_training(run=_run_of(membership, training_id), actor=membership.user, now=timezone.now())
        return _answer(membership, training_id)


class TrainingResume(ApiView):
    @operation("trainings_resume", answers={200: TrainingDetailSerializer}, problems=[422])
    def post(self, request: Request, project_id: str, training_id: str) -> Response:
        """Go on with a training that failed or was cancelled. Any other stays as it is; 422 where a purge took it."""
        membership = membership_of(request, project_id, Action.BUILD)
        try:
            services.resume_training(run=_run_of(membership, training_id), actor=membership.user, now=timezone.now())
        except services.TrainingRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership, training_id)


class TrainingLog(ApiView):
    @operation("trainings_log", answers={200: OpenApiTypes.BINARY}, media_type="application/octet-stream")
    def get(self, request: Request, project_id: str, training_id: str) -> FileResponse:
        """What the training said, as text; 404 where it has said nothing yet, or its files were removed."""
        found = _run_of(membership_of(request, project_id, Action.BUILD), training_id)
        try:
            stream = (model_folder(found) / LOG).open("rb")
        except FileNotFoundError as error:
            raise Http404 from error
        return FileResponse(stream, as_attachment=True, filename=LOG, content_type="application/octet-stream")


def _whole(kind: str, recipe: dict[str, float]) -> dict[str, Any]:
    """JSON has one kind of number: 2000.0 is 2000 where a whole one is wanted."""
    whole = {option.name for option in OPTIONS[kind] if isinstance(option.default, int)}
    return {name: int(value) if name in whole and value == int(value) else value for name, value in recipe.items()}


def _run_of(membership: Membership, training_id: str) -> TrainingRun:
    return get_object_or_404(trainings_of(membership.project), public_id=training_id)


def _answer(membership: Membership, training_id: str, *, status: int = 200) -> Response:
    found = trainings_of(membership.project).prefetch_related("points")
    return Response(TrainingDetailSerializer(get_object_or_404(found, public_id=training_id)).data, status=status)
