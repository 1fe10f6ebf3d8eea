"""The id of a request, and the line that LOG_REQUESTS writes."""

from __future__ import annotations

import logging

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.web.logs import SafeFormatter
from tests.cast import sign_in

CANARY = "Zebrafever"


def test_every_answer_carries_an_id_of_its_own(client: Client) -> None:
    first, second = (client.get("/healthz")["X-Request-ID"] for _ in range(2))
    assert len(first) == 16
    assert first != second


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("0f8c-77aa.b_c", True), ("short", False), ("a" * 65, False), ("two words here", False), ("é" * 10, False)],
)
def test_an_id_is_taken_over_where_it_is_a_plain_word(client: Client, given: str, is_kept: bool) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": given})
    assert (response["X-Request-ID"] == given) is is_kept


def test_requests_are_not_logged_unless_asked(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.get("/healthz")
    assert not [record for record in caplog.records if record.name == "annotator.web.requests"]


@pytest.mark.django_db
def test_a_request_is_logged_by_route_and_person_and_never_by_address(
    client: Client, alice: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOG_REQUESTS", True)
    caplog.set_level(logging.INFO)
    sign_in(client, alice).get(f"/?q={CANARY}")
    client.get(reverse("accounts:first", args=[CANARY]), headers={"Host": "localhost"})
    client.get(f"/{CANARY}")
    lines = [SafeFormatter().format(record) for record in caplog.records if record.name == "annotator.web.requests"]
    assert len(lines) == 2
    assert lines[0].startswith("200 GET home ")
    assert lines[0].endswith(f" ms {alice.public_id}")
    assert lines[1].startswith("410 GET accounts:first ")
    assert CANARY not in str(lines)
