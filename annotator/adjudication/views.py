"""The adjudication pages: the notes that several people have read, and one of them side by side.

Nobody who may still read a note sees its readings: while one is to come the note is a 409 without text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from annotator.adjudication import leases, pages, services
from annotator.adjudication.acts import act_of, asked_of, third_of
from annotator.adjudication.forms import AdjudicationFilter, ChoiceForm, ThirdForm
from annotator.adjudication.render import place_of, quote_of
from annotator.adjudication.selectors import CaseFile, adjudications_of, case_file, counts_of, listed_notes, may_see
from annotator.audit.services import record_read
from annotator.core.cases import Case
from annotator.core.schema import SchemaError
from annotator.core.spans import SpanError
from annotator.core.wording import sentence
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.readings.models import Adjudication
from annotator.review.pages import note_title
from annotator.web.http import is_partial, render_either, see_other

PAGE_SIZE = 50
_NAV = "Adjudicate"
_Status = Adjudication.Status
_CONFLICTS = (services.ChoiceConflict, leases.LeaseConflict)
_REFUSALS = (services.ChoiceRefused, SchemaError, SpanError)


@require_safe
def notes(request: HttpRequest, project_id: str) -> HttpResponse:
    """The notes that several people have read, by their state."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.ADJUDICATE)
    counts = counts_of(membership.project)
    filter = AdjudicationFilter(request.GET, counts=counts)
    found = listed_notes(project=membership.project, status=filter.chosen, viewer=membership.user)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    now = timezone.now()
    context = page_context(membership, current=_NAV, counts={_NAV: counts[_Status.OPEN]}) | {
        "counts": counts,
        "n_total": sum(counts.values()),
        "may_manage": may(role=membership.role, action=Action.MANAGE),
        "filter": filter,
        "page": page,
        "rows": [
            {
                "adjudication": each,
                "title": note_title(each.document),
                "pill": pages.state_pill(each),
                "is_held_by_other": each.lease_expires_at is not None
                and each.lease_expires_at > now
                and each.leased_by != membership.user,
            }
            for each in page
        ],
    }
    return render_either(
        request, page="adjudication/notes.html", partial="adjudication/note_list.html", context=context
    )


@require_POST
def take_next(request: HttpRequest, project_id: str) -> HttpResponse:
    """Lease the next note and go to it."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.ADJUDICATE)
    return _to_next(request, membership)


@require_POST
def take(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Lease this note and go to it."""
    return _then_show(request, project_id, adjudication_id, services.take)


