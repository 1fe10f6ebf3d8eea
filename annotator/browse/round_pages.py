"""What the pages of rounds say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from annotator.accounts.models import User
from annotator.core.chart import Segment, segments
from annotator.core.wording import counted
from annotator.jobs.models import Job
from annotator.projects.models import Membership
from annotator.review.models import Round, RoundJob
from annotator.review.readings import Progress
from annotator.review.rounds import MOST_WAITED_FOR, Plan
from annotator.suggestions.pages import Lead
from annotator.web.pills import Pill

_DONE, _OVERDUE, _GOING = (
    Pill("Done", "ok", "check"),
    Pill("Overdue", "bad", "alert"),
    Pill("Going on", "accent", "dot"),
)
_QUEUED, _FAILED = Pill("Waits for a worker", "", "clock"), Pill("Failed", "bad", "x")
_MADE, _TAKEN_BACK = Pill("Being made", "accent", "dot"), Pill("Being taken back", "accent", "dot")


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One line of the list of rounds."""

    round: Round
    progress: Progress
    pill: Pill
    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """One line of a round's readers."""

    user: User
    progress: Progress
    n_overdue: int
    away_until: date | None
    is_member: bool
    parts: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class PlanLines:
    """What a round would be, in sentences."""

    lead: Lead
    shares: str
    notes: tuple[str, ...]


def round_row(found: Round, progress: Progress, *, today: date) -> RoundRow:
    return RoundRow(found, progress, round_pill(found, progress, today=today), progress_parts(progress))


def round_pill(found: Round, progress: Progress, *, today: date) -> Pill:
    if found.work is not None:
        return work_pill(found.work)
    if not progress.n_left:
        return _DONE
    return _OVERDUE if found.is_overdue(today) else _GOING


def work_pill(work: RoundJob) -> Pill:
    """The state of a round that is being made, or taken back."""
    if work.job.is_finished:
        return _FAILED
    if work.job.status == Job.Status.QUEUED:
        return _QUEUED
    return _MADE if work.task == RoundJob.Task.MAKE else _TAKEN_BACK


def reader_rows(
    found: Round,
    people: Sequence[User],
    progress: Mapping[int | None, Progress],
    members: Mapping[int, Membership],
    today: date,
) -> list[ReaderRow]:
    """In the order of `people`: who is how far is no contest."""
    rows = []
    for user in people:
        own, member = progress.get(user.pk, Progress()), members.get(user.pk)
        away = member.away_until if member else None
        rows.append(
            ReaderRow(
                user=user,
                progress=own,
                n_overdue=own.n_left if found.is_overdue(today) else 0,
                away_until=away if away and away >= today else None,
                is_member=member is not None,
                parts=progress_parts(own),
            )
        )
    return rows


def progress_parts(progress: Progress) -> tuple[Segment, ...]:
    """The bar: done, begun, to read."""
    return segments(
        [
            ("done", "Done", progress.n_done),
            ("ready", "Begun", progress.n_in_hand),
            ("waiting", "To read", progress.n_left - progress.n_in_hand),
        ]
    )


def plan_lines(plan: Plan, people: Sequence[User]) -> PlanLines:
    """Of a plan for these people, in their order."""
    shares = ", ".join(f"{user.username} {load:,}" for user, load in zip(people, plan.loads, strict=True))
    notes = []
    if plan.n_readers > 1:
        notes.append(f"About {plan.n_a_pair:,.0f} notes are shared by each pair of readers.")
    if plan.n_without:
        notes.append(f"{counted(plan.n_without, 'reading')} without suggestions.")
    if plan.n_unread:
        them = "it" if plan.n_unread == 1 else "them"
        notes.append(
            f"{counted(plan.n_unread, 'note')} not pre-labelled yet: whoever opens {them} before sees no suggestion."
        )
    n_notes = len(plan.documents)
    if n_notes > MOST_WAITED_FOR:
        notes.append("So many are made in the background. Nobody can begin before all are given to their readers.")
    lead = Lead(
        counted(plan.n_readings, "reading"),
        f": {counted(n_notes, 'note')} × {counted(plan.n_readers, 'reader')}.",
    )
    return PlanLines(lead=lead, shares=f"{shares}.", notes=tuple(notes))
