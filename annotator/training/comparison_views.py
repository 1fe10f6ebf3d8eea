"""Comparisons of two labelers: the list, the form, one comparison with what was won and lost, its table as a file."""

from __future__ import annotations

import csv
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.core.wording import sentence, spreadsheet_safe
from annotator.jobs.bell import LABEL_QUEUE, MAIN_QUEUE
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import page_context
from annotator.suggestions.labelers import current_spec
from annotator.training import comparing
from annotator.training import comparison_pages as pages
from annotator.training.compared import Plan, comparisons_of, labelers_to_compare, newest_trained, plan_comparison
from annotator.training.comparison_forms import ComparisonForm, PartingFilter, key_of
from annotator.training.models import LabelerComparison
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import page_of

N_EXAMPLES = 20
_CURRENT = "Models"


@require_safe
def comparisons(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's comparisons, newest first."""
    membership = _member(request, project_id)
    page = page_of(request, comparisons_of(membership.project))
    context = page_context(membership, current=_CURRENT, crumb="Comparisons") | {
        "page": page,
        "comparisons": [pages.comparison_row(found) for found in page],
    }
    return render(request, "training/comparisons.html", context)


@require_safe
def new_comparison(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form; for htmx, what would be compared with what it holds now. Changes nothing."""
    membership = _member(request, project_id)
    return _form_page(request, membership, request.GET if is_partial(request) and request.GET else None)


@require_POST
def start_comparison(request: HttpRequest, project_id: str) -> HttpResponse:
    """Start a comparison, and go to it."""
    membership = _member(request, project_id, Action.BUILD)
    form = _form(membership.project, request.POST)
    if form.is_valid():
        try:
            made = comparing.start_comparison(
                project=membership.project,
                candidate=form.labeler("candidate"),
                current=form.labeler("current"),
                actor=membership.user,
                now=timezone.now(),
            )
        except comparing.ComparisonRefused as refusal:
            form.add_error(None, sentence(str(refusal)))
        else:
            return see_other(request, reverse("training:comparison", args=[project_id, made.public_id]))
    return _form_page(request, membership, request.POST, form=form, status=422)


@require_safe
def comparison(request: HttpRequest, project_id: str, comparison_id: str) -> HttpResponse:
    """How far it is, then who is better and where. htmx gets the inside, which asks again while it moves."""
    membership = _member(request, project_id)
    found = _comparison_of(membership.project, comparison_id)
    context = page_context(membership, current=_CURRENT, crumb=f"Comparison {found.number}") | {
        "comparison": found,
        "job": found.job,
        "pill": pages.pill_of(found),
        "readings": pages.reading_rows(found),
    }
    if found.report:
        context |= _figures(found) | _examples(request, found)
    elif not found.job.is_finished:
        now = timezone.now()
        context["has_worker"] = has_worker(queue=LABEL_QUEUE, now=now) and has_worker(queue=MAIN_QUEUE, now=now)
    return render_either(
        request, page="training/comparison.html", partial="training/comparison_body.html", context=context
    )


@require_POST
def cancel_comparison(request: HttpRequest, project_id: str, comparison_id: str) -> HttpResponse:
    """Stop it, and its runs."""
    membership = _member(request, project_id, Action.BUILD)
    found = _comparison_of(membership.project, comparison_id)
    comparing.cancel_comparison(comparison=found, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("training:comparison", args=[project_id, comparison_id]))


@require_safe
def comparison_csv(request: HttpRequest, project_id: str, comparison_id: str) -> HttpResponse:
    """The figures of all labels, as numbers; 404 while there are none."""
    membership = _member(request, project_id)
    found = _comparison_of(membership.project, comparison_id)
    if not found.report:
        raise Http404
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="comparison-{found.public_id}.csv"'
    writer = csv.writer(response)
    for row in pages.csv_rows(found.report):
        writer.writerow([spreadsheet_safe(cell) if isinstance(cell, str) else cell for cell in row])
    return response


def _member(request: HttpRequest, project_id: str, action: Action = Action.MEASURE) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=action)


def _comparison_of(project: Project, comparison_id: str) -> LabelerComparison:
    return get_object_or_404(comparisons_of(project), public_id=comparison_id)


def _figures(found: LabelerComparison) -> dict[str, Any]:
    """What the page says of the report. No query."""
    report, schema = found.report, found.candidate.schema_version.schema
    return {
        "report": report,
        "verdict": pages.verdict(report),
        "chance_words": pages.chance_words(report),
        "strict_rows": pages.measure_rows(report, "strict", schema=schema),
        "overlap_rows": pages.measure_rows(report, "overlap", schema=schema),
        "quote_rows": pages.quote_rows(report),
        "score_rows": pages.score_rows(report),
        "score_caveat": pages.score_caveat(report),
        "assisted_words": pages.assisted_words(report),
        "alone_words": pages.alone_words(report),
        "unread": pages.unread_words(report),
    }


def _examples(request: HttpRequest, found: LabelerComparison) -> dict[str, Any]:
    """The page of what was won and lost that is asked for. Three queries."""
    form = PartingFilter(request.GET, labels=list(found.report["parted"]["labels"]))
    spans = found.spans.filter(document__project=found.project)
    side, label = form.chosen("side"), form.chosen("label")
    if side:
        spans = spans.filter(is_won=side == "won")
    if label:
        spans = spans.filter(label=label)
    page = page_of(request, spans.order_by("pk"), size=N_EXAMPLES)
    schema = found.candidate.schema_version.schema
    return {"form": form, "page": page, "examples": pages.examples_of(list(page), schema=schema)}


def _form(project: Project, data: QueryDict | None, **kwargs: Any) -> ComparisonForm:
    return ComparisonForm(data, labelers=list(labelers_to_compare(project)), **kwargs)


def _form_page(
    request: HttpRequest,
    membership: Membership,
    data: QueryDict | None,
    *,
    form: ComparisonForm | None = None,
    status: int = 200,
) -> HttpResponse:
    project = membership.project
    form = form or (_form(project, data) if data else _form(project, None, initial=_first(project)))
    context = page_context(membership, current=_CURRENT, crumb="New comparison") | {
        "form": form,
        "plan": _plan(project, form),
        "n_labelers": len(form.fields["candidate"].choices),  # type: ignore[attr-defined]
    }
    return render_either(
        request,
        page="training/new_comparison.html",
        partial="training/comparison_checks.html",
        context=context,
        status=status,
    )


def _plan(project: Project, form: ComparisonForm) -> Plan | None:
    """What the form asks for; None where it does not name two labelers."""
    if form.is_bound:
        chosen = (
            {name: form.labeler(name) for name in form.fields} if form.is_valid() or len(form.cleaned_data) == 2 else {}
        )
    else:
        by_key = {key_of(labeler): labeler for labeler in labelers_to_compare(project)}
        chosen = {name: by_key[key] for name, key in form.initial.items() if key in by_key}
    return plan_comparison(project=project, **chosen) if len(chosen) == 2 else None


def _first(project: Project) -> dict[str, str]:
    """The newest trained one against what new runs use; else the newest other labeler."""
    labelers = list(labelers_to_compare(project))
    digest = current_spec(project).digest
    current = next((one for one in labelers if one.digest == digest), labelers[-1] if labelers else None)
    trained = newest_trained(project)
    candidate = trained if trained in labelers else next((one for one in labelers if one != current), current)
    return {"candidate": key_of(candidate), "current": key_of(current)} if candidate and current else {}
