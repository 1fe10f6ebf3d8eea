"""Datasets: the list with the build sheet, one build, and its files."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.builds import services
from annotator.builds.card import loss_rows
from annotator.builds.forms import BuildForm
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.preview import Preview, preview_build
from annotator.builds.selectors import builds_of, readers_of, revoked_under
from annotator.builds.writing import MANIFEST, BuildRefused
from annotator.core.wording import sentence
from annotator.jobs.models import Job
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import page_context
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import page_of
from annotator.web.pills import Pill

_PILLS = {
    Job.Status.QUEUED: Pill("Waiting", "", "clock"),
    Job.Status.RUNNING: Pill("Running", "accent", "dot"),
    Job.Status.CANCELLING: Pill("Stopping", "warn", "clock"),
    Job.Status.DONE: Pill("Ready", "ok", "check"),
    Job.Status.FAILED: Pill("Failed", "bad", "x"),
    Job.Status.CANCELLED: Pill("Cancelled", "", "minus"),
}
_REMOVED = Pill("Files removed", "", "trash")
_FLAGGED = Pill("Flagged", "warn", "flag")


@require_safe
def builds(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's datasets, newest first, and the sheet that builds another."""
    membership = _member(request, project_id)
    page = page_of(request, builds_of(membership.project))
    flagged = revoked_under(list(page))
    context = page_context(membership, current="Datasets") | {
        "page": page,
        "rows": [
            {"build": found, "pill": _pill(found), "flag": _FLAGGED if found.pk in flagged else None} for found in page
        ],
        "form": _unbound_form(membership.project),
    }
    return render(request, "builds/builds.html", context)


@require_safe
def new(request: HttpRequest, project_id: str) -> HttpResponse:
    """The build form as a page; for htmx, the checks for what the form holds now. Changes nothing."""
    membership = _member(request, project_id)
    project = membership.project
    is_filled = is_partial(request) and request.GET
    form = BuildForm(request.GET, readers=readers_of(project)) if is_filled else _unbound_form(project)
    return _form_page(request, membership, form)


@require_POST
def create(request: HttpRequest, project_id: str) -> HttpResponse:
    """Start a build, and go to it."""
    membership = _member(request, project_id)
    form = BuildForm(request.POST, readers=readers_of(membership.project))
    if form.is_valid():
        try:
            made = services.create_build(
                project=membership.project,
                name=form.cleaned_data["name"],
                formats=form.cleaned_data["formats"],
                options=form.cleaned_data["options"],
                actor=membership.user,
                now=timezone.now(),
            )
        except BuildRefused as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            return see_other(request, reverse("builds:build", args=[project_id, made.public_id]))
    return _form_page(request, membership, form, status=422)


@require_safe
def build(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    """One build: its progress while it runs, then what it holds. htmx gets the inside of the page."""
    membership = _member(request, project_id)
    return _build_page(request, membership, _build_of(membership.project, build_id))


@require_POST
def cancel(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    membership = _member(request, project_id)
    found = _build_of(membership.project, build_id)
    services.cancel_build(build=found, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("builds:build", args=[project_id, build_id]))


@require_safe
def download(request: HttpRequest, project_id: str, build_id: str, name: str) -> HttpResponseBase:
    """A file of the build, as an attachment. Only names that stand in its manifest are looked for on disk.

    410 and the build's page where the files were purged.
    """
    membership = _member(request, project_id)
    found = _build_of(membership.project, build_id)
    try:
        stream = services.open_file(build=found, name=name)
    except services.FilesRemoved:
        return _build_page(request, membership, found, status=410)
    except FileNotFoundError as error:
        raise Http404 from error
    services.record_download(build=found, file=name, actor=membership.user, now=timezone.now())
    return FileResponse(
        stream, as_attachment=True, filename=f"{found.public_id}-{name}", content_type="application/octet-stream"
    )


def _build_page(request: HttpRequest, membership: Membership, found: DatasetBuild, status: int = 200) -> HttpResponse:
    context = page_context(membership, current="Datasets", crumb=f"Dataset {found.number}") | {
        "build": found,
        "job": found.job,
        "pill": _pill(found),
        "manifest": found.manifest,
        "manifest_name": MANIFEST,
        "revoked": revoked_under([found]).get(found.pk, []),
        **_tables(found.manifest),
    }
    if found.job is not None and not found.job.is_finished:
        context["has_worker"] = has_worker(queue="main", now=timezone.now())
    return render_either(
        request, page="builds/build.html", partial="builds/build_body.html", context=context, status=status
    )


def _member(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.BUILD)


def _build_of(project: Project, build_id: str) -> DatasetBuild:
    return get_object_or_404(builds_of(project), public_id=build_id)


def _unbound_form(project: Project) -> BuildForm:
    return BuildForm(initial=BuildForm.defaults(project.name), readers=readers_of(project))


def _form_page(request: HttpRequest, membership: Membership, form: BuildForm, status: int = 200) -> HttpResponse:
    options = BuildOptions()
    if form.is_bound:
        form.is_valid()
        options = form.cleaned_data.get("options") or options
    context = page_context(membership, current="Datasets", crumb="New dataset") | {
        "form": form,
        "preview": _preview(membership.project, options),
    }
    return render_either(request, page="builds/new.html", partial="builds/checks.html", context=context, status=status)


def _preview(project: Project, options: BuildOptions) -> Preview:
    return preview_build(project=project, options=options, has_worker=has_worker(queue="main", now=timezone.now()))


def _pill(found: DatasetBuild) -> Pill:
    if found.files_removed_at is not None:
        return _REMOVED
    return _PILLS[Job.Status(found.job.status if found.job else Job.Status.DONE)]


def _tables(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest's counts as rows of the page's tables; empty while there is no manifest."""
    if not manifest:
        return {}
    parts = manifest["parts"]
    return {
        "parts": [{"name": name, **facts} for name, facts in parts.items()],
        "label_rows": [
            {"name": label, "counts": [facts["labels"][label] for facts in parts.values()]}
            for label in parts["train"]["labels"]
        ],
        "loss_rows": loss_rows(manifest),
    }
