"""Rounds: which notes are read together, who reads which, and how readings change hands.

A reading is a note item of the round. None is ever lost: what a reader hands back, or leaves behind on leaving, waits
for the round's other readers, and what was begun in it goes along to whoever takes it (`leases`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.audit.services import record_event
from annotator.core.assigning import CannotAssign, workloads
from annotator.core.id_lists import rows_named
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import create_job, start_job
from annotator.notices.services import withdraw_notices
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.projects.services import lock_projects
from annotator.review.drawing import draw_shares, give, in_batches, let_out, lock_notes, notes_in, routed, take_in
from annotator.review.models import ReviewItem, Round, RoundJob, RoundReader
from annotator.review.readings import free_notes, open_readings, taken_among
from annotator.review.telling import tell_assigned, tell_handed_back

MOST_NOTES = 100_000
# So many are made while the page waits, five seconds with a hundred readers; more by a job (`round_jobs`).
MOST_WAITED_FOR = 5_000
MOST_READERS = 10


class RoundError(ValueError):
    """A round, or a change of one, that cannot be made as asked."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of the notes that are free a round takes: all that fit, or the first `n_notes` in their random order.

    `external_ids` are taken to the last one, or refused; None where it does not matter. `rows` are where they stand in
    the file that they came from, for a refusal.
    """

    n_notes: int | None = None
    note_type: str | None = None
    external_ids: Sequence[str] | None = None
    rows: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round would be: its notes, and how many of them each reader reads, in the order of the readers."""

    documents: Sequence[int]
    loads: Sequence[int]
    n_readers: int
    n_without: int
    n_unread: int

    @property
    def n_readings(self) -> int:
        return len(self.documents) * self.n_readers

    @property
    def n_a_pair(self) -> float:
        """How many notes two readers share, on the average over all pairs."""
        n_pairs = len(self.loads) * (len(self.loads) - 1) / 2
        return len(self.documents) * self.n_readers * (self.n_readers - 1) / 2 / n_pairs if n_pairs else 0.0


def plan_round(
    *, project: Project, chosen: Chosen, asked: Sequence[int | None], n_readers: int, assistance: str, seed: int
) -> Plan:
    """What such a round comes to, before anyone is asked to read. Raises RoundError."""
    if not 1 <= n_readers <= MOST_READERS:
        raise RoundError(f"a note is read by 1 to {MOST_READERS} people, not by {n_readers}")
    if assistance == Round.Assistance.MIXED and n_readers < 2:
        raise RoundError("one reader of each note can only read without suggestions where another reads with them")
    documents = _chosen_notes(project, chosen)
    try:
        loads = workloads(n_notes=len(documents), n_readers=n_readers, asked=asked, seed=seed)
    except CannotAssign as refusal:
        raise RoundError(str(refusal)) from refusal
    n_without = {Round.Assistance.MIXED: len(documents), Round.Assistance.HIDDEN: len(documents) * n_readers}
    n_read = sum(len(routed(some)) for some in in_batches(documents))
    return Plan(
        documents=documents,
        loads=loads,
        n_readers=n_readers,
        n_without=n_without.get(Round.Assistance(assistance), 0),
        n_unread=len(documents) - n_read,
    )


