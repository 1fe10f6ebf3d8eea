"""What each kind of notice says, and where it leads. A kind has one row in TOLD; rows look alike, to be copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.urls import reverse
from django.utils import timezone

from annotator.core.wording import ago_words, counted
from annotator.notices.models import Kind, Notice
from annotator.projects.access import Action, may
from annotator.projects.models import Membership

_Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """`say` gives the line and what stands below it. The route takes the project and, where it is about one, the
    subject; who may not do `action` is led to the project's overview.
    """

    icon: str
    say: Callable[[Notice, Membership], _Said]
    route: str
    action: Action
    tail: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    notice: Notice
    project: str
    icon: str
    tone: str
    text: str
    why: str
    ago: str


@dataclass(frozen=True, slots=True)
class Day:
    words: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Part:
    """The unread notices of a page, or those that were read, by day."""

    is_read: bool
    days: list[Day]


def parts_of(notices: Iterable[Notice], *, memberships: Mapping[str, Membership], now: datetime) -> list[Part]:
    """The notices in their order; `memberships` by the project's public id."""
    today = timezone.localdate(now)
    parts = []
    for is_read, of_part in groupby(notices, key=lambda notice: notice.read_at is not None):
        by_day = groupby(of_part, key=lambda notice: timezone.localdate(notice.created_at))
        days = [
            Day(_day_words(day, today), [_row(notice, memberships[notice.project], now=now) for notice in found])
            for day, found in by_day
        ]
        parts.append(Part(is_read=is_read, days=days))
    return parts


def spot_of(notice: Notice, membership: Membership) -> str:
    """The address of what the notice is about."""
    told, project_id = TOLD[Kind(notice.kind)], notice.project
    if not may(role=membership.role, action=told.action):
        return reverse("browse:overview", args=[project_id])
    ids = [project_id, notice.subject] if notice.subject else [project_id]
    return reverse(told.route, args=ids) + told.tail


def _row(notice: Notice, membership: Membership, *, now: datetime) -> Row:
    told = TOLD[Kind(notice.kind)]
    text, why = told.say(notice, membership)
    return Row(
        notice=notice,
        project=membership.project.name,
        icon=told.icon,
        tone=told.tone,
        text=text,
        why=why,
        ago=ago_words((now - notice.created_at).total_seconds()),
    )


def _day_words(day: date, today: date) -> str:
    if day == today:
        return "Today"
    return "Yesterday" if day == today - timedelta(days=1) else f"{day.day} {day:%B %Y}"


def _new_version(what: str) -> Callable[[Notice, Membership], _Said]:
    def say(notice: Notice, membership: Membership) -> _Said:
        news = "a new version" if notice.n == 1 else f"{notice.n:,} new versions"
        return f"The {what} has {news}", f"Version {notice.detail['number']:,} is the one that counts."

    return say


def _note_taken(notice: Notice, membership: Membership) -> _Said:
    notes = "A note" if notice.n == 1 else f"{notice.n:,} notes"
    was = "was" if notice.n == 1 else "were"
    return f"{notes} in your hands {was} taken over", "What you decided there stays, under your name."


def _run_done(notice: Notice, membership: Membership) -> _Said:
    detail = notice.detail
    return f"Pre-labelling run {detail['number']:,} has ended", f"{counted(detail['n_done'], 'note')} read."


def _run_failed(notice: Notice, membership: Membership) -> _Said:
    failed = f"{counted(notice.detail['n_failed'], 'note')} failed"
    return f"{failed} in pre-labelling run {notice.detail['number']:,}", "It has ended. Its page says why they failed."


def _run_waits(notice: Notice, membership: Membership) -> _Said:
    return f"Pre-labelling run {notice.detail['number']:,} stands still", "Its page says what its notes wait for."


def _build_done(notice: Notice, membership: Membership) -> _Said:
    detail = notice.detail
    held = f"{counted(detail['n_notes'], 'note')}, {counted(detail['n_spans'], 'span')}."
    return f"Dataset {detail['number']:,} is ready", held


def _build_failed(notice: Notice, membership: Membership) -> _Said:
    return "A dataset could not be written", "Its page says why."