@require_POST
def reopen(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Take finished gold back to work on it."""
    return _then_show(request, project_id, adjudication_id, services.reopen)


@require_POST
def renew(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Keep the lease while the adjudicator is active: 204, or 409 where there is none to keep."""
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    is_kept = leases.renew(adjudication=adjudication, adjudicator=membership.user, now=timezone.now())
    return HttpResponse(status=204 if is_kept else 409)


@require_POST
def put_back(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Leave the note as it stands, for whoever comes next."""
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    leases.put_back(adjudication=adjudication, adjudicator=membership.user)
    return see_other(request, reverse("adjudication:notes", args=[project_id]))


@require_POST
def finish(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Submit the gold and go to the next note."""
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    try:
        services.finish(adjudication=adjudication, adjudicator=membership.user, now=timezone.now())
    except (*_CONFLICTS, services.ChoiceRefused) as refusal:
        messages.warning(request, sentence(str(refusal)))
        return see_other(request, _url(membership, adjudication))
    return _to_next(request, membership)


@require_GET
def note(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """The note's readings side by side and the card of the case that `?case=` names, that is at the code point `?at=`,
    or of the first that is open.

    `?columns=AC` says whose readings stand there. `?edit=` opens a third version, as far as it is written. A lead sees
    with `?names=1` who read what, once the note is done.
    """
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    if not may_see(adjudication=adjudication, viewer=membership.user):
        return _not_yours(request, membership, adjudication)
    _record_read(membership, adjudication)
    file = case_file(adjudication)
    case = pages.case_named(file, request.GET.get("case", "")) or pages.case_at(file, request.GET.get("at", ""))
    case = case or pages.first_open(file)
    form = ThirdForm(request.GET)
    if case is None or "edit" not in request.GET or adjudication.status != _Status.OPEN:
        return _show(request, membership, file, case)
    if not form.is_valid():
        raise Http404
    return _show_third(request, membership, file, case, form.cleaned_data)


@require_POST
def choose(request: HttpRequest, project_id: str, adjudication_id: str) -> HttpResponse:
    """Save one choice and answer with the next open case; without a choice, draw the third version as it is now."""
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    if not may_see(adjudication=adjudication, viewer=membership.user):
        return _not_yours(request, membership, adjudication)
    form = ChoiceForm(request.POST)
    file = case_file(adjudication)
    if not form.is_valid():
        error = "This could not be read; nothing was saved."
        return _show(request, membership, file, pages.first_open(file), error=error, status=422)
    data = form.cleaned_data
    case = file.case(data["case"])
    if not data["take"] and case is not None:
        return _show_third(request, membership, file, case, data)
    try:
        choice = services.choose(
            adjudication=adjudication,
            adjudicator=membership.user,
            act=act_of(file, data),
            key=data["key"],
            now=timezone.now(),
            asked=asked_of(data),
            active_seconds=data["active_seconds"],
        )
    except services.ReasonWanted as wanted:
        return _show(request, membership, file, case, error=str(wanted), wants_reason=True, status=422)
    except _CONFLICTS as conflict:
        adjudication.refresh_from_db()
        if not may_see(adjudication=adjudication, viewer=membership.user):
            return _not_yours(request, membership, adjudication, error=str(conflict))
        file = case_file(adjudication)
        case = file.case(data["case"]) or pages.first_open(file)
        return _show(request, membership, file, case, error=str(conflict), status=409)
    except _REFUSALS as refusal:
        error = f"{sentence(str(refusal))} Nothing was saved."
        is_third = data["take"] == "edit" and not isinstance(refusal, SpanError)
        third = third_of(file, case, data) if case and is_third else None
        return _show(request, membership, file, case, third=third, error=error, status=422)
    after = case_file(adjudication)
    settled = after.case(choice.case_key)
    is_undone = data["take"] == "undo"
    following = settled if is_undone else pages.first_open(after, after=settled)
    if not is_partial(request):
        place = f"?case={place_of(following)}" if following else ""
        return see_other(request, _url(membership, adjudication) + place)
    told: dict[str, Any] = {"told": pages.told_of(choice, after), "saved_at": timezone.localtime()}
    revealed = "" if is_undone or settled is None else pages.vote_words(after, settled)
    if revealed and settled is not None:
        told |= {"revealed": revealed, "revealed_about": quote_of(after, settled)}
    return _show(request, membership, after, following, **told)


def _note_of(request: HttpRequest, project_id: str, adjudication_id: str) -> tuple[Membership, Adjudication]:
    membership = membership_for(user=request.user, project_id=project_id, action=Action.ADJUDICATE)
    found = adjudications_of(membership.project).filter(public_id=adjudication_id).first()
    if found is None:
        raise Http404
    return membership, found


def _show(
    request: HttpRequest,
    membership: Membership,
    file: CaseFile,
    case: Case | None,
    *,
    third: Any = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The page, or all that it shows where htmx asks for it."""
    given = request.POST if request.method == "POST" else request.GET
    context = pages.workspace_context(
        file,
        case,
        membership=membership,
        columns=given.get("columns", ""),
        third=third,
        with_names=given.get("names") == "1"
        and membership.role == Membership.Role.LEAD
        and file.adjudication.status == _Status.DONE,
    )
    counts = counts_of(membership.project)
    context |= {"n_waiting": counts[_Status.OPEN]} | more
    if not is_partial(request):
        context |= page_context(membership, current=_NAV, crumb=context["title"], counts={_NAV: counts[_Status.OPEN]})
    return render_either(
        request,
        page="adjudication/note.html",
        partial="adjudication/workspace.html",
        context=context,
        status=status,
    )


def _show_third(
    request: HttpRequest, membership: Membership, file: CaseFile, case: Case, data: dict[str, Any]
) -> HttpResponse:
    """The card of a third version; bounds that cannot be so stay as they were, with the reason."""
    try:
        third, error = third_of(file, case, data), ""
    except SpanError as refusal:
        third = third_of(file, case, data | {"move": "", "start": None})
        error = sentence(str(refusal))
    return _show(request, membership, file, case, third=third, error=error, status=422 if error else 200)


def _not_yours(
    request: HttpRequest, membership: Membership, adjudication: Adjudication, error: str = ""
) -> HttpResponse:
    context = page_context(membership, current=_NAV) | {"adjudication": adjudication, "error": error}
    if is_partial(request):
        if request.method == "POST":
            messages.warning(request, f"{error or 'This note is not in your hands.'} Nothing was saved.")
        return see_other(request, _url(membership, adjudication))
    return render(request, "adjudication/not_yours.html", context, status=409)


def _then_show(request: HttpRequest, project_id: str, adjudication_id: str, act: Callable[..., None]) -> HttpResponse:
    membership, adjudication = _note_of(request, project_id, adjudication_id)
    try:
        act(adjudication=adjudication, adjudicator=membership.user, now=timezone.now())
    except _CONFLICTS as conflict:
        messages.warning(request, str(conflict))
        return see_other(request, reverse("adjudication:notes", args=[project_id]))
    at = request.POST.get("at", "")
    return see_other(request, _url(membership, adjudication) + (f"?at={at}" if at.isdecimal() and at.isascii() else ""))


def _to_next(request: HttpRequest, membership: Membership) -> HttpResponse:
    found = services.take_next(project=membership.project, adjudicator=membership.user, now=timezone.now())
    if found is None:
        messages.success(request, "No note is left for you to adjudicate here.")
        return see_other(request, reverse("adjudication:notes", args=[membership.project.public_id]))
    return see_other(request, _url(membership, found))


def _url(membership: Membership, adjudication: Adjudication) -> str:
    return reverse("adjudication:note", args=[membership.project.public_id, adjudication.public_id])


def _record_read(membership: Membership, adjudication: Adjudication) -> None:
    record_read(
        project=membership.project.public_id,
        actor=membership.user,
        object_id=adjudication.document.public_id,
        now=timezone.now(),
    )
