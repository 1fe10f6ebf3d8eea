"""Comments on the note under review and its spans, below the card."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from annotator.accounts.models import User
from annotator.annotations.comments import CommentRefused, add_comment, set_comment_status
from annotator.annotations.models import Annotation, Comment
from annotator.annotations.services import open_set
from annotator.projects.access import Action, membership_for
from annotator.review.forms import CommentForm, CommentStatusForm
from annotator.review.leases import hold
from annotator.review.models import ReviewItem
from annotator.review.remarks import remarks_context
from annotator.review.selectors import Source, note_item_for, span_items
from annotator.web.http import is_partial, see_other

_UNREADABLE = "This comment could not be read; nothing was saved."
_NOT_YOURS = "This note is not yours now. The comment is not saved."
_GONE = "This span is not in the note. The comment is not saved."


@require_POST
def add(request: HttpRequest, project_id: str, item_id: str) -> HttpResponse:
    """Say something about a span of the note, or the note; answers with the comments below the card."""
    note_item, user = _held(request, project_id, item_id)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _answer(
            request, note_item, user, "", error="This comment could not be read; nothing was saved.", status=422
        )
    data = form.cleaned_data
    key, now = data["target"], timezone.now()
    if not hold(note_item=note_item, reviewer=user, now=now):
        return _answer(request, note_item, user, key, error=_NOT_YOURS, status=409, draft=data["body"])
    about = _about(note_item, key)
    if key and about is None:
        return _answer(request, note_item, user, key, error=_GONE, status=409, draft=data["body"])
    try:
        add_comment(
            target=open_set(document=note_item.document, annotator=user),
            author=user,
            about=about,
            kind=data["kind"],
            body=data["body"],
            now=now,
        )
    except CommentRefused as refusal:
        return _answer(request, note_item, user, key, error=str(refusal), status=422, draft=data["body"])
    return _answer(request, note_item, user, key)


@require_POST
def set_status(request: HttpRequest, project_id: str, item_id: str, comment_id: str) -> HttpResponse:
    """Take a comment back, resolve it or open it again."""
    note_item, user = _held(request, project_id, item_id)
    found = Comment.objects.select_related("set__document__project").filter(
        public_id=comment_id, set__document=note_item.document_id, set__annotator=user
    )
    comment = found.first()
    form = CommentStatusForm(request.POST)
    if comment is None:
        raise Http404
    if not form.is_valid():
        return _answer(request, note_item, user, "", error=_UNREADABLE, status=422)
    key, now, draft = form.cleaned_data["target"], timezone.now(), request.POST.get("body", "")
    if not hold(note_item=note_item, reviewer=user, now=now):
        return _answer(request, note_item, user, key, error=_NOT_YOURS, status=409, draft=draft)
    try:
        set_comment_status(comment=comment, actor=user, status=form.cleaned_data["status"], now=now)
    except CommentRefused as refusal:
        return _answer(request, note_item, user, key, error=str(refusal), status=422, draft=draft)
    return _answer(request, note_item, user, key, draft=draft)


def _held(request: HttpRequest, project_id: str, item_id: str) -> tuple[ReviewItem, User]:
    membership = membership_for(user=request.user, project_id=project_id, action=Action.REVIEW)
    note_item = note_item_for(project=membership.project, item_id=item_id)
    if note_item is None:
        raise Http404
    return note_item, membership.user


def _about(note_item: ReviewItem, key: str) -> Source | None:
    """What the key named when the comment was begun, decided or changed since or not."""
    if key.startswith("i"):
        item = span_items(note_item).filter(public_id=key[1:]).select_related("suggestion").first()
        return item.suggestion if item else None
    own = Annotation.objects.filter(set__document=note_item.document_id, set__annotator=note_item.leased_by_id)
    return own.filter(public_id=key[1:]).first() if key else None


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
    is_mine = note_item.leased_by_id == user.pk
    context: dict[str, Any] = {"remark_error": error, "draft": draft, "note_item": note_item, "focus": key}
    context |= remarks_context(note_item, about=_about(note_item, key) if is_mine else None, is_mine=is_mine)
    return render(request, "review/remarks.html", context, status=status)
