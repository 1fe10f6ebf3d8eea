"""How far a project's notes are, at what pace, and what is labelled: for leads."""

from __future__ import annotations

import csv
from datetime import datetime, time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.browse.selectors import seconds_since, tallies
from annotator.core.estimates import median, rate_interval, share_interval
from annotator.core.wording import spreadsheet_safe
from annotator.documents.selectors import note_types
from annotator.progress import label_pages, pages, selectors
from annotator.progress.counting import count_queue
from annotator.progress.forms import ProgressFilter
from annotator.progress.models import CountedProject
from annotator.progress.selectors import KINDS, Scope, Work
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.review.decoys import caught_in
from annotator.web.http import render_either
from annotator.web.paging import page_of

PEOPLE_SHOWN = 25


@require_safe
def progress(request: HttpRequest, project_id: str) -> HttpResponse:
    """Queue, people and labels; htmx gets the inside of the page, when other days or notes are chosen."""
    membership, chosen = _asked(request, project_id)
    now = timezone.now()
    counted = CountedProject.objects.filter(project=membership.project).first()
    context = page_context(membership, current="Progress") | {
        "filter": chosen,
        "counted": counted,
        **_queue(membership, chosen, counted, now),
        **_people(request, membership, chosen, now),
        **_labels(membership, chosen, now),
        "caught": [pages.caught_row(caught) for caught in caught_in(membership.project)],
    }
    return render_either(request, page="progress/progress.html", partial="progress/body.html", context=context)


@require_safe
def people_csv(request: HttpRequest, project_id: str) -> HttpResponse:
    """The table of all people, with the numbers as they are; empty where there is not enough data for an interval."""
    membership, chosen = _asked(request, project_id)
    scope, since = _scope(membership, chosen, timezone.now())
    people = selectors.people_of(scope)
    work, times = selectors.work_of(scope, people), selectors.times_of(scope, people, since=since)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project_id}-people.csv"'
    writer = csv.writer(response)
    columns = ("seconds_a_decision", "seconds_per_1000_characters", "share_accepted")
    bounds = [f"{column}{end}" for column in columns for end in ("", "_low", "_high")]
    writer.writerow(["name", "notes", "decisions", *(f"n_{kind}" for kind in KINDS), *bounds])
    for user in people:
        done = work.get(user.pk, Work())
        writer.writerow(
            [
                spreadsheet_safe(user.username),
                *(done.n_notes, done.n_decisions, *(done.kinds.get(kind, 0) for kind in KINDS)),
                *_figures(done, times.get(user.pk, [])),
            ]
        )
    return response


def _asked(request: HttpRequest, project_id: str) -> tuple[Membership, ProgressFilter]:
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    return membership, ProgressFilter(request.GET, note_types(membership.project))


def _scope(membership: Membership, chosen: ProgressFilter, now: datetime) -> tuple[Scope, datetime | None]:
    """What is asked about, and the moment that it begins."""
    day = selectors.days_since(chosen.days, today=timezone.localdate(now))
    since = timezone.make_aware(datetime.combine(day, time.min)) if day else None
    return Scope(membership.project, day, chosen.chosen_type), since


def _queue(
    membership: Membership, chosen: ProgressFilter, counted: CountedProject | None, now: datetime
) -> dict[str, Any]:
    """The queue as it was counted with the work; of a project that was not counted yet, as it is."""
    today = timezone.localdate(now)
    counts = counted.queue if counted else count_queue(membership.project)
    queue = selectors.queue_of(membership, counts, chosen.chosen_type)
    since = selectors.days_since(pages.CHART_DAYS, today=today)
    by_day = selectors.notes_by_day(Scope(membership.project, since, chosen.chosen_type))
    pace = pages.pace_days(by_day, today=today)
    return {
        "lead": pages.lead(queue, pace, n_readers=membership.project.n_readers, today=today),
        "queue": queue,
        "states": [name for name, _ in pages.STATES],
        "type_rows": pages.type_rows(queue),
        "chart": pages.throughput(by_day, today=today),
    }


def _people(request: HttpRequest, membership: Membership, chosen: ProgressFilter, now: datetime) -> dict[str, Any]:
    scope, since = _scope(membership, chosen, now)
    page = page_of(request, selectors.people_of(scope), size=PEOPLE_SHOWN)
    people = list(page)
    work, times = selectors.work_of(scope, people), selectors.times_of(scope, people, since=since)
    last = tallies(membership.project, people)
    rows = [
        pages.person_row(
            user,
            work.get(user.pk, Work()),
            times.get(user.pk, []),
            last_seconds=seconds_since(last[user.pk].last_at, now=now),
        )
        for user in people
    ]
    return {"page": page, "people": rows, "kinds": [kind.capitalize() for kind in KINDS]}


def _labels(membership: Membership, chosen: ProgressFilter, now: datetime) -> dict[str, Any]:
    today = timezone.localdate(now)
    n_weeks = min((chosen.days or 7 * label_pages.MOST_WEEKS) // 7, label_pages.MOST_WEEKS)
    n_days = 7 * max(n_weeks, 2 * label_pages.DRIFT_WEEKS)
    recent = Scope(membership.project, selectors.days_since(n_days, today=today), chosen.chosen_type)
    weeks = selectors.labels_by_week(recent, today=today)
    labelers = selectors.labelers_named({key for found in weeks.values() for key in found.accepted})
    scope, _ = _scope(membership, chosen, now)
    return {
        "drift": label_pages.drift_lead(weeks),
        "label_rows": label_pages.label_rows(weeks),
        "weeks": label_pages.weeks_heat(weeks, n_weeks=n_weeks, today=today),
        "types": label_pages.types_heat(selectors.labels_by_type(scope)),
        "scores": label_pages.score_rows(weeks, labelers, n_weeks=n_weeks, today=today),
    }


def _figures(work: Work, times: list[list[float]]) -> list[str]:
    """Each figure with the ends of its interval."""
    middle = median(times)
    rate, share = rate_interval(work.pace), share_interval(work.accepted)
    found = [
        (middle[0], *middle[1]) if middle else None,
        (1000 * (work.pace.ratio or 0), 1000 * rate.low, 1000 * rate.high) if rate else None,
        (work.accepted.ratio or 0, *share) if share else None,
    ]
    return [f"{value:.3f}" if figure else "" for figure in found for value in figure or ("", "", "")]
