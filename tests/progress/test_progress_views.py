from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.documents.selectors import type_key
from annotator.progress.models import WorkDay
from annotator.projects.models import Membership, Project
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import Accept
from tests.browse.scene import make_states
from tests.cast import HTMX, body, make_document, make_member, sign_in
from tests.progress.scene import CHEST_PAIN, Hand, make_label_day, make_read_note, make_work_day, make_worked

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def worked(project: Project, bob: User) -> Project:
    make_worked(project, bob, timezone.localdate())
    return project


def url(project: Project) -> str:
    return reverse("progress:progress", args=[project.public_id])


def part(page: str, title: str) -> str:
    return page.split(f'id="{title}-title"')[1].split("</section>")[0]


def test_the_page_says_when_the_rest_will_be_done(alice_client: Client, project: Project, bob: User) -> None:
    make_states(project, bob)
    for n_ago in range(1, 15):
        make_work_day(project, bob, timezone.localdate() - timedelta(days=n_ago), (1, 1, 60.0))
    page = body(alice_client.get(url(project)))
    # Four notes are left, at one a day whatever is drawn.
    until = timezone.localdate() + timedelta(days=4)
    assert "<b>1 of 5 notes</b> are done; at the pace of the last 14 days the rest takes until" in page
    assert f"{until.day} {until:%B}" in page.split("takes until")[1].split("</p>")[0]
    assert "14 in all, 1 on the best day" in part(page, "pace")


def test_few_days_with_work_are_not_enough(alice_client: Client, project: Project, bob: User) -> None:
    make_states(project, bob)
    for n_ago in (0, 1, 3, 5, 7):  # today is not over
        make_work_day(project, bob, timezone.localdate() - timedelta(days=n_ago), (1, 1, 60.0))
    assert "notes were finished on 4 of the last 14 days, 5 are needed" in body(alice_client.get(url(project)))


def test_the_queue_is_by_state_type_and_stream(alice_client: Client, project: Project, bob: User) -> None:
    make_states(project, bob)
    ReviewItem.objects.filter(unit="note", document__external_id="3-to-review").update(stream="blind")
    ReviewItem.objects.filter(unit="span", document__external_id="3-to-review").update(stream="audit")
    page = body(alice_client.get(url(project)))
    queue, types = part(page, "queue"), part(page, "types")
    assert "1 with suggestions, 1 blind" in queue
    assert "<dt>Audits</dt><dd>2<br>" in queue
    row = types.split("All types</th>")[1].split("</tr>")[0]
    assert row == "".join(f'<td class="num">{n}</td>' for n in (2, 1, 1, 1, 5))
    one = body(alice_client.get(url(project), {"type": type_key("Type 3")}))
    assert "<b>0 of 1 note</b>" in one
    assert "0 with suggestions, 1 blind" in part(one, "queue")


def test_people_go_by_name_with_intervals(alice_client: Client, worked: Project, bob: User) -> None:
    make_work_day(worked, make_member(worked, "ada", Membership.Role.ANNOTATOR), timezone.localdate(), (9, 9, 5.0))
    people = part(body(alice_client.get(url(worked))), "people")
    ada, bobs = people.split(">ada</th>")[1].split(">bob</th>")
    # Bob: 24 days of the last 28 with (3 of 4, 60 s) and (1 of 2, 120 s): 4 of 6, 90 s per 1,000 characters. Since his
    # notes are so alike, the interval is that of 144 independent answers.
    assert [cell.split("</td>")[0] for cell in bobs.split('<td class="num">')[1:4]] == ["48", "144", "67%"]
    accepted, median, pace, _ = (cell.split("</td>")[0] for cell in bobs.split('<td class="num nowrap">')[1:])
    assert accepted == '67%<br><span class="small muted">58–74%</span>'
    assert median == "–"  # of days that were only counted there is no decision
    assert pace.startswith("90 s<br>")
    assert [cell.split("</td>")[0] for cell in ada.split('<td class="num nowrap">')[1:4]] == ["–", "–", "–"]


