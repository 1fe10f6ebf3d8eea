"""The data page, for leads: how long the project is kept, and what has to go."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.jobs.models import Job
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.purges import services
from annotator.purges.forms import NOTE, PATIENT, WORD, ConfirmForm, FindForm, RetentionForm
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed, doomed_notes, people_of, toll_of, tombstones_of
from annotator.web.http import render_either, see_other
from annotator.web.paging import page_of
from annotator.web.pills import Pill

_LIST, _PANEL = "purges/tombstones.html", "purges/patient.html"
_WAITING = Pill("Waiting", "", "clock")
_RUNNING = Pill("Deleting", "accent", "dot")
_FAILED = Pill("Will be tried again", "warn", "retry")
_DONE = Pill("Deleted", "ok", "check")


@require_safe
def data(request: HttpRequest, project_id: str) -> HttpResponse:
    """How long the project is kept, the search for a patient, the end of the project, and what was deleted.

    `?note=` fills an opaque note id into the search. htmx gets the list of purges alone, while one goes on.
    """
    membership = _member(request, project_id)
    return _page(request, membership)


@require_POST
def retention(request: HttpRequest, project_id: str) -> HttpResponse:
    """Set, change or take away the last day of the project."""
    membership = _member(request, project_id)
    now = timezone.now()
    form = RetentionForm(request.POST, today=timezone.localdate(now))
    if not form.is_valid():
        return _page(request, membership, status=422, retention_form=form)
    until = form.cleaned_data["until"]
    services.set_retention(project=membership.project, until=until, actor=membership.user, now=now)
    if until is None:
        messages.success(request, "The project is kept.")
    else:
        messages.warning(request, f"Everything in this project will be deleted after {until:%-d %B %Y}.")
    return _to_page(request, membership)


@require_POST
def find(request: HttpRequest, project_id: str) -> HttpResponse:
    """The page with what would go; a POST, since a patient's id must not stand in an address. htmx gets the panel."""
    membership = _member(request, project_id)
    form = FindForm(request.POST, project=membership.project)
    if not form.is_valid() or form.doomed is None:
        return _page(request, membership, partial=_PANEL, status=422, find_form=form)
    return _page(
        request, membership, partial=_PANEL, find_form=form, **_found(membership, form.doomed, _confirm_notes())
    )


@require_POST
def remove_notes(request: HttpRequest, project_id: str) -> HttpResponse:
    """Have a patient's notes purged, once the word is typed."""
    membership = _member(request, project_id)
    form = FindForm(request.POST, project=membership.project)
    if not form.is_valid() or form.doomed is None:
        return _page(request, membership, partial=_PANEL, status=422, find_form=form)
    confirmed = _confirm_notes(request.POST)
    if not confirmed.is_valid():
        found = _found(membership, form.doomed, confirmed)
        return _page(request, membership, partial=_PANEL, status=422, find_form=form, **found)
    try:
        services.purge_notes(project=membership.project, doomed=form.doomed, actor=membership.user, now=timezone.now())
    except services.PurgeRefused as refusal:
        messages.info(request, f"Nothing was deleted: {refusal}.")
        return _to_page(request, membership)
    messages.success(request, "Nobody can open these notes any more; they are being deleted.")
    return _to_page(request, membership)


@require_POST
def remove_project(request: HttpRequest, project_id: str) -> HttpResponse:
    """Have the project purged, once its short name is typed. Nobody comes back to it, so it leads home."""
    membership = _member(request, project_id)
    form = _confirm_project(membership, request.POST)
    if not form.is_valid():
        return _page(request, membership, status=422, project_form=form)
    services.purge_project(project=membership.project, actor=membership.user, now=timezone.now())
    messages.success(request, "Nobody can open the project any more; it is being deleted.")
    return see_other(request, reverse("home"))


def _member(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)


def _to_page(request: HttpRequest, membership: Membership) -> HttpResponse:
    return see_other(request, reverse("purges:data", args=[membership.project.public_id]))


def _page(
    request: HttpRequest, membership: Membership, *, partial: str = _LIST, status: int = 200, **parts: Any
) -> HttpResponse:
    """The page; `parts` are the forms that were sent, and what was found."""
    project, now = membership.project, timezone.now()
    page = page_of(request, tombstones_of(project))
    today = timezone.localdate(now)
    context = page_context(membership, current="Data") | {
        "page": page,
        "rows": [{"tombstone": found, "pill": _pill(found)} for found in page],
        "is_moving": any(found.purged_at is None for found in page),
        "has_worker": has_worker(queue="main", now=now),
        "days_left": (project.retain_until - today).days if project.retain_until else None,
        "n_people": people_of(project),
        "retention_form": RetentionForm(today=today, initial={"until": project.retain_until}, auto_id="retention_%s"),
        "find_form": _unbound_find_form(request, membership),
        "project_form": _confirm_project(membership),
    }
    return render_either(
        request,
        page="purges/data.html",
        partial=partial,
        context=context | parts,
        status=status,
    )


def _unbound_find_form(request: HttpRequest, membership: Membership) -> FindForm:
    note = request.GET.get("note", "")
    initial = {"by": NOTE, "value": note} if note else {"by": PATIENT}
    return FindForm(project=membership.project, initial=initial)


def _confirm_notes(given: Any = None) -> ConfirmForm:
    return ConfirmForm(given, word=WORD, label=f"Type “{WORD}” to confirm", auto_id="notes_%s")


def _confirm_project(membership: Membership, given: Any = None) -> ConfirmForm:
    slug = membership.project.slug
    return ConfirmForm(given, word=slug, label=f"Type “{slug}” to confirm", auto_id="project_%s")


def _found(membership: Membership, doomed: Doomed, form: ConfirmForm) -> dict[str, Any]:
    notes = doomed_notes(project=membership.project, doomed=doomed)
    return {
        "doomed": doomed,
        "toll": toll_of(project=membership.project, notes=notes),
        "notes_form": form,
    }


def _pill(found: Tombstone) -> Pill:
    if found.purged_at is not None:
        return _DONE
    if found.job.status in {Job.Status.FAILED, Job.Status.CANCELLED}:
        return _FAILED
    return _WAITING if found.job.status == Job.Status.QUEUED else _RUNNING
