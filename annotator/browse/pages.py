"""What the pages of a project say: sentences, next steps and shapes for the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse
from django.utils import timezone

from annotator.browse.forms import AwayForm, RoleForm
from annotator.browse.selectors import NoteState, Tally, seconds_since
from annotator.browse.work import Waiting
from annotator.core.chart import Segment, segments
from annotator.core.wording import counted
from annotator.projects.access import Action, may
from annotator.projects.models import Membership
from annotator.suggestions.models import LabelRun
from annotator.suggestions.pages import Lead, run_pill
from annotator.suggestions.selectors import RunProgress
from annotator.web.pills import Pill

NOTE_PILLS = {
    NoteState.WAITING: Pill("Not pre-labelled", "", "clock"),
    NoteState.FAILED: Pill("Failed", "bad", "x"),
    NoteState.TO_REVIEW: Pill("To review", "accent", "eye"),
    NoteState.IN_REVIEW: Pill("In review", "warn", "half"),
    NoteState.REVIEWED: Pill("Reviewed", "ok", "check"),
    NoteState.CERTIFIED: Pill("Certified, not read", "", "layers"),
}

WARNED_DAYS = 30


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One line of the list of projects; `n_waiting` is None for who does not review."""

    membership: Membership
    n_documents: int
    n_waiting: int | None
    last_seconds: int | None


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list of people, with the forms of the role and of when they are away."""

    member: Membership
    tally: Tally
    last_seconds: int | None
    form: RoleForm
    away_form: AwayForm


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the member can do next, most pressing first."""

    icon: str
    text: str
    why: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class RunLine:
    """The project's newest run in one line."""

    run: LabelRun
    progress: RunProgress
    pill: Pill


def project_row(membership: Membership, waiting: Waiting, *, now: datetime) -> ProjectRow:
    """From a row of `projects_of`."""
    reviews = may(role=membership.role, action=Action.REVIEW)
    return ProjectRow(
        membership=membership,
        n_documents=membership.n_documents,  # type: ignore[attr-defined]
        n_waiting=waiting.n_notes if reviews else None,
        last_seconds=seconds_since(membership.last_at, now=now),  # type: ignore[attr-defined]
    )


def person_row(member: Membership, tally: Tally, *, now: datetime) -> PersonRow:
    is_away = member.away_until is not None and member.away_until >= timezone.localdate(now)
    return PersonRow(
        member=member,
        tally=tally,
        last_seconds=seconds_since(tally.last_at, now=now),
        form=RoleForm(initial={"role": member.role}, auto_id=f"{member.user.public_id}_%s"),
        away_form=AwayForm(
            initial={"until": member.away_until if is_away else None}, auto_id=f"{member.user.public_id}_%s"
        ),
    )


def run_line(run: LabelRun, progress: RunProgress, *, has_worker: bool) -> RunLine:
    return RunLine(run=run, progress=progress, pill=run_pill(run, progress, waits_for="" if has_worker else "a worker"))


def overview_lead(counts: dict[NoteState, int]) -> Lead:
    """Where the project is, in a sentence."""
    total = sum(counts.values())
    if not total:
        return Lead("", "There is no note yet.")
    n_reviewed = counts[NoteState.REVIEWED]
    if n_reviewed == total:
        return Lead(f"All {counted(total, 'note')}" if total > 1 else "The only note", f" {_are(total)} reviewed.")
    waits = [
        f"{counts[state]:,} {words}"
        for state, words in (
            (NoteState.CERTIFIED, "certified without review"),
            (NoteState.TO_REVIEW, "to review"),
            (NoteState.IN_REVIEW, "in review"),
            (NoteState.WAITING, "not pre-labelled yet"),
            (NoteState.FAILED, "failed"),
        )
        if counts[state]
    ]
    listed = waits[0] if len(waits) == 1 else f"{', '.join(waits[:-1])} and {waits[-1]}"
    return Lead(f"{n_reviewed:,} of {counted(total, 'note')}", f" {_are(total)} reviewed: {listed}.")


