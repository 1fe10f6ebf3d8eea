from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.audit.models import AuditEvent
from annotator.core.schema import Schema, SchemaError, schema_from_json
from annotator.core.spans import Span
from annotator.projects.models import Membership, Project
from annotator.review import services
from annotator.review.history import history_of
from annotator.review.leases import LEASE, take_note
from annotator.review.models import Decision
from annotator.review.relations import document_values_of, relation_for, relations_of
from annotator.review.selectors import target_for
from annotator.review.services import (
    Accept,
    Add,
    Classify,
    Edit,
    FinishNote,
    Redo,
    Reject,
    Relate,
    Spread,
    Undo,
    Unrelate,
)
from annotator.review.standing import decisions_with
from tests.cast import TIED_SCHEMA, make_member, make_set
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk
from tests.review.test_services import do, live

METFORMIN_AGAIN = Span.of(85, 94)


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(TIED_SCHEMA)


@pytest.fixture
def drug(desk: Desk, bob: User) -> Annotation:
    return _made(do(desk, bob, Accept(desk.item(METFORMIN))))


@pytest.fixture
def problem(desk: Desk, bob: User) -> Annotation:
    return _made(do(desk, bob, Accept(desk.item(DIABETES))))


def _made(decision: Decision) -> Annotation:
    assert decision.made is not None
    return decision.made


def _relate(desk: Desk, bob: User, head: Annotation, tail: Annotation, type: str = "treats") -> Relation:
    made = do(desk, bob, Relate(type, head=head, tail=tail)).made_relation
    assert made is not None
    return made


def _ties(desk: Desk) -> list[tuple[str, str, str]]:
    return [(each.type, each.head, each.tail) for each in relations_of(desk.note_item)]


# Relations


