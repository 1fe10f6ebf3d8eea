from __future__ import annotations

from datetime import timedelta

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import AnnotationExists
from annotator.audit.models import AuditEvent
from annotator.core.schema import SchemaError
from annotator.core.spans import Span, SpanError
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.review import services
from annotator.review.leases import LEASE, LeaseConflict, take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import Accept, Act, Add, Edit, FinishNote, Reject, Skip, Undo
from tests.cast import make_document, make_member
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest


def do(desk: Desk, reviewer: User, act: Act, key: str | None = None) -> Decision:
    return services.decide(note_item=desk.note_item, reviewer=reviewer, act=act, key=key or desk.key(), now=desk.now)


def live(desk: Desk) -> list[tuple[str, str]]:
    found = Annotation.objects.filter(set__document=desk.document, status="live")
    return list(found.order_by("start").values_list("fragments", "label"))


def test_accept_keeps_the_suggestion_as_origin(desk: Desk, bob: User) -> None:
    decision = do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    assert decision.made is not None
    assert decision.made.origin == desk.item(CHEST_PAIN).suggestion
    assert (decision.made.annotator, decision.made.surface) == (bob, "chest pain")
    assert (decision.verdict, decision.stream) == ("accept", "uncertain")
    assert desk.item(CHEST_PAIN).status == "decided"


def test_a_decision_records_one_audit_event_without_text(desk: Desk, bob: User) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    event = AuditEvent.objects.get(verb="note.accept")
    assert (event.actor, event.object_id) == (bob, desk.document.public_id)
    assert "chest" not in str(event.detail)


def test_a_repeated_key_answers_with_the_first_decision(desk: Desk, bob: User) -> None:
    item = desk.item(CHEST_PAIN)
    first = do(desk, bob, Accept(item), key="k")
    assert do(desk, bob, Accept(item), key="k") == first
    assert Decision.objects.count() == 1


def test_a_key_that_comes_back_with_another_wish_is_refused(desk: Desk, bob: User) -> None:
    services.decide(
        note_item=desk.note_item, reviewer=bob, act=Skip(desk.item(DIABETES)), key="k", asked="skip", now=desk.now
    )
    with pytest.raises(services.DecisionRefused):
        services.decide(note_item=desk.note_item, reviewer=bob, act=Undo(), key="k", asked="undo", now=desk.now)
    assert Decision.objects.count() == 1


def test_a_key_of_another_note_is_refused(
    desk: Desk, project: Project, bob: User, schema_version: SchemaVersion
) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)), key="k")
    other = make_document(project, external_id="note-2")
    suggest(other, [(DIABETES, "Problem", 0.5)], schema_version=schema_version)
    elsewhere = take_note(document=other, reviewer=bob, now=desk.now)
    with pytest.raises(services.DecisionRefused):
        services.decide(note_item=elsewhere, reviewer=bob, act=FinishNote(), key="k", now=desk.now)


def test_an_item_is_decided_once(desk: Desk, bob: User) -> None:
    stale = desk.item(CHEST_PAIN)
    do(desk, bob, Accept(stale))
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Reject(stale))
    assert live(desk) == [(str(CHEST_PAIN), "Problem")]


def test_edit_of_a_suggestion_makes_an_annotation_with_the_new_label(desk: Desk, bob: User) -> None:
    decision = do(desk, bob, Edit(desk.item(METFORMIN), label="Problem"))
    assert decision.made is not None
    assert decision.made.label == "Problem"
    assert decision.made.attributes == {"assertion": "present"}
    assert desk.item(METFORMIN).status == "decided"


def test_edit_of_an_annotation_withdraws_it_and_keeps_its_origin(desk: Desk, bob: User) -> None:
    first = do(desk, bob, Accept(desk.item(CHEST_PAIN))).made
    assert first is not None
    edited = do(desk, bob, Edit(first, span=Span.of(12, 25))).made
    assert edited is not None
    assert (edited.surface, edited.origin_id) == ("no chest pain", first.origin_id)
    first.refresh_from_db()
    assert first.status == "withdrawn"


def test_edit_changes_one_attribute(desk: Desk, bob: User) -> None:
    made = do(desk, bob, Edit(desk.item(CHEST_PAIN), attributes={"assertion": "absent"})).made
    assert made is not None
    assert made.attributes == {"assertion": "absent"}


def test_a_label_outside_the_schema_is_refused_and_nothing_is_written(desk: Desk, bob: User) -> None:
    with pytest.raises(SchemaError):
        do(desk, bob, Edit(desk.item(CHEST_PAIN), label="Allergy"))
    assert desk.item(CHEST_PAIN).status == "open"
    assert Decision.objects.count() == 0


def test_a_span_beyond_the_note_is_refused(desk: Desk, bob: User) -> None:
    with pytest.raises(SpanError):
        do(desk, bob, Add(span=Span.of(90, 9000), label="Problem"))
    assert live(desk) == []


def test_the_same_span_and_label_twice_is_refused(desk: Desk, bob: User) -> None:
    do(desk, bob, Add(span=DIABETES, label="Problem"))
    with pytest.raises(AnnotationExists):
        do(desk, bob, Add(span=DIABETES, label="Problem"))


def test_accepting_what_a_person_has_asserted_adds_nothing(desk: Desk, bob: User) -> None:
    do(desk, bob, Add(span=DIABETES, label="Problem"))
    decision = do(desk, bob, Accept(desk.item(DIABETES)))
    assert decision.made is None
    assert live(desk) == [(str(DIABETES), "Problem")]


