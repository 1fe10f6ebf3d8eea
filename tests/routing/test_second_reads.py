"""Audits that a second reader decides again: who is asked, what counts, and that nobody can tell."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Batch, BatchMember
from annotator.core.certificates import log_evidence
from annotator.projects.models import Membership, Project
from annotator.review import services
from annotator.review.leases import count_takeable, put_back, release, take_next, take_note, take_note_of
from annotator.review.models import Barred, Decision, ReviewItem, SecondRead
from annotator.review.second_reads import next_second_span
from annotator.review.selectors import note_view
from annotator.review.spans import take_next_span
from annotator.routing.steps import step_project
from tests.cast import make_user
from tests.routing.scene import Oracle

GOOD, N_NOTES, DELTA = 0.97, 4, 0.2


def prepare(oracle: Oracle, *, percent: int = 0) -> Oracle:
    """A batch that is audited, with a second reader for each wrong audit and for so many per cent of the right ones."""
    Project.objects.filter(pk=oracle.project.pk).update(seconds="on", second_percent=percent)
    oracle.project.refresh_from_db()
    oracle.label(n_notes=N_NOTES, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    return oracle


@pytest.fixture
def tested(oracle: Oracle) -> Oracle:
    return prepare(oracle)


def wrong_at(oracle: Oracle, places: Collection[int], n: int) -> list[int]:
    """Decide the first `n` audits, those at these places as wrong; the suggestions."""
    items = oracle.asked()[:n]
    wrong = {items[place].suggestion_id for place in places}
    oracle.is_wrong = lambda suggestion: suggestion.pk in wrong
    for item in items:
        oracle.decide(item)
    oracle.step()
    return [item.suggestion_id for item in items if item.suggestion_id]


def asked_again(oracle: Oracle) -> list[ReviewItem]:
    items = ReviewItem.objects.filter(project=oracle.project, unit="second_span", status="open")
    return list(items.select_related("suggestion", "document__project").order_by("audit_key"))


def decide_again(oracle: Oracle, item: ReviewItem, reader: User, *, is_right: bool) -> None:
    note = take_note_of(item=item, reviewer=reader, now=oracle.later())
    assert note is not None
    act = services.Accept(item) if is_right else services.Reject(item)
    services.decide(note_item=note, reviewer=reader, act=act, key=f"again-{item.pk}", now=oracle.now)
    note.refresh_from_db()
    release(note_item=note, reviewer=reader)


def counts(oracle: Oracle) -> tuple[int, int]:
    """Audits and errors of the largest region, as the last look found them."""
    region = oracle.batch().regions.order_by("-size")[0]
    return region.n_audited, region.n_wrong


def test_a_wrong_audit_waits_for_its_second_reader_and_the_evidence_ends_before_it(tested: Oracle, alice: User) -> None:
    suggestions = wrong_at(tested, [2], 6)
    (item,) = asked_again(tested)
    assert item.suggestion_id == suggestions[2]
    assert counts(tested) == (2, 0)
    assert BatchMember.objects.get(suggestion=suggestions[2]).outcome == ""
    decide_again(tested, item, alice, is_right=True)
    tested.step()
    assert counts(tested) == (6, 0)
    assert BatchMember.objects.get(suggestion=suggestions[2]).outcome == "right"
    (read,) = SecondRead.objects.all()
    assert (read.first, read.outcome, read.batch) == ("wrong", "right", tested.batch())


def test_a_second_reader_who_agrees_leaves_it_wrong(tested: Oracle, alice: User) -> None:
    wrong_at(tested, [2], 6)
    decide_again(tested, asked_again(tested)[0], alice, is_right=False)
    tested.step()
    assert counts(tested) == (6, 1)
    for region in tested.batch().regions.all():
        wanted = log_evidence(n_audited=region.n_audited, n_wrong=region.n_wrong, size=region.size, target=0.8)
        assert region.log_evidence == (None if wanted == float("-inf") else pytest.approx(wanted))


def test_of_right_audits_those_with_the_lowest_keys_are_decided_again(oracle: Oracle, alice: User) -> None:
    prepare(oracle, percent=30)
    suggestions = wrong_at(oracle, [], 20)
    drawn = set(
        BatchMember.objects.filter(suggestion__in=suggestions, second_key__lt=0.3).values_list("suggestion", flat=True)
    )
    assert 0 < len(drawn) < 20
    assert {item.suggestion_id for item in asked_again(oracle)} == drawn
    assert counts(oracle)[0] == min(place for place, pk in enumerate(suggestions) if pk in drawn)
    for item in asked_again(oracle):
        decide_again(oracle, item, alice, is_right=item != asked_again(oracle)[0])
    oracle.step()
    n_other = SecondRead.objects.filter(first="right", outcome="wrong").count()
    assert counts(oracle) == (20, n_other) and n_other >= 1


def test_the_share_is_the_one_that_the_batch_was_frozen_with(tested: Oracle) -> None:
    Project.objects.filter(pk=tested.project.pk).update(second_percent=100)
    wrong_at(tested, [], 6)
    assert tested.batch().second_percent == 0
    assert asked_again(tested) == []
    assert counts(tested) == (6, 0)


def test_without_a_second_reader_the_first_ones_decisions_count(oracle: Oracle, alice: User) -> None:
    Membership.objects.filter(project=oracle.project, user=alice).update(role="data_scientist")
    prepare(oracle, percent=100)
    assert oracle.batch().second_percent is None
    wrong_at(oracle, [1], 6)
    assert counts(oracle) == (6, 1)
    assert not SecondRead.objects.exists()


def test_the_first_reader_is_never_asked_again(tested: Oracle, alice: User, bob: User) -> None:
    wrong_at(tested, [0, 3], 6)
    now = tested.later()
    for item in asked_again(tested):
        assert set(
            Barred.objects.filter(item__slot=item.slot, item__document=item.document).values_list("user", flat=True)
        ) == {bob.pk}
        assert take_note_of(item=item, reviewer=bob, now=now) is None
        assert take_note_of(item=item, reviewer=alice, now=now) is not None
    assert next_second_span(project=tested.project, reviewer=bob, now=now) is None


def test_who_took_the_note_since_is_not_asked_either(tested: Oracle, alice: User, bob: User) -> None:
    carol = make_user("carol")
    Membership.objects.create(project=tested.project, user=carol, role="annotator")
    first = tested.asked()[0]
    tested.is_wrong = lambda suggestion: suggestion.pk == first.suggestion_id
    tested.decide(first)
    assert take_note_of(item=first, reviewer=alice, now=tested.later()) is not None
    tested.step()
    (item,) = asked_again(tested)
    assert take_note_of(item=item, reviewer=alice, now=tested.later()) is None
    assert take_note_of(item=item, reviewer=carol, now=tested.later()) is not None


def test_where_nobody_is_left_the_first_ones_decision_counts_at_once(tested: Oracle, alice: User) -> None:
    first = tested.asked()[0]
    tested.is_wrong = lambda suggestion: suggestion.pk == first.suggestion_id
    tested.decide(first)
    assert take_note_of(item=first, reviewer=alice, now=tested.later()) is not None  # who has seen what was said
    tested.step()
    assert asked_again(tested) == []
    assert SecondRead.objects.get().item is None
    assert counts(tested) == (1, 1)


def test_what_waits_for_somebody_who_has_left_counts_by_the_first(tested: Oracle, alice: User, bob: User) -> None:
    carol = make_user("carol")
    Membership.objects.create(project=tested.project, user=carol, role="annotator")
    first, second = tested.asked()[:2]
    tested.is_wrong = lambda suggestion: suggestion.pk == first.suggestion_id
    tested.decide(first)
    assert take_note_of(item=first, reviewer=alice, now=tested.later()) is not None
    tested.step()
    assert counts(tested) == (0, 0)
    Membership.objects.filter(user=carol).delete()
    tested.decide(second)
    tested.step()
    assert asked_again(tested) == []
    assert counts(tested) == (2, 1)


def test_a_test_ends_when_one_person_is_left_and_begins_again_without_a_second_reader(
    tested: Oracle, alice: User
) -> None:
    wrong_at(tested, [0], 6)
    (item,) = asked_again(tested)
    Membership.objects.filter(project=tested.project, user=alice).update(role="data_scientist")
    tested.step()
    ended, new = Batch.objects.order_by("number")
    assert (ended.status, ended.reason) == ("ended", "no_second")
    item.refresh_from_db()
    assert item.status == "closed" and not ReviewItem.objects.filter(unit="second", status="open").exists()
    assert (new.status, new.second_percent) == ("testing", None)


def test_a_second_reading_is_served_before_all_else_and_makes_nothing(tested: Oracle, alice: User, bob: User) -> None:
    suggestions = wrong_at(tested, [1], 6)
    before = set(Annotation.objects.values_list("pk", flat=True))
    found = take_next_span(project=tested.project, reviewer=alice, now=tested.later())
    assert found is not None
    note, item = found
    assert item.suggestion_id == suggestions[1]
    services.decide(note_item=note, reviewer=alice, act=services.Accept(item), key="again-now", now=tested.later())
    made = Annotation.objects.exclude(pk__in=before)
    assert set(made.values_list("set__kind", flat=True)) == {"second"}
    assert not AnnotationSet.objects.filter(document=note.document, kind="reading", annotator=alice).exists()
    note.refresh_from_db()
    assert note.status == "decided"  # nothing more is asked in it


def test_the_second_reader_sees_the_note_as_it_was_suggested(tested: Oracle, alice: User, bob: User) -> None:
    wrong_at(tested, [1], 12)
    found = take_next_span(project=tested.project, reviewer=alice, now=tested.later())
    assert found is not None
    note, item = found
    view = note_view(note_item=note)
    assert [mark.key for mark in view.queue] == [f"i{item.public_id}"]
    assert view.queue[0].reason == "audit"
    assert len(view.held) == 19 and not view.annotations
    assert not Decision.objects.filter(note_item=note).exists()


def test_by_note_it_comes_as_a_note_with_one_audit(tested: Oracle, alice: User) -> None:
    wrong_at(tested, [1], 6)
    (item,) = asked_again(tested)
    note = take_next(project=tested.project, reviewer=alice, now=tested.later())
    assert note is not None and (note.unit, note.document_id) == ("second", item.document_id)
    again = take_next(project=tested.project, reviewer=alice, now=tested.later())
    assert again == note
    put_back(note_item=note, reviewer=alice, now=tested.later())
    other = take_next(project=tested.project, reviewer=alice, now=tested.later())
    assert other is not None and other.unit == "note" and other.document_id != item.document_id


def test_until_then_its_reader_is_given_no_other_slot_of_the_note(tested: Oracle, alice: User) -> None:
    wrong_at(tested, [1], 6)
    (item,) = asked_again(tested)
    before = count_takeable(tested.project, reviewer=alice, now=tested.later())
    assert before == N_NOTES
    note = take_note(document=item.document, reviewer=alice, now=tested.later())
    assert note.unit == "second"
    decide_again(tested, item, alice, is_right=True)
    note = take_note(document=item.document, reviewer=alice, now=tested.later())
    assert note.unit == "note"


def test_two_wrong_audits_of_a_note_come_to_one_reader_one_after_another(tested: Oracle, alice: User) -> None:
    document = tested.asked()[0].document_id
    items = [item for item in tested.asked() if item.document_id == document][:2]
    tested.is_wrong = lambda suggestion: suggestion.pk in {item.suggestion_id for item in items}
    for item in tested.asked()[: tested.asked().index(items[1]) + 1]:
        tested.decide(item)
    tested.step()
    found = [item for item in asked_again(tested) if item.document_id == document]
    assert len(found) == 2 and found[0].slot == found[1].slot
    for item in found:
        decide_again(tested, item, alice, is_right=True)
    assert ReviewItem.objects.get(unit="second", document=document).status == "decided"
    third = next(item for item in tested.asked() if item.document_id == document)
    tested.is_wrong = lambda suggestion: suggestion.pk == third.suggestion_id
    for item in tested.asked()[: tested.asked().index(third) + 1]:
        tested.decide(item)
    tested.step()
    (item,) = asked_again(tested)
    note = ReviewItem.objects.get(unit="second", document=document)
    assert (item.slot, note.status, note.reason) == (note.slot, "open", "asked_again")
    decide_again(tested, item, alice, is_right=False)
    tested.step()
    assert SecondRead.objects.filter(outcome="right").count() == 2
    assert SecondRead.objects.filter(outcome="wrong").count() == 1


def test_what_the_second_takes_back_is_waited_for_again(tested: Oracle, alice: User) -> None:
    wrong_at(tested, [1], 6)
    (item,) = asked_again(tested)
    decide_again(tested, item, alice, is_right=True)
    tested.step()
    assert counts(tested) == (6, 0)
    note = ReviewItem.objects.get(unit="second")
    services.decide(note_item=note, reviewer=alice, act=services.Undo(), key="undo-again", now=tested.later())
    tested.step()
    assert counts(tested) == (1, 0)
    assert SecondRead.objects.get().outcome == ""


def test_an_edit_is_wrong_and_what_is_skipped_too(tested: Oracle, alice: User) -> None:
    wrong_at(tested, [1, 4], 6)
    edited, skipped = asked_again(tested)
    for item, act in (
        (edited, services.Edit(edited, label="Medication")),
        (skipped, services.Skip(skipped)),
    ):
        note = take_note_of(item=item, reviewer=alice, now=tested.later())
        assert note is not None
        services.decide(note_item=note, reviewer=alice, act=act, key=f"other-{item.pk}", now=tested.now)
        note.refresh_from_db()
        release(note_item=note, reviewer=alice)
    tested.step()
    assert counts(tested) == (6, 2)


def test_that_it_is_asked_again_stands_in_the_audit_chain(tested: Oracle) -> None:
    wrong_at(tested, [1], 6)
    event = AuditEvent.objects.get(chain__project=tested.project.public_id, verb="batch.second")
    assert event.detail == {"n_asked": 1, "n_settled": 0}
    assert not step_project(project_id=tested.project.pk, now=tested.later())
    assert AuditEvent.objects.filter(verb="batch.second").count() == 1
