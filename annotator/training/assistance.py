"""How far the labels of test notes were made with suggestions in view: they favour the labeler that made those."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotator.adjudication.models import Choice
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.builds.selectors import ReadySet
from annotator.projects.models import Project
from annotator.quality.selectors import decided_notes
from annotator.review.models import ReviewItem
from annotator.suggestions.models import Labeler, LabelJob


@dataclass(frozen=True, slots=True)
class InView:
    """A labeler whose suggestions were in view: in how many labels' notes, and how many of the labels were its own."""

    labeler: Labeler
    n_in_view: int
    n_taken: int


@dataclass(frozen=True, slots=True)
class Assistance:
    """Which notes were read with suggestions in view, by row id of the note, and by whose.

    A note is not assisted where it was imported or read blind. One that was adjudicated is where any of its readers
    was, or where somebody chose between them, to whom the labelers' votes are shown.
    """

    notes: frozenset[int]
    labelers: tuple[InView, ...]


def assistance(*, project: Project, sets: Sequence[ReadySet], n_labels: Mapping[int, int]) -> Assistance:
    """Of these sets; `n_labels` counts their spans by note. Seven queries, however many."""
    documents = [found.document_id for found in sets]
    routed = _routed(documents)
    decided = decided_notes(project) - _blind(documents)
    readers = _readers([found.document_id for found in sets if found.is_gold])
    chosen = set(
        Choice.objects.filter(adjudication__document__in=documents).values_list("adjudication__document", flat=True)
    )

    def is_assisted(found: ReadySet) -> bool:
        if not found.is_gold:
            return (found.document_id, found.annotator) in decided
        by_readers = any((found.document_id, reader) in decided for reader in readers[found.document_id])
        return by_readers or (found.document_id in chosen and found.document_id in routed)

    assisted = {found.document_id: found for found in sets if is_assisted(found)}
    in_view: Counter[int] = Counter()
    for document, found in assisted.items():
        seen = {labeler for labeler, at in routed[document] if found.submitted_at is None or at <= found.submitted_at}
        in_view.update(dict.fromkeys(seen, n_labels.get(document, 0)))
    taken = _taken([found.set_id for found in sets])
    labelers = Labeler.objects.select_related("schema_version").in_bulk([*in_view, *taken])
    return Assistance(
        notes=frozenset(assisted),
        labelers=tuple(
            InView(labeler, in_view[pk], taken[pk])
            for pk, labeler in sorted(labelers.items(), key=lambda row: (-in_view[row[0]], -taken[row[0]], row[0]))
        ),
    )


def _routed(documents: Collection[int]) -> Mapping[int, list[tuple[int, datetime]]]:
    """By note, which labelers' suggestions came to its readers, and when."""
    found: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    jobs = LabelJob.for_review.filter(document__in=documents, routed_at__isnull=False)
    for document, labeler, at in jobs.values_list("document", "run__labeler", "routed_at"):
        if at is not None:
            found[document].append((labeler, at))
    return found


def _blind(documents: Collection[int]) -> set[tuple[int, str]]:
    """Who read which note blind: what they marked before it was submitted, they marked without suggestions."""
    items = ReviewItem.objects.filter(
        document__in=documents, unit=ReviewItem.Unit.NOTE, stream=ReviewItem.Stream.BLIND, leased_by__isnull=False
    )
    return set(items.values_list("document", "leased_by__public_id"))


def _readers(documents: Collection[int]) -> Mapping[int, list[str]]:
    """Whose readings an adjudicated note had."""
    sets = AnnotationSet.objects.filter(
        document__in=documents,
        kind=AnnotationSet.Kind.READING,
        status=AnnotationSet.Status.SUBMITTED,
        annotator__isnull=False,
    )
    found: dict[int, list[str]] = defaultdict(list)
    for document, reader in sets.order_by("pk").values_list("document", "annotator__public_id"):
        found[document].append(reader)
    return found


def _taken(sets: Collection[int]) -> Counter[int]:
    """How many of the sets' spans came from a suggestion, by labeler."""
    live = Annotation.objects.filter(set__in=sets, status=Annotation.Status.LIVE, origin__isnull=False).order_by()
    return Counter(live.values_list("origin__job__run__labeler", flat=True))
