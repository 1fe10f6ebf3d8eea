"""The queue narrowed to a reason: what it shows, and that every way on stays within it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.review.models import Decision, ReviewItem
from tests.cast import NOW, body, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW)


@pytest.fixture
def at_desk(client: Client, desk: Desk, bob: User) -> Client:
    """Bob's browser; chest pain and metformin have a low score, diabetes is not yet proven."""
    low = [desk.item(span).pk for span in (CHEST_PAIN, METFORMIN)]
    ReviewItem.objects.filter(pk__in=low).update(reason="low_score")
    ReviewItem.objects.filter(pk=desk.item(DIABETES).pk).update(reason="unproven")
    return sign_in(client, bob)


def url(desk: Desk, name: str) -> str:
    return reverse(f"review:{name}", args=[desk.document.project.public_id, desk.note_item.public_id])


def key(desk: Desk, span: Span) -> str:
    return f"i{desk.item(span).public_id}"


def post(client: Client, desk: Desk, span: Span | None = None, *, htmx: bool = True, **data: str) -> Any:
    target = {"target": key(desk, span)} if span else {}
    return client.post(url(desk, "decide"), {"key": desk.key(), **target, **data}, **(HTMX if htmx else {}))


def queue(html: str) -> list[str]:
    return re.findall(r'class="item-text">([^<]*)<', html)


def chips(html: str) -> list[tuple[str, str, bool]]:
    """Reason, words with count, whether it is chosen."""
    found = re.findall(r'<a class="filter"[^>]*data-reason="(\w*)"([^>]*)>(.*?)</a>', html, re.DOTALL)
    return [
        (reason, " ".join(re.sub(r"<[^>]*>", "", inside).split()), "aria-current" in rest)
        for reason, rest, inside in found
    ]


def target(html: str) -> str:
    found = re.search(r'name="target" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def test_there_is_a_chip_for_every_reason_that_occurs(at_desk: Client, desk: Desk) -> None:
    html = body(at_desk.get(url(desk, "note")))
    assert chips(html) == [
        ("", "All 3", True),
        ("low_score", "Low score 2", False),
        ("unproven", "Not yet proven 1", False),
    ]
    assert "Least certain first" in html


def test_a_reason_narrows_the_queue_and_its_first_is_in_focus(at_desk: Client, desk: Desk) -> None:
    for headers in (HTMX, {}):
        html = body(at_desk.get(url(desk, "note"), {"queue": "unproven"}, **headers))
        assert queue(html) == ["Diabetes"]
        assert target(html) == key(desk, DIABETES)
        assert "Suggestion 1 of 1" in html
        assert ("unproven", "Not yet proven 1", True) in chips(html)
        assert 'name="queue" form="card" value="unproven"' in html


@pytest.mark.parametrize("reason", ["", "late", "no-such-reason", '"><script>'])
def test_a_reason_that_nothing_open_has_shows_all(at_desk: Client, desk: Desk, reason: str) -> None:
    html = body(at_desk.get(url(desk, "note"), {"queue": reason}))
    assert queue(html) == ["chest pain", "metformin", "Diabetes"]
    assert 'name="queue" form="card" value=""' in html
    assert "<script>" not in html.replace("<script src", "")


def test_next_and_previous_stay_within_the_reason(at_desk: Client, desk: Desk) -> None:
    place = {"queue": "low_score", "focus": key(desk, METFORMIN)}
    html = body(at_desk.get(url(desk, "note"), place, **HTMX))
    assert "Suggestion 2 of 2" in html
    for label in ("Previous", "Next"):
        link = re.search(rf'<a [^>]*aria-label="{label}"', html)
        assert link is not None
        assert f"focus={key(desk, CHEST_PAIN)}&amp;queue=low_score" in link[0]


def test_the_way_on_after_a_decision_stays_within_the_reason(at_desk: Client, desk: Desk) -> None:
    ReviewItem.objects.filter(pk=desk.item(DIABETES).pk).update(confidence=0.5)  # between the two of a low score
    html = body(post(at_desk, desk, CHEST_PAIN, verdict="accept", queue="low_score"))
    assert target(html) == key(desk, METFORMIN)
    assert queue(html) == ["metformin"]
    plain = post(at_desk, desk, METFORMIN, htmx=False, verdict="skip", queue="low_score")
    assert plain.status_code == 303
    assert parse_qs(urlsplit(plain["Location"]).query) == {"focus": [key(desk, METFORMIN)], "queue": ["low_score"]}


def test_the_last_of_a_reason_leads_on_to_all_and_says_so(at_desk: Client, desk: Desk) -> None:
    html = body(post(at_desk, desk, DIABETES, verdict="reject", queue="unproven"))
    assert queue(html) == ["chest pain", "metformin"]
    assert target(html) == key(desk, CHEST_PAIN)
    assert "That was the last for “not yet proven”; the queue shows all." in html
    assert 'name="queue" form="card" value=""' in html
    plain = post(at_desk, desk, CHEST_PAIN, htmx=False, verdict="skip", queue="unproven")
    assert "queue" not in parse_qs(urlsplit(plain["Location"]).query)


def test_an_undo_shows_what_came_back_also_outside_the_reason(at_desk: Client, desk: Desk) -> None:
    post(at_desk, desk, DIABETES, verdict="accept")
    html = body(post(at_desk, desk, verdict="undo", queue="low_score"))
    assert target(html) == key(desk, DIABETES)
    assert queue(html) == ["chest pain", "metformin"]
    assert "Suggestion 3 of 3" in html


def test_a_decision_is_the_same_whatever_the_queue_shows(at_desk: Client, desk: Desk) -> None:
    data = {"key": "once", "target": key(desk, CHEST_PAIN), "verdict": "accept"}
    for reason in ("low_score", ""):
        assert at_desk.post(url(desk, "decide"), {**data, "queue": reason}, **HTMX).status_code == 200
    assert Decision.objects.count() == 1
