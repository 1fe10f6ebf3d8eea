"""Reading projects."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.accounts.selectors import token_digest
from annotator.core.identifiers import asked_of
from annotator.projects.access import Action, Role, may
from annotator.projects.models import Guideline, Invitation, Membership, Project, SchemaVersion


class InvitationInvalid(Exception):
    """A link that lets nobody in; the message says why and is shown."""


def memberships_of(user: User) -> QuerySet[Membership]:
    """The user's memberships with their projects, newest project first. One query."""
    return Membership.objects.filter(user=user).select_related("project").order_by("-project__created_at")


def members_who(project: Project, *actions: Action) -> QuerySet[Membership, int]:
    """Row ids of the people whose role allows all of `actions`, for a query."""
    roles = [role for role in Role if all(may(role=role, action=action) for action in actions)]
    return Membership.objects.filter(project=project, role__in=roles).values_list("user", flat=True)


def current_schema(project: Project) -> SchemaVersion:
    """The newest schema version. One query."""
    return project.schema_versions.order_by("-number")[:1].get()


def schema_for(project: Project, *, backend: str = "", until: int | None = None) -> SchemaVersion:
    """The schema version that a labeler of that backend ("": any of findings) has now, or had while number `until` was
    the newest: the first of the newest ones in a row that ask the same of it. So a label for identifiers changes
    nothing for labelers of findings. One query.
    """
    versions = project.schema_versions.order_by("-number")
    newest, *older = versions if until is None else versions.filter(number__lte=until)
    asked = asked_of(newest.schema, backend=backend)
    same = takewhile(lambda version: asked_of(version.schema, backend=backend) == asked, older)
    return [newest, *same][-1]


def current_guideline(project: Project) -> Guideline | None:
    """The newest version of the guideline. One query."""
    return project.guidelines.order_by("-number").first()


def guidelines_of(project: Project) -> QuerySet[Guideline]:
    """All versions of the guideline, newest first, with who wrote them. One query."""
    return project.guidelines.select_related("created_by").order_by("-number")


def project_named(slug: str) -> Project | None:
    """The project of that slug, for the command line."""
    return Project.objects.filter(slug=slug).first()


def member_of(project: Project, *, user_id: str) -> Membership | None:
    """The membership of the person of that public id, with user and project. One query."""
    return project.memberships.select_related("user", "project").filter(user__public_id=user_id).first()


def open_invitations(project: Project, *, now: datetime) -> QuerySet[Invitation]:
    """Links that still let someone in, newest first, with who made them. One query."""
    found = project.invitations.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)
    return found.select_related("created_by").order_by("-created_at", "-pk")


def invitation_of_token(*, token: str, now: datetime) -> Invitation:
    """The open invitation of `token`, with its project and who made it. Raises InvitationInvalid. One query."""
    found = Invitation.objects.select_related("project", "created_by").filter(token_sha256=token_digest(token)).first()
    if found is None:
        raise InvitationInvalid("This link is not known here.")
    if found.accepted_at is not None:
        raise InvitationInvalid("This link has been used. It lets one person in.")
    if found.revoked_at is not None or (found.created_by is not None and not found.created_by.is_active):
        raise InvitationInvalid("This link has been withdrawn.")
    if found.expires_at <= now:
        raise InvitationInvalid("This link has expired. It is good for seven days.")
    return found
