"""The first page: what is in a person's hands, what waits, and what leads look after."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.browse.home import HELD_SHOWN, home_of
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.jobs.services import record_beat
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import memberships_of
from annotator.projects.services import create_project, set_member
from annotator.review.leases import LEASE, put_back, release, take_next, take_note, takeable_notes
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import LabelJob, LabelRun
from tests.browse.scene import make_states
from tests.cast import NOW, body, make_document, make_member, make_user, sign_in

pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def states(project: Project, bob: User) -> Project:
    make_states(project, bob)
    return project


def home_for(user: User, now: datetime = NOW) -> Any:
    return home_of(user, list(memberships_of(user)), now=now)


def page_of(client: Client, user: User) -> str:
    return body(sign_in(client, user).get(reverse("home")))


def add_note(project: Project, name: str, *, slots: int = 1) -> Document:
    """A note that waits for review."""
    document = make_document(project, external_id=name)
    for slot in range(1, slots + 1):
        ReviewItem.objects.create(project=project, document=document, unit="note", slot=slot)
    return document


# In hand


def test_a_note_in_hand_comes_with_its_lease_and_what_is_left(states: Project, bob: User) -> None:
    (row,) = home_for(bob).in_hand
    assert row.item.document.external_id == "4-in-review"
    assert (row.n_open, row.lease_seconds) == (2, LEASE.total_seconds())


def test_a_begun_note_stays_in_hand_when_its_lease_has_run_out(states: Project, bob: User) -> None:
    later = NOW + LEASE + timedelta(seconds=1)
    assert [row.lease_seconds for row in home_for(bob, later).in_hand] == [None]


def test_held_notes_come_before_those_left_for_later(states: Project, bob: User) -> None:
    left = ReviewItem.objects.get(document__external_id="4-in-review", unit="note")
    put_back(note_item=left, reviewer=bob, now=NOW)
    take_next(project=states, reviewer=bob, now=NOW)
    assert [row.item.document.external_id for row in home_for(bob).in_hand] == ["3-to-review", "4-in-review"]


def test_a_note_that_someone_took_over_is_in_their_hands(states: Project, bob: User, adam: User) -> None:
    later = NOW + LEASE + timedelta(seconds=1)
    take_note(document=Document.objects.get(external_id="4-in-review"), reviewer=adam, now=later)
    assert home_for(bob, later).in_hand == []
    assert len(home_for(adam, later).in_hand) == 1


def test_who_has_left_the_project_has_nothing_of_it(states: Project, bob: User) -> None:
    Membership.objects.filter(user=bob).delete()
    found = home_for(bob)
    assert (found.in_hand, found.rows, found.reviews) == ([], [], False)


# Waiting


def test_what_waits_is_what_may_be_taken(
    client: Client, project: Project, bob: User, adam: User, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts of the first page are those of the queue, for everybody and in every state of a note."""
    Project.objects.filter(pk=project.pk).update(n_readers=2)
    notes = [add_note(project, f"n-{number}", slots=2) for number in range(6)]
    take_note(document=notes[0], reviewer=bob, now=NOW)
    take_note(document=notes[0], reviewer=adam, now=NOW)
    take_note(document=notes[1], reviewer=adam, now=NOW - 2 * LEASE)
    bobs = take_note(document=notes[2], reviewer=bob, now=NOW)
    ReviewItem.objects.filter(pk=bobs.pk).update(status="decided")
    take_note(document=notes[3], reviewer=alice, now=NOW)
    for user in (alice, bob, adam):
        free = takeable_notes(project=project, reviewer=user, now=NOW).exclude(leased_by=user)
        waits = len({item.document for item in free})
        assert home_for(user).waiting[project.pk].n_notes == waits == 4, user.username
    start = reverse("review:start", args=[project.public_id])
    with monkeypatch.context() as clock:
        clock.setattr("annotator.review.views.timezone.now", lambda: NOW)
        assert "<b>5 notes</b> wait for you." in body(sign_in(client, bob).get(start)), "with the one in his hands"


