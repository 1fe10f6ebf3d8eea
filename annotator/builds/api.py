"""Datasets: listed, built, watched, stopped, downloaded."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.builds import services
from annotator.builds.models import DatasetBuild
from annotator.builds.selectors import builds_of, readers_of, revoked_under
from annotator.builds.serializers import BuildQuery, BuildSerializer, NewBuildSerializer
from annotator.builds.writing import BuildRefused
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.web.api import ApiView, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Gone, Refused


class Builds(ApiView):
    @operation("builds_list", query=BuildQuery, answers={200: page_serializer(BuildSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's datasets, newest first."""
        membership = membership_of(request, project_id, Action.BUILD)
        found = builds_of(membership.project)
        if "status" in self.query:
            found = found.filter(job__status=self.query["status"])
        return page_of(found, query=self.query, serializer=BuildSerializer, context=_context)

    @operation("builds_create", body=NewBuildSerializer, answers={201: BuildSerializer}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Build a dataset of the notes that are done; a worker writes it. 422 where there is none."""
        membership = membership_of(request, project_id, Action.BUILD)
        data = checked_body(NewBuildSerializer, request)
        annotator = data["options"].annotator
        if annotator and annotator not in {reader.public_id for reader in readers_of(membership.project)}:
            raise Refused("This person has not submitted a note.", errors=[("annotator", "No reader of this project.")])
        try:
            made = services.create_build(project=membership.project, actor=membership.user, now=timezone.now(), **data)
        except BuildRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership, made.public_id, status=201)


class Build(ApiView):
    @operation("builds_get", answers={200: BuildSerializer})
    def get(self, request: Request, project_id: str, build_id: str) -> Response:
        """One dataset: how far it is, then its files."""
        return _answer(membership_of(request, project_id, Action.BUILD), build_id)


class BuildCancel(ApiView):
    @operation("builds_cancel", answers={200: BuildSerializer})
    def post(self, request: Request, project_id: str, build_id: str) -> Response:
        """Ask a build to stop. One that has ended stays as it is."""
        membership = membership_of(request, project_id, Action.BUILD)
        services.cancel_build(build=_build_of(membership, build_id), actor=membership.user, now=timezone.now())
        return _answer(membership, build_id)


class BuildFile(ApiView):
    @operation(
        "builds_download",
        answers={200: OpenApiTypes.BINARY},
        media_type="application/octet-stream",
        problems=[410],
    )
    def get(self, request: Request, project_id: str, build_id: str, name: str) -> FileResponse:
        """A file of a dataset: one that it lists, or `manifest.json`; 410 once a purge has removed it.

        Who took which file is kept.
        """
        membership = membership_of(request, project_id, Action.BUILD)
        found = _build_of(membership, build_id)
        try:
            stream = services.open_file(build=found, name=name)
        except services.FilesRemoved as removed:
            raise Gone("The files of this dataset were removed by a purge.") from removed
        except FileNotFoundError as error:
            raise Http404 from error
        services.record_download(build=found, file=name, actor=membership.user, now=timezone.now())
        return FileResponse(
            stream, as_attachment=True, filename=f"{found.public_id}-{name}", content_type="application/octet-stream"
        )


def _build_of(membership: Membership, build_id: str) -> DatasetBuild:
    return get_object_or_404(builds_of(membership.project), public_id=build_id)


def _context(builds: list[DatasetBuild]) -> dict[str, Any]:
    return {"revoked": revoked_under(builds)}


def _answer(membership: Membership, build_id: str, *, status: int = 200) -> Response:
    build = _build_of(membership, build_id)
    return Response(BuildSerializer(build, context=_context([build])).data, status=status)
