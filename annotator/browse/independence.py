"""What of other people's and models' work a member may read, so that readings stay independent.

Who may review may become the reader of any note that still waits for one. What would sway that reading is theirs to
see once no reader is left to come; whoever cannot review sees it at once.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Q, QuerySet

from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.projects.access import Action, may
from annotator.projects.models import Membership
from annotator.review.models import Decision, ReviewItem
from annotator.review.relations import with_ends
from annotator.suggestions.models import Suggestion

_Said = TypeVar("_Said", Annotation, Relation, DocumentValue)
_TEXTS = ("set__document__text", "set__document__metadata")


def suggestions_for(membership: Membership) -> QuerySet[Suggestion]:
    """The project's suggestions with note and run, but for those of notes that wait for a blind reader. One query."""
    found = Suggestion.objects.filter(document__project=membership.project).select_related("job__run", "document")
    if may(role=membership.role, action=Action.REVIEW):
        found = found.exclude(document__in=_open_notes(membership).filter(stream=ReviewItem.Stream.BLIND))
    return found.defer("signals", "document__text", "document__metadata")


def annotations_for(membership: Membership) -> QuerySet[Annotation]:
    """Live annotations of submitted sets with note, people and origin: the member's own, and those of others in notes
    that wait for no reader. One query.
    """
    return _said(Annotation.objects.select_related("origin"), membership).defer(*_TEXTS, "origin__signals")


def relations_for(membership: Membership) -> QuerySet[Relation]:
    """Live relations with their ends, of the sets whose annotations the member may read. One query."""
    return with_ends(_said(Relation.objects.all(), membership).defer(*_TEXTS))


def document_values_for(membership: Membership) -> QuerySet[DocumentValue]:
    """Live values of document labels, of the sets whose annotations the member may read. One query."""
    return _said(DocumentValue.objects.all(), membership).defer(*_TEXTS)


def decisions_for(membership: Membership) -> QuerySet[Decision]:
    """Decisions with all that they name: the member's own, and those of others in notes that wait for no reader.
    One query.
    """
    found = Decision.objects.filter(note_item__document__project=membership.project)
    if may(role=membership.role, action=Action.REVIEW):
        found = found.filter(Q(reviewer=membership.user) | ~Q(note_item__document__in=_open_notes(membership)))
    return found.select_related(
        *("note_item__document", "item", "reviewer", "withdrew", "made__annotator", "made__origin"),
        *("withdrew_relation", "made_relation", "withdrew_value", "made_value"),
    ).defer("note_item__document__text", "note_item__document__metadata")


def _said(rows: QuerySet[_Said], membership: Membership) -> QuerySet[_Said]:
    """What of the rows is live, in submitted sets that the member may read; with note and people."""
    found = rows.filter(
        set__document__project=membership.project,
        set__status=AnnotationSet.Status.SUBMITTED,
        status=Annotation.Status.LIVE,
    )
    if may(role=membership.role, action=Action.REVIEW):
        found = found.filter(Q(set__annotator=membership.user) | ~Q(set__document__in=_open_notes(membership)))
    return found.select_related("set__document", "set__annotator", "annotator", "schema_version")


def _open_notes(membership: Membership) -> QuerySet:
    """The notes that wait for a reader, or are in the hands of one, as a list of ids."""
    return ReviewItem.objects.filter(
        document__project=membership.project, unit=ReviewItem.Unit.NOTE, status=ReviewItem.Status.OPEN
    ).values("document_id")
