"""The registry of a project's labelers, the page of one, and promoting it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from annotator.core.wording import sentence
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.suggestions.models import Labeler
from annotator.training import comparison_pages, registry, registry_pages
from annotator.training.compared import comparisons_of
from annotator.training.promotable import comparisons_for, outlook_of, refusal_of
from annotator.training.promoting import PromotionRefused, promote
from annotator.training.registry_forms import PromoteForm
from annotator.training.selectors import trainings_of
from annotator.web.http import see_other
from annotator.web.paging import page_of

RUNS_SHOWN = 5
NEWEST = 5  # trainings and comparisons, which have pages of their own


@require_safe
def models(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's labelers, newest first, with their state and what became of what they suggested."""
    membership = _member(request, project_id)
    project = membership.project
    standing = registry.standing_of(project)
    page = page_of(request, registry.models_of(project))
    entries = registry.entries_of(project, list(page), standing=standing)
    may_promote = may(role=membership.role, action=Action.MANAGE)
    promotion = standing.current.promotion
    context = page_context(membership, current="Models") | {
        "page": page,
        "rows": [registry_pages.model_row(entry, may_promote=may_promote) for entry in entries],
        "lead": registry_pages.registry_lead(standing),
        "cannot": standing.current.cannot,
        "way_back": promotion.previous if promotion and may_promote else None,
        "may_run": may(role=membership.role, action=Action.RUN),
        "runs": trainings_of(project)[:NEWEST],
        "comparisons": [comparison_pages.comparison_row(found) for found in comparisons_of(project)[:NEWEST]],
    }
    return render(request, "training/models.html", context)


@require_safe
def model(request: HttpRequest, project_id: str, model_id: str) -> HttpResponse:
    """One labeler: its line, what decides what it suggests, and its promotions."""
    membership = _member(request, project_id)
    labeler = _labeler_of(membership, model_id)
    standing = registry.standing_of(membership.project)
    (entry,) = registry.entries_of(membership.project, [labeler], standing=standing)
    promotions = registry.promotions_of(labeler)
    numbers = registry.numbers_of(membership.project, {found.comparison for found in promotions})
    context = page_context(membership, current="Models", crumb=labeler.name) | {
        "labeler": labeler,
        "row": registry_pages.model_row(entry, may_promote=may(role=membership.role, action=Action.MANAGE)),
        "cannot": sentence(entry.cannot) if entry.cannot and entry.state != registry.CURRENT else "",
        "may_read": may(role=membership.role, action=Action.RUN) and entry.state in registry.READING,
        "line": registry_pages.line_of(entry, registry.newest_runs(labeler, n=RUNS_SHOWN)),
        "facts": registry_pages.facts_of(labeler),
        "promotions": registry_pages.promotion_rows(labeler, promotions, numbers),
    }
    return render(request, "training/model.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def promote_model(request: HttpRequest, project_id: str, model_id: str) -> HttpResponse:
    """What promoting the labeler will do, and the form that does it; a lead's act."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    labeler = _labeler_of(membership, model_id)
    standing = registry.standing_of(membership.project)
    form = PromoteForm(
        request.POST if request.method == "POST" else None,
        comparisons=comparisons_for(labeler, current=standing.current),
    )
    refusal = refusal_of(labeler, current=standing.current, removed=standing.removed)
    if form.is_bound and form.is_valid():
        try:
            promote(labeler=labeler, comparison=form.chosen_comparison, actor=membership.user, now=timezone.now())
        except PromotionRefused as refused:
            refusal = str(refused)
        else:
            messages.success(request, f"{labeler.name} reads the project's notes from now on.")
            return see_other(request, reverse("training:model", args=[project_id, model_id]))
    context = page_context(membership, current="Models", crumb=f"Promote {labeler.name}") | {
        "labeler": labeler,
        "model": registry_pages.model_words(labeler),
        "current": standing.current.spec,
        "form": form,
        "refusal": sentence(refusal) if refusal else "",
        "outlook": [] if refusal else registry_pages.outlook_rows(outlook_of(labeler, current=standing.current)),
    }
    status = 409 if refusal and form.is_bound else 422 if form.is_bound else 200
    return render(request, "training/promote.html", context, status=status)


def _member(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)


def _labeler_of(membership: Membership, model_id: str) -> Labeler:
    """One that the registry lists."""
    return get_object_or_404(registry.models_of(membership.project), public_id=model_id)
