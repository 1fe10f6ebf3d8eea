"""A project's labelers: what decides each, the form of another, and sending one over the notes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.browse.labeler_forms import NewLabelerForm, ReadForm
from annotator.builds.pools import freeze_pool
from annotator.builds.selectors import readiness
from annotator.core.prompting import FULL
from annotator.core.wording import sentence
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import guidelines_of, schema_for
from annotator.suggestions import services
from annotator.suggestions.labelers import LabelerRefused, current_spec, make_labeler
from annotator.suggestions.pages import labeler_row
from annotator.suggestions.pools import PoolRefused
from annotator.suggestions.selectors import labelers_of, pools_of, removed_models
from annotator.web.http import see_other
from annotator.web.paging import page_of

EXAMPLES_AT_FIRST = 3


@require_safe
def labelers(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's labelers, newest first."""
    return _labelers_page(request, _lead(request, project_id))


@require_http_methods(["GET", "HEAD", "POST"])
def new_labeler(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form of another labeler of the project's model; a new pool is frozen on the way."""
    membership = _lead(request, project_id)
    form = _form(membership, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            _make(membership, form)
        except (PoolRefused, LabelerRefused) as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            return see_other(request, reverse("browse:labelers", args=[project_id]))
    context = page_context(membership, current="Runs", crumb="New labeler") | {
        "form": form,
        "spec": current_spec(membership.project),
    }
    return render(request, "browse/new_labeler.html", context, status=422 if form.is_bound else 200)


@require_POST
def read(request: HttpRequest, project_id: str) -> HttpResponse:
    """Send a labeler over the notes that it has not read, and go to the run."""
    membership = _lead(request, project_id)
    project, now = membership.project, timezone.now()
    version = schema_for(project, backend=current_spec(project).backend)
    form = ReadForm(request.POST, labelers=labelers_of(project).filter(schema_version=version))
    if not form.is_valid():
        return _labelers_page(request, membership, refusal="Choose a labeler of the newest schema.", status=422)
    labeler = form.chosen_labeler
    if cannot := labeler_row(labeler, removed=removed_models(project), schema_number=version.number).cannot:
        return _labelers_page(request, membership, refusal=f"{cannot}. Make a new labeler.", status=409)
    documents = services.unread_documents(project=project, labeler=labeler)
    try:
        made = services.start_run(project=project, labeler=labeler, documents=documents, actor=membership.user, now=now)
    except services.RunRefused as refusal:
        return _labelers_page(request, membership, refusal=sentence(str(refusal)), status=409)
    return see_other(request, reverse("suggestions:run", args=[project_id, made.public_id]))


def _make(membership: Membership, form: NewLabelerForm) -> None:
    project, actor, now = membership.project, membership.user, timezone.now()
    pool = freeze_pool(project=project, actor=actor, now=now) if form.wants_new_pool else form.chosen_pool
    make_labeler(
        project=project,
        template=form.cleaned_data["template"],
        guideline=form.chosen_guideline,
        pool=pool,
        n_examples=form.cleaned_data["n_examples"],
        constraint=form.cleaned_data["constraint"],
        n_passes=form.cleaned_data["n_passes"],
        actor=actor,
        now=now,
    )


def _lead(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.RUN)


def _form(membership: Membership, data: Any) -> NewLabelerForm:
    project, spec = membership.project, current_spec(membership.project)
    decoding = spec.decoding
    guidelines = list(guidelines_of(project))
    template = decoding.get("template", FULL)
    initial = {
        "template": template,
        "guideline": str(guidelines[0].number) if guidelines and template == FULL else "",
        "n_examples": EXAMPLES_AT_FIRST,
        "constraint": decoding.get("constraint", "copy"),
        "n_passes": decoding.get("n_passes", 0),
    }
    return NewLabelerForm(
        data,
        initial=initial,
        guidelines=guidelines,
        pools=pools_of(project).filter(schema_version=schema_for(project, backend=spec.backend)),
        n_ready=readiness(project=project, is_human_only=True).n_ready,
    )


def _labelers_page(
    request: HttpRequest, membership: Membership, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    project = membership.project
    removed = removed_models(project)
    version = schema_for(project, backend=current_spec(project).backend)
    page = page_of(request, labelers_of(project))
    context = page_context(membership, current="Runs", crumb="Labelers") | {
        "page": page,
        "rows": [labeler_row(found, removed=removed, schema_number=version.number) for found in page],
        "refusal": refusal,
    }
    return render(request, "browse/labelers.html", context, status=status)
