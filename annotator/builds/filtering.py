"""Why a finished note does not go into a dataset whose filters it does not meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from django.db.models import QuerySet
from django.utils import timezone

from annotator.builds.criteria import Filters
from annotator.core.agreement import ALL_LABELS, Kind
from annotator.documents.selectors import type_key
from annotator.projects.models import Project
from annotator.readings.models import Comparison
from annotator.review.models import ReviewItem


class Finished(Protocol):
    """What is known of a finished note: its row id, how it was finished, when, and its type."""

    @property
    def document_id(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def submitted_at(self) -> datetime | None: ...
    @property
    def note_type(self) -> str: ...


Reason = Callable[[Finished], str]


def left_out_by(*, project: Project, filters: Filters) -> Reason:
    """What says of a note by which filter it is left out, or '' where it is in.

    No query, one for agreement and two for streams where these are asked for.
    """
    checks: list[tuple[str, Callable[[Finished], bool]]] = []
    if filters.states:
        checks.append(("filtered by how they were finished", lambda note: note.state in filters.states))
    if filters.note_types:
        types = frozenset(filters.note_types)
        checks.append(("filtered by note type", lambda note: type_key(note.note_type) in types))
    if filters.since or filters.until:
        checks.append(("filtered by date", lambda note: _is_within(note.submitted_at, filters)))
    if filters.streams:
        kept = _streams(project, filters)
        checks.append(("filtered by how they were read", lambda note: kept(note.document_id)))
    if filters.min_agreement:
        agreement = _agreement(project)
        wanted = filters.min_agreement / 100
        checks.append(("filtered by agreement", lambda note: agreement.get(note.document_id, -1.0) >= wanted))
    return lambda note: next((reason for reason, is_met in checks if not is_met(note)), "")


def _is_within(moment: datetime | None, filters: Filters) -> bool:
    if moment is None:
        return False
    day = timezone.localdate(moment)
    return (filters.since is None or filters.since <= day) and (filters.until is None or day <= filters.until)


def _streams(project: Project, filters: Filters) -> Callable[[int], bool]:
    """Whether a note has one of the streams: read blind, with audits decided, or neither."""
    items = ReviewItem.objects.filter(project=project, status=ReviewItem.Status.DECIDED)
    blind = _documents(items.filter(unit=ReviewItem.Unit.NOTE, stream=ReviewItem.Stream.BLIND))
    audited = _documents(items.filter(unit=ReviewItem.Unit.SPAN, stream=ReviewItem.Stream.AUDIT))

    def is_kept(document: int) -> bool:
        is_blind, is_audited = document in blind, document in audited
        return (
            ("blind" in filters.streams and is_blind)
            or ("audit" in filters.streams and is_audited)
            or ("uncertain" in filters.streams and not is_blind and not is_audited)
        )

    return is_kept


def _documents(items: QuerySet[ReviewItem]) -> set[int]:
    return set(items.order_by().values_list("document_id", flat=True).iterator(chunk_size=2000))


def _agreement(project: Project) -> dict[int, float]:
    """The strict F1 of each note's readers, all pairs together, by row id; 1 where none of them marks anything."""
    rows = Comparison.objects.filter(project=project, pair__kind=Kind.ANNOTATORS.value).order_by()
    spans: dict[int, int] = defaultdict(int)
    pairs: dict[int, int] = defaultdict(int)
    for document, counts in rows.values_list("document_id", "counts").iterator(chunk_size=2000):
        n_a, n_b, n_strict, _ = counts[ALL_LABELS]
        spans[document] += n_a + n_b
        pairs[document] += n_strict
    return {document: 2 * pairs[document] / n if n else 1.0 for document, n in spans.items()}
