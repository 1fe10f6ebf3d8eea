"""The first page: what a person's work is now, in sentences and next steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.browse import work
from annotator.browse.pages import Step
from annotator.browse.work import Done, NoteInHand, RunState, Waiting
from annotator.builds.models import DatasetBuild
from annotator.core.wording import counted
from annotator.jobs.bell import LABEL_QUEUE
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action
from annotator.projects.models import Membership, Project
from annotator.review.models import Round
from annotator.review.readings import Progress, rounds_left
from annotator.suggestions.pages import Lead

HELD_SHOWN = 8
WAITING_SHOWN = 8
STEPS_SHOWN = 12
ROUNDS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """One project in which notes wait for the person."""

    project: Project
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class YourRound:
    """One round in which notes of the person are left; `waits` until they have qualified in its project."""

    round: Round
    progress: Progress
    is_overdue: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Home:
    """Everything above the list of projects. `waiting` is by row id of the project; `rows` are the first of it, as
    `in_hand` are the first of the notes."""

    lead: Lead
    reviews: bool
    in_hand: list[NoteInHand]
    n_in_hand_more: int
    rounds: list[YourRound]
    rows: list[WaitingRow]
    n_rows_more: int
    waiting: Mapping[int, Waiting]
    done: Done | None
    steps: list[Step]
    builds: QuerySet[DatasetBuild] | None


def home_of(user: User, memberships: Sequence[Membership], *, now: datetime) -> Home:
    """What the person's roles have them do. Fifteen queries at most."""
    reviewed = work.projects_where(memberships, Action.REVIEW)
    is_lead = bool(work.projects_where(memberships, Action.MANAGE))
    is_data_scientist = any(member.role == Membership.Role.DATA_SCIENTIST for member in memberships)
    in_hand = work.notes_in_hand(memberships, user=user, now=now) if reviewed else []
    waiting = work.waiting_notes(memberships, user=user, now=now) if reviewed else {}
    rows = [WaitingRow(reviewed[key], found) for key, found in waiting.items() if found.n_notes]
    rows.sort(key=lambda row: (-row.waiting.n_notes, row.project.name))
    return Home(
        lead=_lead(reviews=bool(reviewed), n_in_hand=len(in_hand), rows=rows),
        reviews=bool(reviewed),
        in_hand=in_hand[:HELD_SHOWN],
        n_in_hand_more=max(len(in_hand) - HELD_SHOWN, 0),
        rounds=_rounds(waiting, user, today=timezone.localdate(now)) if reviewed else [],
        rows=rows[:WAITING_SHOWN],
        n_rows_more=max(len(rows) - WAITING_SHOWN, 0),
        waiting=waiting,
        done=work.done_by(user, **_begins(now)) if reviewed else None,
        steps=_steps(memberships, now=now) if is_lead else [],
        builds=work.newest_builds(memberships) if is_data_scientist else None,
    )


def _lead(*, reviews: bool, n_in_hand: int, rows: Sequence[WaitingRow]) -> Lead:
    n_waiting = sum(row.waiting.n_notes for row in rows)
    where = f" in {counted(len(rows), 'project')}" if len(rows) > 1 else ""
    if not reviews:
        return Lead("", "Your projects, and what is new in them.")
    if n_in_hand and n_waiting:
        wait = "waits" if n_waiting == 1 else "wait"
        return Lead(counted(n_in_hand, "note"), f" in your hands, and {n_waiting:,} more {wait} for you{where}.")
    if n_in_hand:
        return Lead(counted(n_in_hand, "note"), " in your hands. No other waits for you.")
    if n_waiting:
        return Lead(counted(n_waiting, "note"), f" {'waits' if n_waiting == 1 else 'wait'} for you{where}.")
    return Lead("", "No note waits for you now.")


def _rounds(waiting: Mapping[int, Waiting], user: User, *, today: date) -> list[YourRound]:
    left = rounds_left(projects=list(waiting), reader=user)[:ROUNDS_SHOWN]
    return [
        YourRound(found, progress, found.is_overdue(today), waiting[found.project_id].is_trial)
        for found, progress in left
    ]


def _begins(now: datetime) -> dict[str, datetime]:
    """When today and this week began, in the time zone of the installation; weeks begin on Monday."""
    local = timezone.localtime(now)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = local.date() - timedelta(days=local.weekday())
    return {"day": day, "week": day.replace(year=monday.year, month=monday.month, day=monday.day)}


def _steps(memberships: Sequence[Membership], *, now: datetime) -> list[Step]:
    """What a lead should look at, most pressing first."""
    runs = work.runs_to_look_at(memberships)
    going = [state for state in runs if state.n_left]
    steps = []
    if going and not has_worker(queue=LABEL_QUEUE, now=now):
        n_left = sum(state.n_left for state in going)
        why = f"{counted(n_left, 'note')} {'waits' if n_left == 1 else 'wait'} to be read, and will be when one starts."
        url = reverse("browse:workers", args=[going[0].run.project.public_id])
        steps.append(Step("alert", "No labelling worker is running", why, url, "warn"))
    today = timezone.localdate(now)
    steps += [_retention_step(project, today=today) for project in work.retention_near(memberships, today=today)]
    steps += [_failed_step(state) for state in runs if state.n_failed and not state.n_left]
    steps += [_run_step(state) for state in going]
    return steps[:STEPS_SHOWN]


def _retention_step(project: Project, *, today: date) -> Step:
    until = project.retain_until or today
    text, why = (
        f"{project.name} is deleted after {until:%-d %B %Y}",
        "Move the date, or build the datasets that you need.",
    )
    if until < today:
        text, why = f"{project.name} is being deleted", f"It was kept until {until:%-d %B %Y}."
    url = reverse("purges:data", args=[project.public_id])
    return Step("clock", text, why, url, "warn")


def _failed_step(state: RunState) -> Step:
    text = f"Look at {counted(state.n_failed, 'failed note')} in {state.run.project.name}"
    return Step("retry", text, f"Run {state.run.number} says why, and can try again.", _run_url(state), "warn")


def _run_step(state: RunState) -> Step:
    n_read = state.n_total - state.n_left
    failed = f", {state.n_failed:,} of them failed" if state.n_failed else ""
    why = f"{n_read:,} of {counted(state.n_total, 'note')} read{failed}."
    return Step("play", f"Run {state.run.number} goes on in {state.run.project.name}", why, _run_url(state))


def _run_url(state: RunState) -> str:
    return reverse("suggestions:run", args=[state.run.project.public_id, state.run.public_id])
