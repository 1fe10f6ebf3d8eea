"""Example pools: what is asked for, withdrawn, and comes first."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds.pools import freeze_pool
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import PoolWish
from annotator.suggestions.pools import wish_for
from tests.browse.settled import settle
from tests.builds.scene import make_scene
from tests.cast import NOW, body, make_document, make_set, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def url(project: Project, name: str = "pools", *args: str) -> str:
    return reverse(f"browse:{name}", args=[project.public_id, *args])


@pytest.fixture
def gold(project: Project, adam: User, bob: User) -> tuple[Document, str]:
    document = make_document(project, text="Has <i>nausea</i> now.", external_id="gold")
    make_set(document, bob)
    return document, settle(document, adam, "nausea", "Problem", "Medication")


def test_a_settled_case_waits_is_withdrawn_and_asked_for_again(
    alice_client: Client, project: Project, gold: tuple[Document, str]
) -> None:
    document, key = gold
    assert "next example pool" in body(alice_client.get(url(project, "guideline")))
    for _ in range(2):
        response = alice_client.post(url(project, "wish", key))
        assert (response.status_code, response["Location"]) == (303, url(project))
    wish = PoolWish.objects.get()
    assert (wish.document, wish.start, wish.end, wish.status) == (document, 7, 13, "waiting")
    assert "Has &lt;i&gt;<b>nausea</b>&lt;/i&gt; now." in body(alice_client.get(url(project)))
    for _ in range(2):
        assert alice_client.post(url(project, "withdraw_wish", wish.public_id)).status_code == 303
    assert "Nothing waits." in body(alice_client.get(url(project)))
    alice_client.post(url(project, "wish", key))
    assert sorted(PoolWish.objects.values_list("status", flat=True)) == ["waiting", "withdrawn"]
    events = AuditEvent.objects.filter(verb__in=["pool.wish", "pool.unwish"]).order_by("number")
    assert [event.verb for event in events] == ["pool.wish", "pool.unwish", "pool.wish"]


def test_the_pool_says_what_was_asked_for(
    alice_client: Client, project: Project, bob: User, alice: User, gold: tuple[Document, str]
) -> None:
    make_scene(project, bob)
    alice_client.post(url(project, "wish", gold[1]))
    freeze_pool(project=project, actor=alice, now=NOW)
    page = body(alice_client.get(url(project)))
    assert "Nothing waits." in page and '?pool=1">Pool 1</a>' in page
    shown = body(alice_client.get(url(project, "pool"), {"pool": 1}))
    assert "6 examples, 1 of them asked for." in shown
    first = shown.split("<tbody>")[1].split("</tr>")[0]
    assert "Has &lt;i&gt;nausea&lt;/i&gt; now." in first and "Asked for" in first
    assert shown.count('<span class="pill"') == 1
    for unknown in ("2", "x", "²", "9" * 40):
        assert alice_client.get(url(project, "pool"), {"pool": unknown}).status_code == 404


def test_pools_are_for_leads(
    client: Client, project: Project, bob: User, dana: User, charlie: User, gold: tuple[Document, str]
) -> None:
    for user, status in ((bob, 403), (dana, 403), (charlie, 404)):
        sign_in(client, user)
        assert client.get(url(project)).status_code == status
        assert client.post(url(project, "wish", gold[1])).status_code == status
    assert not PoolWish.objects.exists()


def test_what_is_no_settled_place_is_not_taken(
    alice_client: Client, project: Project, gold: tuple[Document, str]
) -> None:
    gold[0].annotation_sets.update(status="open", submitted_at=None)
    assert alice_client.post(url(project, "wish", gold[1])).status_code == 404


def test_the_page_takes_as_many_queries_for_many_wishes(
    alice_client: Client, project: Project, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(9):
        document = make_document(project, external_id=f"w{number}")
        wish_for(project=project, document=document, start=0, end=3, actor=alice, now=NOW)
    alice_client.get(url(project))
    with django_assert_max_num_queries(9):
        alice_client.get(url(project))