def _comparison_done(notice: Notice, membership: Membership) -> _Said:
    notes = counted(notice.detail["n_notes"], "note")
    return f"Comparison {notice.detail['number']:,} is done", f"Both labelers were measured on {notes} of the test set."


def _comparison_failed(notice: Notice, membership: Membership) -> _Said:
    return "A comparison of labelers failed", "Its page says why."


def _import_done(notice: Notice, membership: Membership) -> _Said:
    return "An import has ended", f"{counted(notice.detail['n_added'], 'note')} added."


def _import_failed(notice: Notice, membership: Membership) -> _Said:
    return "An import failed", "Nothing of it was written. Its page says why."


def _role(notice: Notice, membership: Membership) -> _Said:
    return f"Your role is {membership.get_role_display().lower()} now", "A lead of the project changed it."


def _question(notice: Notice, membership: Membership) -> _Said:
    if notice.n == 1:
        return "A reader wants to discuss something", "Whoever asked waits for an answer."
    return f"Readers want to discuss {notice.n:,} things", "Whoever asked waits for an answer."


def _round_assigned(notice: Notice, membership: Membership) -> _Said:
    are = "is" if notice.n == 1 else "are"
    return f"{counted(notice.n, 'note')} {are} assigned to you", f"In round {notice.detail['number']:,}{_due(notice)}."


def _round_due(notice: Notice, membership: Membership) -> _Said:
    left = f"{counted(notice.detail['n_left'], 'note')} of yours to read in round {notice.detail['number']:,}"
    return left, f"It is due on {_day_named(notice)}."


def _round_handed_back(notice: Notice, membership: Membership) -> _Said:
    were = "was" if notice.n == 1 else "were"
    back = f"{counted(notice.n, 'note')} of round {notice.detail['number']:,} {were} handed back"
    return back, f"{'It waits' if notice.n == 1 else 'They wait'} for other readers of the round{_due(notice)}."


def _certificate_granted(notice: Notice, membership: Membership) -> _Said:
    said = f"Certificate {notice.detail['number']:,} is granted"
    return said, "What it speaks for is accepted without review; some of it people go on checking."


def _certificate_extended(notice: Notice, membership: Membership) -> _Said:
    said = f"Certificate {notice.detail['number']:,} covers more now"
    return said, "Audits have proven a larger part of its batch."


def _certificate_revoked(notice: Notice, membership: Membership) -> _Said:
    spans = counted(notice.detail["n_accepted"], "span")
    said = f"Certificate {notice.detail['number']:,} is revoked"
    return said, f"{spans} accepted under it go back to their readers, and their notes open again."


def _certificate_ended(notice: Notice, membership: Membership) -> _Said:
    said = f"Certificate {notice.detail['number']:,} has ended"
    return said, "It accepts nothing more. What it accepted stays."


def _calibrator_offered(notice: Notice, membership: Membership) -> _Said:
    said = (
        f"Calibrator {notice.detail['number']:,} is offered, fitted on {counted(notice.detail['n_cases'], 'decision')}"
    )
    return said, "To take it into use ends the test that rests on the one before."


def _round_made(notice: Notice, membership: Membership) -> _Said:
    n_notes, n_left_out = notice.detail["n_notes"], notice.detail["n_left_out"]
    left_out = ""
    if n_left_out:
        left_out = (
            f" {counted(n_left_out, 'note')} had been begun meanwhile and {'is' if n_left_out == 1 else 'are'} not."
        )
    return f"Round {notice.detail['number']:,} is under way", f"{counted(n_notes, 'note')} in it.{left_out}"


def _round_failed(notice: Notice, membership: Membership) -> _Said:
    return "A round could not be made", "None of its readers has begun. Its page says why."


def _decoys_on(notice: Notice, membership: Membership) -> _Said:
    many = counted(notice.detail["percent"], "decoy")
    return (
        "Some suggestions are decoys from now on",
        f"About {many} for a hundred suggestions, wrong on purpose. Submit a note, and you are told which they were.",
    )


def _decoys_off(notice: Notice, membership: Membership) -> _Said:
    return (
        "Suggestions have no more decoys among them",
        "A note that somebody has begun keeps its own until it is done.",
    )


def _training_done(notice: Notice, membership: Membership) -> _Said:
    said = f"Training {notice.detail['number']:,} is done"
    return said, "Its labeler can read notes, and be compared on the locked test set."


