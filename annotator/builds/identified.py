"""Identifiers of finished notes: which notes may go out without them, and all that are known of each patient."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import replace

from annotator.annotations.models import APART, Annotation, AnnotationSet
from annotator.builds.selectors import Readiness, ReadySet
from annotator.builds.splits import group_of
from annotator.core.identifiers import ATTRIBUTE, KINDS, LABEL
from annotator.projects.models import Project
from annotator.review.identifiers import IdentifierState, identifier_state

NOT_READ = "whose identifiers no labeler has looked for"
NOT_DECIDED = "with suggested identifiers that nobody has decided"
_PAGE = 1000
OTHER = "other"


def only_settled(*, project: Project, ready: Readiness) -> Readiness:
    """Of the notes that are ready those whose identifiers a labeler has looked for and people have decided, all of
    them. The others are counted in `n_filtered`. Two queries for each thousand notes.
    """
    kept: list[ReadySet] = []
    n_left: Counter[str] = Counter()
    for first in range(0, len(ready.sets), _PAGE):
        page = ready.sets[first : first + _PAGE]
        states = identifier_state(project=project, documents=[found.document_id for found in page])
        for found in page:
            reason = _reason(states[found.document_id])
            if reason:
                n_left[reason] += 1
            else:
                kept.append(found)
    return replace(ready, sets=tuple(kept), n_filtered=dict(ready.n_filtered) | dict(sorted(n_left.items())))


def known_identifiers(*, project: Project, groups: Collection[str]) -> dict[str, set[tuple[str, str]]]:
    """What names each of these groups (`splits.group_of`) in any submitted reading of their notes, whether it goes into
    the dataset or not, as (kind, surface). One query.
    """
    rows = Annotation.objects.filter(
        set__document__project=project,
        set__status=AnnotationSet.Status.SUBMITTED,
        status=Annotation.Status.LIVE,
        label=LABEL,
    ).exclude(set__kind__in=APART)
    wanted = set(groups)
    known: dict[str, set[tuple[str, str]]] = defaultdict(set)
    fields = ("set__document__patient_id", "set__document__external_id", "attributes", "surface")
    for patient_id, external_id, attributes, surface in rows.order_by().values_list(*fields).iterator(chunk_size=2000):
        group = group_of(patient_id=patient_id, external_id=external_id)
        if group in wanted:
            known[group].add((kind_of(attributes), surface))
    return dict(known)


def kind_of(attributes: dict[str, str]) -> str:
    kind = attributes.get(ATTRIBUTE, OTHER)
    return kind if kind in KINDS else OTHER


def _reason(state: IdentifierState) -> str:
    if state.is_settled:
        return ""
    return NOT_DECIDED if state.is_read else NOT_READ
