"""Where readers gave the same words different labels, put together by words and labels, before and after adjudication.

Only of notes that wait for no reader, whom it could sway: whoever may see how readers differ may see these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.agreement import Kind
from annotator.core.clusters import Differing, Disagreement, disagreements
from annotator.core.guidance import example_line
from annotator.projects.models import Project
from annotator.readings.models import Difference
from annotator.review.differing import of_finished_notes, with_text

# More of the newest are not put together: what comes often comes among them.
MOST_PLACES = 20_000
# What gold says is asked of so many of a cluster's newest places.
_GOLD_OF = 100
NO_SPAN = "no span"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What gold says at a place: a label, empty for none, and the public id of its annotation there."""

    label: str
    key: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A cluster with its words, its newest place, and what gold says, as (label, at how many places), most often first.

    `choices` are the labels that an example may tell, that of gold first.
    """

    found: Disagreement
    words: str
    place: str
    gold: tuple[tuple[str, int], ...]
    choices: tuple[str, ...]

    @property
    def between(self) -> str:
        return between_of(self.found.labels)


def disagreements_of(project: Project) -> list[Disagreement]:
    """The clusters of the newest MOST_PLACES places, the most frequent first. One query."""
    rows = _rows(project).order_by("-pk").values_list("pk", "document_id", "surface_key", "label_a", "label_b")
    return disagreements(
        Differing(pk, document, words, frozenset((label_a, label_b)))
        for pk, document, words, label_a, label_b in rows[:MOST_PLACES]
    )


def shown(found: Sequence[Disagreement]) -> list[Shown]:
    """The clusters of a page as they are shown. Two queries."""
    first = {row.pk: row for row in with_text([each.keys[0] for each in found])}
    outcomes = outcomes_at([key for each in found for key in each.keys[:_GOLD_OF]])
    told = []
    for each in found:
        row = first.get(each.keys[0])
        if row is not None:
            said = Counter(outcomes[key].label for key in each.keys[:_GOLD_OF] if key in outcomes)
            of_gold = [label for label, _ in said.most_common() if label in each.labels]
            told.append(
                Shown(
                    found=each,
                    words=" ".join(row.surface.split()),  # type: ignore[attr-defined]
                    place=place_of(row),
                    gold=tuple((label or NO_SPAN, n) for label, n in said.most_common()),
                    choices=tuple(dict.fromkeys([*of_gold, *sorted(each.labels, reverse=True)])),
                )
            )
    return told


def outcomes_at(keys: Sequence[int]) -> dict[int, Outcome]:
    """What gold says at these differences, by row id; of those whose notes are settled. One query."""
    settled = AnnotationSet.objects.filter(
        document=OuterRef("document"), kind=AnnotationSet.Kind.GOLD, status=AnnotationSet.Status.SUBMITTED
    )
    there = Annotation.objects.filter(
        set__document=OuterRef("document"),
        set__kind=AnnotationSet.Kind.GOLD,
        status=Annotation.Status.LIVE,
        start__lt=OuterRef("end"),
        end__gt=OuterRef("start"),
    ).order_by("start", "pk")
    rows = Difference.objects.filter(Exists(settled), pk__in=keys).annotate(
        gold=Subquery(there.values("label")[:1]), gold_key=Subquery(there.values("public_id")[:1])
    )
    return {pk: Outcome(label or "", key or "") for pk, label, key in rows.values_list("pk", "gold", "gold_key")}


def spots_like(project: Project, place: Difference) -> QuerySet[Difference]:
    """All places with the words and labels of this one, newest first."""
    either = Q(label_a=place.label_a, label_b=place.label_b) | Q(label_a=place.label_b, label_b=place.label_a)
    return _rows(project).filter(either, surface_key=place.surface_key).order_by("-pk")


def place_named(project: Project, *, place: str, between: str) -> Difference | None:
    """The newest difference at a place, by what `place_of` calls it; of its labels, where they are told. One query."""
    document, start, end = ["", "", *place.rsplit("-", 2)][-3:]
    if not (start.isdecimal() and end.isdecimal() and len(start) < 10 and len(end) < 10):
        return None
    rows = _rows(project).filter(document__public_id=document, start=int(start), end=int(end)).order_by("-pk")
    return next((row for row in rows if not between or between_of((row.label_a, row.label_b)) == between), None)


def place_of(row: Difference) -> str:
    """What names a place in an address: its note and offsets, and none of its words."""
    return f"{row.document.public_id}-{row.start}-{row.end}"


def between_of(labels: Sequence[str]) -> str:
    """What names two labels in an address."""
    return "|".join(sorted(labels))


def line_for(words: str, *, label: str, labels: Sequence[str]) -> str:
    """The example that a guideline gets where the label, empty for none, is right."""
    instead = sorted(each or NO_SPAN for each in labels if each != label)
    return example_line(
        words, label=label or NO_SPAN, instead=[each for each in instead if label == "" or each != NO_SPAN]
    )


def _rows(project: Project) -> QuerySet[Difference]:
    """Where two people give different labels, or one gives none, and what the words are is known."""
    rows = Difference.objects.filter(project=project, pair__kind=Kind.ANNOTATORS)
    return of_finished_notes(rows.exclude(label_a=F("label_b")).exclude(surface_key=""), project=project)