@transaction.atomic
def create_round(
    *,
    project: Project,
    name: str,
    chosen: Chosen,
    readers: Sequence[tuple[User, int | None]],
    n_readers: int,
    assistance: str,
    draw: str,
    due_on: date | None,
    actor: User,
    now: datetime,
    seed: int | None = None,
) -> Round:
    """A round over notes that nobody has begun and no round has, each with its readers; `readers` come with the number
    of notes asked of them, None for an equal share. Of more than MOST_WAITED_FOR notes a job makes it, and nobody reads
    in it until it has. Raises RoundError.
    """
    lock_projects(project)
    _refuse_past(due_on, now)
    if unfinished := RoundJob.objects.filter(project=project).select_related("round").first():
        raise RoundError(f"round {unfinished.round.number} is still being made, or taken back: wait until that is done")
    for user, _ in readers:
        _refuse_who_does_not_review(project, user)
    seed = secrets.randbelow(2**31) if seed is None else seed
    plan = plan_round(
        project=project,
        chosen=chosen,
        asked=[n_notes for _, n_notes in readers],
        n_readers=n_readers,
        assistance=assistance,
        seed=seed,
    )
    last = project.rounds.aggregate(last=Max("number"))["last"] or 0
    made = Round.objects.create(
        project=project,
        number=last + 1,
        name=name,
        n_readers=n_readers,
        assistance=assistance,
        draw=draw,
        seed=seed,
        due_on=due_on,
        created_by=actor,
        created_at=now,
    )
    RoundReader.objects.bulk_create(RoundReader(round=made, user=user, n_notes=n_notes) for user, n_notes in readers)
    _record(made, "round.create", actor, now, n_notes=len(plan.documents), n_readers=n_readers)
    if len(plan.documents) > MOST_WAITED_FOR:
        _start(made, RoundJob.Task.MAKE, actor, now, documents=plan.documents)
        return made
    for documents in in_batches(sorted(plan.documents)):
        if not take_in(made, documents):
            raise RoundError("some of these notes have been begun meanwhile: try again")
    for share in draw_shares(made):
        for documents in in_batches(share.documents):
            give(made, share, documents)
    loads = {user.pk: load for (user, _), load in zip(readers, plan.loads, strict=True)}
    tell_assigned(round=made, n_notes=loads, actor=actor, now=now)
    return made


@transaction.atomic
def undo_round(*, round: Round, actor: User, now: datetime) -> bool:
    """Take a round back in which nobody has begun: its notes are as free as before. Whether that is done: of many notes
    a job does it. One that is still being made is stopped, and taken back by its job. Raises RoundError.
    """
    lock_projects(round.project)
    work = RoundJob.objects.filter(round=round).select_related("job").first()
    if work is not None:
        if work.task == RoundJob.Task.UNDO:
            raise RoundError("the round is being taken back already")
        RoundJob.objects.filter(pk=work.pk).update(task=RoundJob.Task.UNDO)
        _record(round, "round.cancel", actor, now)
        if work.job.is_finished:
            _start_again(work, round, actor, now)
        return False
    if round.items.filter(project=round.project).exclude(leased_by=None, status=ReviewItem.Status.OPEN).exists():
        raise RoundError("a note of this round has been begun: its open notes can be given to others")
    documents = notes_in(round)
    if len(documents) > MOST_WAITED_FOR:
        _record(round, "round.cancel", actor, now)
        _start(round, RoundJob.Task.UNDO, actor, now)
        return False
    lock_notes(documents)
    if round.items.filter(project=round.project).exclude(leased_by=None, status=ReviewItem.Status.OPEN).exists():
        raise RoundError("a note of this round has been begun: its open notes can be given to others")
    for some in in_batches(documents):
        let_out(round, some)
    remove_round(round=round, actor=actor, n_notes=len(documents), now=now)
    return True


@transaction.atomic
def go_on(*, round: Round, actor: User, now: datetime) -> None:
    """Have a round made, or taken back, whose job has failed: it goes on where it stopped. Raises RoundError."""
    lock_projects(round.project)
    work = RoundJob.objects.filter(round=round).select_related("job").first()
    if work is None or not work.job.is_finished:
        raise RoundError("nothing of this round has failed")
    _record(round, "round.go_on", actor, now)
    _start_again(work, round, actor, now)


def remove_round(*, round: Round, actor: User | None, n_notes: int, now: datetime) -> None:
    """Delete a round in which no note is any more. To be called last in a transaction that holds its project."""
    _record(round, "round.undo", actor, now, n_notes=n_notes)
    round.readers.all().delete()
    withdraw_notices(project=round.project.public_id, subject=round.public_id)
    Round.objects.filter(pk=round.pk).delete()


