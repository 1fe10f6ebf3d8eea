"""The list behind the bell: what stands in it, where it leads, and that it is one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.browse.notice_rows import TOLD, spot_of
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Project
from annotator.projects.selectors import member_of
from annotator.projects.services import add_guideline, set_member
from annotator.review.models import Round
from annotator.review.rounds import add_reader
from tests.api.scene import Api, results, token_of
from tests.browse.test_people_browser import sign_in_browser
from tests.cast import HTMX, body, make_notice, sign_in
from tests.objects import make_objects

LIST = "/notices/"
# What the words of a kind count.
DETAILS: dict[Kind, dict[str, int | str]] = {
    Kind.GUIDELINE: {"number": 3},
    Kind.SCHEMA: {"number": 2},
    Kind.RUN_DONE: {"number": 7, "n_done": 1200, "n_failed": 0},
    Kind.RUN_FAILED: {"number": 7, "n_done": 1200, "n_failed": 3},
    Kind.RUN_WAITS: {"number": 7},
    Kind.TRAINING_DONE: {"number": 3, "kind": "spacy"},
    Kind.COMPARISON_DONE: {"number": 3, "n_notes": 40},
    Kind.BUILD_DONE: {"number": 4, "n_notes": 1, "n_spans": 2},
    Kind.IMPORT_DONE: {"n_added": 12},
    Kind.ROUND_ASSIGNED: {"number": 2, "due_on": "2026-12-12"},
    Kind.ROUND_DUE: {"number": 2, "due_on": "2026-12-12", "n_left": 3},
    Kind.ROUND_HANDED_BACK: {"number": 2},
    Kind.CERTIFICATE_GRANTED: {"number": 5},
    Kind.CERTIFICATE_EXTENDED: {"number": 5},
    Kind.CERTIFICATE_REVOKED: {"number": 5, "n_accepted": 1200},
    Kind.CERTIFICATE_ENDED: {"number": 5},
    Kind.CALIBRATOR_OFFERED: {"number": 2, "n_cases": 200},
    Kind.ROUND_MADE: {"number": 2, "n_notes": 1200, "n_left_out": 1},
    Kind.DECOYS_ON: {"percent": 3},
    Kind.PROMOTED: {"n_notes": 40},
}
SUBJECTS = {
    "comparison": "comparison_id",
    "round": "round_id",
    "run": "run_id",
    "build": "build_id",
    "import": "import_id",
    "certificate": "certificate_id",
    "training": "training_id",
    "promoted": "model_id",
}


def open_url(notice: Notice) -> str:
    return reverse("browse:open_notice", args=[notice.public_id])


def test_every_kind_is_told_and_leads_to_a_page_that_is_there(
    client: Client, project: Project, alice: User, bob: User, dana: User, settings: Any, tmp_path: Any
) -> None:
    settings.BUILDS_DIR = tmp_path
    ids = make_objects(project, reader=bob, uploader=dana)
    add_guideline(project=project, text="Mark it.", actor=alice, now=timezone.now())
    add_reader(round=Round.objects.get(public_id=ids["round_id"]), user=alice, actor=alice, now=timezone.now())
    sign_in(client, alice)
    for kind in Kind:
        subject = ids.get(SUBJECTS.get(kind.partition("_")[0], ""), "")
        notice = make_notice(project, alice, kind, subject=subject, detail=DETAILS.get(kind, {}))
        opened = client.post(open_url(notice), follow=True)
        assert opened.status_code == 200, kind
        assert opened.redirect_chain[0][1] == 303
        notice.refresh_from_db()
        assert notice.read_at is not None, kind
    page = body(client.get(LIST))
    for words in (
        "The guideline has a new version</button><small>Discharge notes · Version 3 is the one that counts.",
        "Pre-labelling run 7 has ended</button><small>Discharge notes · 1,200 notes read.",
        "3 notes failed in pre-labelling run 7",
        "Some suggestions are decoys from now on</button><small>Discharge notes · About 3 decoys for a hundred",
        "Comparison 3 is done</button><small>Discharge notes · Both labelers were measured on 40 notes",
        "A comparison of labelers failed",
        "Dataset 4 is ready</button><small>Discharge notes · 1 note, 2 spans.",
        "Training 3 is done</button><small>Discharge notes · Its labeler can read notes",
        "A training failed",
        "A note in your hands was taken over",
        "Your role is lead now",
        "1 note is assigned to you</button><small>Discharge notes · In round 2, due on 12 December.",
        "3 notes of yours to read in round 2</button><small>Discharge notes · It is due on 12 December.",
        "Round 2 is under way</button><small>Discharge notes · 1,200 notes in it. 1 note had been begun meanwhile",
        "1 note of round 2 was handed back",
        "Certificate 5 is granted</button><small>Discharge notes · What it speaks for is accepted without review",
        "Certificate 5 covers more now",
        "Certificate 5 is revoked</button><small>Discharge notes · 1,200 spans accepted under it go back",
        "Certificate 5 has ended",
    ):
        assert words in page
    assert set(TOLD) == set(Kind)


def test_a_burst_tells_how_many(client: Client, project: Project, bob: User) -> None:
    make_notice(project, bob, Kind.NOTE_TAKEN, n=12)
    assert "12 notes in your hands were taken over" in body(sign_in(client, bob).get(LIST))


def test_what_the_role_no_longer_opens_leads_to_the_overview(project: Project, bob: User) -> None:
    notice = make_notice(project, bob, Kind.RUN_WAITS, subject="a" * 16, detail={"number": 1})
    member = member_of(project, user_id=bob.public_id)
    assert member is not None
    assert spot_of(notice, member) == reverse("browse:overview", args=[project.public_id])


def test_new_ones_stand_above_those_that_were_read_by_day(client: Client, project: Project, alice: User) -> None:
    now = timezone.now()
    read = make_notice(project, alice, Kind.QUESTION, now=now)
    sign_in(client, alice).post(open_url(read))
    make_notice(project, alice, Kind.NOTE_TAKEN, now=now - timedelta(days=1))
    make_notice(project, alice, Kind.ROLE, now=now - timedelta(days=400))
    page = body(client.get(LIST))
    day = timezone.localdate(now - timedelta(days=400))
    places = [page.index(f">{words}<") for words in ("New", "Yesterday", f"{day.day} {day:%B %Y}", "Read", "Today")]
    assert places == sorted(places)


def test_looking_marks_nothing_and_takes_no_query_a_notice(
    client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    sign_in(client, alice)
    for n in range(3):
        make_notice(project, alice, Kind.RUN_WAITS, subject=4 * f"aa{n}a", detail={"number": n})
    with django_assert_num_queries(6):  # session, person, browser; projects, how many, the page
        page = body(client.get(LIST))
    assert Notice.objects.filter(read_at=None).count() == 3
    assert 'aria-label="Notices, 3 unread"' in page
    with django_assert_num_queries(6):
        part = client.get(LIST, headers=HTMX)
    assert b"<html" not in part.content


def test_all_are_marked_as_read_that_the_filter_shows(
    client: Client, project: Project, other_project: Project, alice: User
) -> None:
    set_member(project=other_project, user=alice, role="annotator", actor=None, now=timezone.now())
    sign_in(client, alice)
    for of in (project, other_project):
        make_notice(of, alice, Kind.NOTE_TAKEN)
    listed = client.get(LIST, {"project": other_project.public_id})
    assert body(listed).count("was taken over") == 1
    answer = client.post(reverse("browse:read_notices"), {"project": other_project.public_id}, follow=True)
    assert "1 notice marked as read." in body(answer)
    assert Notice.objects.get(read_at=None).project == project.public_id
    client.post(reverse("browse:read_notices"), {"project": "nonsense"})
    assert not Notice.objects.filter(read_at=None).exists()


def test_what_is_anothers_or_of_a_project_that_one_left_is_not_there(
    client: Client, project: Project, alice: User, bob: User
) -> None:
    notice = make_notice(project, bob)
    assert sign_in(client, alice).post(open_url(notice)).status_code == 404
    project.memberships.filter(user=bob).delete()
    assert sign_in(client, bob).post(open_url(notice)).status_code == 404
    assert "No notice yet" in body(client.get(LIST))
    notice.refresh_from_db()
    assert notice.read_at is None


def test_programs_list_and_read_what_is_their_users(project: Project, other_project: Project, bob: User) -> None:
    notice = make_notice(project, bob, Kind.GUIDELINE, detail={"number": 2})
    set_member(project=other_project, user=bob, role="annotator", actor=None, now=timezone.now())
    elsewhere = Api(None, text=token_of(bob, project=other_project.public_id))
    assert results(elsewhere.get("notices/")) == []
    assert elsewhere.post(f"notices/{notice.public_id}/read/").status_code == 404
    api = Api(bob)
    (row,) = results(api.get("notices/"))
    assert (row["id"], row["kind"], row["project"]) == (notice.public_id, "guideline", project.public_id)
    assert (row["n"], row["detail"], row["read_at"]) == (1, {"number": 2}, None)
    assert api.post(f"notices/{notice.public_id}/read/").status_code == 204
    bob.refresh_from_db()
    assert bob.n_unread_notices == 0
    assert results(api.get("notices/"))[0]["read_at"]


@pytest.mark.browser
def test_the_bell_is_opened_and_its_notices_are_read_by_key_and_by_mouse(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    add_guideline(project=project, text="Mark it.", actor=alice, now=timezone.now())
    make_notice(project, bob, Kind.NOTE_TAKEN, now=timezone.now() - timedelta(days=1))
    sign_in_browser(page.context, bob, live_server.url)
    page.goto(live_server.url)
    expect(page.get_by_role("link", name="Notices, 2 unread")).to_be_visible()
    with page.expect_navigation():  # to its end: keys do nothing before the scripts are there
        page.keyboard.press("Shift+B")
    expect(page.get_by_role("heading", name="New")).to_be_visible()
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Guideline")).to_be_visible()
    page.get_by_role("link", name="Notices, 1 unread").click()
    page.get_by_role("button", name="A note in your hands was taken over").click()
    expect(page.get_by_role("link", name="Notices", exact=True)).to_be_visible()
    assert page.url.endswith(reverse("review:start", args=[project.public_id]))
    assert not Notice.objects.filter(read_at=None).exists()
    make_notice(project, bob, Kind.NOTE_TAKEN, now=timezone.now())
    with page.expect_navigation():
        page.keyboard.press("Shift+B")
    expect(page.get_by_role("heading", name="New")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_text("1 notice marked as read.")).to_be_visible()