def test_relate_joins_two_spans_and_records_it(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    made = _relate(desk, bob, drug, problem)
    assert (made.annotator, made.head, made.tail) == (bob, drug.thread, problem.thread)
    assert _ties(desk) == [("treats", drug.public_id, problem.public_id)]
    event = AuditEvent.objects.get(verb="note.relate")
    assert (event.actor, event.object_id) == (bob, desk.document.public_id)


def test_an_edited_span_keeps_its_relations(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    _relate(desk, bob, drug, problem)
    longer = _made(do(desk, bob, Edit(drug, span=Span.of(40, 56))))
    assert _ties(desk) == [("treats", longer.public_id, problem.public_id)]
    assert relations_of(desk.note_item)[0].head_thread == drug.public_id


@pytest.mark.parametrize("verdict", [Reject, lambda target: Edit(target, label="Problem")])
def test_a_relation_goes_with_its_span_and_comes_back_with_it(
    desk: Desk, bob: User, drug: Annotation, problem: Annotation, verdict: Any
) -> None:
    _relate(desk, bob, drug, problem)
    _relate(desk, bob, problem, drug, type="seen with")
    first = do(desk, bob, verdict(drug))
    gone = {"reject"} if first.verdict == "reject" else {"edit"}
    n_kept = 0 if first.verdict == "reject" else 1  # 'seen with' joins any two
    assert {each.verdict for each in decisions_with(first)} == gone | {"unrelate"}
    assert len(_ties(desk)) == n_kept
    do(desk, bob, Undo())
    assert len(_ties(desk)) == 2
    assert (str(METFORMIN), "Medication") in live(desk)
    do(desk, bob, Redo())
    assert len(_ties(desk)) == n_kept


def test_a_relabelled_span_keeps_a_relation_that_joins_the_new_label(
    desk: Desk, bob: User, drug: Annotation, problem: Annotation
) -> None:
    _relate(desk, bob, drug, problem, type="seen with")
    assert decisions_with(do(desk, bob, Edit(drug, label="Problem"))) == [Decision.objects.latest("pk")]
    assert [type for type, _, _ in _ties(desk)] == ["seen with"]


def test_both_ends_rejected_at_once_take_one_relation_away(
    desk: Desk, bob: User, drug: Annotation, problem: Annotation
) -> None:
    again = _made(do(desk, bob, Add(span=METFORMIN_AGAIN, label="Medication")))
    _relate(desk, bob, drug, again, type="seen with")
    first = do(desk, bob, Spread(drug, is_rejected=True))
    assert [each.verdict for each in decisions_with(first)] == ["reject", "reject", "unrelate"]
    assert _ties(desk) == []
    do(desk, bob, Undo())
    assert _ties(desk) == [("seen with", drug.public_id, again.public_id)]


def test_unrelate_undo_and_redo(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    relation = _relate(desk, bob, drug, problem)
    do(desk, bob, Unrelate(relation))
    assert relation_for(note_item=desk.note_item, public_id=relation.public_id) is None
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Unrelate(relation))
    do(desk, bob, Undo())
    assert relation_for(note_item=desk.note_item, public_id=relation.public_id) == relation
    do(desk, bob, Undo())
    assert _ties(desk) == []
    for n_left in (1, 0):
        do(desk, bob, Redo())
        assert len(_ties(desk)) == n_left
    _relate(desk, bob, drug, problem)  # what was taken back may be said again


def test_relations_that_cannot_be_are_refused(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    _relate(desk, bob, drug, problem)
    for act, error, why in [
        (Relate("cures", drug, problem), SchemaError, "not in the schema"),
        (Relate("treats", problem, drug), SchemaError, "from Problem to Medication"),
        (Relate("seen with", drug, drug), services.DecisionRefused, "joins two spans"),
        (Relate("treats", drug, problem), services.DecisionRefused, "already"),
    ]:
        with pytest.raises(error, match=why):
            do(desk, bob, act)
    edited = _made(do(desk, bob, Edit(drug, span=Span.of(40, 56))))
    with pytest.raises(services.DecisionRefused, match="already"):
        do(desk, bob, Relate("treats", edited, problem))
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Relate("seen with", drug, problem))  # drug is no longer as it was
    assert Relation.objects.count() == 1


def test_a_span_or_relation_of_another_reader_is_refused(
    desk: Desk, project: Project, bob: User, adam: User, drug: Annotation, problem: Annotation
) -> None:
    theirs = make_set(desk.document, adam)
    relation = _relate(desk, bob, drug, problem)
    for said in (problem, relation):
        type(said)._default_manager.filter(pk=said.pk).update(set=theirs)
        said.refresh_from_db()
    with pytest.raises(services.DecisionRefused, match="your own"):
        do(desk, bob, Relate("seen with", drug, problem))
    with pytest.raises(services.DecisionRefused, match="not yours"):
        do(desk, bob, Unrelate(relation))


def test_who_takes_a_note_over_has_its_relations_and_values(
    desk: Desk, project: Project, bob: User, drug: Annotation, problem: Annotation
) -> None:
    relation = _relate(desk, bob, drug, problem)
    do(desk, bob, Classify("smoking", "never"))
    carol = make_member(project, "carol", Membership.Role.ANNOTATOR)
    desk.now += LEASE + timedelta(seconds=1)
    desk.note_item = take_note(document=desk.document, reviewer=carol, now=desk.now)
    assert len(_ties(desk)) == 1
    with pytest.raises(services.DecisionRefused, match="someone else's"):
        do(desk, carol, Undo())
    do(desk, carol, Unrelate(relation))
    do(desk, carol, Classify("smoking", "former"))
    assert (_ties(desk), document_values_of(desk.note_item)) == ([], {"smoking": "former"})


def test_a_history_tells_relations_from_both_ends(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    relation = _relate(desk, bob, drug, problem)
    do(desk, bob, Unrelate(relation))
    do(desk, bob, Undo())
    do(desk, bob, Classify("smoking", "never"))

    def told(target: Annotation) -> list[tuple[str, bool]]:
        return [(step.words, step.is_undone) for step in history_of(note_item=desk.note_item, target=target)]

    assert told(drug)[1:] == [("treats → Problem", False), ("treats → Problem removed", True)]
    assert told(problem)[1:] == [("treats ← Medication", False), ("treats ← Medication removed", True)]
    do(desk, bob, Edit(problem, label="Medication"))
    edited = target_for(note_item=desk.note_item, key=f"a{Annotation.objects.latest('pk').public_id}")
    assert isinstance(edited, Annotation)
    assert told(edited)[-2:] == [("Label Problem → Medication", False), ("treats ← Medication removed", False)]


# Labels of the note


def test_classify_gives_changes_and_takes_back_a_value(desk: Desk, bob: User) -> None:
    do(desk, bob, Classify("smoking", "never"))
    changed = do(desk, bob, Classify("smoking", "former"))
    assert (changed.withdrew_value, changed.made_value) == tuple(DocumentValue.objects.order_by("pk"))
    assert document_values_of(desk.note_item) == {"smoking": "former"}
    do(desk, bob, Classify("smoking", ""))
    values = [document_values_of(desk.note_item)]
    for act in (Undo(), Undo(), Undo(), Redo(), Redo()):
        do(desk, bob, act)
        values.append(document_values_of(desk.note_item))
    assert [value.get("smoking", "") for value in values] == ["", "former", "never", "", "never", "former"]
    assert AuditEvent.objects.filter(verb="note.classify").count() == 5


def test_values_that_cannot_be_are_refused(desk: Desk, bob: User) -> None:
    do(desk, bob, Classify("smoking", "never"))
    for act, error, why in [
        (Classify("drinking", "never"), SchemaError, "not in the schema"),
        (Classify("smoking", "often"), SchemaError, "no value 'often'"),
        (Classify("smoking", "never"), services.DecisionRefused, "this value already"),
        (Classify("pregnant", ""), services.DecisionRefused, "no value to take back"),
    ]:
        with pytest.raises(error, match=why):
            do(desk, bob, act)
    assert document_values_of(desk.note_item) == {"smoking": "never"}


def test_a_done_note_takes_no_relation(desk: Desk, bob: User, drug: Annotation, problem: Annotation) -> None:
    do(desk, bob, Reject(desk.item(CHEST_PAIN)))
    do(desk, bob, FinishNote())
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Relate("treats", drug, problem))
