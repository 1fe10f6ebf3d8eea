"""Who is told that a reader left a question to be discussed: whoever may see it, once they may."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotator.annotations.models import AnnotationSet, Comment
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import members_who
from annotator.review.models import OF_NO_READER, ReviewItem


def sways_nobody() -> Q:
    """Comments in notes that nobody else is to read: the open item of a note may be in the author's hands only."""
    waiting = ReviewItem.objects.filter(document=OuterRef("set__document"), status=ReviewItem.Status.OPEN)
    held_by_author = Q(leased_by__isnull=False, leased_by=OuterRef("set__annotator"))
    # `exclude(unit__in=…)`: see review.similar.is_finished.
    return Q(~Exists(waiting.exclude(unit__in=OF_NO_READER).exclude(held_by_author)))


def tell_of_questions(comments: QuerySet[Comment], *, project: Project, now: datetime) -> None:
    """Tell leads and adjudicators of those of the comments that ask to discuss and that they see from now on. What is
    said in a try is not theirs to see.
    """
    asked = comments.filter(sways_nobody(), kind=Comment.Kind.DISCUSS, status=Comment.Status.OPEN)
    asked = asked.exclude(set__kind=AnnotationSet.Kind.TRIAL)
    for author, n in Counter(comment.author for comment in asked.select_related("author")).items():
        notify(
            users=members_who(project, Action.REVIEW, Action.READ_NOTES),
            kind=Kind.QUESTION,
            project=project.public_id,
            n=n,
            actor=author,
            now=now,
        )
