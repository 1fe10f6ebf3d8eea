"""What the readers of a project's notes say: people in submitted sets, and labelers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from django.db.models import QuerySet

from annotator.annotations.models import APART, AnnotationSet
from annotator.annotations.selectors import has_certified
from annotator.core.identifiers import FINDER
from annotator.core.readings import Reading, ReadNote
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.readings.notes import found_by_jobs, said_in_sets
from annotator.suggestions.models import LabelJob

_PAGE = 200


def read_notes(project: Project) -> Iterator[ReadNote]:
    """The notes with a submitted set, with all readings of them, by pages of 200. One query, and six a page.

    Annotators go by their user names, a labeler by its name and the number of its run. What is unaligned has no place
    and is left out. Gold counts once its note is finished.
    """
    submitted = _submitted()
    documents = Document.objects.filter(project=project, pk__in=submitted.values("document")).order_by("pk")
    left = documents.values_list("pk", flat=True).iterator(chunk_size=2000)
    while page := list(islice(left, _PAGE)):
        (people, gold), labelers = _readings_of_people(page), _readings_of_labelers(page)
        rows = Document.objects.filter(pk__in=page).order_by("pk")
        for document, external_id, patient_id, text in rows.values_list("pk", "external_id", "patient_id", "text"):
            yield ReadNote(
                document=external_id,
                patient=patient_id,
                text=text,
                annotators=people[document],
                labelers=labelers[document],
                gold=gold.get(document),
            )


def _submitted() -> QuerySet[AnnotationSet]:
    """Readings of people, but for those in which certificates have accepted spans, and gold."""
    submitted = AnnotationSet.objects.filter(status=AnnotationSet.Status.SUBMITTED, annotator__isnull=False)
    found = submitted.filter(~has_certified())
    return found.exclude(kind__in=APART)


def _readings_of_people(documents: Collection[int]) -> tuple[Mapping[int, dict[str, Reading]], Mapping[int, Reading]]:
    """The readings in submitted sets, by note and user name, and the gold by note."""
    sets = _submitted().filter(document__in=documents).order_by()
    rows = list(sets.values_list("pk", "document_id", "kind", "annotator__username"))
    said = said_in_sets([set_id for set_id, *_ in rows])
    readings: dict[int, dict[str, Reading]] = defaultdict(dict)
    gold = {}
    for set_id, document, kind, username in rows:
        if kind == AnnotationSet.Kind.GOLD:
            gold[document] = said[set_id]
        else:
            readings[document][username] = said[set_id]
    return readings, gold


def _readings_of_labelers(documents: Collection[int]) -> Mapping[int, dict[str, Reading]]:
    """The readings of runs that are done with the note, by note and labeler."""
    jobs = LabelJob.for_review.filter(document__in=documents, status=LabelJob.Status.DONE).order_by()
    rows = list(jobs.values_list("pk", "document_id", "run__labeler__name", "run__labeler__backend", "run__number"))
    found = found_by_jobs([job for job, *_ in rows])
    readings: dict[int, dict[str, Reading]] = defaultdict(dict)
    for job, document, name, backend, number in rows:
        readings[document][f"{name} #{number}"] = replace(found[job], is_of_identifiers=backend == FINDER)
    return readings
