"""How far the identifiers of notes are looked for and decided: what an export without them asks first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, Q

from annotator.core.identifiers import FINDER, LABEL
from annotator.projects.models import Project
from annotator.review.models import LATE, UNSEEN, ReviewItem
from annotator.suggestions.models import LabelJob, LabelRun

_Status = ReviewItem.Status


@dataclass(frozen=True, slots=True)
class IdentifierState:
    """Of one note: whether a run of the identifier labeler has read it, its suggestions being with the readers.

    `n_open`: suggested identifiers that nobody has decided, of all readers of the note together: those that wait, that
    a test holds, and that came after the note was done. `n_unseen`: those that a blind reading was submitted without.
    """

    is_read: bool = False
    n_open: int = 0
    n_unseen: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether it is read, and somebody has decided every suggested identifier."""
        return self.is_read and not self.n_open and not self.n_unseen


def identifier_state(*, project: Project, documents: Collection[int]) -> dict[int, IdentifierState]:
    """The state of each of these notes of the project, by row id. Two queries; meant for a page of notes."""
    asked = list(documents)
    read = LabelJob.objects.filter(
        document__in=asked,
        run__project=project,
        run__purpose=LabelRun.Purpose.WORK,
        run__labeler__backend=FINDER,
        routed_at__isnull=False,
    )
    is_open = Q(status__in=[_Status.OPEN, _Status.HELD]) | Q(status=_Status.CLOSED, reason=LATE)
    is_unseen = Q(status=_Status.CLOSED, reason=UNSEEN)
    items = ReviewItem.objects.filter(document__in=asked, unit=ReviewItem.Unit.SPAN, suggestion__label=LABEL)
    counted = items.values("document").annotate(
        n_open=Count("pk", filter=is_open), n_unseen=Count("pk", filter=is_unseen)
    )
    undecided = {row["document"]: (row["n_open"], row["n_unseen"]) for row in counted.order_by()}
    is_read = set(read.values_list("document_id", flat=True))
    return {pk: IdentifierState(pk in is_read, *undecided.get(pk, (0, 0))) for pk in asked}
