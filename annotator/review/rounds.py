"""Rounds: which notes are read together, who reads which, and how readings change hands.

A reading is a note item of the round. None is ever lost: what a reader hands back, or leaves behind on leaving, waits
for the round's other readers, and what was begun in it goes along to whoever takes it (`leases`).
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.audit.services import record_event
from annotator.core.assigning import CannotAssign, Note, draw_readers, one_of_each, workloads
from annotator.documents.models import Document
from annotator.notices.services import withdraw_notices
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.projects.services import lock_projects
from annotator.review.models import OF_NO_READER, ReviewItem, Round, RoundReader
from annotator.review.queue import fit_slots
from annotator.review.readings import free_notes, open_readings, taken_among
from annotator.review.streams import draw_blind
from annotator.review.telling import tell_assigned, tell_handed_back
from annotator.suggestions.models import LabelJob

# It is made while the page waits: five seconds for so many notes and a hundred readers.
MOST_NOTES = 5_000
MOST_READERS = 10
_AT_ONCE = 500

_Item = TypeVar("_Item")


class RoundError(ValueError):
    """A round, or a change of one, that cannot be made as asked."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of the notes that are free a round takes: all that fit, or the first `n_notes` in their random order.

    `external_ids` are taken to the last one, or refused; None where it does not matter.
    """

    n_notes: int | None = None
    note_type: str | None = None
    external_ids: Sequence[str] | None = None


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
    n_read = sum(len(_routed(some)) for some in _in_batches(documents))
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
    of notes asked of them, None for an equal share. Raises RoundError.
    """
    lock_projects(project)
    _refuse_past(due_on, now)
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
    for documents in _in_batches(sorted(plan.documents)):
        _lock(documents)
        if taken_among(documents):
            raise RoundError("some of these notes have been begun meanwhile: try again")
        fit_slots(project=project, documents=documents, n_slots=n_readers)
    _assign(made, plan, [user for user, _ in readers])
    _record(made, "round.create", actor, now, n_notes=len(plan.documents), n_readers=n_readers)
    loads = {user.pk: load for (user, _), load in zip(readers, plan.loads, strict=True)}
    tell_assigned(round=made, n_notes=loads, actor=actor, now=now)
    return made


@transaction.atomic
def undo_round(*, round: Round, actor: User, now: datetime) -> None:
    """Take a round back in which nobody has begun: its notes are as free as before. Raises RoundError."""
    project = round.project
    lock_projects(project)
    documents = sorted(round.items.filter(project=project).values_list("document", flat=True).distinct())
    _lock(documents)
    if round.items.exclude(leased_by=None, status=ReviewItem.Status.OPEN).exists():
        raise RoundError("a note of this round has been begun: its open notes can be given to others")
    round.items.update(
        round=None, assigned_to=None, handed_back_by=None, stream=ReviewItem.Stream.UNCERTAIN, version=F("version") + 1
    )
    for some in _in_batches(documents):
        routed = _routed(some)
        fit_slots(project=project, documents=[pk for pk in some if pk in routed], n_slots=project.n_readers)
        fit_slots(project=project, documents=[pk for pk in some if pk not in routed], n_slots=0)
        draw_blind(project=project, documents=some)
    _record(round, "round.undo", actor, now, n_notes=len(documents))
    round.readers.all().delete()
    withdraw_notices(project=project.public_id, subject=round.public_id)
    round.delete()


@transaction.atomic
def set_due(*, round: Round, due_on: date | None, actor: User, now: datetime) -> None:
    """Change the day by which the round is to be read, None for no such day. Raises RoundError for a day gone by."""
    _refuse_past(due_on, now)
    Round.objects.filter(pk=round.pk).update(due_on=due_on)
    _record(round, "round.due", actor, now, due_on=due_on.isoformat() if due_on else None)


@transaction.atomic
def add_reader(*, round: Round, user: User, actor: User, now: datetime) -> None:
    """Let another member read in the round. They get what is given to them, or handed back. Raises RoundError."""
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
        for some in _in_batches(found)
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
        return _named_notes(project, chosen.external_ids)
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


