"""The review page, by note. Every view goes through the project's access and the note's lease."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe

from annotator.annotations.services import AnnotationExists
from annotator.audit.services import record_read
from annotator.core.schema import SchemaError
from annotator.core.spans import Span, SpanError
from annotator.core.wording import sentence
from annotator.documents.models import Document
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.qualification.models import Trial
from annotator.qualification.selectors import standings, trial_of
from annotator.review import leases, pages, services, span_views
from annotator.review.acts import act_of, asked_of
from annotator.review.blinding import is_masked
from annotator.review.decoys import told_decoys
from annotator.review.filters import BY_SPAN
from annotator.review.forms import DecisionForm, NewSpanForm
from annotator.review.models import Decision, ReviewItem
from annotator.review.readings import rounds_left
from annotator.review.selectors import Target, n_unseen, note_item_for, note_view, notes_of, queue_counts, target_for
from annotator.review.spans import note_to_undo_in
from annotator.review.standing import decisions_with
from annotator.web.http import is_partial, render_either, see_other

DONE = "This note is done. Reload it to see how it stands."
TAKEN = "Someone else has taken this note: your lease ran out."
_LABEL_WANTED = "The bounds are saved with the label that you give."
UNSAVED = "Your last decision was not saved: you had been signed out."
_REFUSALS = (services.DecisionRefused, AnnotationExists, SchemaError, SpanError)
_CONFLICTS = (services.DecisionConflict, leases.LeaseConflict)


@require_safe
def start(request: HttpRequest, project_id: str) -> HttpResponse:
    """Where review begins: what waits, and the notes this person has open or finished; for who has to qualify, how far
    they are.
    """
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    project, reviewer = membership.project, membership.user
    standing = standings(user=reviewer, projects=[project.pk]).get(project.pk)
    if standing is not None:
        left = rounds_left(projects=[project.pk], reader=reviewer)
        context = page_context(membership, current="Review") | {"standing": standing, "rounds": left}
        return render(request, "qualification/standing.html", context)
    counts = queue_counts(project=project, reviewer=reviewer)
    context = page_context(membership, current="Review") | {
        "counts": counts | {"total": counts["n_open"] + counts["n_done"]},
        "n_takeable": leases.count_takeable(project, reviewer=reviewer, now=timezone.now()),
        "lists": [
            ("Yours, not done", notes_of(project=project, reviewer=reviewer, status=ReviewItem.Status.OPEN)),
            ("Done by you", notes_of(project=project, reviewer=reviewer, status=ReviewItem.Status.DECIDED)),
        ],
    }
    return render(request, "review/start.html", context)


@require_POST
def take_next(request: HttpRequest, project_id: str) -> HttpResponse:
    """Lease the next note and go to it."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    return _to_next_note(request, membership)


