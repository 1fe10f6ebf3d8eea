"""Comments, flags and questions to be discussed, on spans and notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from django.db import transaction
from django.db.models import Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, Comment
from annotator.audit.services import record_event
from annotator.suggestions.models import Suggestion

MOST_CHARACTERS = 2000
MOST_PRESSING = (Comment.Kind.FLAG, Comment.Kind.DISCUSS, Comment.Kind.COMMENT)


class Threaded(Protocol):
    """What a comment may be about: an annotation, or what stands for one."""

    @property
    def thread(self) -> str: ...

    @property
    def origin_id(self) -> int | None: ...


_About = Threaded | Suggestion | None


class CommentRefused(Exception):
    """A comment that cannot be kept; the message says why."""


def comments_about(*, document_id: int, reader_id: int | None, about: _About) -> QuerySet[Comment]:
    """The reader's comments about a span or, for None, about the note, oldest first; withdrawn ones left out.

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
    found = Comment.objects.filter(
        meant, set__document=document_id, set__annotator=reader_id, status=Comment.Status.OPEN
    )
    return found.select_related("author").order_by("pk")


def said_of_spans(*, document_id: int, reader_id: int | None) -> dict[str | int, str]:
    """The most pressing kind of what the reader says of each span, by thread or the suggestion's row id. One query."""
    found = Comment.objects.filter(
        set__document=document_id, set__annotator=reader_id, status=Comment.Status.OPEN
    ).values_list("thread", "suggestion_id", "kind")
    said: dict[str | int, str] = {}
    for thread, suggestion, kind in sorted(found, key=lambda row: MOST_PRESSING.index(Comment.Kind(row[2]))):
        if about := thread or suggestion:
            said.setdefault(about, kind)
    return said


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
        said = comments_about(document_id=target.document_id, reader_id=target.annotator_id, about=about)
        standing = said.filter(kind=kind).first()
        if standing is not None:
            return standing
    comment = Comment.objects.create(
        set=target,
        author=author,
        thread="" if about is None or isinstance(about, Suggestion) else about.thread,
        suggestion=about if isinstance(about, Suggestion) else None,
        kind=kind,
        body=body,
        created_at=now,
    )
    _record(comment, actor=author, verb="comment.add", now=now)
    return comment


@transaction.atomic
def withdraw_comment(*, comment: Comment, actor: User, now: datetime) -> bool:
    """Take a comment back; False where it is so already. Raises CommentRefused for anyone but its author."""
    if comment.author_id != actor.pk:
        raise CommentRefused("Only who wrote a comment takes it back.")
    if not Comment.objects.filter(pk=comment.pk, status=Comment.Status.OPEN).update(status=Comment.Status.WITHDRAWN):
        return False
    _record(comment, actor=actor, verb="comment.withdraw", now=now)
    return True


def spans_of(comments: Sequence[Comment]) -> dict[int, Annotation | Suggestion]:
    """What the comments are about, by row id, as it stands now; those about a note are left out. One query.

    Of an annotation the live version, else the last one; comments come with their suggestion.
    """
    threads = {comment.thread for comment in comments if comment.thread}
    versions = Annotation.objects.filter(
        Q(public_id__in=threads) | Q(first_version__in=threads), set__in={comment.set_id for comment in comments}
    )
    newest = {version.thread: version for version in sorted(versions, key=lambda one: (one.status == "live", one.pk))}
    found: dict[int, Annotation | Suggestion] = {}
    for comment in comments:
        about = comment.suggestion or newest.get(comment.thread)
        if about is not None:
            found[comment.pk] = about
    return found


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
