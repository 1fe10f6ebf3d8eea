"""The page of the rules: what each would settle, and what those that were applied have."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.adjudication import rules
from annotator.jobs.models import Job
from annotator.projects.access import Action, membership_for
from annotator.projects.navigation import page_context
from annotator.web.http import render_either, see_other
from annotator.web.pills import Pill

_SHOWN = 5
_PILLS = {
    Job.Status.QUEUED: Pill("Waits for a worker", "", "clock"),
    Job.Status.RUNNING: Pill("Running", "accent", "dot"),
    Job.Status.CANCELLING: Pill("Stops at the next note", "", "clock"),
    Job.Status.CANCELLED: Pill("Cancelled", "", "minus"),
    Job.Status.DONE: Pill("Done", "ok", "check"),
    Job.Status.FAILED: Pill("Failed", "bad", "x"),
}


@require_safe
def rules_page(request: HttpRequest, project_id: str) -> HttpResponse:
    """What each rule would settle now, and the newest that were applied; while one is at it, how far it is."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    runs = list(membership.project.rule_runs.select_related("job", "created_by").order_by("-pk")[:_SHOWN])
    is_moving = any(not run.job.is_finished for run in runs)
    context = page_context(membership, current="Adjudicate", crumb="Rules") | {
        "previews": [] if is_moving else rules.previews(project=membership.project, now=timezone.now()),
        "most": rules.MOST_PREVIEWED,
        "runs": [{"run": run, "pill": _PILLS[Job.Status(run.job.status)]} for run in runs],
        "is_moving": is_moving,
    }
    return render_either(
        request, page="adjudication/rules.html", partial="adjudication/rule_list.html", context=context
    )


@require_POST
def apply_rule(request: HttpRequest, project_id: str) -> HttpResponse:
    """Have a rule applied."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    try:
        rules.start_rule(
            project=membership.project, rule=request.POST.get("rule", ""), actor=membership.user, now=timezone.now()
        )
    except rules.RuleRefused as refusal:
        messages.warning(request, str(refusal))
    return see_other(request, reverse("adjudication:rules", args=[project_id]))


@require_POST
def cancel_rule(request: HttpRequest, project_id: str) -> HttpResponse:
    """Stop the rule that is being applied."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    rules.cancel_rule(project=membership.project, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("adjudication:rules", args=[project_id]))
