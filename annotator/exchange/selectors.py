"""Reading imports, and what an import is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import Prefetch, QuerySet
from django.http import Http404

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.exchange.checks import CheckedNote
from annotator.exchange.models import Import
from annotator.projects.models import Membership, Project

_Attributes = tuple[tuple[str, str], ...]
_End = tuple[str, str]  # label and fragments, of which a set has a span once


class SetContent(NamedTuple):
    """What a set says, to be compared."""

    spans: frozenset[tuple[str, str, _Attributes]]
    relations: frozenset[tuple[str, _End, _End]]
    document_labels: frozenset[tuple[str, str]]


def imports_of(project: Project) -> QuerySet[Import]:
    """The project's imports, newest first, with their jobs and people. One query."""
    return Import.objects.filter(project=project).select_related("job", "created_by").order_by("-pk")


def import_for(*, project: Project, import_id: str, uploaded_by: User | None = None) -> Import:
    """The project's import, with its job and its person; with `uploaded_by`, only one of theirs.

    Raises Http404. One query.
    """
    candidates = imports_of(project).filter(public_id=import_id)
    found = (candidates if uploaded_by is None else candidates.filter(created_by=uploaded_by)).first()
    if found is None:
        raise Http404
    return found


def people_to_annotate_as(membership: Membership) -> list[str]:
    """User names under which the member may bring annotations in: their own, and for leads everyone's. One query."""
    if membership.role != Membership.Role.LEAD:
        return [membership.user.get_username()]
    people = membership.project.memberships.order_by("user__username")
    return list(people.values_list("user__username", flat=True))


def set_contents(*, project: Project, annotator: User, external_ids: Iterable[str]) -> dict[str, SetContent]:
    """What the annotator's sets on these notes say, by external id; notes without a set are left out. Four queries."""
    sets = (
        AnnotationSet.objects.filter(
            annotator=annotator,
            kind=AnnotationSet.Kind.READING,
            document__project=project,
            document__external_id__in=list(external_ids),
        )
        .select_related("document")
        .only("document", "document__external_id")
        .prefetch_related(
            *(
                Prefetch(name, model._default_manager.filter(status=Annotation.Status.LIVE), to_attr=f"live_{name}")
                for name, model in (
                    ("annotations", Annotation),
                    ("relations", Relation),
                    ("document_values", DocumentValue),
                )
            )
        )
    )
    return {found.document.external_id: _content(found) for found in sets}


def content_of(said: CheckedNote) -> SetContent:
    """What a set of this would say, to compare with `set_contents`."""
    ends = [(span.label, str(span.span)) for span in said.spans]
    return SetContent(
        spans=frozenset((*end, _sorted(span.attributes)) for end, span in zip(ends, said.spans, strict=True)),
        relations=frozenset((type, ends[head], ends[tail]) for type, head, tail in said.relations),
        document_labels=frozenset(said.document_labels.items()),
    )


def _content(found: Any) -> SetContent:
    """What a set says that came with all that is live in it."""
    ends = {live.thread: (live.label, live.fragments) for live in found.live_annotations}
    return SetContent(
        spans=frozenset((*ends[live.thread], _sorted(live.attributes)) for live in found.live_annotations),
        relations=frozenset((live.type, ends[live.head], ends[live.tail]) for live in found.live_relations),
        document_labels=frozenset((live.name, live.value) for live in found.live_document_values),
    )


def _sorted(attributes: Mapping[str, str]) -> _Attributes:
    return tuple(sorted(attributes.items()))