def _training_failed(notice: Notice, membership: Membership) -> _Said:
    return "A training failed", "Its page says why, and resumes it."


def _promoted(notice: Notice, membership: Membership) -> _Said:
    n_notes = notice.detail["n_notes"]
    again = "No note waited for a decision." if not n_notes else f"{counted(n_notes, 'note')} to be read by it."
    return "Another labeler was promoted", f"New runs use it. {again}"


def _due(notice: Notice) -> str:
    return f", due on {_day_named(notice)}" if "due_on" in notice.detail else ""


def _day_named(notice: Notice) -> str:
    day = date.fromisoformat(notice.detail["due_on"])
    return f"{day.day} {day:%B}"


TOLD: dict[Kind, Told] = {
    Kind.NOTE_TAKEN: Told("user", _note_taken, "review:start", Action.REVIEW),
    Kind.GUIDELINE: Told("book", _new_version("guideline"), "browse:guideline", Action.VIEW),
    Kind.SCHEMA: Told("layers", _new_version("schema"), "browse:overview", Action.VIEW, tail="#schema-title"),
    Kind.RUN_DONE: Told("check", _run_done, "suggestions:run", Action.READ_NOTES),
    Kind.RUN_FAILED: Told("alert", _run_failed, "suggestions:run", Action.READ_NOTES, tone="bad"),
    Kind.RUN_WAITS: Told("pause", _run_waits, "suggestions:run", Action.READ_NOTES, tone="warn"),
    Kind.BUILD_DONE: Told("check", _build_done, "builds:build", Action.BUILD),
    Kind.BUILD_FAILED: Told("alert", _build_failed, "builds:build", Action.BUILD, tone="bad"),
    Kind.COMPARISON_DONE: Told("check", _comparison_done, "training:comparison", Action.MEASURE),
    Kind.COMPARISON_FAILED: Told("alert", _comparison_failed, "training:comparison", Action.MEASURE, tone="bad"),
    Kind.IMPORT_DONE: Told("check", _import_done, "exchange:import", Action.IMPORT),
    Kind.IMPORT_FAILED: Told("alert", _import_failed, "exchange:import", Action.IMPORT, tone="bad"),
    Kind.ROLE: Told("lock", _role, "browse:overview", Action.VIEW),
    Kind.ROUND_ASSIGNED: Told("note", _round_assigned, "review:round", Action.REVIEW),
    Kind.ROUND_DUE: Told("clock", _round_due, "review:round", Action.REVIEW, tone="warn"),
    Kind.ROUND_HANDED_BACK: Told("minus", _round_handed_back, "browse:round", Action.MANAGE),
    Kind.CERTIFICATE_GRANTED: Told("check", _certificate_granted, "trust:certificate", Action.MEASURE),
    Kind.CERTIFICATE_EXTENDED: Told("check", _certificate_extended, "trust:certificate", Action.MEASURE),
    Kind.CERTIFICATE_REVOKED: Told("alert", _certificate_revoked, "trust:certificate", Action.MEASURE, tone="bad"),
    Kind.CERTIFICATE_ENDED: Told("pause", _certificate_ended, "trust:certificate", Action.MEASURE, tone="warn"),
    Kind.CALIBRATOR_OFFERED: Told("layers", _calibrator_offered, "trust:trust", Action.MEASURE),
    Kind.ROUND_MADE: Told("check", _round_made, "browse:round", Action.MANAGE),
    Kind.ROUND_FAILED: Told("alert", _round_failed, "browse:round", Action.MANAGE, tone="bad"),
    Kind.DECOYS_ON: Told("eye", _decoys_on, "review:start", Action.REVIEW),
    Kind.DECOYS_OFF: Told("eye", _decoys_off, "review:start", Action.REVIEW),
    Kind.TRAINING_DONE: Told("check", _training_done, "training:run", Action.BUILD),
    Kind.TRAINING_FAILED: Told("alert", _training_failed, "training:run", Action.BUILD, tone="bad"),
    Kind.PROMOTED: Told("layers", _promoted, "training:model", Action.MEASURE),
    Kind.QUESTION: Told("help", _question, "browse:comments", Action.READ_NOTES, tail="?kind=discuss"),
}