def test_the_median_is_that_of_the_newest_decisions(alice_client: Client, project: Project, bob: User) -> None:
    now = timezone.now()
    for number in range(10):
        hand = Hand(make_read_note(project, str(number)), bob, now=now)
        first = hand.do(Accept(item=hand.item(CHEST_PAIN)), seconds=4 + number % 2)
        assert first.active_seconds == 4 + number % 2
    Decision.objects.filter(note_item__document__external_id="9").update(decided_at=now - timedelta(days=40))
    assert "4.0 s<br>" not in part(body(alice_client.get(url(project))), "people")  # nine notes
    everything = part(body(alice_client.get(url(project), {"period": "all"})), "people")
    assert '4.5 s<br><span class="small muted">4.0–5.0 s</span>' in everything


def test_labels_tell_what_changed(alice_client: Client, worked: Project) -> None:
    labels = part(body(alice_client.get(url(worked))), "labels")
    assert "The labels have shifted a lot (stability index 0.39; p below 0.001)." in labels
    row = labels.split('<th scope="row">Problem</th>')[1].split("</tr>")[0]
    before, now, change = (cell.split("<br>")[0] for cell in row.split('<td class="num nowrap">')[1:])
    assert (before, now, change) == ("45.0%", "75.0%", "+30.0")
    assert '<td class="num">75.0%</td>' in row


def test_weeks_types_and_scores_are_shown(alice_client: Client, worked: Project) -> None:
    page = body(alice_client.get(url(worked), {"period": "364"}))
    assert part(page, "weeks").count('scope="col" class="num"') == 8
    assert '<td class="num" data-level="8">75%</td>' in part(page, "weeks")
    assert "No type" in part(page, "label-types")
    scores = part(page, "scores")
    assert scores.count('<td class="num">0.50</td>') == 8
    assert scores.count("50%<br>") == 8


def test_little_is_not_enough_to_tell_a_change(alice_client: Client, project: Project) -> None:
    make_label_day(project, timezone.localdate(), [{"Problem": 5}])
    page = body(alice_client.get(url(project)))
    assert "10 notes and 50 spans of each 4 weeks are needed; there are 0 notes and then 1 note." in page
    assert part(page, "labels").count('<td class="num nowrap">–</td>') == 3
    assert '<td class="num" data-level="0">–</td>' in part(page, "weeks")


def test_htmx_gets_the_inside_of_the_page(alice_client: Client, worked: Project) -> None:
    response = alice_client.get(url(worked), {"period": "made up", "type": "made up"}, headers=HTMX)
    assert body(response).startswith('<div id="progress">')
    assert "HX-Request" in response["Vary"]


def test_the_people_come_as_csv_and_names_are_no_formulas(alice_client: Client, worked: Project) -> None:
    make_member(worked, "=cmd", Membership.Role.ANNOTATOR)
    response = alice_client.get(reverse("progress:people_csv", args=[worked.public_id]), {"period": "28"})
    rows = list(csv.DictReader(response.content.decode().splitlines()))
    assert [row["name"] for row in rows] == ["'=cmd", "alice", "bob"]
    bob = rows[2]
    assert (bob["notes"], bob["decisions"], bob["n_accept"], bob["n_undo"]) == ("48", "144", "96", "0")
    assert (bob["seconds_per_1000_characters"], bob["share_accepted"]) == ("90.000", "0.667")
    assert float(bob["share_accepted_low"]) < 0.667 < float(bob["share_accepted_high"])
    assert bob["seconds_a_decision"] == rows[0]["share_accepted"] == ""


def test_leads_only(client: Client, project: Project, dana: User, bob: User, adam: User, charlie: User) -> None:
    statuses = [sign_in(client, user).get(url(project)).status_code for user in (dana, bob, adam, charlie)]
    assert statuses == [403, 403, 403, 404]


def test_queries_do_not_grow_with_people_notes_or_days(
    alice_client: Client, worked: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(3):
        user = make_member(worked, f"user-{number}", Membership.Role.ANNOTATOR)
        WorkDay.objects.create(project=worked, day=timezone.localdate(), reviewer=user)
        make_document(worked, external_id=f"n{number}", note_type=f"Type {number}")
    with django_assert_max_num_queries(24):
        alice_client.get(url(worked))
