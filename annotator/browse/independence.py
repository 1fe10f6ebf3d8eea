"""What of other people's and models' work a member may read, so that readings stay independent.

What is said in trials is nobody's reading, and shown to nobody here; what a second reader of audits said, to nobody
else.

Who may review may become the reader, or second reader, of any note that still waits for one. What would sway that
reading is theirs to see once no reader is left to come; whoever cannot review sees it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db.models import Q, QuerySet

from annotator.annotations.models import Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.projects.access import Action, may
from annotator.projects.models import Membership
from annotator.review.blinding import hidden_among, hidden_suggestions
from annotator.review.models import IN_HAND, ON_DECOY, Decision, ReviewItem
from annotator.review.relations import with_ends
from annotator.review.telling import sways_nobody
from annotator.suggestions.models import Suggestion

_Said = TypeVar("_Said", Annotation, Relation, DocumentValue)
_TEXTS = ("set__document__text", "set__document__metadata")


def suggestions_for(membership: Membership) -> QuerySet[Suggestion]:
    """The project's suggestions for review with note and run, but for those that wait for a blind reading or audit. One
    query.
    """
    found = Suggestion.for_review.filter(document__project=membership.project).select_related(
        "job__run", "job__imported", "document"
    )
    if may(role=membership.role, action=Action.REVIEW):
        found = found.exclude(hidden_suggestions(membership.project))
    return found.defer("signals", "document__text", "document__metadata")


def annotations_for(membership: Membership) -> QuerySet[Annotation]:
    """Live annotations of submitted sets with note, people and origin: the member's own, and those of others in notes
    that wait for no reader. One query.
    """
    found = Annotation.objects.select_related("origin", "certificate", "set__imported")
    return _said(found, membership).defer(*_TEXTS, "origin__signals")


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
    found = Decision.objects.filter(project=membership.project).exclude(note_item__unit=ReviewItem.Unit.TRIAL)
    found = found.exclude(Q(note_item__unit=ReviewItem.Unit.SECOND) & ~Q(reviewer=membership.user))
    # Of decoys only who decided on one sees that, and only until they are told that it was one.
    found = found.exclude(Q(stream=ON_DECOY) & (~Q(reviewer=membership.user) | ~Q(note_item__status="open")))
    if may(role=membership.role, action=Action.REVIEW):
        found = found.filter(Q(reviewer=membership.user) | ~Q(note_item__document__in=_open_notes(membership)))
    return found.select_related(
        *("note_item__document", "item", "reviewer", "withdrew"),
        *("made__annotator", "made__certificate", "made__origin"),
        *("withdrew_relation", "made_relation", "withdrew_value", "made_value"),
    ).defer("note_item__document__text", "note_item__document__metadata")


def comments_for(membership: Membership) -> QuerySet[Comment]:
    """Standing comments with note, author and suggestion: the member's own, and those in their sets. One query.

    Who reads notes sees others' too. Who also reviews sees them while they are asked, since the author waits for an
    answer, but where nobody else is to read the note: the open item of a note may be in the author's hands only; a
    lease that has run out keeps it there, since whoever takes the note over takes the comments over too.
    Who does not review sees those of submitted sets.
    """
    found = Comment.objects.filter(set__document__project=membership.project, status=Comment.Status.OPEN)
    found = found.exclude(set__kind=AnnotationSet.Kind.TRIAL)
    seen = Q(author=membership.user) | Q(set__annotator=membership.user)
    if may(role=membership.role, action=Action.READ_NOTES):
        if may(role=membership.role, action=Action.REVIEW):
            seen |= sways_nobody()
        else:
            seen |= Q(set__status=AnnotationSet.Status.SUBMITTED)
    return (
        found.filter(seen)
        .select_related("set__document", "set__annotator", "author", "suggestion")
        .defer("set__document__text", "suggestion__signals")
    )


def hidden_for(membership: Membership, comments: Sequence[Comment]) -> set[int]:
    """Row ids of the suggestions that the comments are about and of which the member is told only the place. One query
    for who reviews.
    """
    if not may(role=membership.role, action=Action.REVIEW):
        return set()
    return hidden_among(membership.project, [comment.suggestion_id for comment in comments])


def _said(rows: QuerySet[_Said], membership: Membership) -> QuerySet[_Said]:
    """What of the rows is live, in submitted sets that the member may read; with note and people."""
    found = rows.filter(
        set__document__project=membership.project,
        set__status=AnnotationSet.Status.SUBMITTED,
        status=Annotation.Status.LIVE,
    ).exclude(set__kind=AnnotationSet.Kind.TRIAL)
    found = found.exclude(Q(set__kind=AnnotationSet.Kind.SECOND) & ~Q(set__annotator=membership.user))
    if may(role=membership.role, action=Action.REVIEW):
        found = found.filter(Q(set__annotator=membership.user) | ~Q(set__document__in=_open_notes(membership)))
    return found.select_related("set__document", "set__annotator", "annotator", "schema_version")


def _open_notes(membership: Membership) -> QuerySet:
    """The notes that wait for a reader, or are in the hands of one, as a list of ids."""
    return ReviewItem.objects.filter(
        project=membership.project, unit__in=IN_HAND, status=ReviewItem.Status.OPEN
    ).values("document_id")
