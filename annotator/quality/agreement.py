"""What the readers of a project's notes say: people in submitted sets, and labelers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob, Suggestion

_PAGE = 200
_Kind = AnnotationSet.Kind


@dataclass(slots=True)
class _Sets:
    """What the submitted sets of a note say: readings by user name, and gold."""

    annotators: dict[str, Reading] = field(default_factory=dict)
    gold: Reading | None = None


def read_notes(project: Project) -> Iterator[ReadNote]:
    """The notes with a submitted set, with all readings of them and their gold, by pages of 200. One query, and six a
    page.

    Annotators go by their user names, a labeler by its name and the number of its run. What is unaligned has no place
    and is left out. Gold counts once its note is finished.
    """
    submitted = AnnotationSet.objects.filter(status=AnnotationSet.Status.SUBMITTED)
    documents = Document.objects.filter(project=project, pk__in=submitted.values("document")).order_by("pk")
    left = documents.values_list("pk", flat=True).iterator(chunk_size=2000)
    while page := list(islice(left, _PAGE)):
        sets, labelers = _submitted_sets(page), _readings_of_labelers(page)
        rows = Document.objects.filter(pk__in=page).order_by("pk")
        for document, external_id, patient_id, text in rows.values_list("pk", "external_id", "patient_id", "text"):
            yield ReadNote(
                document=external_id,
                patient=patient_id,
                text=text,
                annotators=sets[document].annotators,
                labelers=labelers[document],
                gold=sets[document].gold,
            )


def _submitted_sets(documents: Collection[int]) -> Mapping[int, _Sets]:
    """What submitted sets say, by note."""
    sets = AnnotationSet.objects.filter(document__in=documents, status=AnnotationSet.Status.SUBMITTED).order_by()
    rows = list(sets.values_list("pk", "document_id", "kind", "annotator__username"))
    set_ids = [set_id for set_id, *_ in rows]
    spans: dict[int, list[ReadSpan]] = defaultdict(list)
    live = Annotation.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by()
    for set_id, *span in live.values_list("set_id", "fragments", "label", "attributes"):
        spans[set_id].append(_read_span(*span))
    values: dict[int, dict[str, str]] = defaultdict(dict)
    given = DocumentValue.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by()
    for set_id, name, value in given.values_list("set_id", "name", "value"):
        values[set_id][name] = value
    found: dict[int, _Sets] = defaultdict(_Sets)
    for set_id, document, kind, username in rows:
        said = Reading(spans[set_id], values[set_id])
        if kind == _Kind.GOLD:
            found[document].gold = said
        else:
            found[document].annotators[username] = said
    return found


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
    for job, *span in placed.values_list("job_id", "fragments", "label", "attributes"):
        spans[job].append(_read_span(*span))
    readings: dict[int, dict[str, Reading]] = defaultdict(dict)
    for job, document, name, number in rows:
        readings[document][f"{name} #{number}"] = Reading(spans[job])
    return readings


def _read_span(fragments: str, label: str, attributes: Mapping[str, str]) -> ReadSpan:
    return ReadSpan(Span.parse(fragments), label, attributes)