@transaction.atomic
def set_due(*, round: Round, due_on: date | None, actor: User, now: datetime) -> None:
    """Change the day by which the round is to be read, None for no such day. Raises RoundError for a day gone by."""
    _refuse_past(due_on, now)
    Round.objects.filter(pk=round.pk).update(due_on=due_on)
    _record(round, "round.due", actor, now, due_on=due_on.isoformat() if due_on else None)


@transaction.atomic
def add_reader(*, round: Round, user: User, actor: User, now: datetime) -> None:
    """Let another member read in the round. They get what is given to them, or handed back. Raises RoundError."""
    _refuse_unmade(round)
    _refuse_who_does_not_review(round.project, user)
    _, is_new = RoundReader.objects.get_or_create(round=round, user=user)
    if not is_new:
        raise RoundError(f"{user.get_username()} reads in this round already")
    _record(round, "round.reader", actor, now, user=user.public_id)


@transaction.atomic
def reassign(
    *, round: Round, from_user: User | None, to: User | None, n_notes: int | None, actor: User, now: datetime
) -> int:
    """Give open notes of one reader (None: those that wait for anybody) to another, or to whoever of the round comes
    first; how many. At most `n_notes`, those not begun first; never a note that `to` reads or has read already.

    What is begun goes along. Raises RoundError where there is none, or `to` does not read in the round.
    """
    lock_projects(round.project)
    _refuse_unmade(round)
    readings = open_readings(round).filter(assigned_to=from_user)
    if to is not None:
        _refuse_who_does_not_review(round.project, to)
        if not round.readers.filter(user=to).exists():
            raise RoundError(f"{to.get_username()} does not read in this round: add them first")
        theirs = ReviewItem.objects.filter(round=round).filter(Q(assigned_to=to) | Q(leased_by=to))
        readings = readings.exclude(document__in=theirs.values("document"))
        readings = readings.exclude(document__in=AnnotationSet.objects.filter(annotator=to).values("document"))
    found = list(
        readings.order_by(F("leased_by").asc(nulls_first=True), "-priority", "pk").values_list("pk", flat=True)[
            :n_notes
        ]
    )
    n_moved = sum(
        readings.filter(pk__in=some).update(
            assigned_to=to, handed_back_by=None, lease_expires_at=None, version=F("version") + 1
        )
        for some in in_batches(found)
    )
    if not n_moved:
        raise RoundError("there is no open note that could be given on so")
    people = {"from": from_user.public_id if from_user else None, "to": to.public_id if to else None}
    _record(round, "round.reassign", actor, now, n_notes=n_moved, **people)
    if to is not None:
        tell_assigned(round=round, n_notes={to.pk: n_moved}, actor=actor, now=now)
    return n_moved


@transaction.atomic
def hand_back(*, reading: ReviewItem, reader: User, now: datetime) -> None:
    """Give an assigned note to the round's other readers, with what is begun in it. Raises RoundError where it is not
    the reader's, or done.
    """
    if reading.round is not None:
        _refuse_unmade(reading.round)
    mine = ReviewItem.objects.filter(pk=reading.pk, assigned_to=reader, status=ReviewItem.Status.OPEN)
    changed = mine.update(
        assigned_to=None, handed_back_by=reader, lease_expires_at=None, skipped_at=None, version=F("version") + 1
    )
    if not changed or reading.round is None:
        raise RoundError("this note is not assigned to you any more, or it is done")
    _record_reading(reading, "note.hand_back", reader, now)
    tell_handed_back(round=reading.round, reader=reader, now=now)


@transaction.atomic
def take_back(*, reading: ReviewItem, reader: User, now: datetime) -> None:
    """Undo a hand-back, for as long as nobody else has the note. Raises RoundError."""
    free = ReviewItem.objects.filter(
        pk=reading.pk, assigned_to=None, handed_back_by=reader, status=ReviewItem.Status.OPEN
    )
    if not free.update(assigned_to=reader, handed_back_by=None, version=F("version") + 1):
        raise RoundError("someone else has this note by now")
    _record_reading(reading, "note.take_back", reader, now)


