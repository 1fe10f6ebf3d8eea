"""The rows of a round: notes that come into it, are given to their readers, and go out again, some at a time.

Each function is safe to repeat, so that a job can be taken up where another worker left it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import transaction
from django.db.models import F, Q

from annotator.accounts.models import User
from annotator.core.assigning import Note, draw_readers, one_of_each, workloads
from annotator.documents.models import Document
from annotator.review.models import OF_NO_READER, ReviewItem, Round
from annotator.review.queue import fit_slots
from annotator.review.readings import taken_among
from annotator.review.streams import draw_blind
from annotator.suggestions.models import LabelJob

AT_ONCE = 500

_Item = TypeVar("_Item")
_Unit, _Stream, _Status = ReviewItem.Unit, ReviewItem.Stream, ReviewItem.Status


@dataclass(frozen=True, slots=True)
class Share:
    """Notes that the draw gives to one reader in one slot, with suggestions or without."""

    reader: User
    slot: int
    is_blind: bool
    documents: Sequence[int]


@transaction.atomic
def take_in(made: Round, documents: Collection[int]) -> bool:
    """Put those of the notes into the round that are free and still the project's, each with as many slots as it is
    read by; whether these were all. Whose they are the draw says.
    """
    lock_notes(documents)
    ours = Document.objects.filter(pk__in=documents, project=made.project_id).values_list("pk", flat=True)
    free = sorted(set(ours) - taken_among(documents))
    fit_slots(project=made.project, documents=free, n_slots=made.n_readers)
    notes = ReviewItem.objects.filter(document__in=free, unit=_Unit.NOTE)
    notes.update(round=made, stream=_Stream.UNCERTAIN, version=F("version") + 1)
    return len(free) == len(documents)


def draw_shares(made: Round, *, tell: Callable[[int, int], None] = lambda n_done, n_total: None) -> list[Share]:
    """Who reads which of the notes that are in the round, drawn by its seed: the same however often it is asked. `tell`
    hears how far it is. Raises CannotAssign.
    """
    asked = list(made.readers.select_related("user").order_by("pk"))
    found = Document.objects.filter(
        project=made.project_id,
        review_items__round=made,
        review_items__unit=_Unit.NOTE,
        review_items__slot=1,
    ).order_by("pk")
    is_stratified = made.draw == Round.Draw.STRATIFIED
    notes = [
        Note(id=pk, stratum=note_type, patient=patient) if is_stratified else Note(id=pk)
        for pk, note_type, patient in found.values_list("pk", "note_type", "patient_id")
    ]
    numbers = [reader.n_notes for reader in asked]
    loads = workloads(n_notes=len(notes), n_readers=made.n_readers, asked=numbers, seed=made.seed)
    drawn = draw_readers(notes=notes, loads=loads, n_readers=made.n_readers, seed=made.seed, tell=tell)
    is_mixed = made.assistance == Round.Assistance.MIXED
    without = one_of_each(drawn, seed=made.seed) if is_mixed else [None] * len(notes)
    is_hidden = made.assistance == Round.Assistance.HIDDEN
    alike: dict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for note, readers, blind in zip(notes, drawn, without, strict=True):
        for slot, reader in enumerate(readers, 1):
            alike[slot, reader, is_hidden or reader == blind].append(note.id)
    return [
        Share(asked[reader].user, slot, is_blind, documents)
        for (slot, reader, is_blind), documents in sorted(alike.items())
    ]


@transaction.atomic
def give(made: Round, share: Share, documents: Collection[int]) -> None:
    """Assign these notes of a share to its reader, but where a reading from outside has come into the slot, or is the
    reader's in another: that slot is then for whoever of the round comes first.
    """
    of_round = ReviewItem.objects.filter(round=made, document__in=documents)
    theirs = of_round.filter(assigned_to=share.reader).exclude(slot=share.slot).values_list("document", flat=True)
    free = of_round.filter(slot=share.slot, leased_by=None, status=_Status.OPEN).exclude(document__in=list(theirs))
    free.update(
        assigned_to=share.reader,
        stream=_Stream.BLIND if share.is_blind else _Stream.UNCERTAIN,
        version=F("version") + 1,
    )


@transaction.atomic
def forget_draw(made: Round, documents: Collection[int]) -> None:
    """Take what was given back, so that the notes can be given anew."""
    items = ReviewItem.objects.filter(round=made, document__in=documents, leased_by=None, status=_Status.OPEN)
    items.update(assigned_to=None, stream=_Stream.UNCERTAIN, version=F("version") + 1)


@transaction.atomic
def let_out(round: Round, documents: Collection[int]) -> None:
    """Take these notes out of the round: they are as free as before. A note that someone has begun keeps its readers'
    slots, and what was done in it.
    """
    project = round.project
    lock_notes(documents)
    items = ReviewItem.objects.filter(round=round, document__in=documents)
    is_begun = ~Q(leased_by=None, status=_Status.OPEN)
    begun = set(items.filter(is_begun).values_list("document", flat=True))
    out = {"round": None, "assigned_to": None, "handed_back_by": None, "version": F("version") + 1}
    items.filter(is_begun).update(**out)
    items.update(**out, stream=_Stream.UNCERTAIN)
    untouched = sorted(set(documents) - begun)
    ours = set(Document.objects.filter(pk__in=untouched, project=project).values_list("pk", flat=True))
    has_labels = routed(untouched) & ours
    fit_slots(project=project, documents=has_labels, n_slots=project.n_readers)
    fit_slots(project=project, documents=ours - has_labels, n_slots=0)
    draw_blind(project=project, documents=ours)


def lock_notes(documents: Collection[int]) -> None:
    """Keep routing and readers of these notes waiting, in the order in which routing locks."""
    list(Document.objects.select_for_update(no_key=True).filter(pk__in=documents).order_by("pk").values_list("pk"))
    items = ReviewItem.objects.filter(document__in=documents).exclude(unit__in=OF_NO_READER)
    list(items.select_for_update().order_by("document", "slot").values_list("pk"))


def routed(documents: Collection[int]) -> set[int]:
    """Which of these notes a labeler has read, so that somebody may read them."""
    jobs = LabelJob.for_review.filter(document__in=documents, routed_at__isnull=False)
    return set(jobs.values_list("document", flat=True))


def notes_in(round: Round, *, most: int | None = None) -> list[int]:
    """Row ids of the notes in the round, a purge's among them."""
    items = ReviewItem.objects.filter(round=round).order_by("document").values_list("document", flat=True)
    return list(items.distinct()[:most])


def in_batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))
