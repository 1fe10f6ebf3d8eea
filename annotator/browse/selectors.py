"""Reading across a project: how far its notes are, and the lists of projects and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.documents.models import Document
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import memberships_of
from annotator.review.blinding import IS_READ_BLIND
from annotator.review.models import ReviewItem
from annotator.review.selectors import is_begun
from annotator.suggestions.models import LabelJob

_Status = ReviewItem.Status


class NoteState(TextChoices):
    """Where a note is on its way; every note is in exactly one state."""

    WAITING = "waiting", "Not pre-labelled"
    FAILED = "failed", "Failed"
    TO_REVIEW = "to_review", "To review"
    IN_REVIEW = "in_review", "In review"
    REVIEWED = "reviewed", "Reviewed"
    CERTIFIED = "certified", "Certified, not read"


@dataclass(frozen=True, slots=True)
class Tally:
    """What a person did and does in a project: notes done and in hand, and when they last did anything there."""

    n_done: int = 0
    n_in_hand: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Suggested spans that a person decided, those still to be decided, those accepted without review, and those held
    while that is tested. A span counts once for each reader.
    """

    n_decided: int
    n_open: int
    n_certified: int = 0
    n_held: int = 0

    @property
    def n_all(self) -> int:
        return self.n_decided + self.n_open + self.n_certified + self.n_held


def projects_of(user: User) -> QuerySet[Membership]:
    """The user's memberships, newest project first, with `n_documents` and `last_at`. One query."""
    documents = Document.objects.filter(project=OuterRef("project"))
    events = AuditEvent.objects.filter(chain__project=OuterRef("project__public_id")).order_by("-number")
    return memberships_of(user).annotate(
        n_documents=_counted(documents, "project", Count("pk")),
        last_at=Subquery(events.values("at")[:1], output_field=DateTimeField()),
    )


def notes_with_state(project: Project) -> QuerySet[Any]:
    """The project's notes (Document), by external id, with `state`.

    A note is reviewed once no reader has it left: every note item is decided, or a submitted set came with it. It is
    certified where certificates have accepted all that was suggested in it, and nobody has read it.
    """
    items = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.NOTE)
    jobs = LabelJob.for_review.filter(run__project=project)
    sets = AnnotationSet.objects.filter(
        document__project=project,
        annotator__isnull=False,
        kind=AnnotationSet.Kind.READING,
        status=AnnotationSet.Status.SUBMITTED,
    )
    is_open, is_decided = _among(items.filter(status=_Status.OPEN)), _among(items.filter(status=_Status.DECIDED))
    is_read = _among(items.filter(status=_Status.DECIDED, leased_by__isnull=False)) | _among(sets)
    is_begun = _among(items.filter(status=_Status.OPEN, leased_by__isnull=False)) | is_decided
    has_failed = _among(jobs.filter(status=LabelJob.Status.FAILED))
    has_other = _among(jobs.exclude(status__in=[LabelJob.Status.FAILED, LabelJob.Status.CANCELLED]))
    return (
        Document.objects.filter(project=project)
        .annotate(
            state=Case(
                When(is_open & is_begun, then=Value(NoteState.IN_REVIEW)),
                When(is_open, then=Value(NoteState.TO_REVIEW)),
                When(is_read, then=Value(NoteState.REVIEWED)),
                When(is_decided, then=Value(NoteState.CERTIFIED)),
                When(has_failed & ~has_other, then=Value(NoteState.FAILED)),
                default=Value(NoteState.WAITING),
                output_field=CharField(),
            )
        )
        .order_by("external_id")
    )


def count_notes(project: Project) -> dict[NoteState, int]:
    """How many notes of the project are in each state. One query."""
    rows = notes_with_state(project).order_by().values_list("state").annotate(n=Count("pk"))
    found: dict[str, int] = dict(rows)
    return {state: found.get(state.value, 0) for state in NoteState}


def count_spans(project: Project) -> SpanCounts:
    """How many suggested spans of the project are decided. One query."""
    unit = ReviewItem.Unit.SPAN
    counts = ReviewItem.objects.filter(project=project).aggregate(
        n_decided=Count("pk", filter=Q(unit=unit, status=_Status.DECIDED)),
        n_open=Count("pk", filter=Q(unit=unit, status=_Status.OPEN)),
        n_certified=Count("pk", filter=Q(unit=unit, status=_Status.CERTIFIED)),
        n_held=Count("pk", filter=Q(unit=unit, status=_Status.HELD)),
    )
    return SpanCounts(**counts)


