"""What a project's labelers missed, by the notes that were read blind and then gone through with their suggestions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, Min, OuterRef, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.identifiers import FINDER, LABEL
from annotator.core.intervals import N_RESAMPLES
from annotator.core.matching import Labelled
from annotator.core.recall import BlindNote, Recall, measure_recall, missed_spans
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.review.models import REVEALED, UNSEEN, Decision, ReviewItem
from annotator.suggestions.models import LabelJob, Suggestion

# The first in the random order. More say little more, and would keep the page waiting.
MOST_NOTES = 1000


@dataclass(frozen=True, slots=True)
class BlindReading:
    """A note that was read blind and gone through: by whom, and what had been suggested when it was revealed."""

    document_id: int
    reader_id: int
    note: BlindNote


@dataclass(frozen=True, slots=True)
class BlindReadings:
    """The readings that count, in their notes' random order, and how many were submitted and not gone through yet."""

    readings: tuple[BlindReading, ...]
    n_waiting: int


@dataclass(frozen=True, slots=True)
class MissedSpan:
    """A span that was not suggested: where, under which label, and which other was suggested there, or ''."""

    document_id: int
    reader_id: int
    span: Span
    label: str
    suggested: str


def blind_readings(project: Project) -> BlindReadings:
    """What was read blind and gone through; a note once, by its first reader. Seven queries.

    A note counts against the labeler that was current when it was revealed: the one whose suggestions were routed last
    before its first submission. A note without such a labeler says nothing, and is left out. Findings count against the
    labeler of findings, and identifiers against the one that looks for these: what nobody was asked for is left out.
    """
    revealed = ReviewItem.objects.filter(
        project=project,
        unit=ReviewItem.Unit.NOTE,
        stream=ReviewItem.Stream.BLIND,
        status=ReviewItem.Status.DECIDED,
        reason=REVEALED,
        leased_by__isnull=False,
    )
    unseen = ReviewItem.objects.filter(
        document=OuterRef("document"),
        slot=OuterRef("slot"),
        unit=ReviewItem.Unit.SPAN,
        status=ReviewItem.Status.CLOSED,
        reason=UNSEEN,
    )
    n_waiting = revealed.filter(Exists(unseen)).count()
    rows = revealed.filter(~Exists(unseen)).order_by("audit_key", "document", "slot")
    items: dict[int, tuple[int, int, str]] = {}
    for document, item, reader, patient in rows.values_list("document", "pk", "leased_by", "document__patient_id")[
        :MOST_NOTES
    ]:
        items.setdefault(document, (item, reader, patient))
    shown_at = _revealed_at({item for item, _, _ in items.values()})
    jobs = _jobs_at({document: shown_at.get(item) for document, (item, _, _) in items.items()})
    gold = _gold({document: reader for document, (_, reader, _) in items.items() if document in jobs}, jobs)
    suggested = _suggested([job for of_note in jobs.values() for job in of_note.values()])
    return BlindReadings(
        readings=tuple(
            BlindReading(
                document_id=document,
                reader_id=reader,
                note=BlindNote(patient_key(patient, document), gold[document], suggested[document]),
            )
            for document, (_, reader, patient) in items.items()
            if document in gold
        ),
        n_waiting=n_waiting,
    )


def recall_of(project: Project, *, n_resamples: int = N_RESAMPLES, found: BlindReadings | None = None) -> Recall:
    """The share of people's spans that labelers had suggested; `found` where it was read already."""
    found = found or blind_readings(project)
    return measure_recall(
        [reading.note for reading in found.readings],
        current_schema(project).schema.label_names,
        n_waiting=found.n_waiting,
        n_resamples=n_resamples,
    )


def missed_in(found: BlindReadings) -> list[MissedSpan]:
    """What was not suggested, note by note, by place. No query."""
    return [
        MissedSpan(reading.document_id, reading.reader_id, missed.found.span, missed.found.label, missed.suggested)
        for reading in found.readings
        for missed in missed_spans(reading.note)
    ]


def patient_key(patient_id: str, document_id: int) -> str:
    """What groups a patient's notes; a note of nobody's is a group of its own."""
    return f"p{patient_id}" if patient_id else f"d{document_id}"


def _revealed_at(items: Collection[int]) -> Mapping[int, datetime]:
    """When each of the notes was submitted first, which showed its suggestions."""
    done = Decision.objects.filter(note_item__in=items, verdict=Decision.Verdict.NOTE_DONE).order_by()
    return dict(done.values_list("note_item").annotate(first=Min("decided_at")))


def _jobs_at(shown_at: Mapping[int, datetime | None]) -> dict[int, dict[bool, int]]:
    """By note the newest reading by a labeler that was routed when the note was revealed; True: one of identifiers."""
    rows = LabelJob.for_review.filter(
        document__in=list(shown_at), status=LabelJob.Status.DONE, routed_at__isnull=False
    ).order_by("pk")
    jobs: dict[int, dict[bool, int]] = defaultdict(dict)
    for document, job, routed_at, backend in rows.values_list("document", "pk", "routed_at", "run__labeler__backend"):
        moment = shown_at[document]
        if moment is not None and routed_at is not None and routed_at <= moment:
            jobs[document][backend == FINDER] = job
    return dict(jobs)


def _gold(readers: Mapping[int, int], jobs: Mapping[int, Collection[bool]]) -> dict[int, Sequence[Labelled]]:
    """What these readers say of their notes, in submitted sets, of labels that a labeler was asked for there."""
    rows = AnnotationSet.objects.filter(
        document__in=list(readers), kind=AnnotationSet.Kind.READING, status=AnnotationSet.Status.SUBMITTED
    ).values_list("pk", "document", "annotator")
    sets = {pk: document for pk, document, annotator in rows if readers[document] == annotator}
    gold: dict[int, list[Labelled]] = {document: [] for document in sets.values()}
    live = Annotation.objects.filter(set__in=list(sets), status=Annotation.Status.LIVE).order_by()
    for found, label, fragments in live.values_list("set", "label", "fragments"):
        if (label == LABEL) in jobs[sets[found]]:
            gold[sets[found]].append(Labelled(Span.parse(fragments), label))
    return dict(gold)


def _suggested(jobs: Collection[int]) -> Mapping[int, Sequence[Labelled]]:
    rows = Suggestion.objects.filter(job__in=list(jobs)).exclude(alignment=Suggestion.Alignment.UNALIGNED).order_by()
    found: dict[int, list[Labelled]] = defaultdict(list)
    for document, label, fragments in rows.values_list("document", "label", "fragments"):
        found[document].append(Labelled(Span.parse(fragments), label))
    return found


def own_note_items(documents: Collection[int], *, reader: User) -> dict[int, str]:
    """The reader's own note items of these notes, by note: what their pages are named by. One query."""
    mine = ReviewItem.objects.filter(document__in=documents, unit=ReviewItem.Unit.NOTE, leased_by=reader)
    return dict(mine.values_list("document", "public_id"))


def notes_by_id(ids: Collection[int]) -> QuerySet[Document]:
    """These notes with their texts, for a page of what was missed. One query."""
    return Document.objects.filter(pk__in=ids).only("pk", "public_id", "external_id", "text")