def test_undo_goes_back_step_by_step(desk: Desk, bob: User) -> None:
    do(desk, bob, Reject(desk.item(DIABETES)))
    made = do(desk, bob, Accept(desk.item(CHEST_PAIN))).made
    assert made is not None
    do(desk, bob, Edit(made, label="Medication"))
    do(desk, bob, Undo())
    assert live(desk) == [(str(CHEST_PAIN), "Problem")]
    do(desk, bob, Undo())
    assert live(desk) == []
    assert desk.item(CHEST_PAIN).status == "open"
    do(desk, bob, Undo())
    assert desk.item(DIABETES).status == "open"
    with pytest.raises(services.DecisionRefused):
        do(desk, bob, Undo())


def test_a_skipped_suggestion_stays_open(desk: Desk, bob: User) -> None:
    do(desk, bob, Skip(desk.item(CHEST_PAIN)))
    assert desk.item(CHEST_PAIN).status == "open"
    assert desk.item(CHEST_PAIN).skipped_at == desk.now


def test_a_note_with_open_suggestions_is_not_done(desk: Desk, bob: User) -> None:
    with pytest.raises(services.DecisionRefused, match="3 suggestions are"):
        do(desk, bob, FinishNote())


def finish(desk: Desk, reviewer: User) -> None:
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        if desk.item(span).status == "open":
            do(desk, reviewer, Reject(desk.item(span)))
    do(desk, reviewer, FinishNote())


def test_a_finished_note_is_submitted_and_refuses_changes(desk: Desk, bob: User) -> None:
    finish(desk, bob)
    assert AnnotationSet.objects.get(document=desk.document, annotator=bob).status == "submitted"
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Add(span=DIABETES, label="Problem"))


def test_undo_reopens_a_finished_note(desk: Desk, bob: User) -> None:
    finish(desk, bob)
    do(desk, bob, Undo())
    desk.note_item.refresh_from_db()
    assert desk.note_item.status == "open"
    assert AnnotationSet.objects.get(document=desk.document, annotator=bob).status == "open"


def test_late_work_is_kept_where_nobody_took_the_note(desk: Desk, bob: User) -> None:
    desk.now += 2 * LEASE
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    assert live(desk) == [(str(CHEST_PAIN), "Problem")]


def test_late_work_is_refused_where_someone_took_the_note(desk: Desk, bob: User, alice: User) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    desk.now += 2 * LEASE
    take_note(document=desk.document, reviewer=alice, now=desk.now)
    with pytest.raises(LeaseConflict):
        do(desk, bob, Accept(desk.item(DIABETES)))
    assert live(desk) == [(str(CHEST_PAIN), "Problem")]


def test_who_takes_a_note_over_takes_its_set_and_its_annotations(desk: Desk, bob: User, alice: User) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    desk.now += 2 * LEASE
    take_note(document=desk.document, reviewer=alice, now=desk.now)
    finish(desk, alice)
    submitted = AnnotationSet.objects.get(document=desk.document)
    assert (submitted.annotator, submitted.status) == (alice, "submitted")
    assert submitted.annotations.get(status="live").annotator == bob


def test_a_held_note_cannot_be_taken(desk: Desk, alice: User) -> None:
    with pytest.raises(LeaseConflict):
        take_note(document=desk.document, reviewer=alice, now=desk.now + timedelta(minutes=1))


def test_one_person_never_gets_two_slots_of_a_note(
    desk: Desk, project: Project, bob: User, schema_version: object
) -> None:
    second = ReviewItem.objects.create(project=project, document=desk.document, unit="note", slot=2)
    desk.now += 2 * LEASE
    assert take_note(document=desk.document, reviewer=bob, now=desk.now) == desk.note_item
    carol = make_member(project, "carol", Membership.Role.ANNOTATOR)
    assert take_note(document=desk.document, reviewer=carol, now=desk.now) == second


def test_undo_does_not_reach_past_what_someone_else_did(desk: Desk, bob: User, alice: User) -> None:
    do(desk, bob, Skip(desk.item(CHEST_PAIN)))
    desk.now += 2 * LEASE
    take_note(document=desk.document, reviewer=alice, now=desk.now)
    do(desk, alice, Accept(desk.item(CHEST_PAIN)))
    desk.now += 2 * LEASE
    take_note(document=desk.document, reviewer=bob, now=desk.now)
    with pytest.raises(services.DecisionRefused, match="someone else"):
        do(desk, bob, Undo())
    assert desk.item(CHEST_PAIN).status == "decided"


def test_undo_of_a_skip_does_not_revive_a_superseded_suggestion(
    desk: Desk, bob: User, schema_version: SchemaVersion
) -> None:
    do(desk, bob, Skip(desk.item(CHEST_PAIN)))
    suggest(desk.document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    do(desk, bob, Undo())
    found = ReviewItem.objects.filter(document=desk.document, suggestion__fragments=str(CHEST_PAIN))
    assert sorted(found.values_list("status", flat=True)) == ["closed", "open"]


def test_suggestions_that_come_to_a_done_note_open_when_it_is_reopened(
    desk: Desk, bob: User, schema_version: SchemaVersion
) -> None:
    finish(desk, bob)
    suggest(desk.document, [(Span.of(0, 10), "Problem", 0.4)], schema_version=schema_version, labeler="better")
    assert (desk.item(Span.of(0, 10)).status, desk.item(Span.of(0, 10)).reason) == ("closed", "late")
    do(desk, bob, Undo())
    assert desk.item(Span.of(0, 10)).status == "open"


def test_taking_a_note_begins_the_readers_set(desk: Desk, bob: User) -> None:
    assert AnnotationSet.objects.get(document=desk.document).annotator == bob
