"""What sets and finished jobs say, as `core.agreement` reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from annotator.annotations.models import Annotation, DocumentValue
from annotator.core.readings import Reading, ReadSpan
from annotator.core.spans import Span
from annotator.suggestions.models import Suggestion


def said_in_sets(set_ids: Collection[int]) -> Mapping[int, Reading]:
    """The reading of each set: what of it is live. Two queries."""
    spans: dict[int, list[ReadSpan]] = defaultdict(list)
    live = Annotation.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by("pk")
    for set_id, *span in live.values_list("set_id", "fragments", "label", "attributes"):
        spans[set_id].append(_read_span(*span))
    values: dict[int, dict[str, str]] = defaultdict(dict)
    given = DocumentValue.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by("pk")
    for set_id, name, value in given.values_list("set_id", "name", "value"):
        values[set_id][name] = value
    return {set_id: Reading(spans[set_id], values[set_id]) for set_id in set_ids}


def found_by_jobs(job_ids: Collection[int]) -> Mapping[int, Reading]:
    """The reading of each job: what has a place in the note. One query."""
    spans: dict[int, list[ReadSpan]] = defaultdict(list)
    placed = Suggestion.objects.filter(job__in=job_ids).exclude(alignment=Suggestion.Alignment.UNALIGNED).order_by("pk")
    for job, *span in placed.values_list("job_id", "fragments", "label", "attributes"):
        spans[job].append(_read_span(*span))
    return {job: Reading(spans[job]) for job in job_ids}


def _read_span(fragments: str, label: str, attributes: Mapping[str, str]) -> ReadSpan:
    return ReadSpan(Span.parse(fragments), label, attributes)
