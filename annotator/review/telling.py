"""Who is told of reviewing: of questions whoever may see them, once they may; of a round its readers and leads; of what
may be evidence the tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet, Comment
from annotator.certificates.bell import ring_trust
from annotator.notices.models import Kind, Notice
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import members_who
from annotator.review.models import OF_NO_READER, UNASKED, Decision, ReviewItem, Round
from annotator.review.readings import open_readings

DUE_SOON = timedelta(days=2)


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


def tell_assigned(*, round: Round, n_notes: Mapping[int, int], actor: User, now: datetime) -> None:
    """Tell readers, by row id, how many notes of the round are theirs from now on. To be called last in a transaction,
    and once, since people are locked in their order.
    """
    for reader, n in sorted(n_notes.items()):
        if n:
            _tell(round, Kind.ROUND_ASSIGNED, users=[reader], actor=actor, now=now, n=n)


def tell_handed_back(*, round: Round, reader: User, now: datetime) -> None:
    """Tell leads that a note of the round waits for another reader. To be called last in its transaction."""
    leads = members_who(round.project, Action.MANAGE)
    _tell(round, Kind.ROUND_HANDED_BACK, users=leads, actor=reader, now=now)


def tell_due(*, now: datetime) -> None:
    """Tell readers what they have left in rounds that are due within two days: once, and again for another day."""
    today = timezone.localdate(now)
    due = Round.objects.filter(due_on__range=(today, today + DUE_SOON), under_work=None)
    for round in due.select_related("project"):
        told = Notice.objects.filter(
            user__in=round.readers.values("user"),
            kind=Kind.ROUND_DUE,
            subject=round.public_id,
            detail__due_on=str(round.due_on),
        )
        left = open_readings(round).exclude(assigned_to=None).exclude(assigned_to__in=told.values("user"))
        for reader, n_left in list(left.order_by().values_list("assigned_to").annotate(n_left=Count("pk"))):
            with transaction.atomic():
                _tell(round, Kind.ROUND_DUE, users=[reader], actor=None, now=now, n_left=n_left)


def tell_tests(*, decisions: Iterable[Decision]) -> None:
    """Ring for the tests and certificates that these decisions, just made, may be about: on an audit, on a span that is
    held or was accepted under a certificate. What is missed the sweeper finds.
    """
    for decision in decisions:
        said = (decision.withdrew, decision.made)
        is_held = decision.item is not None and decision.stream == UNASKED
        is_accepted = any(annotation is not None and annotation.certificate_id for annotation in said)
        if decision.stream == ReviewItem.Stream.AUDIT or is_held or is_accepted:
            ring_trust(decision.project_id)
            return


def _tell(
    round: Round,
    kind: Kind,
    *,
    users: Iterable[int | None],
    actor: User | None,
    now: datetime,
    n: int = 1,
    **detail: int,
) -> None:
    due = {"due_on": str(round.due_on)} if round.due_on else {}
    notify(
        users=users,
        kind=kind,
        project=round.project.public_id,
        subject=round.public_id,
        actor=actor,
        now=now,
        n=n,
        detail={"number": round.number, **due, **detail},
    )
