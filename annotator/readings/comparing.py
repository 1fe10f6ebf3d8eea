"""Comparing what readers say of a note, once for all who ask: how much is alike, and where it is not."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from annotator.annotations.models import APART, AnnotationSet
from annotator.annotations.selectors import has_certified
from annotator.core import differences
from annotator.core.agreement import GOLD, Kind, Pair, Tally, note_cells
from annotator.core.identifiers import FINDER
from annotator.core.readings import Reading, ReadNote
from annotator.core.surfaces import surface_key
from annotator.core.tallies import Tallies, rated_units, tallies_of_all, tallies_of_two
from annotator.documents.models import Document
from annotator.readings.models import MODEL, Comparison, Difference, ReaderPair, TokenRatings, person_key
from annotator.readings.notes import found_by_jobs, said_in_sets
from annotator.suggestions.models import LabelJob

_PAGE = 200
_BATCH = 500
# What is submitted or done has its time; the columns allow for none, since what is open has none.
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


class _Read(NamedTuple):
    """A reading: the row id of its set or job, and when it was done."""

    row: int
    at: datetime


@dataclass(slots=True)
class _Readers:
    """Who has read a note: people by row id, labelers by row id behind MODEL; those of identifiers are `finders`."""

    people: dict[str, _Read] = field(default_factory=dict)
    labelers: dict[str, _Read] = field(default_factory=dict)
    finders: set[str] = field(default_factory=set)
    gold: _Read | None = None

    @property
    def all(self) -> dict[str, _Read]:
        return self.people | self.labelers | ({GOLD: self.gold} if self.gold else {})

    def later(self, pair: Pair) -> datetime:
        """When the later of the two was done."""
        return max(self.all[name].at for name in (pair.a, pair.b))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is written; pairs are found for all rows at once."""

    comparisons: list[tuple[Pair, Comparison]] = field(default_factory=list)
    differences: list[tuple[Pair, Difference]] = field(default_factory=list)
    ratings: list[TokenRatings] = field(default_factory=list)


@transaction.atomic
def compare_notes(*, document_ids: Collection[int]) -> None:
    """Write anew what the submitted readings of these notes have in common, and where they differ. Safe to repeat.

    Call it in the transaction that changes what is submitted, or what a labeler has read. A labeler counts by its
    newest run that is done with the note. At most fifteen queries for two hundred notes.
    """
    ids = sorted(document_ids)
    for first in range(0, len(ids), _PAGE):
        _compare_page(ids[first : first + _PAGE])


def compare_older(*, limit: int = _PAGE) -> int:
    """Compare anew up to so many notes whose rows are older than what is kept of ratings and surfaces now; how many.

    Those of notes that are being purged have left their project, and are let go.
    """
    older = TokenRatings.objects.filter(ratings__isnull=True, document__project=F("project")).order_by("pk")
    ids = list(older.values_list("document_id", flat=True)[:limit])
    if ids:
        compare_notes(document_ids=ids)
    return len(ids)


def _compare_page(document_ids: Sequence[int]) -> None:
    for table in (Comparison, Difference, TokenRatings):
        table._default_manager.filter(document__in=document_ids).delete()
    readers = {document: found for document, found in _readers(document_ids).items() if len(found.all) > 1}
    if not readers:
        return
    sets = [read.row for found in readers.values() for name, read in found.all.items() if name not in found.labelers]
    said = said_in_sets(sets)
    suggested = found_by_jobs([read.row for found in readers.values() for read in found.labelers.values()])
    written: dict[int, _Rows] = defaultdict(_Rows)
    documents = Document.objects.filter(pk__in=list(readers)).order_by("pk")
    for document in documents.only("project_id", "patient_id", "text"):
        of_note = readers[document.pk]
        note = ReadNote(
            document=str(document.pk),
            patient=document.patient_id,
            text=document.text,
            annotators={name: said[read.row] for name, read in of_note.people.items()},
            labelers={
                name: replace(suggested[read.row], is_of_identifiers=name in of_note.finders)
                for name, read in of_note.labelers.items()
            },
            gold=said[of_note.gold.row] if of_note.gold else None,
        )
        _add_note(written[document.project_id], document, note, of_note)
    for project_id, rows in written.items():
        _write(project_id, rows)


def _readers(document_ids: Collection[int]) -> dict[int, _Readers]:
    """Who has read each of the notes that a person has, without what they say. Two queries.

    A reading in which certificates have accepted spans is compared with none: they would count as the reader's.
    """
    found: dict[int, _Readers] = defaultdict(_Readers)
    sets = AnnotationSet.objects.filter(document__in=document_ids, status=AnnotationSet.Status.SUBMITTED)
    sets = sets.exclude(kind__in=APART).filter(~has_certified(), annotator__isnull=False).order_by()
    for row, document, kind, reader, at in sets.values_list(
        "pk", "document_id", "kind", "annotator_id", "submitted_at"
    ):
        if kind == AnnotationSet.Kind.GOLD:
            found[document].gold = _Read(row, at or _UNKNOWN)
        else:
            found[document].people[person_key(reader)] = _Read(row, at or _UNKNOWN)
    jobs = LabelJob.for_review.filter(document__in=list(found), status=LabelJob.Status.DONE).order_by("pk")
    newest = {
        (document, name): (labeler, backend, _Read(row, at or _UNKNOWN))
        for row, document, name, labeler, backend, at in jobs.values_list(
            "pk", "document_id", "run__labeler__name", "run__labeler_id", "run__labeler__backend", "finished_at"
        )
    }
    for (document, _), (labeler, backend, read) in newest.items():
        found[document].labelers[f"{MODEL}{labeler}"] = read
        if backend == FINDER:
            found[document].finders.add(f"{MODEL}{labeler}")
    return found