def test_a_note_that_was_only_looked_at_waits_beside_projects_of_several_readers(
    project: Project, other_project: Project, bob: User
) -> None:
    set_member(project=other_project, user=bob, role=Membership.Role.ANNOTATOR, actor=None, now=NOW)
    Project.objects.filter(pk=other_project.pk).update(n_readers=2)
    add_note(other_project, "theirs", slots=2)
    release(note_item=take_note(document=add_note(project, "seen"), reviewer=bob, now=NOW), reviewer=bob)
    waiting = home_for(bob).waiting
    assert (waiting[project.pk].n_notes, waiting[other_project.pk].n_notes) == (1, 1)


def test_with_one_reader_too_what_waits_is_what_may_be_taken(states: Project, bob: User, adam: User) -> None:
    add_note(states, "6-more")
    for user in (bob, adam):
        free = takeable_notes(project=states, reviewer=user, now=NOW).exclude(leased_by=user)
        assert home_for(user).waiting[states.pk].n_notes == free.count() == 2
    assert home_for(bob).waiting[states.pk].n_spans == 4


def test_nothing_waits_for_who_does_not_review(states: Project, dana: User) -> None:
    found = home_for(dana)
    assert (found.waiting, found.rows, found.done) == ({}, [], None)


# Done


def test_done_counts_today_and_this_week_without_what_was_taken_back(states: Project, bob: User) -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=timezone.get_default_timezone())  # a Wednesday
    item = ReviewItem.objects.get(document__external_id="5-reviewed", unit="note")

    def decide(verdict: str, days: int, **fields: Any) -> Decision:
        return Decision.objects.create(
            project=states,
            note_item=item,
            reviewer=bob,
            verdict=verdict,
            stream="uncertain",
            idempotency_key=f"k-{Decision.objects.count()}",
            decided_at=now - timedelta(days=days),
            **fields,
        )

    decide("accept", 0)
    decide("add", 1)
    decide("note_done", 2)
    decide("reject", 3)  # on Sunday, the week before
    decide("skip", 0)
    taken_back = decide("edit", 0)
    decide("undo", 0, undoes=taken_back)
    done = home_for(bob, now).done
    assert (done.n_spans_today, done.n_spans_week) == (1, 2)
    assert (done.n_notes_today, done.n_notes_week) == (0, 1)


# For leads and data scientists


def texts(found: Any) -> list[str]:
    return [step.text for step in found.steps]


def test_a_lead_sees_failed_notes(states: Project, alice: User, bob: User) -> None:
    assert texts(home_for(alice)) == ["Look at 1 failed note in Discharge notes"]
    assert home_for(bob).steps == []


def test_a_lead_sees_a_run_that_goes_on_and_that_nobody_works_on_it(states: Project, alice: User) -> None:
    LabelRun.objects.update(status="running")
    LabelJob.objects.filter(status="failed").update(status="queued")
    assert texts(home_for(alice)) == ["No labelling worker is running", "Run 1 goes on in Discharge notes"]
    record_beat(name="w", queues="label", model_id="", device="", memory_bytes=1, started_at=NOW, now=NOW)
    (step,) = home_for(alice).steps
    assert step.why == "3 of 4 notes read."


@pytest.mark.parametrize(
    ("days", "text"),
    [(0, "is deleted after 2 March 2026"), (30, "is deleted after 1 April 2026"), (-1, "is being deleted")],
)
def test_a_lead_sees_a_retention_date_that_comes_near(project: Project, alice: User, days: int, text: str) -> None:
    Project.objects.update(retain_until=timezone.localdate(NOW) + timedelta(days=days))
    (step,) = home_for(alice).steps
    assert step.text == f"Discharge notes {text}"


