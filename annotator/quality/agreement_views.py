"""How far a project's readers agree, and where they do not."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.adjudication.pages import place_url
from annotator.audit.services import record_read
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.quality import agreement_pages as pages
from annotator.quality.differing import MOST_COUNTED, Wanted, newest_differences
from annotator.quality.forms import AgreementForm
from annotator.quality.measuring import start_of
from annotator.quality.reports import csv_rows
from annotator.quality.selectors import names_of_readers
from annotator.quality.services import agreement_standing, figures_of_pair
from annotator.readings.models import ReaderPair
from annotator.review.differing import with_text
from annotator.web.http import render_either
from annotator.web.paging import page_of

ROWS = 20


@require_safe
def agreement(request: HttpRequest, project_id: str) -> HttpResponse:
    """The figures of the period, and the differences that the filter leaves; htmx gets the inside of the page."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project, now = membership.project, timezone.now()
    labels, rounds = current_schema(project).schema.labels, list(project.rounds.order_by("-number"))
    form = AgreementForm(request.GET, [label.name for label in labels], rounds)
    standing = agreement_standing(project=project, days=form.chosen_days, round_id=form.chosen_round, now=now)
    context = page_context(membership, current="Agreement") | {
        "form": form,
        "standing": standing,
        "labels": labels,
        "rounds": rounds,
    }
    if standing.report is not None:
        data = standing.report.data
        names = names_of_readers(membership, data)
        pair = ReaderPair.objects.filter(project=project, public_id=form.chosen_pair, labeler=None).first()
        of_pair = figures_of_pair(report=standing.report, pair=pair, now=now) if pair else None
        shown = pages.narrowed(data, of_pair)
        labeler = "" if pair else pages.newest_labeler(data)
        rows = pages.label_rows(shown, labels, form, labeler)
        context |= {
            "data": data,
            "lead": pages.lead(data, names, form),
            "matrix": pages.matrix(data, names, form, _number(request.GET.get("readers"))),
            "label_rows": rows,
            "plot": pages.label_plot(shown, rows, form, labeler),
            "labeler": names.get(labeler, ""),
            "confusion": pages.confusion_rows(shown, labels, form),
            "coefficients": pages.coefficient_rows(shown, labels),
            "weeks": pages.week_chart(data, list(project.guidelines.only("number", "created_at")), form),
            "guidelines": pages.guideline_rows(data, form),
            "alpha": pages.alpha_words(data),
            "fewest": pages.FEWEST_SPANS,
            "who": [names.get(name, name) for name in (pair.pair.a, pair.pair.b)] if pair else [],
            **_list_context(request, membership, form, names, pair),
        }
    return render_either(request, page="quality/agreement.html", partial="quality/agreement_body.html", context=context)


@require_safe
def agreement_csv(request: HttpRequest, project_id: str) -> HttpResponse:
    """The figures as a table: all pairs, and by label what they add up to. Who takes it is recorded."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    form, now = AgreementForm(request.GET, [], list(membership.project.rounds.order_by("-number"))), timezone.now()
    standing = agreement_standing(
        project=membership.project, days=form.chosen_days, round_id=form.chosen_round, now=now
    )
    record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="agreement.download")
    data = standing.report.data if standing.report else {}
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="agreement-{project_id}.csv"'},
    )
    csv.writer(response).writerows(csv_rows(data, names_of_readers(membership, data)))
    return response


def _list_context(
    request: HttpRequest,
    membership: Membership,
    form: AgreementForm,
    names: Mapping[str, str],
    pair: ReaderPair | None,
) -> dict[str, Any]:
    """The page of differences that the filter leaves, each with where it is opened. Who reads it is recorded."""
    project, now = membership.project, timezone.now()
    wanted = Wanted(
        pair=pair,
        cell=form.chosen_cell,
        label=form.chosen_label,
        is_strict=form.is_strict,
        since=start_of(form.chosen_days, now),
        round_id=form.chosen_round,
    )
    found = newest_differences(project=project, wanted=wanted)
    page = page_of(request, found[:MOST_COUNTED], size=ROWS)
    rows = with_text(list(page))
    if rows:
        record_read(
            project=project.public_id,
            actor=membership.user,
            object_id=project.public_id,
            now=now,
            verb="differences.read",
        )
    return {
        "page": page,
        "rows": [
            {
                "row": row,
                "who": [names.get(name, name) for name in (row.pair.pair.a, row.pair.pair.b)],
                "url": place_url(row, membership),
            }
            for row in rows
        ],
        "n_found": f"{MOST_COUNTED:,}+" if len(found) > MOST_COUNTED else f"{len(found):,}",
    }


def _number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 6 else 1
