"""What a project accepts without review: read, wanted, and taken back."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.token_access import membership_of
from annotator.routing.figures import trust_json
from annotator.routing.revoking import ASKED, RevokeRefused, revoke_certificate
from annotator.routing.selectors import trust_of
from annotator.routing.serializers import NewTargetSerializer
from annotator.routing.targets import TargetRefused, set_target
from annotator.web.api import ApiView, checked_body, operation
from annotator.web.api_problems import Conflict, Refused


class Trust(ApiView):
    @operation("trust_get", answers={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, project_id: str) -> Response:
        """Targets, calibrators, batches with the evidence of their regions, and certificates, newest first.

        As `manage.py trust --json` has it. `log_evidence` is null where nothing speaks for a region, or where it is
        sure; `is_passed` tells which. `second_reader` is null where a test has none; of what it measures,
        `wrong_to_right` are false alarms of the first reader, `right_to_wrong` errors that they overlooked, in the
        drawn share and, `expected`, in all audits called right.
        """
        return _answer(membership_of(request, project_id, Action.MEASURE).project)


class Targets(ApiView):
    @operation("targets_create", body=NewTargetSerializer, answers={201: OpenApiTypes.OBJECT}, problems=[422])
    def post(self, request: Request, project_id: str) -> Response:
        """Want something of suggestions that are accepted without review, or with the status `off` have none accepted.

        What is tested or certified by another promise ends. Answers as `trust_get`. 422 where there is no such label.
        """
        membership = membership_of(request, project_id, Action.MANAGE)
        data = checked_body(NewTargetSerializer, request)
        try:
            set_target(project=membership.project, actor=membership.user, now=timezone.now(), **data)
        except TargetRefused as refusal:
            raise Refused(sentence(str(refusal))) from refusal
        return _answer(membership.project, status=201)


class CertificateRevoke(ApiView):
    @operation("certificates_revoke", answers={200: OpenApiTypes.OBJECT}, problems=[409])
    def post(self, request: Request, project_id: str, certificate_id: str) -> Response:
        """Take a certificate back: what was accepted under it is withdrawn and asked about. Answers as `trust_get`.

        409 where it is revoked already.
        """
        membership = membership_of(request, project_id, Action.MANAGE)
        found = get_object_or_404(membership.project.certificates.select_related("project"), public_id=certificate_id)
        try:
            revoke_certificate(certificate=found, actor=membership.user, reason=ASKED, now=timezone.now())
        except RevokeRefused as refusal:
            raise Conflict(sentence(str(refusal))) from refusal
        return _answer(membership.project)


def _answer(project: Project, *, status: int = 200) -> Response:
    return Response(trust_json(trust_of(project)), status=status)