def test_a_retention_date_far_off_is_not_told(project: Project, alice: User, bob: User) -> None:
    Project.objects.update(retain_until=timezone.localdate(NOW) + timedelta(days=31))
    assert home_for(alice).steps == []
    Project.objects.update(retain_until=date(2026, 3, 3))
    assert home_for(bob).steps == []


def test_a_data_scientist_sees_the_newest_datasets(states: Project, dana: User, bob: User, client: Client) -> None:
    made = DatasetBuild.objects.create(project=states, number=1, name="March", manifest={"n_notes": 3}, created_at=NOW)
    page = page_of(client, dana)
    assert f'href="{reverse("builds:build", args=[states.public_id, made.public_id])}">March</a>' in page
    assert "3 notes" in page
    assert "March" not in page_of(client, bob)


# The page


def test_without_a_project_it_says_what_to_do(client: Client, db: None) -> None:
    page = page_of(client, make_user("nora"))
    assert "You are in no project yet" in page
    assert "invitation link" in page
    assert f'href="{reverse("browse:new_project")}"' in page


def test_it_leads_on_with_the_note_in_hand(client: Client, states: Project, bob: User) -> None:
    page = page_of(client, bob)
    held = Document.objects.get(external_id="4-in-review")
    first = page.split('data-key="r"')[0]
    assert first.endswith('<button class="button" data-kind="primary" ')
    assert f'action="{reverse("review:take", args=[states.public_id, held.public_id])}"' in first
    assert page.count("data-key=") == 1
    assert "<kbd>R</kbd></dt><dd>Continue" in page


def test_it_starts_where_most_waits_for_who_holds_nothing(client: Client, states: Project, adam: User) -> None:
    page = page_of(client, adam)
    assert f'action="{reverse("review:next", args=[states.public_id])}"' in page.split('data-key="r"')[0]
    assert "<b>2 notes</b> wait for you." in page
    assert "you hold no note" in page


def test_it_lists_my_projects_only(client: Client, states: Project, bob: User, other_project: Project) -> None:
    page = page_of(client, bob)
    assert f'href="{reverse("browse:overview", args=[states.public_id])}">{states.name}' in page
    assert '<td class="num">5</td> <td class="num">1</td>' in page
    assert reverse("review:start", args=[states.public_id]) in page
    assert other_project.name not in page


def test_it_shows_no_queue_to_who_does_not_review(client: Client, states: Project, dana: User) -> None:
    page = page_of(client, dana)
    assert '<td class="num">5</td> <td class="num">–</td>' in page
    assert reverse("review:start", args=[states.public_id]) not in page
    assert "data-key=" not in page


def test_it_says_when_nothing_waits(client: Client, project: Project, bob: User) -> None:
    assert "No note waits for you now." in page_of(client, bob)


def test_anonymous_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get(reverse("home"))["Location"].startswith(reverse("accounts:sign_in"))


def test_what_it_shows_is_not_in_the_audit_log_as_reading(client: Client, states: Project, bob: User) -> None:
    before = AuditEvent.objects.count()
    page_of(client, bob)
    assert AuditEvent.objects.count() == before


def test_it_takes_the_same_queries_for_many_projects_and_notes(
    client: Client, states: Project, alice: User, schema: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(9):
        more = create_project(name=f"P{number}", schema=schema, lead=alice, now=NOW)
        make_states(more, make_member(more, f"reader-{number}", Membership.Role.ANNOTATOR))
        add_note(more, "held")
        take_next(project=more, reviewer=alice, now=timezone.now())
    ds = create_project(name="Theirs", schema=schema, lead=make_user("nora"), now=NOW)
    set_member(project=ds, user=alice, role=Membership.Role.DATA_SCIENTIST, actor=None, now=NOW)
    page_of(client, alice)  # the session's first request writes of its own
    with django_assert_max_num_queries(17):
        page = body(client.get(reverse("home")))
    assert page.count("Lead</td>") == 10
    assert page.count(">Continue</button>") == HELD_SHOWN
    assert "<b>9 notes</b> in your hands" in page
    assert "And 1 more: the Review page" in page
