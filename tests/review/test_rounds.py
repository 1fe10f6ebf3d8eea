"""Rounds: who may take which note, and how readings change hands."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db.models import Count

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.browse.services import remove_person
from annotator.browse.work import notes_in_hand, waiting_notes
from annotator.core.schema import Schema
from annotator.documents.models import Document
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.selectors import memberships_of
from annotator.projects.services import ProjectError, create_project, set_away
from annotator.review import rounds
from annotator.review.leases import LEASE, LeaseConflict, hold, put_back, renew, take_next, take_note, takeable_notes
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.readings import notes_read, progress_by_reader, rounds_left
from annotator.review.rounds import Chosen, RoundError
from annotator.review.selectors import waiting_items
from annotator.review.telling import tell_due
from annotator.routing.services import route_job
from tests.cast import NOW, make_document, make_member, make_round, make_set, make_user
from tests.projects.test_invitations import at_once
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest

pytestmark = pytest.mark.usefixtures("bells")
TODAY = NOW.date()


@pytest.fixture
def notes(project: Project) -> list[Document]:
    return [make_document(project, external_id=f"n-{number}", note_type="AB"[number % 2]) for number in range(6)]


@pytest.fixture
def carl(project: Project) -> User:
    return make_member(project, "carl", Membership.Role.ANNOTATOR)


def reading(note: Document, reader: User) -> ReviewItem:
    return ReviewItem.objects.get(document=note, assigned_to=reader, unit="note")


def may_take(project: Project, reviewer: User, now: Any = NOW) -> set[str]:
    """The notes that the person may take; what the first page counts is the same, less what they have begun."""
    found = list(takeable_notes(project=project, reviewer=reviewer, now=now))
    memberships = list(memberships_of(reviewer))
    waiting = waiting_notes(memberships, user=reviewer, now=now)
    in_hand = {row.item.pk for row in notes_in_hand(memberships, user=reviewer, now=now)}
    n_waiting = waiting[project.pk].n_notes if project.pk in waiting else 0
    assert n_waiting == sum(item.pk not in in_hand for item in found)
    return {item.document.external_id for item in found}


def test_a_round_gives_each_note_its_readers_and_no_more(
    project: Project,
    notes: list[Document],
    schema_version: SchemaVersion,
    alice: User,
    bob: User,
    adam: User,
    carl: User,
) -> None:
    """Of notes with too many slots, with too few, and with none."""
    Project.objects.filter(pk=project.pk).update(n_readers=3)
    suggest(Document.objects.get(pk=notes[0].pk), [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    Project.objects.filter(pk=project.pk).update(n_readers=1)
    suggest(Document.objects.get(pk=notes[1].pk), [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    made = make_round(project, alice, bob, adam, carl, n_readers=2)
    items = ReviewItem.objects.filter(unit="note", round=made)
    assert Counter(items.values_list("document__external_id", flat=True)) == {f"n-{n}": 2 for n in range(6)}
    assert Counter(items.values_list("assigned_to__username", flat=True)) == {"bob": 4, "adam": 4, "carl": 4}
    assert not ReviewItem.objects.filter(slot__gt=2).exists()
    for note in notes[:2]:
        spans = ReviewItem.objects.filter(document=note, unit="span").values_list("slot", "suggestion__surface")
        assert sorted(spans) == [(1, "chest pain"), (2, "chest pain")]
    event = AuditEvent.objects.get(verb="round.create")
    assert (event.object_id, event.detail) == (made.public_id, {"n_notes": 6, "n_readers": 2})


def test_routing_keeps_to_what_the_round_says(
    project: Project, notes: list[Document], schema_version: SchemaVersion, alice: User, bob: User, adam: User
) -> None:
    Project.objects.filter(pk=project.pk).update(n_readers=4)
    make_round(project, alice, bob, adam)
    suggest(Document.objects.get(pk=notes[0].pk), [(DIABETES, "Problem", 0.4)], schema_version=schema_version)
    assert ReviewItem.objects.filter(document=notes[0], unit="note").count() == 2
    assert ReviewItem.objects.filter(document=notes[0], unit="span").count() == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"n_readers": 3}, "3 different people are to read each note, and the round has 2"),
        ({"n_readers": 11}, "1 to 10 people, not by 11"),
        ({"n_readers": 1, "assistance": "mixed"}, "where another reads with them"),
        ({"due_on": date(2026, 3, 1)}, "the day is over"),
        ({"chosen": Chosen(n_notes=7)}, "7 notes are wanted, and 6 are free"),
        ({"chosen": Chosen(note_type="C")}, "no note is free"),
        ({"chosen": Chosen(external_ids=["n-1", "x", "n-2", "y"])}, "no note of the id in entries 2, 4"),
    ],
)
def test_a_round_that_cannot_be_is_refused(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(RoundError, match=why):
        make_round(project, alice, bob, adam, **fields)
    assert not ReviewItem.objects.exists()


def test_only_members_who_review_read(
    project: Project, notes: list[Document], alice: User, bob: User, dana: User
) -> None:
    with pytest.raises(RoundError, match="dana does not review"):
        make_round(project, alice, bob, dana)
    made = make_round(project, alice, bob)
    with pytest.raises(RoundError, match="dana does not review"):
        rounds.add_reader(round=made, user=dana, actor=alice, now=NOW)
    with pytest.raises(RoundError, match="bob reads in this round already"):
        rounds.add_reader(round=made, user=bob, actor=alice, now=NOW)


def test_what_is_begun_done_or_in_a_round_is_not_taken(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    ensure_note_items(document=notes[0], n_slots=1, priority=1.0)
    take_note(document=notes[0], reviewer=bob, now=NOW)
    make_set(notes[1], bob)
    first = make_round(project, alice, bob, adam, chosen=Chosen(n_notes=2))
    second = make_round(project, alice, bob, adam, n_readers=1)
    assert (first.number, second.number) == (1, 2)
    taken = set(first.items.values_list("document", flat=True)) | set(second.items.values_list("document", flat=True))
    assert taken == {note.pk for note in notes[2:]}
    with pytest.raises(RoundError, match="begun, done, or in another round in entry 1"):
        make_round(project, alice, bob, chosen=Chosen(external_ids=["n-0"]))


def test_notes_are_chosen_by_type_and_by_list(project: Project, notes: list[Document], alice: User, bob: User) -> None:
    of_type = make_round(project, alice, bob, chosen=Chosen(note_type="A", n_notes=2))
    assert {item.document.note_type for item in of_type.items.all()} == {"A"}
    listed = make_round(project, alice, bob, chosen=Chosen(external_ids=["n-3", "n-1", "n-3"]))
    assert {item.document.external_id for item in listed.items.all()} == {"n-1", "n-3"}


def test_a_note_is_for_whom_it_is_assigned_to(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    ensure_note_items(document=notes[0], n_slots=1, priority=9.0)
    made = make_round(
        project, alice, bob, adam, n_readers=1, chosen=Chosen(external_ids=[f"n-{n}" for n in range(1, 6)])
    )
    bobs = {item.document.external_id for item in made.items.filter(assigned_to=bob)}
    assert may_take(project, bob) == bobs | {"n-0"}
    assert may_take(project, carl) == {"n-0"}
    first = take_next(project=project, reviewer=bob, now=NOW)
    assert first is not None
    assert first.document.external_id in bobs, "the own notes come before those that are anybody's"
    late = NOW + LEASE + timedelta(seconds=1)
    with pytest.raises(LeaseConflict):
        take_note(document=first.document, reviewer=adam, now=late)
    assert take_note(document=first.document, reviewer=bob, now=late).assigned_to == bob


def test_the_first_due_comes_first_and_what_was_left_comes_last(
    project: Project, notes: list[Document], alice: User, bob: User
) -> None:
    ensure_note_items(document=notes[5], n_slots=1, priority=9.0)
    make_round(project, alice, bob, chosen=Chosen(external_ids=["n-0"]))
    make_round(project, alice, bob, chosen=Chosen(external_ids=["n-1"]), due_on=TODAY + timedelta(days=9))
    make_round(project, alice, bob, chosen=Chosen(external_ids=["n-2"]), due_on=TODAY)
    order: list[str] = []
    for _ in range(5):
        item = take_next(project=project, reviewer=bob, now=NOW + timedelta(minutes=len(order)))
        assert item is not None
        order.append(item.document.external_id)
        put_back(note_item=item, reviewer=bob, now=NOW + timedelta(minutes=len(order)))
    assert order == ["n-2", "n-1", "n-0", "n-5", "n-2"]


def test_what_is_handed_back_is_for_the_other_readers(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    """Bob and Adam read every note, Carl none yet: only he may take what Bob hands back, with what Bob began."""
    made = make_round(project, alice, bob, adam)
    rounds.add_reader(round=made, user=carl, actor=alice, now=NOW)
    begun = take_note(document=notes[0], reviewer=bob, now=NOW)
    rounds.hand_back(reading=begun, reader=bob, now=NOW)
    assert not hold(note_item=begun, reviewer=bob, now=NOW), "a page that is open still keeps it from nobody"
    assert not renew(note_item=begun, reviewer=bob, now=NOW)
    assert AuditEvent.objects.filter(verb="note.hand_back", object_id=notes[0].public_id, actor=bob).count() == 1
    assert may_take(project, bob) == {f"n-{number}" for number in range(1, 6)}
    assert "n-0" in may_take(project, adam), "his own reading of it"
    assert may_take(project, carl) == {"n-0"}
    assert progress_by_reader(made)[None].n_left == 1
    outsider = make_member(project, "olga", Membership.Role.ANNOTATOR)
    assert may_take(project, outsider) == set()
    rounds.take_back(reading=begun, reader=bob, now=NOW)
    assert "n-0" in may_take(project, bob)
    rounds.hand_back(reading=begun, reader=bob, now=NOW)
    taken = take_note(document=notes[0], reviewer=carl, now=NOW)
    assert (taken.pk, taken.assigned_to) == (begun.pk, carl)
    assert set(AnnotationSet.objects.filter(document=notes[0]).values_list("annotator", flat=True)) == {carl.pk}
    with pytest.raises(RoundError, match="someone else has this note"):
        rounds.take_back(reading=begun, reader=bob, now=NOW)
    with pytest.raises(RoundError, match="not assigned to you"):
        rounds.hand_back(reading=begun, reader=bob, now=NOW)


def test_whoever_is_away_is_stood_in_for(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    make_round(project, alice, bob, adam, carl, n_readers=1)
    bobs = {item.document.external_id for item in ReviewItem.objects.filter(assigned_to=bob)}
    own = may_take(project, adam)
    membership = Membership.objects.get(user=bob)
    set_away(membership=membership, until=TODAY, actor=alice, now=NOW)
    assert may_take(project, adam) == own | bobs
    assert may_take(project, bob) == bobs
    assert may_take(project, adam, NOW + timedelta(days=1)) == own
    set_away(membership=membership, until=None, actor=alice, now=NOW)
    assert may_take(project, adam) == own
    with pytest.raises(ProjectError, match="the day is over"):
        set_away(membership=membership, until=TODAY - timedelta(days=1), actor=alice, now=NOW)


def test_a_lead_gives_notes_to_another_who_reads_none_of_them_twice(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    made = make_round(project, alice, bob, adam, carl, n_readers=2)
    begun = ReviewItem.objects.filter(assigned_to=bob).first()
    assert begun is not None
    take_note(document=begun.document, reviewer=bob, now=NOW)
    moved = rounds.reassign(round=made, from_user=bob, to=carl, n_notes=None, actor=alice, now=NOW)
    assert moved == 2, "of Bob's four notes Carl reads two already"
    twice = ReviewItem.objects.filter(unit="note").values("document", "assigned_to").annotate(n=Count("pk"))
    assert not twice.filter(n__gt=1).exists()
    assert AuditEvent.objects.get(verb="round.reassign").detail == {
        "n_notes": 2,
        "from": bob.public_id,
        "to": carl.public_id,
    }
    assert rounds.reassign(round=made, from_user=bob, to=None, n_notes=1, actor=alice, now=NOW) == 1
    waiting = made.items.get(assigned_to=None)
    assert rounds.reassign(round=made, from_user=None, to=bob, n_notes=None, actor=alice, now=NOW) == 1
    assert reading(waiting.document, bob).pk == waiting.pk


def test_notes_go_only_to_readers_of_the_round(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    made = make_round(project, alice, bob)
    with pytest.raises(RoundError, match="adam does not read in this round"):
        rounds.reassign(round=made, from_user=bob, to=adam, n_notes=None, actor=alice, now=NOW)
    with pytest.raises(RoundError, match="no open note"):
        rounds.reassign(round=made, from_user=adam, to=None, n_notes=None, actor=alice, now=NOW)


def test_whoever_leaves_leaves_their_notes_to_the_others(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    make_round(project, alice, bob, adam, n_readers=1)
    remove_person(membership=Membership.objects.get(user=bob), actor=alice, now=NOW)
    assert may_take(project, adam) == {note.external_id for note in notes}


@pytest.mark.parametrize(("assistance", "n_blind"), [("shown", 0), ("hidden", 12), ("mixed", 6)])
def test_an_arm_without_suggestions_is_read_blind(
    project: Project,
    notes: list[Document],
    schema_version: SchemaVersion,
    alice: User,
    bob: User,
    adam: User,
    assistance: str,
    n_blind: int,
) -> None:
    suggest(notes[0], [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    made = make_round(project, alice, bob, adam, assistance=assistance)
    assert made.items.filter(stream="blind").count() == n_blind
    assert made.items.filter(stream="blind").values("document").distinct().count() in {0, 6}
    for reader in (bob, adam):
        item = take_note(document=notes[0], reviewer=reader, now=NOW)
        assert waiting_items(item).exists() == (item.stream != "blind")


def test_a_reading_from_outside_fills_the_readers_own_slot(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    made = make_round(project, alice, bob, adam)
    for reader in (adam, carl):
        make_set(notes[0], reader)
        ensure_note_items(document=notes[0], n_slots=1, priority=1.0)
        if reader == adam:
            assert reading(notes[0], bob).status == "open"
    assert reading(notes[0], adam).status == reading(notes[0], carl).status == "decided"
    assert made.items.filter(document=notes[0]).count() == 2


def test_progress_is_counted_by_reader_and_by_note(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    made = make_round(project, alice, bob, adam, due_on=TODAY)
    take_note(document=notes[0], reviewer=bob, now=NOW)
    ReviewItem.objects.filter(document__in=notes[1:3], assigned_to=bob).update(status="decided", leased_by=bob)
    ReviewItem.objects.filter(document=notes[1], assigned_to=adam).update(status="decided", leased_by=adam)
    of_bob = progress_by_reader(made)[bob.pk]
    assert (of_bob.n_all, of_bob.n_done, of_bob.n_in_hand, of_bob.n_left) == (6, 2, 1, 4)
    read = notes_read(made)
    assert (read.n_done, read.n_begun, read.n_untouched) == (1, 2, 3)
    ((of_home, progress),) = rounds_left(projects=[project.pk], reader=bob)
    assert (of_home, progress.n_left) == (made, 4)


def test_a_round_that_nobody_has_begun_is_taken_back(
    project: Project, notes: list[Document], schema_version: SchemaVersion, alice: User, bob: User, adam: User
) -> None:
    suggest(notes[0], [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    before = list(ReviewItem.objects.order_by("pk").values_list("pk", "document", "slot", "unit", "stream"))
    made = make_round(project, alice, bob, adam, assistance="hidden")
    rounds.undo_round(round=made, actor=alice, now=NOW)
    assert list(ReviewItem.objects.order_by("pk").values_list("pk", "document", "slot", "unit", "stream")) == before
    begun = make_round(project, alice, bob)
    take_next(project=project, reviewer=bob, now=NOW)
    with pytest.raises(RoundError, match="has been begun"):
        rounds.undo_round(round=begun, actor=alice, now=NOW)


def test_two_people_at_one_slot_get_it_once(
    project: Project,
    notes: list[Document],
    alice: User,
    bob: User,
    adam: User,
    carl: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Carl has read that the slot is free when Adam takes it."""
    made = make_round(project, alice, bob, adam, carl, n_readers=1, chosen=Chosen(external_ids=["n-0"]))
    rounds.reassign(round=made, from_user=made.items.get().assigned_to, to=None, n_notes=None, actor=alice, now=NOW)
    seen = takeable_notes(project=project, reviewer=carl, now=NOW)
    list(seen)
    take_note(document=notes[0], reviewer=adam, now=NOW)
    monkeypatch.setattr("annotator.review.leases.takeable_notes", lambda **asked: seen)
    with pytest.raises(LeaseConflict):
        take_note(document=notes[0], reviewer=carl, now=NOW)
    assert made.items.get().assigned_to == adam


