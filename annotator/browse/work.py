"""What is a person's work, over all their projects: in their hands, waiting for them, done, and what leads look after.

Each selector takes the memberships that the page has read; none takes more queries for more projects or notes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.qualification.selectors import standings
from annotator.review.leases import takeable_in
from annotator.review.models import ASKED_OF_READER, IN_HAND, Decision, ReviewItem
from annotator.review.second_reads import takeable_seconds
from annotator.review.selectors import is_begun
from annotator.suggestions.models import LabelJob, LabelRun

RETENTION_NEAR = timedelta(days=30)
MOST_IN_HAND = 50
BUILDS_SHOWN = 5

_Status, _Unit, _Verdict = ReviewItem.Status, ReviewItem.Unit, Decision.Verdict


@dataclass(frozen=True, slots=True)
class NoteInHand:
    """A note that a person holds or began, with the suggestions left in it.

    `lease_seconds` is None where the lease has run out or was given up: then others may take the note over.
    """

    item: ReviewItem
    n_open: int
    lease_seconds: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is open in a project: notes that the person may take, and suggestions to decide in all open notes; of who
    has to qualify, the notes of their try.
    """

    n_notes: int = 0
    n_spans: int = 0
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """Notes finished and spans decided by a person, but for what they took back."""

    n_notes_today: int
    n_spans_today: int
    n_notes_week: int
    n_spans_week: int


@dataclass(frozen=True, slots=True)
class RunState:
    """A run that goes on or has failed notes, with its notes by state."""

    run: LabelRun
    n_total: int
    n_failed: int
    n_left: int


def projects_where(memberships: Sequence[Membership], action: Action) -> dict[int, Project]:
    """The projects, by row id, in which the member's role allows `action`."""
    return {member.project_id: member.project for member in memberships if may(role=member.role, action=action)}


def notes_in_hand(memberships: Sequence[Membership], *, user: User, now: datetime) -> list[NoteInHand]:
    """The notes that the person holds, the latest lease first, then those begun; fifty at most. Two queries."""
    items = list(
        ReviewItem.objects.filter(is_begun(), unit__in=IN_HAND, status=_Status.OPEN, leased_by=user)
        .filter(project__in=projects_where(memberships, Action.REVIEW))
        .select_related("document__project")
        .defer("document__text")
        .order_by(F("lease_expires_at").desc(nulls_last=True), "-pk")[:MOST_IN_HAND]
    )
    spans = ReviewItem.objects.filter(
        unit__in=[*ASKED_OF_READER, _Unit.SECOND_SPAN],
        status=_Status.OPEN,
        document__in=[item.document_id for item in items],
    )
    n_open = {
        (document_id, slot): n
        for document_id, slot, n in spans.order_by().values_list("document", "slot").annotate(n=Count("pk"))
    }
    return [
        NoteInHand(
            item=item,
            n_open=n_open.get((item.document_id, item.slot), 0),
            lease_seconds=_seconds_until(item.lease_expires_at, now=now),
        )
        for item in items
    ]


def waiting_notes(memberships: Sequence[Membership], *, user: User, now: datetime) -> dict[int, Waiting]:
    """What is open in each project where the person reviews, by row id of the project. Four queries, seven where they
    have to qualify.

    The notes are those of `review.leases.count_takeable` but for the person's own, each once however many of its slots
    are free.
    """
    projects = projects_where(memberships, Action.REVIEW)
    standing = standings(user=user, projects=projects)
    trials = {pk: Waiting(n_notes=found.n_waiting, is_trial=True) for pk, found in standing.items()}
    projects = {pk: project for pk, project in projects.items() if pk not in trials}
    notes = takeable_in(projects.values(), reviewer=user, now=now).exclude(is_begun(), leased_by=user)
    seconds = takeable_seconds(list(projects.values()), reviewer=user, now=now).exclude(is_begun(), leased_by=user)
    spans = ReviewItem.objects.filter(
        project__in=projects, unit__in=[_Unit.SPAN, _Unit.SECOND_SPAN], status=_Status.OPEN
    )
    n_notes: Counter[int] = Counter()
    for found in (notes, seconds.order_by()):
        n_notes.update(dict(found.values_list("project").annotate(n=Count("document", distinct=True))))
    n_spans = dict(spans.order_by().values_list("project").annotate(n=Count("pk")))
    return trials | {pk: Waiting(n_notes=n_notes[pk], n_spans=n_spans.get(pk, 0)) for pk in projects}


