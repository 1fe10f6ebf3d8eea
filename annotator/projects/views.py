"""The page of an invitation, which is there for everybody who has its link."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from annotator.accounts.models import User
from annotator.accounts.services import AccountError, record_sign_in
from annotator.accounts.sessions import begin_session
from annotator.core.wording import sentence
from annotator.projects import invitations
from annotator.projects.forms import NewAccountForm
from annotator.projects.models import Invitation, Membership
from annotator.projects.selectors import InvitationInvalid, invitation_of_token
from annotator.web.http import see_other


@login_not_required
@sensitive_variables("token")
@sensitive_post_parameters("new_password1", "new_password2")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What the link invites to, and the ways in: one button for who is signed in; else signing in, which leads back
    here, or the form of a new account. POST joins.
    """
    try:
        found = invitation_of_token(token=token, now=timezone.now())
        if request.method != "POST":
            return _page(request, found, form=NewAccountForm())
        if request.user.is_authenticated:
            return _join(request, token)
        return _join_as_new(request, token, found)
    except InvitationInvalid as error:
        return render(request, "projects/invitation.html", {"error": str(error)}, status=410)


@sensitive_variables("token")
def _join(request: HttpRequest, token: str) -> HttpResponse:
    try:
        membership = invitations.accept(token=token, user=cast(User, request.user), now=timezone.now())
    except invitations.AlreadyMember as known:
        messages.info(request, f"{sentence(str(known))} Nothing has changed.")
        membership = known.membership
    else:
        messages.success(request, _welcome(membership))
    return see_other(request, _overview(membership))


@sensitive_variables("token")
def _join_as_new(request: HttpRequest, token: str, found: Invitation) -> HttpResponse:
    if "username" not in request.POST:  # who pressed "Join" and was signed out meanwhile
        return see_other(request, request.path)
    if not invitations.may_try_names(found):
        return _page(request, found, form=None, status=429)
    now, form = timezone.now(), NewAccountForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    try:
        membership = invitations.accept_as_new(
            token=token,
            username=form.cleaned_data["username"],
            password=form.cleaned_data["new_password1"],
            now=now,
        )
    except AccountError:
        invitations.record_taken_name(invitation=found, now=now)
        form.add_error("username", "This user name is taken.")
        return _page(request, found, form=form, status=422)
    user = membership.user
    begin_session(request, user, now=now)
    record_sign_in(user=user, now=now)
    messages.success(request, _welcome(membership))
    return see_other(request, _overview(membership))


def _page(request: HttpRequest, found: Invitation, *, form: NewAccountForm | None, status: int = 200) -> HttpResponse:
    known = None
    if request.user.is_authenticated:
        known = found.project.memberships.filter(user=request.user).first()
    context: dict[str, Any] = {"invitation": found, "known": known, "form": form}
    return render(request, "projects/invitation.html", context, status=status)


def _welcome(membership: Membership) -> str:
    return f"Welcome to {membership.project.name}. Your role here: {membership.get_role_display().lower()}."


def _overview(membership: Membership) -> str:
    return reverse("browse:overview", args=[membership.project.public_id])
