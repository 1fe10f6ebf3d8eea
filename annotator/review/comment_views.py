"""Comments on the note under review and its spans, below the card."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from annotator.accounts.models import User
from annotator.annotations.comments import CommentRefused
from annotator.annotations.models import Comment
from annotator.projects.access import Action, membership_for
from annotator.review.commenting import comment_on, named_by, take_back
from annotator.review.forms import CommentForm, RemarkedForm
from annotator.review.leases import LeaseConflict
from annotator.review.models import ReviewItem
from annotator.review.remarks import remarks_context
from annotator.review.selectors import note_item_for
from annotator.web.http import is_partial, see_other

_UNREADABLE = "This could not be read."


@require_POST
def add(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Say something about a span of the note, or the note; answers with the comments below the card."""
    note_item, user = _note_of(request, project_id, item_id)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _answer(request, note_item, user, "", error=_UNREADABLE, status=422)
    data = form.cleaned_data
    key, kind, body = data["target"], data["kind"], data["body"]
    try:
        comment_on(note_item=note_item, reviewer=user, key=key, kind=kind, body=body, now=timezone.now())
    except LeaseConflict as conflict:
        return _answer(request, note_item, user, key, error=str(conflict), status=409, draft=body)
    except CommentRefused as refusal:
        return _answer(request, note_item, user, key, error=str(refusal), status=422, draft=body)
    return _answer(request, note_item, user, key)


@require_POST
def remove(request: HttpRequest, project_id: str, item_id: str, comment_id: str) -> HttpResponse:
    """Take a comment back; what is typed beside it stays in its field."""
    note_item, user = _note_of(request, project_id, item_id)
    own = Comment.objects.filter(set__document=note_item.document_id, set__annotator=user)
    comment = own.select_related("set__document__project").filter(public_id=comment_id).first()
    if comment is None:
        raise Http404
    form = RemarkedForm(request.POST)
    if not form.is_valid():
        return _answer(request, note_item, user, "", error=_UNREADABLE, status=422)
    key, draft = form.cleaned_data["target"], form.cleaned_data["body"]
    try:
        take_back(note_item=note_item, reviewer=user, comment=comment, now=timezone.now())
    except LeaseConflict as conflict:
        return _answer(request, note_item, user, key, error=str(conflict), status=409, draft=draft)
    except CommentRefused as refusal:
        return _answer(request, note_item, user, key, error=str(refusal), status=422, draft=draft)
    return _answer(request, note_item, user, key, draft=draft)


def _note_of(request: HttpRequest, project_id: str, item_id: str) -> tuple[ReviewItem, User]:
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    note_item = note_item_for(project=membership.project, item_id=item_id)
    if note_item is None:
        raise Http404
    return note_item, membership.user


def _answer(
    request: HttpRequest,
    note_item: ReviewItem,
    user: User,
    key: str,
    *,
    error: str = "",
    status: int = 200,
    draft: str = "",
) -> HttpResponse:
    """The comments about the span of that key; what was typed and not saved stays in its field."""
    if not is_partial(request) and not error:
        url = reverse("review:note", args=[note_item.document.project.public_id, note_item.public_id])
        return see_other(request, f"{url}?focus={key}#remarks" if key else f"{url}#remarks")
    is_mine = note_item.is_read_by(user)
    about = named_by(note_item=note_item, key=key) if is_mine else None
    context = remarks_context(note_item, about=about, is_mine=is_mine) | {
        "remark_error": f"{error} Nothing was saved." if error else "",
        "draft": draft,
        "note_item": note_item,
        "remark_key": key,
    }
    return render(request, "review/remarks.html", context, status=status)