def _chosen_notes(project: Project, chosen: Chosen) -> list[int]:
    """Row ids of the notes, in their random order."""
    free = free_notes(project)
    if chosen.external_ids is not None:
        return _named_notes(project, chosen.external_ids, chosen.rows)
    if chosen.note_type is not None:
        free = free.filter(note_type=chosen.note_type)
    most = MOST_NOTES + 1 if chosen.n_notes is None else chosen.n_notes
    found = list(free.order_by("blind_key", "pk").values_list("pk", flat=True)[:most])
    if not found:
        raise RoundError("no note is free for a round: each is begun, done, or in another round")
    if chosen.n_notes is not None and len(found) < chosen.n_notes:
        raise RoundError(f"{chosen.n_notes:,} notes are wanted, and {len(found):,} are free")
    if len(found) > MOST_NOTES:
        raise RoundError(f"a round has at most {MOST_NOTES:,} notes: say how many, and make several")
    return found


def _named_notes(project: Project, external_ids: Sequence[str], rows: Sequence[int] | None) -> list[int]:
    """The notes of these external ids. A refusal tells their places in the list, or rows in the file, and no id: ids
    may tell of patients.
    """
    if len(external_ids) > MOST_NOTES:
        raise RoundError(f"a round has at most {MOST_NOTES:,} notes, and the list has {len(external_ids):,}")
    known: dict[str, int] = {}
    begun: set[int] = set()
    for names in in_batches(external_ids):
        known |= dict(Document.objects.filter(project=project, external_id__in=names).values_list("external_id", "pk"))
    for some in in_batches(sorted(known.values())):
        begun |= taken_among(some)
    named = list(zip(rows or range(1, len(external_ids) + 1), external_ids, strict=True))
    unknown = [place for place, name in named if name not in known]
    taken = [place for place, name in named if known.get(name) in begun]
    words = ("row", "rows") if rows else ("entry", "entries")
    if unknown:
        raise RoundError(f"the project has no note of the id in {rows_named(unknown, *words)}")
    if taken:
        raise RoundError(f"the note is begun, done, or in another round in {rows_named(taken, *words)}")
    return sorted(set(known.values()))


def _start(round: Round, task: RoundJob.Task, actor: User, now: datetime, *, documents: Sequence[int] = ()) -> None:
    job = _new_job(round, actor, now)
    RoundJob.objects.create(project=round.project, round=round, job=job, task=task, documents=sorted(documents))
    start_job(job)


def _start_again(work: RoundJob, round: Round, actor: User, now: datetime) -> None:
    """Another job for the work, in the place of one that has ended."""
    job = _new_job(round, actor, now)
    RoundJob.objects.filter(pk=work.pk).update(job=job)
    work.job.delete()
    start_job(job)


def _new_job(round: Round, actor: User, now: datetime) -> Job:
    return create_job(
        kind=Job.Kind.ROUND, now=now, asked_by=actor, project=round.project.public_id, subject=round.public_id
    )


def _refuse_unmade(round: Round) -> None:
    if RoundJob.objects.filter(round=round).exists():
        raise RoundError("the round is still being made, or taken back")


def _refuse_past(due_on: date | None, now: datetime) -> None:
    if due_on is not None and due_on < timezone.localdate(now):
        raise RoundError("the day is over: give today or a later one, or none")


def _refuse_who_does_not_review(project: Project, user: User) -> None:
    role = Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    if role is None or not may(role=role, action=Action.REVIEW):
        raise RoundError(f"{user.get_username()} does not review in this project")


def _record(round: Round, verb: str, actor: User | None, now: datetime, **detail: str | int | None) -> None:
    record_event(
        project=round.project.public_id, actor=actor, verb=verb, object_id=round.public_id, now=now, detail=detail
    )


def _record_reading(reading: ReviewItem, verb: str, actor: User, now: datetime) -> None:
    document = reading.document
    record_event(
        project=document.project.public_id,
        actor=actor,
        verb=verb,
        object_id=document.public_id,
        now=now,
        detail={"slot": reading.slot},
    )
