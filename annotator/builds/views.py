"""Datasets: the list with the build sheet, one build, and its files."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.builds import services, test_sets
from annotator.builds.card import loss_rows
from annotator.builds.comparing import compare_builds
from annotator.builds.criteria import in_words
from annotator.builds.downloads import give_file
from annotator.builds.formats import DEFAULT_FORMATS
from annotator.builds.forms import BuildForm
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.preview import Preview, preview_build
from annotator.builds.risk import risk_context
from annotator.builds.selectors import builds_of, default_options, locked_test_set, readers_of, revoked_under
from annotator.builds.writing import MANIFEST, RISK, BuildRefused
from annotator.core.wording import sentence
from annotator.documents.selectors import note_types, type_key
from annotator.jobs.models import Job
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import PAGE_SIZE, page_of
from annotator.web.pills import Pill
from annotator.web.ranges import NoSuchRange, no_such_range

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
    test_set = locked_test_set(membership.project)
    context = page_context(membership, current="Datasets") | {
        "page": page,
        "rows": [
            {"build": found, "pill": _pill(found), "flag": _FLAGGED if found.pk in flagged else None} for found in page
        ],
        "form": _unbound_form(membership.project, default_options(membership.project, test_set)),
        "test_set": test_set,
        "is_lead": may(role=membership.role, action=Action.MANAGE),
    }
    return render(request, "builds/builds.html", context)


@require_safe
def new(request: HttpRequest, project_id: str) -> HttpResponse:
    """The build form as a page; for htmx, the checks for what the form holds now. Changes nothing."""
    membership = _member(request, project_id)
    project = membership.project
    like = builds_of(project).filter(public_id=request.GET.get("like", "")).first()
    options = BuildOptions.from_json(like.options) if like else default_options(project, locked_test_set(project))
    if is_partial(request) and request.GET and like is None:
        form = _form(project, request.GET)
    else:
        form = _unbound_form(project, options, like)
    return _form_page(request, membership, form, options)


@require_POST
def create(request: HttpRequest, project_id: str) -> HttpResponse:
    """Start a build, and go to it."""
    membership = _member(request, project_id)
    form = _form(membership.project, request.POST)
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
    return _form_page(request, membership, form, BuildOptions(), status=422)


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
        return give_file(request, build=found, name=name, actor=membership.user)
    except services.FilesRemoved:
        return _build_page(request, membership, found, status=410)
    except FileNotFoundError as error:
        raise Http404 from error
    except NoSuchRange as refusal:
        return no_such_range(refusal)


@require_POST
def verify(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    """Read all files again; the page then says what was found."""
    membership = _member(request, project_id)
    found = _build_of(membership.project, build_id)
    try:
        services.verify_build(build=found, actor=membership.user, now=timezone.now())
    except BuildRefused:
        return _build_page(request, membership, found, status=409)
    return see_other(request, reverse("builds:build", args=[project_id, build_id]) + "#files")


@require_POST
def resume(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    """Have a build that failed or was cancelled written after all."""
    membership = _member(request, project_id)
    found = _build_of(membership.project, build_id)
    services.resume_build(build=found, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("builds:build", args=[project_id, build_id]))


@require_safe
def compare(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    """What changed from another dataset, `?with=`, to this one; without it, from the newest finished one before."""
    membership = _member(request, project_id)
    after = _finished(membership.project, build_id)
    others = [one for one in builds_of(membership.project) if one.manifest and one.pk != after.pk]
    wanted = request.GET.get("with", "")
    older = [one for one in others if one.number < after.number] + others
    before = next((one for one in others if one.public_id == wanted), None) or next(iter(older), None)
    context = page_context(membership, current="Datasets", crumb=f"Dataset {after.number}, compared") | {
        "build": after,
        "before": before,
        "others": others,
        **(_differences(request, before, after) if before else {}),
    }
    return render(request, "builds/compare.html", context)


@require_POST
def lock(request: HttpRequest, project_id: str, build_id: str) -> HttpResponse:
    """Keep the patients of this dataset's part test in test from now on; a lead's act."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    found = _build_of(membership.project, build_id)
    try:
        test_sets.lock_test_set(build=found, actor=membership.user, now=timezone.now())
    except test_sets.LockRefused as refusal:
        return _build_page(request, membership, found, status=409, refusal=sentence(str(refusal)))
    return see_other(request, reverse("builds:build", args=[project_id, build_id]))


@require_POST
def unlock(request: HttpRequest, project_id: str) -> HttpResponse:
    """Let later datasets choose their test patients anew; a lead's act."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    test_sets.unlock_test_set(project=membership.project, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("builds:builds", args=[project_id]))


def _differences(request: HttpRequest, before: DatasetBuild, after: DatasetBuild) -> dict[str, Any]:
    """The differences, and the page of notes that is asked for; the last one where it lies behind."""
    number = int(asked) if (asked := request.GET.get("page", "")).isdecimal() and len(asked) < 8 else 1
    first = max(number - 1, 0) * PAGE_SIZE
    found = compare_builds(before=before, after=after, first=first, n=PAGE_SIZE)
    if found.notes is None:
        return {"found": found}
    page = Paginator(range(found.notes.n_changes), PAGE_SIZE).get_page(number)
    if page.number != number:
        found = compare_builds(before=before, after=after, first=(page.number - 1) * PAGE_SIZE, n=PAGE_SIZE)
    return {"found": found, "page": page}


def _build_page(
    request: HttpRequest, membership: Membership, found: DatasetBuild, status: int = 200, refusal: str = ""
) -> HttpResponse:
    test_set = locked_test_set(membership.project)
    context = page_context(membership, current="Datasets", crumb=f"Dataset {found.number}") | {
        "build": found,
        "job": found.job,
        "pill": _pill(found),
        "manifest": found.manifest,
        "manifest_name": MANIFEST,
        "revoked": revoked_under([found]).get(found.pk, []),
        "refusal": refusal,
        "test_set": test_set,
        "is_lead": may(role=membership.role, action=Action.MANAGE),
        "filters": _filters_in_words(membership.project, found),
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


def _finished(project: Project, build_id: str) -> DatasetBuild:
    found = _build_of(project, build_id)
    if not found.manifest:
        raise Http404
    return found


def _filters_in_words(project: Project, found: DatasetBuild) -> list[str]:
    """What the build was filtered by. One query where types are, none otherwise."""
    filters = BuildOptions.from_json(found.options).filters
    names = {type_key(name): name for name in note_types(project)} if filters.note_types else {}
    return in_words(filters, [names.get(key, "(gone)") for key in filters.note_types])


def _form(project: Project, data: QueryDict | None = None, **kwargs: Any) -> BuildForm:
    labels = current_schema(project).schema.label_names
    types = note_types(project)
    return BuildForm(data, readers=readers_of(project), note_types=types, labels=labels, **kwargs)


def _unbound_form(project: Project, options: BuildOptions, like: DatasetBuild | None = None) -> BuildForm:
    """The form with these options; name and formats are those of the build `like`, where there is one."""
    name, formats = (like.name, like.formats) if like else (project.name, DEFAULT_FORMATS)
    return _form(project, initial=BuildForm.filled(name, formats, options))


def _form_page(
    request: HttpRequest, membership: Membership, form: BuildForm, options: BuildOptions, status: int = 200
) -> HttpResponse:
    """The form, and the checks for what it holds; for `options` where it holds nothing that can be used."""
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
        **({"risk_name": RISK} | risk_context(risk) if (risk := manifest.get("deidentification")) else {}),
    }
