"""Where readers differ, by words and labels: the list, the places of one, and an example of it for the guideline."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.adjudication.pages import place_url
from annotator.audit.services import record_read
from annotator.browse import disagreements as rows_of
from annotator.browse.guideline_views import draft_page
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_guideline, current_schema
from annotator.readings.models import Difference
from annotator.review.differing import with_text
from annotator.web.paging import page_of

ROWS = 20


@require_safe
def differences(request: HttpRequest, project_id: str) -> HttpResponse:
    """The clusters, the most frequent first. Who reads it is recorded."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project = membership.project
    page = page_of(request, rows_of.disagreements_of(project), size=ROWS)
    newest = current_guideline(project)
    told = set((newest.text if newest else "").split("\n"))
    rows = []
    for each in rows_of.shown(list(page)):
        lines = [(label, rows_of.line_for(each.words, label=label, labels=each.found.labels)) for label in each.choices]
        rows.append(
            {
                "shown": each,
                "is_told": any(line in told for _, line in lines),
                "choices": [(label, label or rows_of.NO_SPAN) for label, _ in lines],
            }
        )
    if rows:
        _record(membership)
    context = page_context(membership, current="Overview", crumb="Where readers differ") | {
        "page": page,
        "rows": rows,
        "labels": current_schema(project).schema.labels,
        "may_manage": may(role=membership.role, action=Action.MANAGE),
        "most": rows_of.MOST_PLACES,
    }
    return render(request, "browse/differences.html", context)


@require_safe
def difference(request: HttpRequest, project_id: str, place_id: str) -> HttpResponse:
    """The places of one cluster, newest first, each with what gold says. Who reads it is recorded."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project = membership.project
    place = _place(request, membership, place_id)
    page = page_of(request, rows_of.spots_like(project, place).values_list("pk", flat=True), size=ROWS)
    found = with_text([place.pk, *page])
    outcomes = rows_of.outcomes_at(list(page))
    _record(membership)
    labels = (place.label_a, place.label_b)
    context = page_context(membership, current="Overview", crumb="Where readers differ") | {
        "page": page,
        "words": " ".join(found[0].surface.split()),  # type: ignore[attr-defined]
        "place_id": place_id,
        "between": rows_of.between_of(labels),
        "names": sorted(label or rows_of.NO_SPAN for label in labels),
        "choices": [(label, label or rows_of.NO_SPAN) for label in sorted(labels, reverse=True)],
        "rows": [
            {
                "row": row,
                "url": place_url(row, membership),
                "gold": outcomes.get(row.pk),
            }
            for row in found
            if row.pk in set(page)
        ],
        "labels": current_schema(project).schema.labels,
        "no_span": rows_of.NO_SPAN,
        "may_manage": may(role=membership.role, action=Action.MANAGE),
    }
    return render(request, "browse/difference.html", context)


@require_safe
def difference_example(request: HttpRequest, project_id: str, place_id: str) -> HttpResponse:
    """The form of the next version, filled with the newest and what ?label= of the place's labels would be an example
    of; nothing is kept before a lead has looked at it.
    """
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    place = _place(request, membership, place_id)
    labels = (place.label_a, place.label_b)
    label = request.GET.get("label", max(labels))
    if label not in labels:
        raise Http404
    (row,) = with_text([place.pk])
    line = rows_of.line_for(row.surface, label=label, labels=labels)  # type: ignore[attr-defined]
    return draft_page(request, membership, label=label or max(labels), line=line)


def _place(request: HttpRequest, membership: Membership, place_id: str) -> Difference:
    between = request.GET.get("between", "")
    found = rows_of.place_named(membership.project, place=place_id, between=between)
    if found is None:
        raise Http404
    return found


def _record(membership: Membership) -> None:
    project_id = membership.project.public_id
    record_read(
        project=project_id,
        actor=membership.user,
        object_id=project_id,
        now=timezone.now(),
        verb="differences.read",
    )