def done_by(user: User, *, day: datetime, week: datetime) -> Done:
    """What the person did since `day` and since `week`, in all projects. One query."""
    recent = Decision.objects.filter(reviewer=user, decided_at__gte=min(day, week))
    recent = recent.exclude(note_item__unit=_Unit.TRIAL)
    # Only its reviewer takes a decision back, and later: a look at the recent ones, where a join would read them all.
    decided = recent.exclude(pk__in=recent.filter(undoes__isnull=False).values("undoes"))
    is_note = Q(verdict=_Verdict.NOTE_DONE)
    is_span = Q(verdict__in=[_Verdict.ACCEPT, _Verdict.REJECT, _Verdict.EDIT, _Verdict.ADD])
    is_today = Q(decided_at__gte=day)
    counts = decided.aggregate(
        n_notes_today=Count("pk", filter=is_note & is_today),
        n_spans_today=Count("pk", filter=is_span & is_today),
        n_notes_week=Count("pk", filter=is_note & Q(decided_at__gte=week)),
        n_spans_week=Count("pk", filter=is_span & Q(decided_at__gte=week)),
    )
    return Done(**counts)


def runs_to_look_at(memberships: Sequence[Membership]) -> list[RunState]:
    """In the projects that the person leads: runs that go on, and newest runs with failed notes. Two queries."""
    projects = projects_where(memberships, Action.RUN)
    newest = LabelRun.for_review.filter(project=OuterRef("project")).order_by("-number").values("pk")[:1]
    runs = list(
        LabelRun.for_review.filter(project__in=projects)
        .filter(Q(status=LabelRun.Status.RUNNING) | Q(pk=Subquery(newest)))
        .select_related("project")
        .order_by("-created_at", "-pk")
    )
    by_run: dict[int, dict[str, int]] = {run.pk: {} for run in runs}
    jobs = LabelJob.objects.filter(run__in=by_run).order_by().values_list("run", "status").annotate(n=Count("pk"))
    for run_id, status, n in jobs:
        by_run[run_id][status] = n
    states = [_run_state(run, by_run[run.pk]) for run in runs]
    return [state for state in states if state.n_left or state.n_failed]


def retention_near(memberships: Sequence[Membership], *, today: date) -> list[Project]:
    """Projects that the person leads and that are purged within thirty days, the next first. No query."""
    projects = projects_where(memberships, Action.MANAGE).values()
    near = [found for found in projects if found.retain_until and found.retain_until <= today + RETENTION_NEAR]
    return sorted(near, key=lambda project: (project.retain_until, project.name))


def newest_builds(memberships: Sequence[Membership]) -> QuerySet[DatasetBuild]:
    """The newest datasets of the projects where the person is a data scientist. One query."""
    projects = [member.project_id for member in memberships if member.role == Membership.Role.DATA_SCIENTIST]
    found = DatasetBuild.objects.filter(project__in=projects, files_removed_at=None).select_related("project", "job")
    return found.order_by("-created_at", "-pk")[:BUILDS_SHOWN]


def _run_state(run: LabelRun, by_status: Mapping[str, int]) -> RunState:
    status = LabelJob.Status
    return RunState(
        run=run,
        n_total=sum(by_status.values()),
        n_failed=by_status.get(status.FAILED, 0),
        n_left=by_status.get(status.QUEUED, 0) + by_status.get(status.RUNNING, 0),
    )


def _seconds_until(at: datetime | None, *, now: datetime) -> int | None:
    return int((at - now).total_seconds()) if at is not None and at > now else None