def _add_note(rows: _Rows, document: Document, note: ReadNote, readers: _Readers) -> None:
    patient = _number(document.patient_id or f"note {document.pk}")
    counts: dict[Pair, dict[str, Tally]] = defaultdict(dict)
    for pair, label, tally in note_cells(note):
        counts[pair][label] = tally
    of_note = {"document": document, "project_id": document.project_id}
    together, of_pairs = _ratings(note)
    for pair, by_label in counts.items():
        at = readers.later(pair)
        ratings = of_pairs.get(pair, {})
        rows.comparisons.append((pair, Comparison(**of_note, patient=patient, counts=by_label, ratings=ratings, at=at)))
        for found in _differences(note, pair):
            words = surface_key(project_id=document.project_id, surface=note.text[found.start : found.end])
            cost = differences.COSTS[found.kind]
            rows.differences.append(
                (pair, Difference(**of_note, **found._asdict(), surface_key=words, cost=cost, at=at))
            )
    if together is not None:
        at = max(read.at for read in readers.people.values())
        rows.ratings.append(TokenRatings(**of_note, patient=patient, ratings=together, at=at))


def _ratings(note: ReadNote) -> tuple[Tallies | None, Mapping[Pair, Tallies]]:
    """How all people rate the note together, None where there are not two; and how any two do, or one and gold."""
    names = sorted(note.annotators)
    readings = [note.annotators[name] for name in names]
    of_pairs: dict[Pair, Tallies] = {}
    together = None
    if len(names) > 1:
        rated = rated_units(note.text, readings)
        together = tallies_of_all(rated)
        for one, other in combinations(range(len(names)), 2):
            of_pairs[Pair(Kind.ANNOTATORS, names[one], names[other])] = tallies_of_two(rated, one, other)
    if note.gold is not None:
        rated = rated_units(note.text, [note.gold, *readings])
        for place, name in enumerate(names, 1):
            of_pairs[Pair(Kind.GOLD, GOLD, name)] = tallies_of_two(rated, 0, place)
    return together, of_pairs


def _differences(note: ReadNote, pair: Pair) -> list[differences.Difference]:
    """Where two people, or one and gold, differ; where a labeler does is no matter of agreement among readers."""
    if pair.b not in note.annotators:
        return []
    a = note.gold if pair.kind == Kind.GOLD else note.annotators[pair.a]
    return differences.differences(a or Reading(), note.annotators[pair.b])


def _write(project_id: int, rows: _Rows) -> None:
    """Insert the rows, and before them the pairs that are new. At most six queries."""
    pairs = _pair_ids(project_id, {pair for pair, _ in rows.comparisons})
    for pair, comparison in rows.comparisons:
        comparison.pair_id = pairs[pair]
    for pair, difference in rows.differences:
        difference.pair_id = pairs[pair]
    Comparison.objects.bulk_create((row for _, row in rows.comparisons), batch_size=_BATCH)
    Difference.objects.bulk_create((row for _, row in rows.differences), batch_size=_BATCH)
    TokenRatings.objects.bulk_create(rows.ratings, batch_size=_BATCH)


def _pair_ids(project_id: int, pairs: Collection[Pair]) -> Mapping[Pair, int]:
    """The row of each pair, made where it is new. Three queries at most."""
    keys = {" ".join(pair): pair for pair in pairs}
    known = ReaderPair.objects.filter(project=project_id, key__in=list(keys))
    missing = keys.keys() - set(known.values_list("key", flat=True))
    if missing:
        ReaderPair.objects.bulk_create(
            (_pair_row(project_id, key, keys[key]) for key in sorted(missing)), ignore_conflicts=True
        )
    return {keys[key]: pk for key, pk in known.values_list("key", "pk")}


def _pair_row(project_id: int, key: str, pair: Pair) -> ReaderPair:
    labelers = [int(name.removeprefix(MODEL)) for name in pair[1:] if name.startswith(MODEL)]
    a, b = (int(name) if name.isdigit() else None for name in pair[1:])
    return ReaderPair(
        project_id=project_id,
        key=key,
        kind=pair.kind,
        reader_a_id=a,
        reader_b_id=b,
        labeler_id=next(iter(labelers), None),
    )


def _number(patient: str) -> int:
    """The same number for the same patient, from which nobody reads the pseudonym; 31 bits, so two are rarely one."""
    return int.from_bytes(hashlib.sha256(patient.encode("utf-8", "surrogatepass")).digest()[:4]) >> 1
