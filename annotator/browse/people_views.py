"""The people of a project: their roles, and the invitations that bring more."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.browse import selectors, services
from annotator.browse.forms import AwayForm, RoleForm
from annotator.browse.pages import person_row
from annotator.core.wording import sentence
from annotator.projects import invitations
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Invitation, Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import member_of, open_invitations
from annotator.projects.services import ProjectError
from annotator.projects.services import set_away as change_away
from annotator.web.http import see_other
from annotator.web.paging import page_of


@require_safe
def people(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's members, and its open invitations."""
    return _people_page(request, _lead(request, project_id))


@sensitive_variables("link")
@require_POST
def invite(request: HttpRequest, project_id: str) -> HttpResponse:
    """Make an invitation. The answer shows its link, this once: it is kept nowhere."""
    lead = _lead(request, project_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _people_page(request, lead, form=form, status=422)
    path = invitations.invite(project=lead.project, role=form.cleaned_data["role"], actor=lead.user, now=timezone.now())
    link = f"{'https' if settings.HTTPS else request.scheme}://{request.get_host()}{path}"
    role = Membership.Role(form.cleaned_data["role"]).label
    return _people_page(request, lead, link=link, role=role, status=201)


@require_POST
def revoke(request: HttpRequest, project_id: str, invitation_id: str) -> HttpResponse:
    """Withdraw an invitation of the project."""
    lead = _lead(request, project_id)
    found = get_object_or_404(Invitation, project=lead.project, public_id=invitation_id)
    if invitations.revoke(invitation=found, actor=lead.user, now=timezone.now()):
        messages.success(request, "The invitation is withdrawn.")
    else:
        messages.info(request, "That invitation was used or withdrawn before.")
    return see_other(request, _people_url(lead))


@require_POST
def set_role(request: HttpRequest, project_id: str, user_id: str) -> HttpResponse:
    """Change a member's role."""
    lead = _lead(request, project_id)
    member = _member(lead, user_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _people_page(request, lead, refusal="Choose a role from the list.", status=422)
    role = form.cleaned_data["role"]
    try:
        changed = services.give_role(
            project=lead.project, user=member.user, role=role, actor=lead.user, now=timezone.now()
        )
    except ProjectError as refusal:
        return _people_page(request, lead, refusal=sentence(str(refusal)), status=409)
    messages.success(request, f"{member.user.username}: {changed.get_role_display().lower()}.")
    is_still_lead = member.user_id != lead.user_id or may(role=role, action=Action.MANAGE)
    return see_other(request, _people_url(lead) if is_still_lead else reverse("browse:overview", args=[project_id]))


@require_POST
def set_away(request: HttpRequest, project_id: str, user_id: str) -> HttpResponse:
    """Say until when a member is away, so that others may read what is assigned to them."""
    lead = _lead(request, project_id)
    member = _member(lead, user_id)
    form = AwayForm(request.POST)
    if not form.is_valid():
        return _people_page(request, lead, refusal="Give a day, or none.", status=422)
    until = form.cleaned_data["until"]
    try:
        change_away(membership=member, until=until, actor=lead.user, now=timezone.now())
    except ProjectError as refusal:
        return _people_page(request, lead, refusal=sentence(str(refusal)), status=422)
    is_away = f"is away until {until:%-d %B %Y}: others may read what is assigned to them" if until else "is here"
    messages.success(request, f"{member.user.username} {is_away}.")
    return see_other(request, _people_url(lead))


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, project_id: str, user_id: str) -> HttpResponse:
    """What removing a member means, and the button that does it."""
    lead = _lead(request, project_id)
    member = _member(lead, user_id)
    if request.method != "POST":
        context = page_context(lead, current="People", crumb="Remove") | {
            "member": member,
            "tally": selectors.tallies(lead.project, [member.user])[member.user_id],
        }
        return render(request, "browse/remove_person.html", context)
    try:
        services.remove_person(membership=member, actor=lead.user, now=timezone.now())
    except ProjectError as refusal:
        return _people_page(request, lead, refusal=sentence(str(refusal)), status=409)
    messages.success(request, f"{member.user.username} is no longer in {lead.project.name}.")
    return see_other(request, _people_url(lead) if member.user_id != lead.user_id else reverse("home"))


def _lead(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)


def _member(lead: Membership, user_id: str) -> Membership:
    found = member_of(lead.project, user_id=user_id)
    if found is None:
        raise Http404
    return found


def _people_url(lead: Membership) -> str:
    return reverse("browse:people", args=[lead.project.public_id])


@sensitive_variables("link")
def _people_page(
    request: HttpRequest,
    lead: Membership,
    *,
    form: RoleForm | None = None,
    refusal: str = "",
    link: str = "",
    role: str = "",
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    page = page_of(request, selectors.members_of(lead.project))
    tallies = selectors.tallies(lead.project, [member.user for member in page])
    context = page_context(lead, current="People") | {
        "page": page,
        "rows": [person_row(member, tallies[member.user_id], now=now) for member in page],
        "invitations": open_invitations(lead.project, now=now),
        "form": form or RoleForm(),
        "refusal": refusal,
        "link": link,
        "role": role,
    }
    return render(request, "browse/people.html", context, status=status)
