"""Who may do what: the only way from a request to a project."""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotator.accounts.models import User
from annotator.projects.models import Membership

Role = Membership.Role


class Action(StrEnum):
    VIEW = "view the project"
    READ_NOTES = "list the notes"
    REVIEW = "review notes"
    IMPORT = "import notes"
    RUN = "run a labeler"
    ADJUDICATE = "adjudicate notes"
    BUILD = "build datasets"
    MEASURE = "see how good readers and labelers are"
    MANAGE = "manage the project"


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.LEAD: frozenset(Action),
    Role.ANNOTATOR: frozenset({Action.VIEW, Action.REVIEW}),
    Role.ADJUDICATOR: frozenset({Action.VIEW, Action.REVIEW, Action.READ_NOTES, Action.ADJUDICATE}),
    Role.DATA_SCIENTIST: frozenset({Action.VIEW, Action.READ_NOTES, Action.IMPORT, Action.BUILD, Action.MEASURE}),
}


def may(*, role: str, action: Action) -> bool:
    return action in _ALLOWED[Role(role)]


def membership_for(*, user: User | AnonymousUser, project_id: str, action: Action) -> Membership:
    """The user's membership, with its project. One query.

    Raises Http404 for who is not a member (the project's existence is not told), PermissionDenied for a member whose
    role does not allow `action`.
    """
    membership = (
        Membership.objects.select_related("project", "user").filter(project__public_id=project_id, user=user).first()
        if user.is_authenticated
        else None
    )
    if membership is None:
        raise Http404
    if not may(role=membership.role, action=action):
        raise PermissionDenied(f"Your role here, {membership.get_role_display().lower()}, does not {action.value}.")
    return membership
