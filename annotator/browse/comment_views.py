"""What people say about notes and spans, all of a project in one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.annotations.comments import spans_of
from annotator.annotations.models import Annotation, Comment
from annotator.audit.services import record_read
from annotator.browse.forms import CommentFilter
from annotator.browse.independence import comments_for, hidden_for
from annotator.core.wording import ago_words
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.review.models import OF_NO_READER, ReviewItem
from annotator.review.pages import note_title
from annotator.suggestions.models import Suggestion
from annotator.web.http import render_either
from annotator.web.paging import page_of
from annotator.web.pills import Pill

_PILLS = {
    Comment.Kind.COMMENT: Pill("Comment", "", "comment"),
    Comment.Kind.FLAG: Pill("Flag", "warn", "flag"),
    Comment.Kind.DISCUSS: Pill("To discuss", "accent", "help"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One comment; `label` is None where what the model says is hidden. `url` leads to the note where it is the
    member's, else to its row in the list of notes.
    """

    comment: Comment
    pill: Pill
    about: Annotation | Suggestion | None
    label: str | None
    note: str
    url: str
    ago: str


@require_safe
def comments(request: HttpRequest, project_id: str) -> HttpResponse:
    """The comments that the member may see, newest first; htmx gets the list alone, when the filter changes."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.VIEW)
    now = timezone.now()
    chosen = CommentFilter(request.GET)
    found = comments_for(membership).order_by("-pk")
    page = page_of(request, found.filter(kind=chosen.chosen) if chosen.chosen else found)
    rows = list(page)
    if rows:
        record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="comments.read")
    items = _items_of(membership, rows)
    spans, hidden = spans_of(rows), hidden_for(membership, rows)
    context = page_context(membership, current="Comments") | {
        "page": page,
        "filter": chosen,
        "rows": [
            Row(
                comment=comment,
                pill=_PILLS[Comment.Kind(comment.kind)],
                about=(about := spans.get(comment.pk)),
                label=about.label if about and comment.suggestion_id not in hidden else None,
                note=_name(membership, comment),
                url=_url(membership, comment, items),
                ago=ago_words((now - comment.created_at).total_seconds()),
            )
            for comment in rows
        ],
        "sees_others": may(role=membership.role, action=Action.READ_NOTES),
    }
    return render_either(request, page="browse/comments.html", partial="browse/comment_list.html", context=context)


def _items_of(membership: Membership, comments: Sequence[Comment]) -> dict[int, str]:
    """Public ids of the items of these notes that are the member's, open or done, by note. One query."""
    notes = {comment.set.document_id for comment in comments}
    items = ReviewItem.objects.filter(document__in=notes, leased_by=membership.user).exclude(unit__in=OF_NO_READER)
    return dict(items.values_list("document_id", "public_id"))


def _name(membership: Membership, comment: Comment) -> str:
    """The note's own id for who reads the list of notes, else what the review page calls it."""
    document = comment.set.document
    return document.external_id if may(role=membership.role, action=Action.READ_NOTES) else note_title(document)


def _url(membership: Membership, comment: Comment, items: dict[int, str]) -> str:
    project_id, document = membership.project.public_id, comment.set.document
    if document.pk in items:
        return reverse("review:note", args=[project_id, items[document.pk]])
    if may(role=membership.role, action=Action.READ_NOTES):
        return f"{reverse('browse:documents', args=[project_id])}?note={document.public_id}"
    return ""
