"""Trainings: the list, the form that starts one, and the page of one with its curve, its log and its weights."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from annotator.builds.selectors import locked_test_set, revoked_under
from annotator.core.wording import sentence
from annotator.jobs.bell import TRAIN_QUEUE
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import page_context
from annotator.training import pages, services
from annotator.training.checks import Check, checks_of
from annotator.training.folders import LOG, is_begun, log_tail, model_folder
from annotator.training.forms import TrainingForm
from annotator.training.models import TrainingRun
from annotator.training.options import OptionRefused, checked_base
from annotator.training.selectors import points_of, trainable_builds, trainings_of
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import page_of

Kind = TrainingRun.Kind
_NAV = "Models"


@require_safe
def trainings(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's trainings, newest first."""
    membership = _member(request, project_id)
    page = page_of(request, trainings_of(membership.project))
    context = page_context(membership, current=_NAV, crumb="Trainings") | {"page": page, "runs": page}
    return render(request, "training/trainings.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form of `?kind=`; a POST starts the training and goes to it. For htmx, the checks for what the form holds."""
    membership = _member(request, project_id)
    if request.method == "POST":
        return _start(request, membership)
    kind = _kind(request.GET)
    data = request.GET if is_partial(request) else None
    asked = {"build": request.GET["build"]} if "build" in request.GET else {}
    form = TrainingForm(data, kind=kind, builds=trainable_builds(membership.project), initial=asked)
    return _form_page(request, membership, form, kind)


@require_safe
def run(request: HttpRequest, project_id: str, training_id: str) -> HttpResponse:
    """One training. htmx gets the inside of the page, which asks again while the training goes on."""
    membership = _member(request, project_id)
    return _run_page(request, membership, _run_of(membership.project, training_id))


@require_POST
def cancel(request: HttpRequest, project_id: str, training_id: str) -> HttpResponse:
    """Stop the training; it can be resumed."""
    membership = _member(request, project_id)
    found = _run_of(membership.project, training_id)
    services.cancel_training(run=found, actor=membership.user, now=timezone.now())
    return _to_run(request, found)


@require_POST
def resume(request: HttpRequest, project_id: str, training_id: str) -> HttpResponse:
    """Go on with a training that failed or was cancelled."""
    membership = _member(request, project_id)
    found = _run_of(membership.project, training_id)
    try:
        services.resume_training(run=found, actor=membership.user, now=timezone.now())
    except services.TrainingRefused as refusal:
        return _run_page(request, membership, found, status=409, refusal=sentence(str(refusal)))
    return _to_run(request, found)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, project_id: str, training_id: str) -> HttpResponse:
    """What goes with the weights, and the button that removes them; a lead's act."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    found = _run_of(membership.project, training_id)
    if request.method != "POST":
        context = page_context(membership, current=_NAV, crumb=f"Training {found.number}") | {
            "run": found,
            "refusal": sentence(reason) if (reason := services.why_kept(found)) else "",
        }
        return render(request, "training/remove.html", context)
    try:
        services.remove_weights(run=found, actor=membership.user, now=timezone.now())
    except services.TrainingRefused as refusal:
        return _run_page(request, membership, found, status=409, refusal=sentence(str(refusal)))
    return _to_run(request, found)


@require_GET
def log(request: HttpRequest, project_id: str, training_id: str) -> HttpResponseBase:
    """All that the training said, as an attachment."""
    membership = _member(request, project_id)
    found = _run_of(membership.project, training_id)
    try:
        stream = (model_folder(found) / LOG).open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    name = f"training-{found.number}-{LOG}"
    return FileResponse(stream, as_attachment=True, filename=name, content_type="text/plain; charset=utf-8")


def _start(request: HttpRequest, membership: Membership) -> HttpResponse:
    kind = _kind(request.POST)
    form = TrainingForm(request.POST, kind=kind, builds=trainable_builds(membership.project))
    if form.is_valid() and form.chosen_build is not None:
        try:
            made = services.start_training(
                project=membership.project,
                build=form.chosen_build,
                kind=kind,
                base=form.chosen_base,
                recipe=form.recipe,
                actor=membership.user,
                now=timezone.now(),
            )
        except services.TrainingRefused as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            return _to_run(request, made)
    return _form_page(request, membership, form, kind, status=422)


def _form_page(
    request: HttpRequest, membership: Membership, form: TrainingForm, kind: str, *, status: int = 200
) -> HttpResponse:
    context = page_context(membership, current=_NAV, crumb="New training") | {
        "form": form,
        "kind": kind,
        "kinds": Kind.choices[::-1],
        "build": form.chosen_build,
        "checks": _checks(membership.project, form, kind),
    }
    return render_either(
        request, page="training/new.html", partial="training/checks.html", context=context, status=status
    )


def _checks(project: Project, form: TrainingForm, kind: str) -> list[Check]:
    """For what stands in the form. Up to four queries."""
    build = form.chosen_build
    if build is None:
        return []
    try:
        base = checked_base(kind, form.chosen_base)
    except OptionRefused as refusal:
        return [Check("bad", sentence(str(refusal)))]
    return checks_of(
        build=build,
        kind=kind,
        base=base,
        test_set=locked_test_set(project),
        is_flagged=bool(revoked_under([build])),
        has_worker=has_worker(queue=TRAIN_QUEUE, now=timezone.now()),
    )


def _run_page(
    request: HttpRequest, membership: Membership, found: TrainingRun, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    points = points_of(found)
    is_lead = may(role=membership.role, action=Action.MANAGE)
    is_removed = found.files_removed_at is not None
    context = page_context(membership, current=_NAV, crumb=f"Training {found.number}") | {
        "run": found,
        "job": found.job,
        "pill": pages.training_pill(found),
        "lead": pages.training_lead(found, points),
        "recipe": list(pages.recipe_rows(found)),
        "is_table": request.GET.get("curve") == "table",
        "log": () if is_removed else log_tail(found),
        "may_resume": found.job.status in {"failed", "cancelled"} and not is_removed,
        "may_remove": is_lead and found.job.is_finished and not is_removed and is_begun(found),
        "refusal": refusal,
        **_curve(found, points),
    }
    if not found.job.is_finished:
        context["has_worker"] = has_worker(queue=TRAIN_QUEUE, now=timezone.now())
    return render_either(
        request, page="training/run.html", partial="training/run_body.html", context=context, status=status
    )


def _curve(found: TrainingRun, points: list[Any]) -> dict[str, Any]:
    return {
        "loss_chart": pages.loss_chart(points, n_steps=found.job.n_total),
        "f1_chart": pages.f1_chart(points, n_steps=found.job.n_total),
        "rows": points[: -pages.TABLE_ROWS - 1 : -1],
        "n_points": len(points),
    }


def _kind(given: QueryDict) -> str:
    """What is asked for; the quick one where nothing is, or nothing that there is."""
    asked = given.get("kind", "")
    return asked if asked in Kind.values else Kind.SPACY


def _member(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.BUILD)


def _run_of(project: Project, training_id: str) -> TrainingRun:
    return get_object_or_404(trainings_of(project), public_id=training_id)


def _to_run(request: HttpRequest, found: TrainingRun) -> HttpResponse:
    return see_other(request, reverse("training:run", args=[found.project.public_id, found.public_id]))
