"""The places where two readers differ, as the agreement page lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest, Substr

from annotator.core.agreement import Kind
from annotator.core.differences import DifferenceKind
from annotator.projects.models import Project
from annotator.quality.measuring import of_finished_notes
from annotator.readings.models import Difference, ReaderPair

BEFORE_CHARS, AFTER_CHARS = 32, 48
# More are not counted: who looks for one narrows the list.
MOST_COUNTED = 1000
_ONLY_STRICT = (DifferenceKind.EDGES, DifferenceKind.ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which differences: of all people, or of one pair; of one cell of the table, or of one label; since when."""

    pair: ReaderPair | None
    cell: tuple[str, str] | None
    label: str
    is_strict: bool
    since: datetime | None


def differences_of(*, project: Project, wanted: Wanted) -> QuerySet[Difference]:
    """The differences in notes that wait for no reader, the dearest first, of those the newest.

    By overlap, what only has other edges does not differ.
    """
    rows = Difference.objects.filter(project=project)
    rows = rows.filter(pair=wanted.pair) if wanted.pair else rows.filter(pair__kind=Kind.ANNOTATORS)
    if wanted.cell is not None:
        rows = rows.filter(label_a=wanted.cell[0], label_b=wanted.cell[1])
    if wanted.label:
        rows = rows.filter(Q(label_a=wanted.label) | Q(label_b=wanted.label))
    if not wanted.is_strict:
        rows = rows.exclude(kind__in=_ONLY_STRICT)
    return of_finished_notes(rows, project=project, since=wanted.since).order_by("-cost", "-at", "pk")


def with_text(ids: Sequence[int]) -> list[Difference]:
    """These differences in their order, with pair and note, and what stands there as `before`, `surface`, `after`.

    One query, which reads no more than that of their notes.
    """
    first = Greatest(F("start") - BEFORE_CHARS, 0)
    text = F("document__text")
    rows = (
        Difference.objects.filter(pk__in=ids)
        .select_related("pair", "document__adjudication")
        .defer("document__text", "document__metadata")
        .annotate(
            before=Substr(text, first + 1, F("start") - first),
            surface=Substr(text, F("start") + 1, F("end") - F("start")),
            after=Substr(text, F("end") + 1, AFTER_CHARS),
        )
    )
    return sorted(rows, key=lambda row: ids.index(row.pk))


def n_differences(found: QuerySet[Difference]) -> int:
    """How many there are, MOST_COUNTED + 1 standing for more."""
    return Difference.objects.filter(pk__in=found.values("pk")[: MOST_COUNTED + 1]).count()
