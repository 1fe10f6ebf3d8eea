"""Comments, flags and questions to be discussed, on spans and notes."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, Comment
from annotator.audit.services import record_event
from annotator.suggestions.models import Suggestion

MOST_CHARACTERS = 2000
_About = Annotation | Suggestion | None


class CommentRefused(Exception):
    """A comment that cannot be kept; the message says why."""


def comments_about(*, target: AnnotationSet, about: _About) -> QuerySet[Comment]:
    """The comments in the set about a span or, for None, about the note, oldest first; withdrawn ones left out.

    What was said of a suggestion is said of the annotation that came from it.
    """
    if about is None:
        meant = Q(thread="", suggestion=None)
    elif isinstance(about, Suggestion):
        meant = Q(suggestion=about)
    else:
        meant = Q(thread=about.thread)
        if about.origin_id is not None:
            meant |= Q(suggestion=about.origin_id)
    found = Comment.objects.filter(meant, set=target).exclude(status=Comment.Status.WITHDRAWN)
    return found.select_related("author").order_by("pk")


@transaction.atomic
def add_comment(*, target: AnnotationSet, author: User, about: _About, kind: str, body: str, now: datetime) -> Comment:
    """Say something about a span or the note; a flag or question without words that is there already is not doubled.

    Raises CommentRefused for a comment without words, or one that is too long.
    """
    body = body.strip()
    if kind == Comment.Kind.COMMENT and not body:
        raise CommentRefused("A comment needs words.")
    if len(body) > MOST_CHARACTERS:
        raise CommentRefused(f"The comment has {len(body):,} characters; {MOST_CHARACTERS:,} is the most.")
    if not body:
        standing = comments_about(target=target, about=about).filter(kind=kind, status=Comment.Status.OPEN).first()
        if standing is not None:
            return standing
    comment = Comment.objects.create(
        set=target,
        author=author,
        thread=about.thread if isinstance(about, Annotation) else "",
        suggestion=about if isinstance(about, Suggestion) else None,
        kind=kind,
        body=body,
        created_at=now,
    )
    _record(comment, actor=author, verb="comment.add", now=now)
    return comment


@transaction.atomic
def set_comment_status(*, comment: Comment, actor: User, status: str, now: datetime) -> bool:
    """Resolve, withdraw or reopen a comment; False where it is so already. Only its author withdraws one.

    Raises CommentRefused.
    """
    if status == Comment.Status.WITHDRAWN and comment.author_id != actor.pk:
        raise CommentRefused("Only who wrote a comment takes it back.")
    if not Comment.objects.filter(pk=comment.pk).exclude(status=status).update(status=status):
        return False
    comment.status = status
    _record(comment, actor=actor, verb=f"comment.{_VERBS[Comment.Status(status)]}", now=now)
    return True


_VERBS = {
    Comment.Status.OPEN: "reopen",
    Comment.Status.RESOLVED: "resolve",
    Comment.Status.WITHDRAWN: "withdraw",
}


def _record(comment: Comment, *, actor: User, verb: str, now: datetime) -> None:
    document = comment.set.document
    record_event(
        project=document.project.public_id,
        actor=actor,
        verb=verb,
        object_id=document.public_id,
        now=now,
        detail={"comment": comment.public_id, "kind": comment.kind},
    )
