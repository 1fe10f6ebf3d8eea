"""Rounds, for leads: the list, a new one, and one with its readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from annotator.accounts.models import User
from annotator.browse import round_pages as pages
from annotator.browse.round_forms import IDS_FILE, MAX_IDS_BYTES, DueForm, NewRoundForm, PersonForm, ReassignForm
from annotator.browse.selectors import reviewers_of
from annotator.core.wording import counted, sentence
from annotator.documents.selectors import note_types
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import page_context
from annotator.review import rounds
from annotator.review.models import Round, RoundJob
from annotator.review.readings import Progress, notes_read, progress_by_reader, progress_of, readers_of, rounds_of
from annotator.review.rounds import RoundError
from annotator.web.files import OneFile
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import page_of


@require_safe
def list_rounds(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's rounds, newest first; while one is being made or taken back, htmx asks for the list again."""
    lead = _lead(request, project_id)
    page = page_of(request, rounds_of(lead.project))
    progress = progress_of(list(page))
    today = timezone.localdate()
    context = page_context(lead, current="Rounds") | {
        "page": page,
        "rows": [pages.round_row(found, progress.get(found.pk, Progress()), today=today) for found in page],
        "is_moving": any(found.work and not found.work.job.is_finished for found in page),
    }
    return render_either(request, page="browse/rounds.html", partial="browse/round_list.html", context=context)


