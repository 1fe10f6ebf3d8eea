"""The review page by span: one span with its context, and the next of the project after each decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from annotator.audit.services import record_read
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.review import leases, pages
from annotator.review.filters import BY_SPAN
from annotator.review.models import Decision, ReviewItem
from annotator.review.selectors import Target, note_item_for, note_view
from annotator.review.spans import take_next_span
from annotator.review.standing import decisions_with
from annotator.web.http import is_partial, see_other


@require_POST
def take_next(request: HttpRequest, project_id: str) -> HttpResponse:
    """Lease the note of the next span and go to it; for htmx, the span in place of the one in the note `leaving`."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    leaving = note_item_for(project=membership.project, item_id=request.POST.get("leaving", ""))
    return _go_on(request, membership, leaving=leaving)


def answered(
    request: HttpRequest,
    membership: Membership,
    note_item: ReviewItem,
    decision: Decision,
    target: Target | None,
    asked: Mapping[str, Any],
    *,
    left: ReviewItem,
) -> HttpResponse:
    """The way on after a decision: to the next span, or to the span that was edited, or to which Undo has gone back
    from the note `left`. `asked` is the checked form.
    """
    main = pages.main_of(decisions_with(decision))
    focus = pages.focus_after(main, target=target, view=note_view(note_item=note_item), asked=asked)
    if not focus:
        return _go_on(request, membership, leaving=note_item, decision=decision)
    if left.pk != note_item.pk:
        leases.release(note_item=left, reviewer=membership.user)
    return _show(request, membership, note_item, focus=focus, decision=decision)


def tell_revealed(request: HttpRequest, decision: Decision) -> None:
    """What the model says of a span that was decided without it, on the page that comes next; without its text, since
    messages are stored.
    """
    if revealed := pages.revealed_by(decision):
        messages.info(request, f"Of the last span {revealed}")


def _go_on(
    request: HttpRequest, membership: Membership, *, leaving: ReviewItem | None, decision: Decision | None = None
) -> HttpResponse:
    found = take_next_span(project=membership.project, reviewer=membership.user, now=timezone.now(), leaving=leaving)
    if found is not None:
        note_item, item = found
        return _show(request, membership, note_item, focus=f"i{item.public_id}", decision=decision)
    if decision is not None:
        tell_revealed(request, decision)
    messages.success(request, "No span is left for you to decide here.")
    return see_other(request, reverse("review:start", args=[membership.project.public_id]))


def _show(
    request: HttpRequest, membership: Membership, note_item: ReviewItem, *, focus: str, decision: Decision | None
) -> HttpResponse:
    project_id = membership.project.public_id
    url = f"{reverse('review:note', args=[project_id, note_item.public_id])}?queue={BY_SPAN}&focus={focus}"
    if not is_partial(request):
        if decision is not None:
            tell_revealed(request, decision)
        return see_other(request, f"{url}#{focus}")
    now = timezone.now()
    record_read(project=project_id, actor=membership.user, object_id=note_item.document.public_id, now=now)
    view = note_view(note_item=note_item)
    context = pages.note_context(view, focus=focus, membership=membership, now=now, queue=BY_SPAN)
    context |= pages.drawn_note(view, focus=focus, queue=BY_SPAN)
    if decision is not None:
        context |= pages.revealed_context(decision)
        context["told"] = f"{pages.said_of(decisions_with(decision), view)}. {context['told']}"
    response = render(request, "review/by_span.html", context)
    response["HX-Replace-Url"] = url
    return response