@require_POST
def take(request: HttpRequest, project_id: str, document_id: str) -> HttpResponse:
    """Lease this note and go to it."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    document = (
        Document.objects.select_related("project").filter(project=membership.project, public_id=document_id).first()
    )
    if document is None:
        raise Http404
    try:
        item = leases.take_note(document=document, reviewer=membership.user, now=timezone.now())
    except leases.LeaseConflict as conflict:
        messages.warning(request, str(conflict))
        return see_other(request, reverse("review:start", args=[project_id]))
    return see_other(request, reverse("review:note", args=[project_id, item.public_id]))


@require_GET
def note(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """The note its reader holds; for htmx, the card of the span that `?focus=` names, or of the first in the queue.

    `?queue=` narrows the queue to a reason, or the page to one span with its context. Where nothing is left to decide,
    `?missed=` is the number of what may have been missed.

    `?moved=1` comes from a card whose new bounds wait for a label: the note is drawn again as it is.

    `?unsaved=1`, from a sign-in that came between, says so once.
    """
    membership, note_item = _note_of(request, project_id, item_id)
    if "unsaved" in request.GET:
        messages.warning(request, UNSAVED)
        return redirect("review:note", project_id, item_id)
    if not note_item.is_read_by(membership.user):
        return _not_yours(request, membership, note_item)
    record_read(project=project_id, actor=membership.user, object_id=note_item.document.public_id, now=timezone.now())
    view = note_view(note_item=note_item)
    focus = view.key_of(request.GET.get("focus", ""))
    relate, queue = request.GET.get("relate", ""), request.GET.get("queue", "")
    if is_partial(request) and any(key and key not in view.marks for key in (focus, relate)):
        return _refused(request, membership, note_item, services.GONE, 409)
    context = pages.note_context(
        view, focus=focus, membership=membership, now=timezone.now(), queue=queue, relate=relate
    )
    if "classify" in request.GET:
        context = pages.about_note(context)
    elif "alike" in request.GET:
        context = pages.with_alike(context)
    else:
        context = pages.with_missed(context, reader=membership.user, number=_number(request.GET.get("missed", "")))
    if "moved" in request.GET:
        context |= pages.redrawn(view, focus=context["focus"], queue=queue)
    context["has_queue"] = not focus  # a queue narrowed anew comes along with the first card of it
    if not is_partial(request):
        context |= page_context(membership, current="Review", crumb=pages.note_title(view.document))
        context |= pages.drawn_note(view, focus=context["focus"], queue=queue)
    return render_either(request, page="review/note.html", partial="review/redrawn.html", context=context)


@require_GET
def new_span(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """The card of a span to be added: the selection `?start=&end=`, grown to whole tokens unless `&exact=on`."""
    membership, note_item = _note_of(request, project_id, item_id)
    if not note_item.is_read_by(membership.user):
        return _not_yours(request, membership, note_item)
    record_read(project=project_id, actor=membership.user, object_id=note_item.document.public_id, now=timezone.now())
    form = NewSpanForm(request.GET)
    view = note_view(note_item=note_item)
    focus, queue = view.key_of(request.GET.get("focus", "")), request.GET.get("queue", "")
    context = pages.note_context(view, focus=focus, membership=membership, now=timezone.now(), queue=queue)
    error = ""
    if form.is_valid():
        try:
            context |= pages.new_span_context(pages.new_span(view, **form.cleaned_data))
        except SpanError as refused:
            error = sentence(str(refused))
    else:
        error = "Give a start and an end, in characters of the note."
    context["error"] = error
    if "moved" in request.GET:
        context |= pages.redrawn(view, focus=context["focus"], queue=queue)
    status = 422 if error else 200
    if not is_partial(request):
        context |= page_context(membership, current="Review", crumb=pages.note_title(view.document))
        context |= pages.drawn_note(view, focus=context["focus"], queue=queue)
    return render_either(
        request, page="review/note.html", partial="review/redrawn.html", context=context, status=status
    )


@require_POST
def decide(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Save one decision and answer with what changed on the page and the next span's card."""
    membership, note_item = _note_of(request, project_id, item_id)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _refused(request, membership, note_item, "This decision could not be read; nothing was saved.", 422)
    data = form.cleaned_data
    target = target_for(note_item=note_item, key=data["target"]) if data["target"] else None
    where = note_item
    try:
        if isinstance(target, ReviewItem) and is_masked(target) and (data["move"] or data["bounds"]):
            return _refused(request, membership, note_item, _LABEL_WANTED, 422, moved=(target, data))
        if data["queue"] == BY_SPAN and data["verdict"] == "undo":
            where = note_to_undo_in(project=membership.project, reviewer=membership.user, key=data["key"])
        decision = services.decide(
            note_item=where,
            reviewer=membership.user,
            act=act_of(note_item, target, data),
            key=data["key"],
            now=timezone.now(),
            asked=asked_of(data),
            active_seconds=data["active_seconds"],
        )
    except _CONFLICTS as conflict:
        return _refused(request, membership, note_item, str(conflict), 409)
    except _REFUSALS as refusal:
        error = f"{sentence(str(refusal))} Nothing was saved."
        return _refused(request, membership, note_item, error, 422, new=data["fragments"])
    return _answered(request, membership, where, decision, target, data, left=note_item)


