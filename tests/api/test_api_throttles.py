"""How often a program may ask: 429 with Retry-After, for one token, and for who has none."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

from annotator.accounts.models import User
from tests.api.scene import Api, assert_problem


@pytest.fixture
def rates(settings: Any) -> None:
    settings.REST_FRAMEWORK = {
        **django_settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"token": "3/min", "failure": "2/min"},
    }


def test_a_token_that_asks_too_often_waits(rates: None, alice: User) -> None:
    api, other = Api(alice), Api(alice)
    for _ in range(3):
        assert api.get("projects/").status_code == 200
    response = api.get("projects/")
    assert_problem(response, 429, "throttled")
    assert 0 < int(response["Retry-After"]) <= 60
    assert other.get("projects/").status_code == 200, "another token waits for this one"


def test_who_has_no_token_waits_after_some_failures(rates: None, alice: User) -> None:
    guesser = Api(None, text="mgn_" + "a" * 43)
    for _ in range(2):
        assert guesser.get("projects/").status_code == 401
    response = guesser.get("projects/")
    assert_problem(response, 429, "throttled")
    assert int(response["Retry-After"]) > 0
    assert_problem(Api(None).get("projects/"), 429, "throttled")
    assert_problem(guesser.get("projects/", HTTP_X_FORWARDED_FOR="203.0.113.9"), 429, "throttled")
    assert Api(alice).get("projects/").status_code == 200, "a valid token waits for a guesser"


def test_the_installation_has_rates() -> None:
    rates = django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    assert rates.keys() == {"token", "failure"}
    assert all(rates.values())
