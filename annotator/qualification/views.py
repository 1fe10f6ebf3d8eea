"""The pages of the qualification: the lead's, and what a try shows to who made it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.audit.services import record_read
from annotator.core.wording import sentence
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_guideline, current_schema, member_of
from annotator.qualification import pages, services
from annotator.qualification.forms import EVERYONE, QualificationForm
from annotator.qualification.models import Qualification, Trial
from annotator.qualification.selectors import (
    annotators,
    current_qualification,
    how_far,
    offered_sets,
    reference_counts,
    standings,
    trial_for,
    tried_notes,
)
from annotator.web.http import see_other
from annotator.web.paging import page_of


@require_safe
def qualification(request: HttpRequest, project_id: str) -> HttpResponse:
    """What is asked of new annotators, and how far each annotator is."""
    return _lead_page(request, _lead(request, project_id))


@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form of the next version, filled with the one that counts."""
    lead = _lead(request, project_id)
    project, status = lead.project, 200
    labels = current_schema(project).schema.label_names
    before = current_qualification(project)
    chosen = list(before.reference_notes.values_list("reference", flat=True)) if before else []
    offered = list(offered_sets(project, chosen=chosen))
    if request.method == "POST":
        form = QualificationForm(request.POST, labels=labels, offered=offered)
        if form.is_valid():
            try:
                services.ask_to_qualify(
                    project=project,
                    new=form.asked,
                    references=form.references,
                    everyone=form.cleaned_data["who"] == EVERYONE,
                    actor=lead.user,
                    now=timezone.now(),
                )
            except services.QualificationError as error:
                form.add_error("notes", sentence(str(error)))
            else:
                messages.success(request, "New annotators are asked to qualify.")
                return see_other(request, _url(lead))
        status = 422
    else:
        initial = QualificationForm.initial_of(before, labels)
        form = QualificationForm(initial=initial, labels=labels, offered=offered)
    context = page_context(lead, current="People", crumb="Qualification") | {"form": form}
    return render(request, "qualification/new.html", context, status=status)


@require_POST
def turn_off(request: HttpRequest, project_id: str) -> HttpResponse:
    """Ask nobody to qualify any longer."""
    lead = _lead(request, project_id)
    return _do(request, lead, services.turn_off, said="Nobody is asked to qualify now.")


@require_POST
def let_in(request: HttpRequest, project_id: str, user_id: str) -> HttpResponse:
    """Let an annotator read who has not passed."""
    lead = _lead(request, project_id)
    user = _member(lead, user_id).user
    return _do(request, lead, partial(services.let_in, user=user), said=f"{user.username} may read notes now.")


@require_POST
def take_back(request: HttpRequest, project_id: str, user_id: str) -> HttpResponse:
    """Ask someone to qualify after all who was let in."""
    lead = _lead(request, project_id)
    user = _member(lead, user_id).user
    return _do(
        request, lead, partial(services.take_back, user=user), said=f"{user.username} is asked to qualify again."
    )


@require_safe
def trial(request: HttpRequest, project_id: str, trial_id: str) -> HttpResponse:
    """What a finished try shows: the figures, and where reader and reference differ. For its reader, and leads."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.VIEW)
    project = membership.project
    found = trial_for(project=project, trial_id=trial_id)
    is_own = found is not None and found.user_id == membership.user_id
    is_theirs = is_own or may(role=membership.role, action=Action.MANAGE)
    if found is None or found.status == Trial.Status.OPEN or not is_theirs:
        raise Http404
    record_read(
        project=project_id, actor=membership.user, object_id=found.public_id, now=timezone.now(), verb="trial.read"
    )
    rows = pages.figure_rows(found)
    notes = pages.note_rows(tried_notes(found), current_schema(project).schema)
    guideline = current_guideline(project)
    context = page_context(membership, current="Review" if is_own else "People", crumb="Qualification") | {
        "trial": found,
        "lead": pages.trial_lead(found, rows),
        "rows": rows,
        "notes": notes,
        "guideline": guideline,
        "passages": pages.passages(notes, guideline),
        "is_own": is_own,
        "standing": standings(user=found.user, projects=[project.pk]).get(project.pk) if is_own else None,
    }
    return render(request, "qualification/trial.html", context)


def _do(request: HttpRequest, lead: Membership, act: Callable[..., object], *, said: str) -> HttpResponse:
    """The lead's page once `act` is done, or with why it was refused."""
    try:
        act(project=lead.project, actor=lead.user, now=timezone.now())
    except services.QualificationError as refusal:
        return _lead_page(request, lead, refusal=sentence(str(refusal)), status=409)
    messages.success(request, said)
    return see_other(request, _url(lead))


def _lead(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)


def _member(lead: Membership, user_id: str) -> Membership:
    found = member_of(lead.project, user_id=user_id)
    if found is None:
        raise Http404
    return found


def _url(lead: Membership) -> str:
    return reverse("qualification:qualification", args=[lead.project.public_id])


def _lead_page(request: HttpRequest, lead: Membership, *, refusal: str = "", status: int = 200) -> HttpResponse:
    project = lead.project
    current = current_qualification(project)
    page = page_of(request, annotators(project))
    context = page_context(lead, current="People", crumb="Qualification") | {
        "current": current,
        "is_on": current is not None and current.status == Qualification.Status.ON,
        "page": page,
        "rows": [pages.person_row(found, current) for found in how_far(current, [member.user for member in page])],
        "labels": pages.label_rows(current, reference_counts(current)) if current else [],
        "refusal": refusal,
    }
    return render(request, "qualification/qualification.html", context, status=status)
