"""Datasets: listed, built, watched, stopped, downloaded."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.builds import services, test_sets
from annotator.builds.comparing import compare_builds
from annotator.builds.downloads import give_file
from annotator.builds.models import DatasetBuild
from annotator.builds.selectors import (
    builds_of,
    default_options,
    locked_test_set,
    one_before,
    readers_of,
    revoked_under,
)
from annotator.builds.serializers import (
    BuildQuery,
    BuildSerializer,
    CompareQuery,
    DifferencesSerializer,
    LockSerializer,
    NewBuildSerializer,
    TestSetSerializer,
    VerifiedSerializer,
)
from annotator.builds.writing import BuildRefused
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.token_access import membership_of
from annotator.web.api import ApiView, checked_body, cursor_of, operation, page_of, page_serializer
from annotator.web.api_problems import Gone, OutOfRange, Refused
from annotator.web.ranges import NoSuchRange

_PURGED = "The files of this dataset were removed by a purge."


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
        context = {"defaults": default_options(membership.project, locked_test_set(membership.project))}
        data = checked_body(NewBuildSerializer, request, context=context)
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


class BuildResume(ApiView):
    @operation("builds_resume", answers={200: BuildSerializer})
    def post(self, request: Request, project_id: str, build_id: str) -> Response:
        """Have a build that failed or was cancelled written after all. Any other stays as it is."""
        membership = membership_of(request, project_id, Action.BUILD)
        services.resume_build(build=_build_of(membership, build_id), actor=membership.user, now=timezone.now())
        return _answer(membership, build_id)


class BuildVerify(ApiView):
    @operation("builds_verify", answers={200: VerifiedSerializer}, problems=[410, 422])
    def post(self, request: Request, project_id: str, build_id: str) -> Response:
        """Read all files of a dataset and compare them with its manifest."""
        membership = membership_of(request, project_id, Action.BUILD)
        found = _build_of(membership, build_id)
        if found.files_removed_at is not None:
            raise Gone(_PURGED)
        try:
            verified = services.verify_build(build=found, actor=membership.user, now=timezone.now())
        except BuildRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return Response(VerifiedSerializer(verified).data)


class BuildCompare(ApiView):
    @operation("builds_compare", query=CompareQuery, answers={200: DifferencesSerializer}, problems=[422])
    def get(self, request: Request, project_id: str, build_id: str) -> Response:
        """What changed from the dataset `with` to this one: options, counts of labels, and notes, a page at a time.

        Without `with`, from the newest that was done before it. 422 where there is none, or this one is not done.
        """
        membership = membership_of(request, project_id, Action.BUILD)
        after = _build_of(membership, build_id)
        wanted = self.query.get("with")
        before = _build_of(membership, wanted) if wanted else one_before(after)
        if before is None or not (after.manifest and before.manifest):
            raise Refused("Only datasets that are done can be compared.")
        first, limit = self.query.get("cursor") or 0, self.query["limit"]
        found = compare_builds(before=before, after=after, first=first, n=limit)
        is_last = found.notes is None or found.notes.n_changes <= first + limit
        following = None if is_last else cursor_of(first + limit)
        return Response(DifferencesSerializer(found, context={"next": following}).data)


class TestSet(ApiView):
    @operation("test_set_get", answers={200: TestSetSerializer})
    def get(self, request: Request, project_id: str) -> Response:
        """The locked test set, whose patients are in the part test of every dataset; 404 where none is locked."""
        return _test_set(membership_of(request, project_id, Action.BUILD))

    @operation("test_set_lock", body=LockSerializer, answers={201: TestSetSerializer}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Keep the patients of a dataset's part test in test from now on; 422 where a test set is locked already."""
        membership = membership_of(request, project_id, Action.MANAGE)
        build = _build_of(membership, checked_body(LockSerializer, request)["build"])
        try:
            test_sets.lock_test_set(build=build, actor=membership.user, now=timezone.now())
        except test_sets.LockRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _test_set(membership, status=201)

    @operation("test_set_unlock", answers={204: None})
    def delete(self, request: Request, project_id: str) -> Response:
        """Let later datasets choose their test patients anew."""
        membership = membership_of(request, project_id, Action.MANAGE)
        test_sets.unlock_test_set(project=membership.project, actor=membership.user, now=timezone.now())
        return Response(status=204)


class BuildFile(ApiView):
    @operation(
        "builds_download",
        answers={200: OpenApiTypes.BINARY, 206: OpenApiTypes.BINARY, 304: None},
        media_type="application/octet-stream",
        problems=[410, 416],
    )
    def get(self, request: Request, project_id: str, build_id: str, name: str) -> HttpResponseBase:
        """A file of a dataset: one that it lists, or `manifest.json`; 410 once a purge has removed it.

        The ETag is its sha256. With `Range`, and `If-Range` where it should be of that very file, a part of it. Who
        took which file is kept.
        """
        membership = membership_of(request, project_id, Action.BUILD)
        found = _build_of(membership, build_id)
        try:
            return give_file(request, build=found, name=name, actor=membership.user)
        except services.FilesRemoved as removed:
            raise Gone(_PURGED) from removed
        except FileNotFoundError as error:
            raise Http404 from error
        except NoSuchRange as refusal:
            raise OutOfRange(f"The file has {refusal.n_bytes} bytes.", n_bytes=refusal.n_bytes) from refusal


def _build_of(membership: Membership, build_id: str) -> DatasetBuild:
    return get_object_or_404(builds_of(membership.project), public_id=build_id)


def _test_set(membership: Membership, *, status: int = 200) -> Response:
    found = locked_test_set(membership.project)
    if found is None:
        raise Http404
    return Response(TestSetSerializer(found).data, status=status)


def _context(builds: list[DatasetBuild]) -> dict[str, Any]:
    return {"revoked": revoked_under(builds)}


def _answer(membership: Membership, build_id: str, *, status: int = 200) -> Response:
    build = _build_of(membership, build_id)
    return Response(BuildSerializer(build, context=_context([build])).data, status=status)
