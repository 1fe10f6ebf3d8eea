"""What the readers of a project's notes say: people in submitted sets, and labelers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from django.db.models import QuerySet

from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue
from annotator.annotations.selectors import spans_by_set
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob, Suggestion

_PAGE = 200


def read_notes(project: Project) -> Iterator[ReadNote]:
    """The notes with a submitted set, with all readings of them, by pages of 200. One query, and six a page.

    Annotators go by their user names, a labeler by its name and the number of its run. What is unaligned has no place
    and is left out. There is no gold before sets are adjudicated.
    """
    submitted = _submitted_readings()
    documents = Document.objects.filter(project=project, pk__in=submitted.values("document")).order_by("pk")
    left = documents.values_list("pk", flat=True).iterator(chunk_size=2000)
    while page := list(islice(left, _PAGE)):
        people, labelers = _readings_of_people(page), _readings_of_labelers(page)
        rows = Document.objects.filter(pk__in=page).order_by("pk")
        for document, external_id, patient_id, text in rows.values_list("pk", "external_id", "patient_id", "text"):
            yield ReadNote(
                document=external_id,
                patient=patient_id,
                text=text,
                annotators=people[document],
                labelers=labelers[document],
            )


def _submitted_readings() -> QuerySet[AnnotationSet]:
    return AnnotationSet.objects.filter(kind=AnnotationSet.Kind.READING, status=AnnotationSet.Status.SUBMITTED)


def _readings_of_people(documents: Collection[int]) -> Mapping[int, dict[str, Reading]]:
    """The readings in submitted sets, by note and user name."""
    sets = _submitted_readings().filter(document__in=documents).order_by()
    rows = list(sets.values_list("pk", "document_id", "annotator__username"))
    set_ids = [set_id for set_id, _, _ in rows]
    spans = spans_by_set(set_ids)
    values: dict[int, dict[str, str]] = defaultdict(dict)
    given = DocumentValue.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by()
    for set_id, name, value in given.values_list("set_id", "name", "value"):
        values[set_id][name] = value
    readings: dict[int, dict[str, Reading]] = defaultdict(dict)
    for set_id, document, username in rows:
        readings[document][username] = Reading(spans[set_id], values[set_id])
    return readings


def _readings_of_labelers(documents: Collection[int]) -> Mapping[int, dict[str, Reading]]:
    """The readings of runs that are done with the note, by note and labeler."""
    jobs = LabelJob.objects.filter(document__in=documents, status=LabelJob.Status.DONE).order_by()
    rows = list(jobs.values_list("pk", "document_id", "run__labeler__name", "run__number"))
    spans: dict[int, list[ReadSpan]] = defaultdict(list)
    placed = (
        Suggestion.objects.filter(job__in=[job for job, *_ in rows])
        .exclude(alignment=Suggestion.Alignment.UNALIGNED)
        .order_by()
    )
    for job, fragments, label, attributes in placed.values_list("job_id", "fragments", "label", "attributes"):
        spans[job].append(ReadSpan(Span.parse(fragments), label, attributes))
    readings: dict[int, dict[str, Reading]] = defaultdict(dict)
    for job, document, name, number in rows:
        readings[document][f"{name} #{number}"] = Reading(spans[job])
    return readings