def listed_notes(
    project: Project, *, state: NoteState | None = None, note_type: str | None = None, note: str = ""
) -> QuerySet[Any]:
    """The notes of `notes_with_state` that fit, without their text, with `n_open` and `n_annotations`. One query.

    `n_open` counts suggestions that wait for someone, none in a note that waits for a blind reader. `n_annotations`
    counts submitted readings only: what a reader is still at is nobody else's business.
    """
    notes = notes_with_state(project).defer("text", "metadata")
    if state is not None:
        notes = notes.filter(state=state)
    if note_type is not None:
        notes = notes.filter(note_type=note_type)
    if note:
        notes = notes.filter(public_id=note)
    is_open = Q(unit=ReviewItem.Unit.SPAN, status=_Status.OPEN)
    is_asserted = Q(
        set__kind=AnnotationSet.Kind.READING,
        set__status=AnnotationSet.Status.SUBMITTED,
        status=Annotation.Status.LIVE,
    )
    of_note = ReviewItem.objects.filter(document=OuterRef("pk")).order_by().values("document")
    items = of_note.annotate(n_blind=Count("pk", filter=IS_READ_BLIND)).filter(n_blind=0)
    annotations = Annotation.objects.filter(set__document=OuterRef("pk"))
    return notes.annotate(
        n_open=_counted(items, "document", Count("suggestion", filter=is_open, distinct=True)),
        n_annotations=_counted(annotations, "set__document", Count("pk", filter=is_asserted)),
    )


def n_prelabelled(project: Project) -> int:
    """How many notes a labeler has read. One query."""
    jobs = LabelJob.for_review.filter(run__project=project, status=LabelJob.Status.DONE)
    return jobs.aggregate(n=Count("document", distinct=True))["n"]


def members_of(project: Project) -> list[Membership]:
    """The project's members, leads first, then by role and name. One query."""
    members = project.memberships.select_related("user").order_by("user__username")
    return sorted(members, key=lambda member: list(Membership.Role).index(Membership.Role(member.role)))


def reviewers_of(project: Project) -> list[User]:
    """The members who review, by name. One query."""
    members = project.memberships.select_related("user").order_by("user__username")
    return [member.user for member in members if may(role=member.role, action=Action.REVIEW)]


def tallies(project: Project, users: Sequence[User]) -> dict[int, Tally]:
    """What each of the users did and does in the project, by row id. Two queries."""
    notes = ReviewItem.objects.filter(is_begun(), unit=ReviewItem.Unit.NOTE, leased_by__in=users, project=project)
    counts = {
        user_id: (n_done, n_in_hand)
        for user_id, n_done, n_in_hand in notes.order_by()
        .values_list("leased_by")
        .annotate(
            n_done=Count("pk", filter=Q(status=_Status.DECIDED)), n_in_hand=Count("pk", filter=Q(status=_Status.OPEN))
        )
    }
    events = AuditEvent.objects.filter(chain__project=project.public_id, actor=OuterRef("pk")).order_by("-at")
    last = User.objects.filter(pk__in=[user.pk for user in users]).values_list("pk", Subquery(events.values("at")[:1]))
    return {user_id: Tally(*counts.get(user_id, (0, 0)), last_at=last_at) for user_id, last_at in last}


def seconds_since(at: datetime | None, *, now: datetime) -> int | None:
    return None if at is None else max(int((now - at).total_seconds()), 0)


def _among(rows: QuerySet) -> Q:
    """Whether the note is one of those that `rows` are about. Not correlated, so it is looked up once a query."""
    return Q(pk__in=rows.order_by().values("document_id"))


def _counted(rows: QuerySet, group: str, count: Count) -> Coalesce:
    """The `count` of the correlated `rows`, which share one `group`; 0 where there is no row.

    Conditions belong into `count`: in a WHERE they draw SQLite to the index on (unit, status), a thousand times slower.
    """
    return Coalesce(
        Subquery(rows.order_by().values(group).annotate(n=count).values("n"), output_field=IntegerField()), Value(0)
    )
