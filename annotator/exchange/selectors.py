"""Reading imports, and what an import is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Prefetch, QuerySet
from django.http import Http404

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.exchange.checks import CheckedSpan
from annotator.exchange.models import Import
from annotator.projects.models import Membership, Project

SetContent = frozenset[tuple[str, str, tuple[tuple[str, str], ...]]]


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
    """What the annotator's sets on these notes say, by external id; notes without a set are left out. Two queries."""
    sets = (
        AnnotationSet.objects.filter(
            annotator=annotator, document__project=project, document__external_id__in=list(external_ids)
        )
        .select_related("document")
        .only("document", "document__external_id")
        .prefetch_related(
            Prefetch("annotations", Annotation.objects.filter(status=Annotation.Status.LIVE), to_attr="live")
        )
    )
    return {
        found.document.external_id: frozenset(
            (live.label, live.fragments, tuple(sorted(live.attributes.items()))) for live in found.live
        )
        for found in sets
    }


def spans_content(spans: Sequence[CheckedSpan]) -> SetContent:
    """What a set of these spans would say, to compare with `set_contents`."""
    return frozenset((span.label, str(span.span), tuple(sorted(span.attributes.items()))) for span in spans)
