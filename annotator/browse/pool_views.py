"""Example pools: what waits for the next one, what was frozen, and what is in a pool."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.audit.services import record_read
from annotator.browse.examples import settled_place
from annotator.browse.pool_rows import example_rows, wish_rows
from annotator.projects.access import Action, membership_for
from annotator.projects.navigation import page_context
from annotator.suggestions.pools import wish_for, withdraw_wish
from annotator.suggestions.selectors import counted_pools, examples_in, waiting_wishes
from annotator.web.http import see_other
from annotator.web.paging import page_of

EXAMPLES = 20


@require_safe
def pools(request: HttpRequest, project_id: str) -> HttpResponse:
    """What is asked for in the next pool, and the pools that there are. Who reads words of notes here is recorded."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    project, now = membership.project, timezone.now()
    page = page_of(request, waiting_wishes(project))
    rows = wish_rows(list(page))
    if rows:
        record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="wishes.read")
    context = page_context(membership, current="Runs", crumb="Example pools") | {
        "page": page,
        "wishes": rows,
        "pools": counted_pools(project),
    }
    return render(request, "browse/pools.html", context)


@require_safe
def pool(request: HttpRequest, project_id: str) -> HttpResponse:
    """The examples of the newest pool, or that of ?pool=, each with its answer; which were asked for. Who reads it is
    recorded.
    """
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    project, now = membership.project, timezone.now()
    number = request.GET.get("pool")
    found = counted_pools(project).first() if number is None else None
    if number is not None and number.isdecimal() and len(number) < 7:
        found = counted_pools(project).filter(number=number).first()
    if found is None:
        raise Http404
    page = page_of(request, examples_in(found), size=EXAMPLES)
    record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="pool.read")
    context = page_context(membership, current="Runs", crumb=f"Example pool {found.number}") | {
        "pool": found,
        "page": page,
        "rows": example_rows(list(page)),
    }
    return render(request, "browse/pool.html", context)


@require_POST
def wish(request: HttpRequest, project_id: str, example_id: str) -> HttpResponse:
    """Have a settled place among the examples of the next pool."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    place = settled_place(membership.project, key=example_id)
    wish_for(
        project=membership.project,
        document=place.set.document,
        start=place.start,
        end=place.end,
        actor=membership.user,
        now=timezone.now(),
    )
    messages.success(request, "Waits for the next example pool, and comes first in it.")
    return see_other(request, reverse("browse:pools", args=[project_id]))


@require_POST
def withdraw(request: HttpRequest, project_id: str, wish_id: str) -> HttpResponse:
    """Take a wish back."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.RUN)
    wished = get_object_or_404(membership.project.pool_wishes, public_id=wish_id)
    withdraw_wish(wish=wished, actor=membership.user, now=timezone.now())
    return see_other(request, reverse("browse:pools", args=[project_id]))