@require_POST
def renew(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Keep the lease while the reviewer is active: 204, or 409 and why where there is none to keep."""
    membership, note_item = _note_of(request, project_id, item_id)
    if leases.renew(note_item=note_item, reviewer=membership.user, now=timezone.now()):
        return HttpResponse(status=204)
    is_theirs = note_item.is_read_by(membership.user)
    why = DONE if is_theirs else TAKEN
    return HttpResponse(why, status=409, content_type="text/plain; charset=utf-8")


@require_POST
def put_back(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Leave the note for later and go to the next; by span, end the work on it."""
    membership, note_item = _note_of(request, project_id, item_id)
    if request.POST.get("queue") == BY_SPAN:
        leases.release(note_item=note_item, reviewer=membership.user)
        return see_other(request, reverse("review:start", args=[project_id]))
    leases.put_back(note_item=note_item, reviewer=membership.user, now=timezone.now())
    return _to_next_note(request, membership)


def _note_of(request: HttpRequest, project_id: str, item_id: str) -> tuple[Membership, ReviewItem]:
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    note_item = note_item_for(project=membership.project, item_id=item_id)
    if note_item is None:
        raise Http404
    return membership, note_item


def _to_next_note(request: HttpRequest, membership: Membership) -> HttpResponse:
    project_id = membership.project.public_id
    item = leases.take_next(project=membership.project, reviewer=membership.user, now=timezone.now())
    if item is None:
        messages.success(request, "No note is left for you to review here.")
        return see_other(request, reverse("review:start", args=[project_id]))
    return see_other(request, reverse("review:note", args=[project_id, item.public_id]))


def _on_in_trial(request: HttpRequest, membership: Membership, note_item: ReviewItem) -> HttpResponse:
    """To the next note of the try, or, after its last, to what it shows."""
    trial = trial_of(document_id=note_item.document_id, user=membership.user)
    if trial.status == Trial.Status.OPEN:
        return _to_next_note(request, membership)
    return see_other(request, reverse("qualification:trial", args=[membership.project.public_id, trial.public_id]))


def _answered(
    request: HttpRequest,
    membership: Membership,
    note_item: ReviewItem,
    decision: Decision,
    target: Target | None,
    asked: Mapping[str, Any],
    *,
    left: ReviewItem,
) -> HttpResponse:
    """The way on after a decision that is saved, also where it was saved before and is only sent again.

    `left` is the note that the page shows: by span, Undo may have gone back to another.
    """
    if decision.verdict == Decision.Verdict.NOTE_DONE and note_item.is_trial:
        return _on_in_trial(request, membership, note_item)
    decisions, queue = decisions_with(decision), asked["queue"]
    is_finished = any(each.verdict == Decision.Verdict.NOTE_DONE for each in decisions)
    if is_finished and queue != BY_SPAN and not (n_unseen(note_item) or told_decoys(note_item)):
        return _to_next_note(request, membership)
    if not note_item.is_read_by(membership.user):
        return _not_yours(request, membership, note_item, is_saved=True)
    if decision.verdict == Decision.Verdict.NOTE_DONE:
        return see_other(request, reverse("review:note", args=[membership.project.public_id, note_item.public_id]))
    if queue == BY_SPAN:
        return span_views.answered(request, membership, note_item, decision, target, asked, left=left)
    view = note_view(note_item=note_item)
    main = pages.main_of(decisions)
    is_of_missed = asked["missed"] is not None and main.verdict in {Decision.Verdict.ADD, Decision.Verdict.DISMISS}
    focus = "" if is_of_missed else pages.focus_after(main, target=target, view=view, asked=asked)
    relate = pages.relate_after(main, asked=asked)
    context = pages.note_context(
        view, focus=focus, membership=membership, now=timezone.now(), queue=queue, relate=relate
    )
    if main.made_value_id or main.withdrew_value_id:
        context = pages.about_note(context)
    else:
        context = pages.with_missed(context, reader=membership.user, number=asked["missed"] or 0)
    if not is_partial(request):
        span_views.tell_revealed(request, main)
        url = reverse("review:note", args=[membership.project.public_id, note_item.public_id])
        focus, about = context["focus"], "&classify=1" if "is_about_note" in context else ""
        missed = f"?missed={asked['missed']}" if asked["missed"] else ""
        return see_other(
            request, f"{url}?focus={focus}{context['walk']}{about}#{focus}" if focus or about else url + missed
        )
    if decision.undoes and decision.undoes.verdict == Decision.Verdict.NOTE_DONE:
        return see_other(request, reverse("review:note", args=[membership.project.public_id, note_item.public_id]))
    context |= pages.changes(view, decisions=decisions, focus=context["focus"], told=context["told"], queue=queue)
    context |= pages.revealed_context(main)
    return render(request, "review/decided.html", context)


def _refused(
    request: HttpRequest,
    membership: Membership,
    note_item: ReviewItem,
    error: str,
    status: int,
    *,
    new: Span | None = None,
    moved: tuple[ReviewItem, dict[str, Any]] | None = None,
) -> HttpResponse:
    """The note as it now is, with the reason. For htmx the reason and the card, and all that may have changed
    elsewhere where the page shows something that is gone (409). `new` is the span that was to be added, `moved` one
    whose bounds wait for its label, with the checked form that moves them; raises SpanError where they cannot be so.
    """
    if not note_item.is_read_by(membership.user):
        return _not_yours(request, membership, note_item, error=error)
    view = note_view(note_item=note_item)
    view, place = pages.with_bounds(view, *moved) if moved else (view, None)
    focus, queue, relate = (request.POST.get(name, "") for name in ("target", "queue", "relate"))
    context = pages.note_context(
        view, focus=focus, membership=membership, now=timezone.now(), queue=queue, relate=relate
    )
    if "classify" in request.POST:
        context = pages.about_note(context)
    else:
        context = pages.with_missed(context, reader=membership.user, number=0)
    context |= {"error": error, "moved": place}
    if new is not None and new.end <= len(view.document.text):
        context |= pages.new_span_context(pages.NewSpan(span=new, surface=new.surface(view.document.text)))
    if not is_partial(request):
        context |= page_context(membership, current="Review", crumb=pages.note_title(view.document))
        context |= pages.drawn_note(view, focus=context["focus"], queue=queue)
        return render(request, "review/note.html", context, status=status)
    if status == 409 or moved:
        context |= pages.redrawn(view, focus=context["focus"], queue=queue)
    return render(request, "review/redrawn.html", context, status=status)


def _number(given: str) -> int:
    return int(given) if given.isdecimal() and len(given) < 5 else 0


def _not_yours(
    request: HttpRequest, membership: Membership, note_item: ReviewItem, *, error: str = "", is_saved: bool = False
) -> HttpResponse:
    """That the note is with someone else or done, without any of it."""
    context = page_context(membership, current="Review") | {
        "note_item": note_item,
        "error": error,
        "is_saved": is_saved or request.method != "POST",
    }
    template = "review/conflict.html" if is_partial(request) else "review/not_yours.html"
    return render(request, template, context, status=409)
