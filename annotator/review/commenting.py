"""What a reviewer says about a note they hold and its spans: saved under the note's lock, as decisions are."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.annotations.comments import CommentRefused, add_comment, withdraw_comment
from annotator.annotations.models import Annotation, Comment
from annotator.annotations.services import open_set
from annotator.review.blinding import is_read_blind
from annotator.review.decoys import answers_of
from annotator.review.leases import LeaseConflict, hold
from annotator.review.models import ReviewItem
from annotator.review.selectors import Source, span_items
from annotator.review.telling import tell_of_questions


def comment_on(*, note_item: ReviewItem, reviewer: User, key: str, kind: str, body: str, now: datetime) -> Comment:
    """Say something about the span that a mark's key names, decided or changed since or not; '' is the note.

    Raises LeaseConflict (someone else has the note) and CommentRefused.
    """
    with transaction.atomic():
        _hold(note_item, reviewer, now)
        about = named_by(note_item=note_item, key=key)
        if key and about is None:
            raise CommentRefused("This span is not in the note.")
        own = open_set(document=note_item.document, annotator=reviewer, kind=note_item.set_kind)
        comment = add_comment(target=own, author=reviewer, about=about, kind=kind, body=body, now=now)
        if comment.created_at == now:  # it did not stand there before
            new = Comment.objects.filter(pk=comment.pk)
            tell_of_questions(new, project=note_item.document.project, now=now)
        return comment


def take_back(*, note_item: ReviewItem, reviewer: User, comment: Comment, now: datetime) -> None:
    """Withdraw a comment of the note. Raises LeaseConflict and CommentRefused."""
    with transaction.atomic():
        _hold(note_item, reviewer, now)
        withdraw_comment(comment=comment, actor=reviewer, now=now)


def named_by(*, note_item: ReviewItem, key: str) -> Source | None:
    """What a mark's key named at any time in the note and slot; None for the note, or for nothing. One query."""
    if key.startswith("i"):
        items = span_items(note_item).none() if is_read_blind(note_item) else span_items(note_item)
        item = items.filter(public_id=key[1:]).select_related("suggestion").first()
        return item.asked if item else None
    own = Annotation.objects.filter(set__document=note_item.document_id, set__annotator=note_item.leased_by_id)
    if not key:
        return None
    return own.filter(public_id=key[1:]).first() or answers_of(note_item).filter(public_id=key[1:]).first()


def _hold(note_item: ReviewItem, reviewer: User, now: datetime) -> None:
    if not hold(note_item=note_item, reviewer=reviewer, now=now):
        raise LeaseConflict("This note is not yours now.")
