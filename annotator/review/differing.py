"""Where readers of notes differ, in notes that wait for no reader whom it could sway."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from django.db.models import Exists, Model, OuterRef, QuerySet

from annotator.documents.selectors import in_context
from annotator.projects.models import Project
from annotator.readings.models import Difference
from annotator.review.models import OF_NO_READER, ReviewItem

BEFORE_CHARS, AFTER_CHARS = 32, 48
_Row = TypeVar("_Row", bound=Model)


def of_finished_notes(
    rows: QuerySet[_Row], *, project: Project, since: datetime | None = None, round_id: str = ""
) -> QuerySet[_Row]:
    """Those of the rows whose note waits for no reader, whom it could sway, was read since then, and is of the round,
    by its public id; empty for any.
    """
    # `exclude(unit__in=…)`: see review.similar.is_finished.
    waiting = ReviewItem.objects.filter(document=OuterRef("document"), status=ReviewItem.Status.OPEN)
    found = rows.filter(~Exists(waiting.exclude(unit__in=OF_NO_READER)), document__project=project)
    if round_id:
        of_round = ReviewItem.objects.filter(round__public_id=round_id, round__project=project)
        found = found.filter(document__in=of_round.values("document"))
    return found.filter(at__gte=since) if since else found


def with_text(ids: Sequence[int]) -> list[Difference]:
    """These differences in their order, with pair and note, and what stands there as `before`, `surface`, `after`.

    One query, which reads no more than that of their notes.
    """
    rows = Difference.objects.filter(pk__in=ids).select_related("pair", "document__adjudication")
    rows = in_context(rows, before=BEFORE_CHARS, after=AFTER_CHARS)
    return sorted(rows, key=lambda row: ids.index(row.pk))
