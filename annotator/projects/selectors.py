"""Reading projects."""

from __future__ import annotations

from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.projects.models import Membership, Project, SchemaVersion


def memberships_of(user: User) -> QuerySet[Membership]:
    """The user's memberships with their projects, newest project first. One query."""
    return Membership.objects.filter(user=user).select_related("project").order_by("-project__created_at")


def current_schema(project: Project) -> SchemaVersion:
    """The newest schema version. One query."""
    return project.schema_versions.order_by("-number")[:1].get()


def project_named(slug: str) -> Project | None:
    """The project of that slug, for the command line."""
    return Project.objects.filter(slug=slug).first()