@csrf_exempt  # the token is checked by _make, once the file has a place to go
@sensitive_post_parameters("external_ids")
@require_http_methods(["GET", "HEAD", "POST"])
def new_round(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form of a new round; POST starts it and goes to it."""
    lead = _lead(request, project_id)
    if request.method != "POST":
        return _form_page(request, lead, _new_form(lead.project))
    return _make(request, lead, _receive(request))


@csrf_protect
def _make(request: HttpRequest, lead: Membership, upload: OneFile) -> HttpResponse:
    form = _new_form(lead.project, request.POST, upload)
    if form.is_valid():
        data = form.cleaned_data
        asked = {key: data[key] for key in ("name", "n_readers", "assistance", "draw", "due_on", "seed")}
        try:
            made = rounds.create_round(
                project=lead.project,
                chosen=form.chosen,
                readers=form.readers,
                actor=lead.user,
                now=timezone.now(),
                **asked,
            )
        except RoundError as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            said = f"Round {made.number} is under way: its readers find their notes on their first page."
            if RoundJob.objects.filter(round=made).exists():
                said = f"Round {made.number} is being made. You can leave this page: the bell tells you when it is."
            messages.success(request, said)
            return see_other(request, _round_url(made))
    return _form_page(request, lead, form, status=422)


@csrf_exempt  # the token is checked by _preview, once the file has a place to go
@sensitive_post_parameters("external_ids")
@require_POST
def preview_round(request: HttpRequest, project_id: str) -> HttpResponse:
    """What the round would be that the form asks for; changes nothing. POSTed: the form may name notes."""
    lead = _lead(request, project_id)
    return _preview(request, lead, _receive(request))


@csrf_protect
def _preview(request: HttpRequest, lead: Membership, upload: OneFile) -> HttpResponse:
    form = _new_form(lead.project, request.POST, upload)
    plan, refusal = None, ""
    if form.is_valid():
        data = form.cleaned_data
        try:
            found = rounds.plan_round(
                project=lead.project,
                chosen=form.chosen,
                asked=[n_notes for _, n_notes in form.readers],
                n_readers=data["n_readers"],
                assistance=data["assistance"],
                seed=data["seed"],
            )
            plan = pages.plan_lines(found, [user for user, _ in form.readers])
        except RoundError as error:
            refusal = sentence(str(error))
    else:
        named = [str(form.errors[name][0]) for name in ("external_ids", IDS_FILE) if form.has_error(name)]
        refusal = named[0] if named else ""
    return _form_page(request, lead, form, partial="browse/round_plan.html", plan=plan, refusal=refusal)


@require_safe
def round_page(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """How far a round and each of its readers is; of one that is being made, how far that is, which htmx asks for."""
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    if is_partial(request) and found.work is None:
        return HttpResponseClientRedirect(_round_url(found))
    return _round_page(request, lead, found)


@require_POST
def set_due(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    form = DueForm(request.POST)

    def change() -> str:
        rounds.set_due(round=found, due_on=form.cleaned_data["due_on"], actor=lead.user, now=timezone.now())
        return "The day is changed."

    return _changed(request, lead, found, form, change, name="due_form")


@require_POST
def add_reader(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """Let another member read in the round."""
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    form = PersonForm(request.POST, people=_others(list(readers_of(found)), reviewers_of(lead.project)))

    def change() -> str:
        rounds.add_reader(round=found, user=form.person, actor=lead.user, now=timezone.now())
        return f"{form.person.username} reads in this round: give them notes, or leave them what is handed back."

    return _changed(request, lead, found, form, change, name="reader_form")


@require_POST
def reassign(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """Give a reader's open notes to another, or to whoever comes first."""
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    readers, reviewers = list(readers_of(found)), reviewers_of(lead.project)
    form = _reassign_form(readers, reviewers, progress_by_reader(found), request.POST)

    def change() -> str:
        n_moved = rounds.reassign(
            round=found,
            from_user=form.from_person,
            to=form.to_person,
            n_notes=form.cleaned_data["n_notes"],
            actor=lead.user,
            now=timezone.now(),
        )
        to = form.to_person.username if form.to_person else "whoever of the round comes first"
        return f"{counted(n_moved, 'note')} {'goes' if n_moved == 1 else 'go'} to {to}."

    return _changed(request, lead, found, form, change, name="reassign_form")


@require_POST
def undo_round(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """Take back a round in which nobody has begun, or that is still being made."""
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    try:
        is_done = rounds.undo_round(round=found, actor=lead.user, now=timezone.now())
    except RoundError as refusal:
        return _round_page(request, lead, found, refusal=sentence(str(refusal)), status=409)
    is_now = "is taken back: its notes are free" if is_done else "is being taken back: then its notes are free"
    messages.success(request, f"Round {found.number} {is_now}.")
    return see_other(request, reverse("browse:rounds", args=[project_id]))


@require_POST
def go_on(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """Have a round made, or taken back, whose job has failed."""
    lead = _lead(request, project_id)
    found = _round_of(lead, round_id)
    try:
        rounds.go_on(round=found, actor=lead.user, now=timezone.now())
    except RoundError as refusal:
        return _round_page(request, lead, found, refusal=sentence(str(refusal)), status=409)
    return see_other(request, _round_url(found))


def _changed(
    request: HttpRequest, lead: Membership, found: Round, form: forms.Form, change: Callable[[], str], *, name: str
) -> HttpResponse:
    """The round's page after `change`, which says what it did; 422 with the form where it cannot be."""
    if form.is_valid():
        try:
            said = change()
        except RoundError as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            messages.success(request, said)
            return see_other(request, _round_url(found))
    return _round_page(request, lead, found, bound={name: form}, status=422)


def _round_page(
    request: HttpRequest,
    lead: Membership,
    found: Round,
    *,
    refusal: str = "",
    bound: Mapping[str, forms.Form] = MappingProxyType({}),
    status: int = 200,
) -> HttpResponse:
    if found.work is not None:
        context = page_context(lead, current="Rounds", crumb=f"Round {found.number}")
        context |= {"round": found, "refusal": refusal, "pill": pages.work_pill(found.work)}
        partial = "browse/round_work.html"
        return render_either(request, page="browse/unmade_round.html", partial=partial, context=context, status=status)
    today, progress = timezone.localdate(), progress_by_reader(found)
    members = {member.user_id: member for member in lead.project.memberships.all()}
    whole = progress_of([found]).get(found.pk, Progress())
    readers, reviewers = list(readers_of(found)), reviewers_of(lead.project)
    page = page_of(request, readers)
    context = page_context(lead, current="Rounds", crumb=f"Round {found.number}") | {
        "round": found,
        "progress": whole,
        "pill": pages.round_pill(found, whole, today=today),
        "parts": pages.progress_parts(whole),
        "notes": notes_read(found),
        "n_waiting": progress.get(None, Progress()).n_left,
        "page": page,
        "rows": pages.reader_rows(found, list(page), progress, members, today),
        "reads_too": lead.user in readers,
        "refusal": refusal,
        "due_form": DueForm(initial={"due_on": found.due_on}),
        "reader_form": PersonForm(people=_others(readers, reviewers)),
        "reassign_form": _reassign_form(readers, reviewers, progress),
        **bound,
    }
    return render(request, "browse/round.html", context, status=status)


def _form_page(
    request: HttpRequest,
    lead: Membership,
    form: NewRoundForm,
    *,
    partial: str = "browse/round_form.html",
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    context = page_context(lead, current="Rounds", crumb="New round") | {"form": form, **more}
    return render_either(request, page="browse/new_round.html", partial=partial, context=context, status=status)


def _lead(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)


def _round_of(lead: Membership, round_id: str) -> Round:
    return get_object_or_404(rounds_of(lead.project), public_id=round_id)


def _round_url(found: Round) -> str:
    return reverse("browse:round", args=[found.project.public_id, found.public_id])


def _new_form(project: Project, data: Any = None, upload: OneFile | None = None) -> NewRoundForm:
    return NewRoundForm(data, people=reviewers_of(project), note_types=note_types(project), upload=upload)


def _receive(request: HttpRequest) -> OneFile:
    """Where the file of ids goes, once the request's body is read."""
    upload = OneFile(request, field=IDS_FILE, max_bytes=MAX_IDS_BYTES)
    request.upload_handlers = [upload]
    return upload


def _others(readers: Sequence[User], reviewers: Sequence[User]) -> list[User]:
    """Who reviews in the project and does not read in the round."""
    return [user for user in reviewers if user not in readers]


def _reassign_form(
    readers: Sequence[User], reviewers: Sequence[User], progress: Mapping[int | None, Progress], data: Any = None
) -> ReassignForm:
    left = {key: found.n_left for key, found in progress.items()}
    return ReassignForm(
        data,
        holders=[(user, left[user.pk]) for user in readers if left.get(user.pk)],
        n_waiting=left.get(None, 0),
        readers=[user for user in readers if user in reviewers],
    )