@pytest.mark.django_db(transaction=True)
def test_a_round_and_routing_at_once_make_no_item_beyond_its_readers(schema: Schema) -> None:
    lead = make_user("lena")
    project = create_project(name="P", schema=schema, lead=lead, now=NOW, n_readers=3)
    people = [make_member(project, name, Membership.Role.ANNOTATOR) for name in ("nora", "otto")]
    version = project.schema_versions.get()
    jobs = [
        suggest(
            make_document(project, external_id=f"n-{number}"),
            [(CHEST_PAIN, "Problem", 0.4)],
            schema_version=version,
            is_routed=False,
        )
        for number in range(3)
    ]
    at_once(
        lambda: make_round(project, lead, *people),
        *(lambda job=job: route_job(label_job_id=job.pk, now=NOW) for job in jobs),
    )
    for unit in ("note", "span"):
        slots = ReviewItem.objects.filter(unit=unit).order_by("document", "slot").values_list("document", "slot")
        assert list(slots) == [(job.document_id, slot) for job in jobs for slot in (1, 2)]


def told(kind: Kind) -> dict[str, tuple[int, dict[str, Any]]]:
    found = Notice.objects.filter(kind=kind).select_related("user")
    return {notice.user.username: (notice.n, notice.detail) for notice in found}


