"""What notes that were read blind show: what labelers miss, and what suggestions save."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.audit.services import record_read
from annotator.projects.access import Action, membership_for
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.quality import blind_pages as pages
from annotator.quality.effort import effort_of
from annotator.quality.recall import blind_readings, missed_in, notes_by_id, own_note_items, recall_of

ROWS = 20


@require_safe
def blind(request: HttpRequest, project_id: str) -> HttpResponse:
    """Recall and effort, and a page of what was missed, which is recorded as read."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project, schema = membership.project, current_schema(membership.project).schema
    found = blind_readings(project)
    recall = recall_of(project, n_resamples=pages.N_RESAMPLES, found=found)
    effort = effort_of(project, n_resamples=pages.N_RESAMPLES)
    page = Paginator(missed_in(found), ROWS).get_page(request.GET.get("page"))
    shown = list(page)
    if shown:
        now = timezone.now()
        record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="missed.read")
    documents = {each.document_id for each in shown}
    context = page_context(membership, current="Quality", crumb="Blind notes") | {
        **pages.figures_context(recall, effort, schema),
        "page": page,
        "missed": pages.missed_rows(
            shown,
            notes=notes_by_id(documents).in_bulk(),
            own_items=own_note_items(documents, reader=membership.user),
            schema=schema,
            membership=membership,
        ),
    }
    return render(request, "quality/blind.html", context)
