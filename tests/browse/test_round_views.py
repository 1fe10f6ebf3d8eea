"""The pages of rounds: what leads make and watch, what readers see of theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.browse import round_pages, round_views
from annotator.browse.round_forms import ANYBODY
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Membership, Project
from annotator.review import rounds
from annotator.review.leases import take_next
from annotator.review.models import ReviewItem, Round, RoundJob
from annotator.review.round_jobs import run_round
from annotator.review.rounds import Chosen
from tests.cast import HTMX, NOW, body, make_document, make_member, make_round, sign_in

pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def notes(project: Project) -> Project:
    for number in range(6):
        make_document(project, external_id=f"n-{number}", note_type="AB"[number % 2])
    return project


def url(name: str, *args: str) -> str:
    return reverse(f"browse:{name}", args=args)


def asked(*readers: User, **fields: Any) -> dict[str, Any]:
    """The form of a new round, filled in."""
    form = {"n_readers": 2, "reads": [user.public_id for user in readers], "assistance": "mixed", "draw": "stratified"}
    return {**form, "seed": 3, **fields}


def test_the_form_says_what_a_round_comes_to(
    client: Client, alice_client: Client, notes: Project, alice: User, bob: User, adam: User
) -> None:
    preview = url("preview_round", notes.public_id)
    form = asked(alice, bob, adam, **{f"n_{bob.public_id}": 2})
    page = body(alice_client.post(preview, form, headers=HTMX))
    assert "<b>12 readings</b>: 6 notes × 2 readers." in page
    assert "adam 5, alice 5, bob 2." in page
    assert "About 2 notes are shared by each pair of readers." in page
    assert "6 readings without suggestions." in page
    assert "6 notes not pre-labelled yet" in page
    assert "<h1>New round</h1>" in body(alice_client.post(preview, form)), "without htmx it is a page"
    assert not Round.objects.exists()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"n_readers": 3}, "3 different people are to read each note, and the round has 2"),
        ({"n_readers": 11}, "less than or equal to 10"),
        ({"reads": []}, "id_reads_error"),
        ({"external_ids": "n-1\nx", "n_notes": ""}, "The project has no note of the id in entry 2."),
        ({"external_ids": "n-1", "n_notes": "1"}, "not both"),
        ({"due_on": "2020-01-01"}, "The day is over"),
    ],
)
def test_what_cannot_be_is_said_in_the_form(
    alice_client: Client, notes: Project, bob: User, adam: User, fields: dict[str, Any], why: str
) -> None:
    response = alice_client.post(url("new_round", notes.public_id), asked(bob, adam, **fields))
    assert response.status_code == 422
    assert why in body(response)
    assert not Round.objects.exists()


def test_a_round_is_started_watched_changed_and_taken_back(
    alice_client: Client, notes: Project, bob: User, adam: User
) -> None:
    listed = asked(bob, adam, name="Pilot", external_ids="n-1\n\n n-2 \nn-1", assistance="shown")
    response = alice_client.post(url("new_round", notes.public_id), listed, headers=HTMX)
    made = Round.objects.get()
    page = url("round", notes.public_id, made.public_id)
    assert (response.status_code, response["HX-Redirect"]) == (200, page)
    assert set(made.items.values_list("document__external_id", flat=True)) == {"n-1", "n-2"}
    assert "Round 1</a>" in body(alice_client.get(url("rounds", notes.public_id)))
    day = timezone.localdate() + timedelta(days=3)
    changed = alice_client.post(url("round_due", notes.public_id, made.public_id), {"due_on": day}, follow=True)
    assert f"to be read by {day:%-d %B %Y}" in body(changed)
    late = alice_client.post(url("round_due", notes.public_id, made.public_id), {"due_on": "2020-01-01"})
    assert (late.status_code, "The day is over" in body(late)) == (422, True)
    carl = make_member(notes, "carl", Membership.Role.ANNOTATOR)
    alice_client.post(url("round_reader", notes.public_id, made.public_id), {"user": carl.public_id})
    give = {"from_user": bob.public_id, "to": carl.public_id, "n_notes": 1}
    given = alice_client.post(url("reassign", notes.public_id, made.public_id), give, follow=True)
    assert "1 note goes to carl." in body(given)
    assert made.items.filter(assigned_to=carl).count() == made.items.filter(assigned_to=bob).count() == 1
    back = alice_client.post(
        url("reassign", notes.public_id, made.public_id), {"from_user": bob.public_id, "to": ANYBODY}, follow=True
    )
    assert "<b>1 reading</b> handed back" in body(back)
    same = {"from_user": carl.public_id, "to": carl.public_id}
    assert alice_client.post(url("reassign", notes.public_id, made.public_id), same).status_code == 422
    undone = alice_client.post(url("undo_round", notes.public_id, made.public_id), follow=True)
    assert "Round 1 is taken back" in body(undone)
    assert not Round.objects.exists()
    assert not ReviewItem.objects.exists()


def test_readers_are_shown_by_name_with_what_is_late(
    alice_client: Client, notes: Project, alice: User, bob: User, adam: User
) -> None:
    made = make_round(notes, alice, bob, adam, due_on=NOW.date())
    take_next(project=notes, reviewer=bob, now=timezone.now())
    page = body(alice_client.get(url("round", notes.public_id, made.public_id)))
    assert page.index('scope="row">adam') < page.index('scope="row">bob')
    assert '<td class="num">6</td> <td class="num">0</td> <td class="num">1</td> <td class="num">6</td>' in page
    assert "Overdue" in page
    refused = alice_client.post(url("undo_round", notes.public_id, made.public_id))
    assert (refused.status_code, "has been begun" in body(refused)) == (409, True)


def test_a_reader_sees_their_own_and_hands_back(
    client: Client, notes: Project, alice: User, bob: User, adam: User
) -> None:
    made = make_round(notes, alice, bob, adam, n_readers=1, due_on=timezone.localdate())
    yours = reverse("review:round", args=[notes.public_id, made.public_id])
    sign_in(client, bob)
    home = body(client.get(reverse("home")))
    assert f'<a href="{yours}">Round 1</a>' in home
    page = body(client.get(yours))
    assert "<b>3 of 3 notes</b> left, to be read by" in page
    assert "adam" not in page
    item = made.items.filter(assigned_to=bob).first()
    assert item is not None
    handed = client.post(reverse("review:hand_back", args=[notes.public_id, item.public_id]), follow=True)
    assert "nothing in it is lost" in body(handed)
    assert "Take back" in body(handed)
    client.post(reverse("review:take_back", args=[notes.public_id, item.public_id]))
    item.refresh_from_db()
    assert item.assigned_to == bob
    theirs = made.items.filter(assigned_to=adam).first()
    assert theirs is not None
    refused = client.post(reverse("review:hand_back", args=[notes.public_id, theirs.public_id]), follow=True)
    assert "not assigned to you" in body(refused)
    carl = make_member(notes, "carl", Membership.Role.ANNOTATOR)
    sign_in(client, carl)
    assert client.get(yours).status_code == 404
    assert client.post(reverse("review:hand_back", args=[notes.public_id, theirs.public_id])).status_code == 404


def test_a_lead_says_who_is_away(alice_client: Client, notes: Project, bob: User) -> None:
    day = timezone.localdate() + timedelta(days=2)
    said = alice_client.post(url("set_away", notes.public_id, bob.public_id), {"until": day}, follow=True)
    assert f"bob is away until {day:%-d %B %Y}" in body(said)
    assert f'value="{day:%Y-%m-%d}"' in body(said)
    for until in ("2020-01-01", "soon"):
        assert alice_client.post(url("set_away", notes.public_id, bob.public_id), {"until": until}).status_code == 422
    assert "bob is here" in body(alice_client.post(url("set_away", notes.public_id, bob.public_id), follow=True))


def test_the_pages_take_the_same_queries_for_many(
    alice_client: Client, notes: Project, alice: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    people = [make_member(notes, f"reader-{number:02}", Membership.Role.ANNOTATOR) for number in range(55)]
    made = make_round(notes, alice, *people, n_readers=2, chosen=Chosen(n_notes=5))
    make_round(notes, alice, alice)
    alice_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(7):
        alice_client.get(url("rounds", notes.public_id))
    with django_assert_max_num_queries(12):
        page = body(alice_client.get(url("round", notes.public_id, made.public_id)))
    assert "1 to 50 of 55 readers" in page
    with django_assert_max_num_queries(8):
        alice_client.get(url("new_round", notes.public_id))
    with django_assert_max_num_queries(10):
        alice_client.get(reverse("review:round", args=[notes.public_id, Round.objects.get(number=2).public_id]))


def listed(name: str, content: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode(), content_type="text/csv")


def test_a_round_is_made_of_the_notes_of_a_file(
    client: Client, alice_client: Client, notes: Project, bob: User, adam: User
) -> None:
    ids = "note_id,type\nn-1,A\n\nn-2,B\n"
    form = asked(bob, adam, assistance="shown")
    preview = alice_client.post(
        url("preview_round", notes.public_id), form | {"ids_file": listed("ids.csv", ids)}, headers=HTMX
    )
    assert "<b>4 readings</b>: 2 notes × 2 readers." in body(preview)
    response = alice_client.post(url("new_round", notes.public_id), form | {"ids_file": listed("ids.csv", ids)})
    assert response.status_code == 303
    assert set(Round.objects.get().items.values_list("document__external_id", flat=True)) == {"n-1", "n-2"}


@pytest.mark.parametrize(
    ("name", "content", "fields", "why"),
    [
        ("ids.csv", "note_id,type\nn-1,A\n\nsecret,B\n", {}, "The project has no note of the id in row 4."),
        ("ids.csv", "n-1,A\n,B\n", {}, "No id of 1 to 200 characters stands in row 2."),
        ("ids.txt", "", {}, "The file has no id."),
        ("ids.txt", "n-1", {"n_notes": 2}, "not both"),
        ("ids.txt", "n-1", {"external_ids": "n-2"}, "not both"),
        ("ids.txt", "n" * 5000, {}, "A list of ids may have"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_made(
    alice_client: Client,
    notes: Project,
    bob: User,
    adam: User,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str,
    fields: dict[str, Any],
    why: str,
) -> None:
    monkeypatch.setattr(round_views, "MAX_IDS_BYTES", 4000)
    for route, status in (("new_round", 422), ("preview_round", 200)):
        form = asked(bob, adam, **fields) | {"ids_file": listed(name, content)}
        response = alice_client.post(url(route, notes.public_id), form, headers=HTMX)
        assert response.status_code == status
        assert why in body(response)
        assert "secret" not in body(response)
    assert not Round.objects.exists() and not ReviewItem.objects.exists()


def test_the_form_wants_its_token(notes: Project, alice: User, bob: User) -> None:
    """The token is looked at later than elsewhere, since the file has to have a place to go."""
    client = sign_in(Client(enforce_csrf_checks=True), alice)
    for route in ("new_round", "preview_round"):
        assert client.post(url(route, notes.public_id), asked(bob)).status_code == 403
    assert not Round.objects.exists()


def test_a_large_round_shows_how_far_it_is_until_it_is_made(
    alice_client: Client, notes: Project, bob: User, adam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob_client = sign_in(Client(), bob)
    for module in (rounds, round_pages):
        monkeypatch.setattr(module, "MOST_WAITED_FOR", 4)
    preview = alice_client.post(url("preview_round", notes.public_id), asked(bob, adam), headers=HTMX)
    assert "made in the background" in body(preview)
    page = body(alice_client.post(url("new_round", notes.public_id), asked(bob, adam), follow=True))
    assert "Round 1 is being made. You can leave this page" in page
    assert "Waits for a worker" in page and "6 notes × 2 readers" in page
    assert "Give notes to another" not in page
    made = Round.objects.get()
    address = url("round", notes.public_id, made.public_id)
    job = RoundJob.objects.get().job
    Job.objects.filter(pk=job.pk).update(status="running", phase="Taking notes", n_done=2, n_total=6)
    moving = body(alice_client.get(address, headers=HTMX))
    assert "Taking notes, 2 of 6" in moving and "every 2s" in moving and "<h1>" not in moving
    assert "Being made" in body(alice_client.get(url("rounds", notes.public_id), headers=HTMX))
    yours = reverse("review:round", args=[notes.public_id, made.public_id])
    assert bob_client.get(yours).status_code == 404
    Job.objects.filter(pk=job.pk).update(status="failed", error="All of its notes were begun meanwhile.")
    failed = body(alice_client.get(address))
    assert "All of its notes were begun" in failed and "Go on" in failed and "every 2s" not in failed
    assert alice_client.post(url("round_go_on", notes.public_id, made.public_id)).status_code == 303
    assert alice_client.post(url("round_go_on", notes.public_id, made.public_id)).status_code == 409
    work = RoundJob.objects.get()
    run_job(job_id=work.job_id, work=lambda job: run_round(job=job, clock=lambda: NOW), clock=lambda: NOW)
    answer = alice_client.get(address, headers=HTMX)
    assert answer.headers["HX-Redirect"] == address, "the poll ends in the page of the round"
    assert "Give notes to another" in body(alice_client.get(address))
    assert bob_client.get(yours).status_code == 200
    back = alice_client.post(url("undo_round", notes.public_id, made.public_id), follow=True)
    assert "Round 1 is being taken back" in body(back) and "Waits for a worker" in body(back)
    assert "Nobody reads in it" not in body(alice_client.get(address))