def test_readers_are_told_what_is_theirs_and_leads_what_is_handed_back(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    due_on = NOW.date() + timedelta(days=9)
    made = make_round(project, bob, bob, adam, due_on=due_on)
    detail = {"number": 1, "due_on": due_on.isoformat()}
    assert told(Kind.ROUND_ASSIGNED) == {"adam": (6, detail)}, "Bob made it himself"
    rounds.add_reader(round=made, user=carl, actor=alice, now=NOW)
    for n_notes in (1, 2):
        rounds.reassign(round=made, from_user=adam, to=carl, n_notes=n_notes, actor=alice, now=NOW)
    assert told(Kind.ROUND_ASSIGNED)["carl"] == (3, detail)
    for note in notes[:3]:
        item = ReviewItem.objects.filter(document=note, assigned_to=bob).get()
        rounds.hand_back(reading=item, reader=bob, now=NOW)
    assert told(Kind.ROUND_HANDED_BACK) == {"alice": (3, detail)}
    rounds.undo_round(round=made, actor=alice, now=NOW)
    assert not Notice.objects.exists()
    adam.refresh_from_db()
    assert adam.n_unread_notices == 0


def test_readers_are_told_once_of_what_is_left_when_a_round_is_due_soon(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    made = make_round(project, alice, bob, adam, due_on=NOW.date() + timedelta(days=3))
    ReviewItem.objects.filter(document=notes[0], assigned_to=bob).update(status=ReviewItem.Status.DECIDED)
    ReviewItem.objects.filter(assigned_to=adam).update(status=ReviewItem.Status.DECIDED)
    tell_due(now=NOW)
    assert told(Kind.ROUND_DUE) == {}
    for days in (1, 1, 2, 3):
        tell_due(now=NOW + timedelta(days=days))
    detail = {"number": 1, "due_on": str(made.due_on), "n_left": 5}
    assert told(Kind.ROUND_DUE) == {"bob": (1, detail)}
    rounds.set_due(round=made, due_on=NOW.date() + timedelta(days=5), actor=alice, now=NOW)
    tell_due(now=NOW + timedelta(days=6))
    assert told(Kind.ROUND_DUE)["bob"][1] == detail
    tell_due(now=NOW + timedelta(days=4))
    assert told(Kind.ROUND_DUE)["bob"][1]["due_on"] != detail["due_on"]
