"""Projects, their members and their schema."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.accounts.tokens import Scope
from annotator.core.wording import sentence
from annotator.projects.access import Action
from annotator.projects.models import Membership
from annotator.projects.selectors import current_schema, memberships_of
from annotator.projects.serializers import MemberSerializer, NewProjectSerializer, ProjectSerializer, SchemaSerializer
from annotator.projects.services import ProjectError, create_project
from annotator.projects.token_access import membership_of, require_scope, token_of, user_of
from annotator.web.api import ApiView, PageQuery, checked_body, operation, page_of, page_serializer
from annotator.web.api_problems import Forbidden, Refused


class Projects(ApiView):
    @operation("projects_list", query=PageQuery, answers={200: page_serializer(ProjectSerializer)})
    def get(self, request: Request) -> Response:
        """The projects that the token's user belongs to, newest first."""
        found = memberships_of(user_of(request))
        if token_of(request).project:
            found = found.filter(project__public_id=token_of(request).project)
        return page_of(found, query=self.query, serializer=ProjectSerializer)

    @operation("projects_create", body=NewProjectSerializer, answers={201: ProjectSerializer}, problems=[422])
    def post(self, request: Request) -> Response:
        """Make a project, which the token's user leads."""
        require_scope(request, Scope.MANAGE)
        if token_of(request).project:
            raise Forbidden("This token is for one project and makes no other.", kind="scope")
        data = checked_body(NewProjectSerializer, request)
        try:
            made = create_project(name=data["name"], schema=data["schema"], lead=user_of(request), now=timezone.now())
        except ProjectError as error:
            raise Refused(sentence(str(error))) from error
        membership = memberships_of(user_of(request)).get(project=made)
        return Response(ProjectSerializer(membership).data, status=201)


class Project(ApiView):
    @operation("projects_get", answers={200: ProjectSerializer})
    def get(self, request: Request, project_id: str) -> Response:
        """One project."""
        membership = membership_of(request, project_id, Action.VIEW)
        return Response(ProjectSerializer(membership).data)


class Members(ApiView):
    @operation("members_list", query=PageQuery, answers={200: page_serializer(MemberSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's members, the newest first."""
        membership = membership_of(request, project_id, Action.VIEW)
        members = Membership.objects.filter(project=membership.project).select_related("user")
        return page_of(members, query=self.query, serializer=MemberSerializer)


class Schema(ApiView):
    @operation("schema_get", answers={200: SchemaSerializer})
    def get(self, request: Request, project_id: str) -> Response:
        """The newest version of the project's schema."""
        membership = membership_of(request, project_id, Action.VIEW)
        return Response(SchemaSerializer(current_schema(membership.project)).data)
