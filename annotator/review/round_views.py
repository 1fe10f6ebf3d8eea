"""What a reader sees of a round: the own notes, and the way to hand one back. What leads see is in `browse`."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.core.wording import sentence
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.qualification.selectors import is_on_trial
from annotator.review import rounds
from annotator.review.models import ReviewItem
from annotator.review.readings import progress_by_reader, readings_of, rounds_of
from annotator.review.selectors import note_item_for
from annotator.web.http import see_other
from annotator.web.paging import page_of
from annotator.web.pills import Pill

_OPEN, _BEGUN, _DONE = Pill("To read", "", "clock"), Pill("Begun", "warn", "half"), Pill("Done", "ok", "check")
_HANDED_BACK = Pill("Handed back", "", "minus")


@require_safe
def yours(request: HttpRequest, project_id: str, round_id: str) -> HttpResponse:
    """The notes of a round that the member reads or handed back; 404 for who reads none in it. They wait while the
    member has to qualify.
    """
    membership = _reviewer(request, project_id)
    theirs = rounds_of(membership.project).filter(readers__user=membership.user, under_work=None)
    found = get_object_or_404(theirs, public_id=round_id)
    page = page_of(request, readings_of(found, membership.user))
    progress = progress_by_reader(found).get(membership.user.pk)
    context = page_context(membership, current="Review", crumb=f"Round {found.number}") | {
        "round": found,
        "progress": progress,
        "page": page,
        "rows": [(item, _pill(item, membership)) for item in page],
        "must_qualify": is_on_trial(project=membership.project, user=membership.user),
        "is_overdue": found.is_overdue(timezone.localdate()) and progress is not None and progress.n_left,
    }
    return render(request, "review/round.html", context)


@require_POST
def hand_back(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Give a note that is assigned to the member to the round's other readers."""
    return _change(
        request, project_id, item_id, rounds.hand_back, "The note is handed back, and nothing in it is lost."
    )


@require_POST
def take_back(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Undo that, while nobody else has the note."""
    return _change(request, project_id, item_id, rounds.take_back, "The note is yours again.")


def _change(
    request: HttpRequest, project_id: str, item_id: str, change: Callable[..., None], said: str
) -> HttpResponse:
    membership = _reviewer(request, project_id)
    reading = note_item_for(project=membership.project, item_id=item_id)
    if reading is None or reading.round is None or not reading.round.readers.filter(user=membership.user).exists():
        raise Http404
    try:
        change(reading=reading, reader=membership.user, now=timezone.now())
    except rounds.RoundError as refusal:
        messages.warning(request, sentence(str(refusal)))
    else:
        messages.success(request, said)
    return see_other(request, reverse("review:round", args=[project_id, reading.round.public_id]))


def _reviewer(request: HttpRequest, project_id: str) -> Membership:
    return membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)


def _pill(item: ReviewItem, membership: Membership) -> Pill:
    if item.assigned_to_id != membership.user_id:
        return _HANDED_BACK
    if item.status != ReviewItem.Status.OPEN:
        return _DONE
    return _BEGUN if item.leased_by_id else _OPEN