def _named_notes(project: Project, external_ids: Sequence[str]) -> list[int]:
    """The notes of these external ids. A refusal tells their places in the list and no id: ids may tell of patients."""
    if len(external_ids) > MOST_NOTES:
        raise RoundError(f"a round has at most {MOST_NOTES:,} notes, and the list has {len(external_ids):,}")
    known: dict[str, int] = {}
    begun: set[int] = set()
    for names in _in_batches(external_ids):
        known |= dict(Document.objects.filter(project=project, external_id__in=names).values_list("external_id", "pk"))
    for some in _in_batches(sorted(known.values())):
        begun |= taken_among(some)
    unknown = [place for place, name in enumerate(external_ids, 1) if name not in known]
    taken = [place for place, name in enumerate(external_ids, 1) if known.get(name) in begun]
    if unknown:
        raise RoundError(f"the project has no note of the id in {_places(unknown)}")
    if taken:
        raise RoundError(f"the note is begun, done, or in another round in {_places(taken)}")
    return sorted(set(known.values()))


def _places(numbers: Sequence[int]) -> str:
    listed = ", ".join(f"{number:,}" for number in numbers[:10])
    more = f" and {len(numbers) - 10:,} more" if len(numbers) > 10 else ""
    return f"{'entry' if len(numbers) == 1 else 'entries'} {listed}{more}"


def _assign(made: Round, plan: Plan, users: Sequence[User]) -> None:
    is_stratified = made.draw == Round.Draw.STRATIFIED
    kinds = Document.objects.filter(project=made.project_id).values_list("pk", "note_type", "patient_id")
    notes = [
        Note(id=pk, stratum=note_type, patient=patient) if is_stratified else Note(id=pk)
        for some in _in_batches(sorted(plan.documents))
        for pk, note_type, patient in kinds.filter(pk__in=some).order_by("pk")
    ]
    drawn = draw_readers(notes=notes, loads=plan.loads, n_readers=made.n_readers, seed=made.seed)
    is_mixed = made.assistance == Round.Assistance.MIXED
    without = one_of_each(drawn, seed=made.seed) if is_mixed else [None] * len(notes)
    is_hidden = made.assistance == Round.Assistance.HIDDEN
    alike: dict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for note, readers, blind in zip(notes, drawn, without, strict=True):
        for slot, reader in enumerate(readers, 1):
            alike[slot, reader, is_hidden or reader == blind].append(note.id)
    for (slot, reader, is_blind), documents in sorted(alike.items()):
        for some in _in_batches(documents):
            ReviewItem.objects.filter(document__in=some, slot=slot, unit=ReviewItem.Unit.NOTE).update(
                round=made,
                assigned_to=users[reader],
                stream=ReviewItem.Stream.BLIND if is_blind else ReviewItem.Stream.UNCERTAIN,
                version=F("version") + 1,
            )


def _lock(documents: Collection[int]) -> None:
    """Keep routing and readers of these notes waiting, in the order in which routing locks."""
    list(Document.objects.select_for_update(no_key=True).filter(pk__in=documents).order_by("pk").values_list("pk"))
    items = ReviewItem.objects.filter(document__in=documents).exclude(unit__in=OF_NO_READER)
    list(items.select_for_update().order_by("document", "slot").values_list("pk"))


def _routed(documents: Collection[int]) -> set[int]:
    jobs = LabelJob.objects.filter(document__in=documents, routed_at__isnull=False)
    return set(jobs.values_list("document", flat=True))


def _refuse_past(due_on: date | None, now: datetime) -> None:
    if due_on is not None and due_on < timezone.localdate(now):
        raise RoundError("the day is over: give today or a later one, or none")


def _refuse_who_does_not_review(project: Project, user: User) -> None:
    role = Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    if role is None or not may(role=role, action=Action.REVIEW):
        raise RoundError(f"{user.get_username()} does not review in this project")


def _record(round: Round, verb: str, actor: User, now: datetime, **detail: str | int | None) -> None:
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


def _in_batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
