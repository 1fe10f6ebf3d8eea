"""What a token may do in a project: what its scopes and its user's role both allow."""

from __future__ import annotations

from typing import cast

from django.http import Http404
from rest_framework.request import Request

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import Scope
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.web.api_problems import Forbidden

# Scopes of which a token needs one. Every token may see that its projects are there, with their schema.
_SCOPES: dict[Action, tuple[Scope, ...]] = {
    Action.VIEW: tuple(Scope),
    Action.READ_NOTES: (Scope.READ,),
    Action.REVIEW: (Scope.REVIEW,),
    Action.IMPORT: (Scope.IMPORT,),
    Action.RUN: (Scope.RUN,),
    Action.ADJUDICATE: (Scope.REVIEW,),
    Action.BUILD: (Scope.BUILD,),
    Action.MEASURE: (Scope.READ,),
    Action.MANAGE: (Scope.MANAGE,),
}


def membership_of(request: Request, project_id: str, action: Action, *, or_scope: Scope | None = None) -> Membership:
    """The membership of the token's user, with its project; `or_scope` is good enough besides the action's own.

    Raises Http404 for an outsider and where the token is for another project, PermissionDenied for a role that does
    not allow `action`, Forbidden for a scope that the token does not have.
    """
    token = token_of(request)
    if token.project and token.project != project_id:
        raise Http404
    membership = membership_for(user=request.user, project_id=project_id, action=action)
    require_scope(request, *_SCOPES[action], *([or_scope] if or_scope else ()))
    return membership


def token_of(request: Request) -> ApiToken:
    return cast(ApiToken, request.auth)


def user_of(request: Request) -> User:
    return cast(User, request.user)


def require_scope(request: Request, *scopes: Scope) -> None:
    """Raises Forbidden where the token has none of `scopes`; says which are good enough."""
    if not set(scopes) & set(token_of(request).scopes):
        raise Forbidden(f"This token does not have the scope {' or '.join(scopes)}.", kind="scope")
