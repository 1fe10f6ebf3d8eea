"""Reading what several people said of one note, so that it can be compared."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.core.cases import Reading, SaidSpan, SaidTie
from annotator.readings.models import Adjudication

_Said = TypeVar("_Said", Annotation, Relation, DocumentValue)


@dataclass(frozen=True, slots=True)
class NoteReading:
    """One submitted reading of a note: who read it, what it says, and the rows that say it, by span and label."""

    set: AnnotationSet
    said: Reading
    rows: Mapping[tuple[str, str], Annotation]

    @property
    def reader(self) -> User:
        return self.set.reader


def readings_of(adjudication: Adjudication) -> list[NoteReading]:
    """The readings of the adjudication's note, in an order that is drawn for each note."""
    return readings_of_several([adjudication])[adjudication.document_id]


def readings_of_several(adjudications: Collection[Adjudication]) -> dict[int, list[NoteReading]]:
    """The readings of each note by its row id, each in an order of its own. Four queries."""
    drawn = {adjudication.document_id: adjudication.public_id for adjudication in adjudications}
    sets = list(
        AnnotationSet.objects.filter(
            document__in=drawn,
            kind=AnnotationSet.Kind.READING,
            status=AnnotationSet.Status.SUBMITTED,
            annotator__isnull=False,
        ).select_related("annotator")
    )
    spans = _by_set(Annotation.objects.all(), sets)
    ties = _by_set(Relation.objects.all(), sets)
    values = _by_set(DocumentValue.objects.all(), sets)
    found: dict[int, list[NoteReading]] = {document_id: [] for document_id in drawn}
    for each in sorted(sets, key=lambda one: _draw(drawn[one.document_id], one.reader)):
        found[each.document_id].append(_reading(each, spans[each.pk], ties[each.pk], values[each.pk]))
    return found


def _by_set(rows: QuerySet[_Said], sets: Collection[AnnotationSet]) -> dict[int, list[_Said]]:
    """What of the rows is live, by set."""
    found: dict[int, list[_Said]] = defaultdict(list)
    for row in rows.filter(set__in=[each.pk for each in sets], status=Annotation.Status.LIVE).order_by("pk"):
        found[row.set_id].append(row)
    return found


def _reading(
    found: AnnotationSet, spans: list[Annotation], ties: list[Relation], values: list[DocumentValue]
) -> NoteReading:
    places = {row.thread: row.fragments for row in spans}
    said = Reading(
        spans=frozenset(SaidSpan(row.span, row.label, tuple(sorted(row.attributes.items()))) for row in spans),
        ties=frozenset(SaidTie(row.type, places[row.head], places[row.tail]) for row in ties),
        values={row.name: row.value for row in values},
    )
    return NoteReading(set=found, said=said, rows={(row.fragments, row.label): row for row in spans})


def _draw(adjudication_id: str, reader: User) -> str:
    """Where a reader comes among those of the note: as good as random, and the same whenever it is asked."""
    return hashlib.sha256(f"{adjudication_id} {reader.public_id}".encode()).hexdigest()
