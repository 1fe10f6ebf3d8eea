"""What adjudicators settled between labels, as examples that a guideline may get."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from annotator.adjudication.models import Gold
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.clusters import Cluster, Settled, clusters
from annotator.core.guidance import example_line
from annotator.projects.models import Project
from annotator.readings.models import Adjudication

MOST_SETTLED = 5000
SHOWN = 40
_SEPARATOR = " | "  # of `Choice.between`


def examples_of(project: Project, *, guideline: str = "") -> list[Cluster]:
    """What was settled between labels or proposed as an example, in finished gold, the newest MOST_SETTLED places, but
    for what the guideline tells already. One query.
    """
    rows = Gold.objects.filter(
        choice__adjudication__document__project=project,
        choice__adjudication__status=Adjudication.Status.DONE,
        annotation__status=Annotation.Status.LIVE,
    ).order_by("-pk")
    places = [
        Settled(key, document, words, label, frozenset(between.split(_SEPARATOR)), is_proposed)
        for key, document, words, label, between, is_proposed in rows.values_list(
            *("annotation__public_id", "annotation__set__document", "annotation__surface", "annotation__label"),
            *("choice__between", "choice__proposes_example"),
        )[:MOST_SETTLED]
        if is_proposed or _SEPARATOR in between
    ]
    known = set(guideline.split("\n"))
    return [found for found in clusters(places) if line_of(found) not in known]


def example_for(project: Project, *, key: str) -> Cluster | None:
    """The one with a place of that key. One query."""
    return next((found for found in examples_of(project) if key in found.keys), None)


def settled_place(project: Project, *, key: str) -> Annotation:
    """The annotation of that public id, with its note, in finished gold of the project. Raises Http404. One query."""
    rows = Annotation.objects.filter(
        set__document__project=project,
        set__kind=AnnotationSet.Kind.GOLD,
        set__status=AnnotationSet.Status.SUBMITTED,
        status=Annotation.Status.LIVE,
    )
    return get_object_or_404(
        rows.select_related("set__document").defer("set__document__text", "set__document__metadata"), public_id=key
    )


def line_of(found: Cluster) -> str:
    return example_line(found.words, label=found.label, instead=found.instead)
