"""Relations between a reader's spans and values of the note's own labels, made and taken back.

A relation stays where one of its spans is edited. It goes, in the same batch, where one is withdrawn or gets a
label that its type does not join.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.annotations.relations import add_relation, add_value, relations_touching
from annotator.annotations.services import withdraw
from annotator.review.desk import DecisionConflict, DecisionRefused, Desk, Outcome
from annotator.review.models import Decision

_Verdict = Decision.Verdict


def related(desk: Desk, *, type: str, head: Annotation, tail: Annotation) -> Outcome:
    """A relation from one of the reader's spans to another."""
    if head.thread == tail.thread:
        raise DecisionRefused("A relation joins two spans; this is one.")
    if {head.set_id, tail.set_id} != {desk.set.pk}:
        raise DecisionRefused("A relation joins spans of your own.")
    if _live(desk).filter(pk__in=[head.pk, tail.pk]).count() < 2:
        raise DecisionConflict("One of the spans has been changed already.")
    standing = relations_touching(target=desk.set, threads=[head.thread])
    if standing.filter(type=type, head=head.thread, tail=tail.thread).exists():
        raise DecisionRefused(f"These spans are joined by “{type}” already.")
    made = add_relation(
        target=desk.set,
        annotator=desk.reviewer,
        schema_version=desk.schema_version,
        type=type,
        head=head,
        tail=tail,
        now=desk.now,
    )
    return Outcome(_Verdict.RELATE, made_relation=made)


def unrelated(desk: Desk, relation: Relation) -> Outcome:
    """The relation withdrawn."""
    if relation.set_id != desk.set.pk:
        raise DecisionRefused("This relation is not yours.")
    if not withdraw(relation):
        raise DecisionConflict("This relation has been taken back already.")
    return Outcome(_Verdict.UNRELATE, withdrew_relation=relation)


def classified(desk: Desk, *, name: str, value: str) -> Outcome:
    """The note's label with another value, or with none where `value` is empty."""
    before = DocumentValue.objects.filter(set=desk.set, name=name, status=Annotation.Status.LIVE).first()
    if (before.value if before else "") == value:
        raise DecisionRefused("The note has this value already." if value else "There is no value to take back.")
    if before is not None:
        withdraw(before)
    made = None
    if value:
        made = add_value(
            target=desk.set,
            annotator=desk.reviewer,
            schema_version=desk.schema_version,
            name=name,
            value=value,
            now=desk.now,
        )
    return Outcome(_Verdict.CLASSIFY, withdrew_value=before, made_value=made)


def with_relations(desk: Desk, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, and the relations that go with the spans that were withdrawn or got another label.

    One query where there was a span of these, and another where it had relations.
    """
    changed = [each for each in outcomes if each.withdrew and (not each.made or each.made.label != each.withdrew.label)]
    threads = {each.withdrew.thread for each in changed if each.withdrew}
    touched = list(relations_touching(target=desk.set, threads=threads)) if threads else []
    if not touched:
        return list(outcomes)
    ends = {thread for relation in touched for thread in (relation.head, relation.tail)}
    joined = _live(desk).filter(Q(public_id__in=ends) | Q(first_version__in=ends))
    labels = {each.thread: each.label for each in joined}
    return [*outcomes, *(unrelated(desk, relation) for relation in touched if not _fits(desk, relation, labels))]


def _live(desk: Desk) -> QuerySet[Annotation]:
    return Annotation.objects.filter(set=desk.set, status=Annotation.Status.LIVE)


def _fits(desk: Desk, relation: Relation, labels: dict[str, str]) -> bool:
    if relation.head not in labels or relation.tail not in labels:
        return False
    between = desk.schema_version.schema.relations_between(labels[relation.head], labels[relation.tail])
    return relation.type in {each.name for each in between}
