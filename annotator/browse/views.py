"""A person's work and projects; a project's overview, its notes, and the workers."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from annotator.accounts.models import User
from annotator.adjudication.selectors import counts_of
from annotator.browse import pages, selectors
from annotator.browse.forms import NewProjectForm, NoteFilter, starting_schema
from annotator.browse.home import home_of
from annotator.browse.selectors import NoteState
from annotator.browse.work import Waiting
from annotator.core.wording import sentence
from annotator.documents.selectors import note_types
from annotator.jobs.bell import LABEL_QUEUE
from annotator.jobs.selectors import has_worker, worker_health
from annotator.projects.access import Action, may, membership_for
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema, memberships_of
from annotator.projects.services import ProjectError, create_project
from annotator.readings.models import Adjudication
from annotator.suggestions.labelers import new_documents
from annotator.suggestions.models import LabelRun
from annotator.suggestions.pages import worker_row
from annotator.suggestions.selectors import run_progress, runs_of
from annotator.web.http import render_either, see_other
from annotator.web.paging import page_of


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The person's work, and their projects."""
    user, now = cast(User, request.user), timezone.now()
    found = home_of(user, list(memberships_of(user)), now=now)
    page = page_of(request, selectors.projects_of(user))
    rows = [
        pages.project_row(membership, found.waiting.get(membership.project_id, Waiting()), now=now)
        for membership in page
    ]
    return render(request, "browse/home.html", {"home": found, "page": page, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new_project(request: HttpRequest) -> HttpResponse:
    """The form of a new project; who sends it leads the project."""
    user = cast(User, request.user)
    if request.method != "POST":
        form = NewProjectForm(initial={"schema": starting_schema()})
        return render(request, "browse/new_project.html", {"form": form})
    form = NewProjectForm(request.POST)
    if form.is_valid():
        try:
            project = create_project(
                name=form.cleaned_data["name"], schema=form.cleaned_data["schema"], lead=user, now=timezone.now()
            )
        except ProjectError as error:
            form.add_error("name", sentence(str(error)))
        else:
            return see_other(request, reverse("browse:overview", args=[project.public_id]))
    return render(request, "browse/new_project.html", {"form": form}, status=422)


@require_safe
def overview(request: HttpRequest, project_id: str) -> HttpResponse:
    """Where the project is and what comes next. htmx gets the part that moves, while a run goes on."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.VIEW)
    project, now = membership.project, timezone.now()
    counts = selectors.count_notes(project)
    members = selectors.members_of(project)
    newest = runs_of(project).filter(purpose=LabelRun.Purpose.WORK).first()
    is_manned = has_worker(queue=LABEL_QUEUE, now=now)
    line = pages.run_line(newest, run_progress(run_id=newest.pk), has_worker=is_manned) if newest else None
    schema_version = current_schema(project)
    context = page_context(membership, current="Overview") | {
        "lead": pages.overview_lead(counts),
        "parts": pages.note_parts(counts),
        "spans": selectors.count_spans(project),
        "n_documents": sum(counts.values()),
        "n_prelabelled": selectors.n_prelabelled(project),
        "n_reviewed": counts[NoteState.REVIEWED],
        "n_to_review": counts[NoteState.TO_REVIEW] + counts[NoteState.IN_REVIEW],
        "line": line,
        "is_moving": line is not None and not line.progress.is_finished,
        "steps": pages.retention_steps(membership, today=timezone.localdate(now))
        + pages.next_steps(
            membership,
            counts,
            line,
            n_unread=new_documents(project=project).count() if may(role=membership.role, action=Action.RUN) else 0,
            n_to_adjudicate=counts_of(project)[Adjudication.Status.OPEN],
            n_members=len(members),
            has_worker=is_manned,
        ),
        "may_read": may(role=membership.role, action=Action.READ_NOTES),
        "may_manage": may(role=membership.role, action=Action.MANAGE),
        "members": members,
        "schema_version": schema_version,
        "schema": schema_version.schema,
    }
    return render_either(request, page="browse/overview.html", partial="browse/overview_state.html", context=context)


@require_safe
def documents(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's notes; htmx gets the list alone, when a filter changes."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.READ_NOTES)
    project = membership.project
    counts = selectors.count_notes(project)
    chosen = NoteFilter(request.GET, note_types=note_types(project), counts=counts)
    found = selectors.listed_notes(
        project, state=chosen.chosen_state, note_type=chosen.chosen_type, note=chosen.chosen_note
    )
    page = page_of(request, found)
    context = page_context(membership, current="Notes") | {
        "page": page,
        "rows": [{"note": note, "pill": pages.NOTE_PILLS[NoteState(note.state)]} for note in page],
        "filter": chosen,
        "lead": pages.overview_lead(counts),
        "n_documents": sum(counts.values()),
        "may_review": may(role=membership.role, action=Action.REVIEW),
        "may_import": may(role=membership.role, action=Action.IMPORT),
    }
    return render_either(request, page="browse/documents.html", partial="browse/document_list.html", context=context)


@require_safe
def workers(request: HttpRequest, project_id: str) -> HttpResponse:
    """The workers of this installation; htmx gets the table, every ten seconds."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.READ_NOTES)
    health = worker_health(now=timezone.now())
    context = page_context(membership, current="Runs", crumb="Workers") | {
        "workers": [worker_row(worker) for worker in health],
        "n_healthy": sum(worker.state == "healthy" for worker in health),
    }
    return render_either(request, page="browse/workers.html", partial="browse/worker_list.html", context=context)
