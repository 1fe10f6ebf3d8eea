"""The places where two readers differ, as the agreement page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from annotator.core.agreement import Kind
from annotator.core.differences import DifferenceKind
from annotator.projects.models import Project
from annotator.readings.models import Difference, ReaderPair
from annotator.review.differing import of_finished_notes

# More are not counted: who looks for one narrows the list.
MOST_COUNTED = 1000
_ONLY_STRICT = (DifferenceKind.EDGES, DifferenceKind.ATTRIBUTES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which differences: of all people, or of one pair; of one cell of the table, or of one label; since when, and in
    which round, by its public id.
    """

    pair: ReaderPair | None
    cell: tuple[str, str] | None
    label: str
    is_strict: bool
    since: datetime | None
    round_id: str = ""


def newest_differences(*, project: Project, wanted: Wanted) -> list[int]:
    """Row ids of the differences in notes that wait for no reader, the dearest first, of those the newest; of more than
    MOST_COUNTED one more. One query; two of a label, which either side may give, and each side has an index of its own.

    By overlap, what only has other edges does not differ.
    """
    rows = Difference.objects.filter(project=project)
    rows = rows.filter(pair=wanted.pair) if wanted.pair else rows.filter(pair__kind=Kind.ANNOTATORS)
    if wanted.cell is not None:
        rows = rows.filter(label_a=wanted.cell[0], label_b=wanted.cell[1])
    if not wanted.is_strict:
        rows = rows.exclude(kind__in=_ONLY_STRICT)
    rows = of_finished_notes(rows, project=project, since=wanted.since, round_id=wanted.round_id)
    sides = [rows]
    if wanted.label:
        sides = [rows.filter(label_a=wanted.label), rows.filter(label_b=wanted.label).exclude(label_a=wanted.label)]
    found = [row for side in sides for row in _dearest(side)]
    found.sort(key=lambda row: (-row[0], -row[1].timestamp(), row[2]))
    return [pk for _, _, pk in found[: MOST_COUNTED + 1]]


def _dearest(rows: QuerySet[Difference]) -> QuerySet:
    dearest = rows.order_by("-cost", "-at", "pk")
    return dearest.values_list("cost", "at", "pk")[: MOST_COUNTED + 1]