def note_parts(counts: dict[NoteState, int]) -> tuple[Segment, ...]:
    """The bar: reviewed, certified where there is such a note, failed, pre-labelled (lighter) and not pre-labelled."""
    n_certified = counts[NoteState.CERTIFIED]
    return segments(
        [
            ("done", "Reviewed", counts[NoteState.REVIEWED]),
            *([("certified", "Certified, not read", n_certified)] if n_certified else []),
            ("failed", "Failed", counts[NoteState.FAILED]),
            ("ready", "Pre-labelled, to review", counts[NoteState.TO_REVIEW] + counts[NoteState.IN_REVIEW]),
            ("waiting", "Not pre-labelled", counts[NoteState.WAITING]),
        ]
    )


def next_steps(
    membership: Membership,
    counts: dict[NoteState, int],
    newest: RunLine | None,
    *,
    n_unread: int,
    n_to_adjudicate: int,
    n_members: int,
    has_worker: bool,
) -> list[Step]:
    """What the member's role can do now; empty where the project waits for others."""
    project_id = membership.project.public_id

    def allowed(action: Action) -> bool:
        return may(role=membership.role, action=action)

    def at(route: str, *args: str) -> str:
        return reverse(route, args=[project_id, *args])

    total = sum(counts.values())
    n_to_review = counts[NoteState.TO_REVIEW] + counts[NoteState.IN_REVIEW]
    is_running = newest is not None and not newest.progress.is_finished
    steps = []
    if is_running and not has_worker and allowed(Action.READ_NOTES):
        why = "Notes wait. make run starts one with this server."
        steps.append(Step("alert", "No labelling worker is running", why, at("browse:workers"), "warn"))
    if not total and allowed(Action.IMPORT):
        why = "Text files, brat, JSONL or CSV, in the browser or by manage.py import_documents."
        steps.append(Step("upload", "Import notes", why, at("exchange:imports")))
    if n_unread and allowed(Action.RUN):
        them = "it" if n_unread == 1 else "them"
        why = f"The labeler has not read {them}, or failed on {them}."
        steps.append(Step("play", f"Pre-label {counted(n_unread, 'note')}", why, at("suggestions:runs")))
    if newest and not is_running and newest.progress.n_failed and allowed(Action.RUN):
        text = f"Look at {counted(newest.progress.n_failed, 'failed note')}"
        why = f"Run {newest.run.number} says why, and can try again."
        steps.append(Step("retry", text, why, at("suggestions:run", newest.run.public_id), "warn"))
    if n_to_review and allowed(Action.REVIEW):
        why = "The note on which a minute buys most comes first."
        steps.append(Step("eye", f"Review {counted(n_to_review, 'note')}", why, at("review:start")))
    if n_to_adjudicate and allowed(Action.ADJUDICATE):
        why = "Several people have read them. What they agree on is taken at once."
        text = f"Adjudicate {counted(n_to_adjudicate, 'note')}"
        steps.append(Step("disagree", text, why, at("adjudication:notes")))
    n_done = counts[NoteState.REVIEWED] + counts[NoteState.CERTIFIED]
    if n_done and allowed(Action.BUILD):
        kind = "finished note" if counts[NoteState.CERTIFIED] else "reviewed note"
        text = f"Build a dataset from {counted(n_done, kind)}"
        steps.append(Step("layers", text, "Split by patient, with a manifest.", at("builds:builds")))
    if n_members == 1 and allowed(Action.MANAGE):
        why = "A link makes whoever follows it a member."
        steps.append(Step("user", "Invite people", why, at("browse:people")))
    return steps


def retention_steps(membership: Membership, *, today: date) -> list[Step]:
    """For leads, in the last WARNED_DAYS of the project: that it is deleted soon."""
    until = membership.project.retain_until
    if until is None or (until - today).days > WARNED_DAYS or not may(role=membership.role, action=Action.MANAGE):
        return []
    why = "Move the date, or build the datasets that you need."
    url = reverse("purges:data", args=[membership.project.public_id])
    return [Step("clock", f"Everything here is deleted after {until:%-d %B %Y}", why, url, "warn")]


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
