"""What of a project's notes is in rounds, and how far they are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.selectors import has_certified
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.models import OF_NO_READER, ReviewItem, Round

_Status = ReviewItem.Status


@dataclass(frozen=True, slots=True)
class Progress:
    """How far readings are: all, done, begun and not done, and all that are not done."""

    n_all: int = 0
    n_done: int = 0
    n_in_hand: int = 0

    @property
    def n_left(self) -> int:
        return self.n_all - self.n_done


@dataclass(frozen=True, slots=True)
class NotesRead:
    """A round's notes by how many of their readers are done: all, some or begun, none."""

    n_done: int
    n_begun: int
    n_untouched: int

    @property
    def n_all(self) -> int:
        return self.n_done + self.n_begun + self.n_untouched


def rounds_of(project: Project) -> QuerySet[Round]:
    """The project's rounds, newest first, with the job of one that is being made or taken back. One query."""
    found = Round.objects.filter(project=project).select_related("project", "created_by", "under_work__job")
    return found.defer("under_work__documents").order_by("-number")


def readers_of(round: Round) -> QuerySet[User]:
    """Who reads in the round, or has a reading of it from outside, by name. One query."""
    of_round = Q(pk__in=round.readers.values("user")) | Q(pk__in=round.items.values("assigned_to"))
    return User.objects.filter(of_round).order_by("username")


def free_notes(project: Project) -> QuerySet[Document]:
    """The notes that nobody has begun, no round has, and no certificate has accepted anything in. One query."""
    taken = ReviewItem.objects.filter(_is_taken(), project=project)
    sets = AnnotationSet.objects.filter(_has_content(), document__project=project)
    return (
        Document.objects.filter(project=project)
        .exclude(pk__in=taken.values("document"))
        .exclude(pk__in=sets.values("document"))
    )


def taken_among(documents: Collection[int]) -> set[int]:
    """Which of these notes are not free so. Two queries."""
    items = ReviewItem.objects.filter(_is_taken(), document__in=documents)
    sets = AnnotationSet.objects.filter(_has_content(), document__in=documents)
    return {*items.values_list("document", flat=True), *sets.values_list("document", flat=True)}


def open_readings(round: Round) -> QuerySet[ReviewItem]:
    """The round's readings that are not done. Notes that a purge has taken are none of the project any more."""
    return _readings(round).filter(status=_Status.OPEN)


def progress_of(rounds: Sequence[Round]) -> dict[int, Progress]:
    """How far each round is, by row id. One query."""
    items = ReviewItem.objects.filter(round__in=rounds, project__in={round.project_id for round in rounds})
    return {key: Progress(*counts) for key, *counts in _counted(items, "round")}


def progress_by_reader(round: Round) -> dict[int | None, Progress]:
    """How far each reader is, by row id; under None what waits for anybody. One query."""
    return {key: Progress(*counts) for key, *counts in _counted(_readings(round), "assigned_to")}


def notes_read(round: Round) -> NotesRead:
    """The round's notes by state. One query."""
    notes = _readings(round).order_by().values("document")
    states = notes.annotate(
        n_open=Count("pk", filter=Q(status=_Status.OPEN)),
        n_touched=Count("pk", filter=~Q(status=_Status.OPEN) | Q(leased_by__isnull=False)),
    ).aggregate(
        n_done=Count("document", filter=Q(n_open=0)),
        n_begun=Count("document", filter=Q(n_open__gt=0, n_touched__gt=0)),
        n_untouched=Count("document", filter=Q(n_open__gt=0, n_touched=0)),
    )
    return NotesRead(**states)


def readings_of(round: Round, reader: User) -> QuerySet[ReviewItem]:
    """What of the round is assigned to the reader, or was handed back by them and waits; open ones first. One query."""
    mine = Q(assigned_to=reader) | Q(assigned_to=None, handed_back_by=reader, status=_Status.OPEN)
    return (
        _readings(round)
        .filter(mine)
        .select_related("document")
        .defer("document__text")
        .order_by("-status", "-priority", "pk")
    )


def rounds_left(*, projects: Sequence[int], reader: User) -> list[tuple[Round, Progress]]:
    """The rounds of these projects in which notes of the reader are open, the first due first. Two queries."""
    mine = ReviewItem.objects.filter(assigned_to=reader, round__project__in=projects)
    counts = {key: Progress(*found) for key, *found in _counted(mine.filter(project__in=projects), "round")}
    left = {key: progress for key, progress in counts.items() if progress.n_left}
    rounds = Round.objects.filter(pk__in=left, under_work=None).select_related("project")
    in_order = sorted(rounds, key=lambda round: (round.due_on or date.max, round.created_at, round.pk))
    return [(round, left[round.pk]) for round in in_order]


def _is_taken() -> Q:
    # Said by what it is not: SQLite would look each of it up in an index of the whole project.
    return ~Q(round=None, leased_by=None, status=_Status.OPEN) & ~Q(unit__in=OF_NO_READER)


def _has_content() -> Q:
    # A set that is nobody's stays when all that was accepted in it has been withdrawn.
    return Q(annotator__isnull=False) | Q(has_certified())


def _readings(round: Round) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(round=round, project=round.project_id)


def _counted(items: QuerySet[ReviewItem], group: str) -> QuerySet:
    return (
        items.order_by()
        .values_list(group)
        .annotate(
            n_all=Count("pk"),
            n_done=Count("pk", filter=~Q(status=_Status.OPEN)),
            n_in_hand=Count("pk", filter=Q(status=_Status.OPEN, leased_by__isnull=False)),
        )
    )


@dataclass(frozen=True, slots=True)
class BlindReadings:
    """The readings of notes that no round has: all; read blind; of these submitted, and not yet begun."""

    n_all: int
    n_blind: int
    n_done: int
    n_waiting: int


def count_blind(project: Project) -> BlindReadings:
    """How many of the project's readings are blind, and how far these are. One query."""
    readings = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.NOTE, round=None)
    is_blind = Q(stream=ReviewItem.Stream.BLIND)
    counts = readings.aggregate(
        n_all=Count("pk"),
        n_blind=Count("pk", filter=is_blind),
        n_done=Count("pk", filter=is_blind & Q(status=_Status.DECIDED)),
        n_waiting=Count("pk", filter=is_blind & Q(status=_Status.OPEN, leased_by=None)),
    )
    return BlindReadings(**counts)
