from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.two_factor import has_two_factor, use_code
from annotator.audit.models import AuditEvent
from tests.accounts.codes import code_at, set_up
from tests.cast import body, sign_in

pytestmark = pytest.mark.django_db
PASSWORD = "seven wet umbrellas"
SET_UP = "/accounts/two-factor/set-up/"


@pytest.fixture
def amy(alice: User) -> User:
    """Alice with a password."""
    alice.set_password(PASSWORD)
    alice.save()
    return alice


@pytest.fixture
def amy_client(client: Client, amy: User) -> Client:
    return sign_in(client, amy)


def secret_on(page: Any) -> str:
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", body(page))
    assert found is not None
    return found.group(1).replace(" ", "")


def test_the_account_page_leads_to_all_of_it(amy_client: Client) -> None:
    page = body(amy_client.get(reverse("accounts:account")))
    for name in ("set_password", "two_factor", "sessions", "tokens"):
        assert f'href="{reverse(f"accounts:{name}")}"' in page
    assert "Signed in with 1" in page


def test_the_menu_shows_the_accounts_of_everybody_to_administrators(amy_client: Client) -> None:
    assert reverse("accounts:people") not in body(amy_client.get(reverse("home")))
    User.objects.update(is_staff=True)
    assert reverse("accounts:people") in body(amy_client.get(reverse("home")))


def test_two_factor_is_turned_on_with_a_code_and_the_password(amy_client: Client, amy: User) -> None:
    secret = secret_on(amy_client.get(SET_UP))
    assert secret == secret_on(amy_client.get(SET_UP)), "a reload must not change the key that the app has"
    code = code_at(secret, timezone.now())
    for wrong in ({"code": code, "password": "wrong"}, {"code": "000000", "password": PASSWORD}, {"code": code}):
        assert amy_client.post(SET_UP, wrong).status_code == 422
        assert not has_two_factor(amy)
    page = amy_client.post(SET_UP, {"code": code, "password": PASSWORD})
    assert page.status_code == 200
    assert has_two_factor(amy)
    codes = re.findall(r"\b\d{4} \d{4}\b", page.content.decode())
    assert len(codes) == 10
    use_code(user=amy, code=codes[0], now=timezone.now())
    assert secret not in str(amy_client.session.items())


def test_the_key_is_not_shown_again(amy_client: Client) -> None:
    secret = secret_on(amy_client.get(SET_UP))
    amy_client.post(SET_UP, {"code": code_at(secret, timezone.now()), "password": PASSWORD})
    assert amy_client.get(SET_UP)["Location"] == reverse("accounts:two_factor")
    assert amy_client.get(reverse("accounts:two_factor_qr")).status_code == 404
    page = body(amy_client.get(reverse("accounts:two_factor")))
    assert secret not in page.replace(" ", "")
    assert not re.search(r"\b\d{4} \d{4}\b", page)


def test_the_key_waits_in_the_session_encrypted(amy_client: Client) -> None:
    secret = secret_on(amy_client.get(SET_UP))
    assert secret not in str(dict(amy_client.session.items()))


def test_the_picture_is_an_image_that_nothing_stores(amy_client: Client) -> None:
    amy_client.get(SET_UP)
    picture = amy_client.get(reverse("accounts:two_factor_qr"))
    assert (picture["Content-Type"], picture["Cache-Control"]) == ("image/svg+xml", "no-store")
    assert picture.content.startswith(b"<?xml")
    assert b"<script" not in picture.content
    assert b"style=" not in picture.content


def test_two_factor_is_turned_off_with_the_password(amy_client: Client, amy: User) -> None:
    set_up(amy, now=timezone.now())
    assert amy_client.post(reverse("accounts:turn_off_two_factor"), {"off-password": "wrong"}).status_code == 422
    assert has_two_factor(amy)
    response = amy_client.post(reverse("accounts:turn_off_two_factor"), {"off-password": PASSWORD})
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:two_factor"))
    assert not has_two_factor(amy)
    assert AuditEvent.objects.get(verb="account.two_factor_off").actor == amy


def test_new_recovery_codes_need_the_password_and_are_shown_once(amy_client: Client, amy: User) -> None:
    _, old = set_up(amy, now=timezone.now())
    url = reverse("accounts:renew_recovery_codes")
    assert amy_client.post(url, {"codes-password": "wrong"}).status_code == 422
    codes = re.findall(r"\b\d{4} \d{4}\b", amy_client.post(url, {"codes-password": PASSWORD}).content.decode())
    assert len(codes) == 10
    assert not set(codes) & set(old)
    assert AuditEvent.objects.get(verb="account.recovery_codes").actor == amy


def test_wrong_passwords_behind_the_door_lock_every_form_that_asks_for_it(amy_client: Client, amy: User) -> None:
    set_up(amy, now=timezone.now())
    off, change = reverse("accounts:turn_off_two_factor"), reverse("accounts:set_password")
    for _ in range(3):
        amy_client.post(off, {"off-password": "wrong"})
    new = {"new_password1": "nine dry umbrellas", "new_password2": "nine dry umbrellas"}
    for _ in range(2):
        amy_client.post(change, {"old_password": "wrong", **new})
    for url, data in ((off, {"off-password": PASSWORD}), (change, {"old_password": PASSWORD, **new})):
        refused = amy_client.post(url, data)
        assert refused.status_code == 422
        assert "Too many wrong tries" in body(refused)
    assert has_two_factor(amy)
    amy.refresh_from_db()
    assert amy.check_password(PASSWORD)


def test_a_right_old_password_with_a_weak_new_one_is_no_failure(amy_client: Client) -> None:
    for _ in range(8):
        page = amy_client.post(
            reverse("accounts:set_password"),
            {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"},
        )
        assert "Too many" not in body(page)


def test_a_code_that_is_late_is_refused_at_the_set_up(amy_client: Client, amy: User) -> None:
    secret = secret_on(amy_client.get(SET_UP))
    late = code_at(secret, timezone.now() - timedelta(minutes=2))
    assert amy_client.post(SET_UP, {"code": late, "password": PASSWORD}).status_code == 422
    assert not has_two_factor(amy)
