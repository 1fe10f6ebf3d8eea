"""Pre-labelling runs: the list with the button that starts one, and the page of one run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.core.identifiers import has_identifiers
from annotator.jobs.bell import LABEL_QUEUE
from annotator.jobs.selectors import has_worker, worker_health
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.suggestions import pages, services
from annotator.suggestions.finding import look_for_identifiers
from annotator.suggestions.labelers import (
    current_of,
    new_documents,
    notes_without_identifiers_sought,
    start_current_run,
)
from annotator.suggestions.models import LabelRun
from annotator.suggestions.selectors import (
    failure_reasons,
    is_behind,
    progress_of_runs,
    run_pace,
    run_progress,
    run_rate,
    runs_of,
)
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.paging import page_of


@require_safe
def runs(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's runs, newest first, and how many notes are new to the labeler."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.READ_NOTES)
    return _runs_page(request, membership)


@require_POST
def start(request: HttpRequest, project_id: str) -> HttpResponse:
    """Send the project's labeler over the notes that it has not read, and go to the run."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    try:
        made = start_current_run(project=membership.project, actor=membership.user, now=timezone.now())
    except services.RunRefused as refusal:
        return _runs_page(request, membership, refusal=str(refusal), status=409)
    return see_other(request, reverse("suggestions:run", args=[project_id, made.public_id]))


@require_POST
def look(request: HttpRequest, project_id: str) -> HttpResponse:
    """Look for identifiers in the notes that were not looked through, and go to the run."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    try:
        made = look_for_identifiers(project=membership.project, actor=membership.user, now=timezone.now())
    except services.RunRefused as refusal:
        return _runs_page(request, membership, refusal=str(refusal), status=409)
    return see_other(request, reverse("suggestions:run", args=[project_id, made.public_id]))


@require_safe
def run(request: HttpRequest, project_id: str, run_id: str) -> HttpResponse:
    """How far the run is. htmx gets the inside of the page, which asks again while the run goes on."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.READ_NOTES)
    return _run_page(request, membership, run_id)


@require_POST
def cancel(request: HttpRequest, project_id: str, run_id: str) -> HttpResponse:
    """Stop the run; what it has found stays."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    found = _run_of(membership, run_id)
    services.cancel_run(run=found, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("suggestions:run", args=[project_id, run_id]))


@require_POST
def retry(request: HttpRequest, project_id: str, run_id: str) -> HttpResponse:
    """Queue the run's failed and cancelled notes again. htmx gets the inside of the page, which moves again."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    found = _run_of(membership, run_id)
    services.retry_run(run=found, actor=membership.user, now=timezone.now())
    if is_partial(request):
        return _run_page(request, membership, run_id)
    return see_other(request, reverse("suggestions:run", args=[project_id, run_id]))


def _run_of(membership: Membership, run_id: str) -> LabelRun:
    return get_object_or_404(runs_of(membership.project), public_id=run_id)


def _runs_page(request: HttpRequest, membership: Membership, *, refusal: str = "", status: int = 200) -> HttpResponse:
    project, now = membership.project, timezone.now()
    current = current_of(project)
    page = page_of(request, runs_of(project))
    progress = progress_of_runs([found.pk for found in page])
    context = page_context(membership, current="Runs") | {
        "page": page,
        "rows": [pages.run_row(found, progress[found.pk], now=now) for found in page],
        "labeler_name": current.spec.name,
        "cannot": pages.cannot_words(current),
        "n_unread": new_documents(project=project, current=current).count(),
        "has_notes": project.documents.exists(),
        "has_identifiers": has_identifiers(current_schema(project).schema),
        "n_unsought": notes_without_identifiers_sought(project=project).count(),
        "has_worker": has_worker(queue=LABEL_QUEUE, now=now),
        "may_run": may(role=membership.role, action=Action.RUN),
        "may_import": may(role=membership.role, action=Action.IMPORT),
        "refusal": refusal,
    }
    return render(request, "suggestions/runs.html", context, status=status)


def _run_page(request: HttpRequest, membership: Membership, run_id: str) -> HttpResponse:
    found, now = _run_of(membership, run_id), timezone.now()
    context = page_context(membership, current="Runs", crumb=f"Run {found.number}")
    context |= _run_context(found, now) | {
        "may_run": may(role=membership.role, action=Action.RUN),
        "is_table": request.GET.get("rate") == "table",
    }
    return render_either(request, page="suggestions/run.html", partial="suggestions/run_body.html", context=context)


def _run_context(found: LabelRun, now: datetime) -> dict[str, Any]:
    """What the page says of the run. Six queries at most, however long the run is."""
    progress = run_progress(run_id=found.pk)
    pace = run_pace(run_id=found.pk, now=now)
    workers = [worker for worker in worker_health(now=now) if LABEL_QUEUE in worker.queues.split(",")]
    is_finished = progress.is_finished
    rate = run_rate(run=found, until=found.finished_at if is_finished and found.finished_at else now)
    waits_for: pages.WaitsFor = ""
    if not is_finished and not any(worker.state == "healthy" for worker in workers):
        waits_for = "a worker"
    elif not found.trouble and is_behind(run_id=found.pk, progress=progress, pace=pace, now=now):
        waits_for = "its turn"
    return {
        "run": found,
        "progress": progress,
        "is_finished": is_finished,
        "is_stopping": not is_finished and found.status == LabelRun.Status.CANCELLED,
        "n_again": progress.n_failed + progress.n_cancelled,
        "pill": pages.run_pill(found, progress, waits_for=waits_for),
        "lead": pages.run_lead(found, progress, pace),
        "parts": pages.run_parts(progress),
        "yield_words": pages.yield_words(progress),
        "loss_words": pages.loss_words(progress),
        "trouble_words": pages.waiting_words(progress, waits_for) or pages.trouble_words(found, progress),
        "trouble_tone": "info" if waits_for == "its turn" else "warning",
        "chart": pages.rate_chart(rate),
        "chart_words": pages.rate_words(rate, is_finished=is_finished),
        "failures": [pages.failure_row(failure) for failure in failure_reasons(run_id=found.pk)],
        "workers": [pages.worker_row(worker, pace.by_worker.get(worker.name)) for worker in workers],
    }
