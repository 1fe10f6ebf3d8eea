from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.services import sign_in_link
from annotator.audit.models import AuditEvent
from tests.cast import sign_in

pytestmark = pytest.mark.django_db
PASSWORD = "seven wet umbrellas"


class Here(Client):
    """A browser on this machine."""

    def __init__(self, **options: Any) -> None:
        super().__init__(headers={"Host": "localhost"}, **options)


@pytest.fixture
def client() -> Client:
    return Here()


@pytest.fixture
def amy(alice: User) -> User:
    """Alice with a password."""
    alice.set_password(PASSWORD)
    alice.save()
    return alice


def post_sign_in(client: Client, **data: str):
    return client.post(reverse("accounts:sign_in"), {"username": "alice", "password": PASSWORD, **data})


def test_sign_in_leads_home_and_is_audited(client: Client, amy: User) -> None:
    response = post_sign_in(client)
    assert (response.status_code, response["Location"]) == (303, reverse("home"))
    assert client.session[SESSION_KEY] == str(amy.pk)
    assert AuditEvent.objects.get(verb="account.sign_in").actor == amy


def test_sign_in_starts_a_new_session(client: Client, amy: User) -> None:
    client.get(reverse("accounts:sign_in"))
    session = client.session
    session["planted"] = "before"
    session.save()
    client.cookies["marginalia_session"] = str(session.session_key)
    post_sign_in(client)
    assert client.session.session_key != session.session_key


@pytest.mark.parametrize("data", [{"password": "wrong"}, {"username": "nobody"}, {"username": "", "password": ""}])
def test_a_wrong_sign_in_is_refused_without_saying_which_part(client: Client, amy: User, data: dict[str, str]) -> None:
    response = post_sign_in(client, **data)
    assert response.status_code == 422
    assert SESSION_KEY not in client.session
    if data.get("username") != "":
        assert "Name and password do not belong together." in response.content.decode()
    assert AuditEvent.objects.filter(verb="account.sign_in_failed").count() == 1


def test_a_disabled_account_does_not_sign_in(client: Client, amy: User) -> None:
    User.objects.update(is_active=False)
    assert post_sign_in(client).status_code == 422


def test_next_is_followed_on_this_site_only(client: Client, amy: User) -> None:
    assert post_sign_in(client, next="/accounts/password/")["Location"] == "/accounts/password/"
    client.logout()
    for hostile in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "http:///evil.example"):
        assert post_sign_in(client, next=hostile)["Location"] == reverse("home"), hostile
        client.logout()


def test_who_is_signed_in_already_is_led_on(client: Client, alice: User) -> None:
    response = sign_in(client, alice).get(reverse("accounts:sign_in"), {"next": "/accounts/password/"})
    assert response["Location"] == "/accounts/password/"


def test_sign_out_is_a_post_and_ends_the_session(client: Client, alice: User) -> None:
    sign_in(client, alice)
    assert client.get(reverse("accounts:sign_out")).status_code == 405
    response = client.post(reverse("accounts:sign_out"))
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:sign_in"))
    assert response["Clear-Site-Data"] == '"cache"'
    assert SESSION_KEY not in client.session
    assert AuditEvent.objects.get(verb="account.sign_out").actor == alice


def test_a_link_shows_a_button_and_its_post_signs_in(client: Client, alice: User) -> None:
    path = sign_in_link(username="alice", now=timezone.now())
    page = client.get(path)
    assert page.status_code == 200
    assert 'method="post"' in page.content.decode()
    assert SESSION_KEY not in client.session
    response = client.post(path)
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:set_password"))
    assert client.session[SESSION_KEY] == str(alice.pk)


def test_a_link_that_is_used_says_so(client: Client, alice: User) -> None:
    path = sign_in_link(username="alice", now=timezone.now())
    client.post(path)
    for response in (client.get(path), Here().post(path)):
        assert response.status_code == 410
        assert "has been used" in response.content.decode()


def test_a_link_that_has_expired_says_so(client: Client, alice: User) -> None:
    path = sign_in_link(username="alice", now=timezone.now() - timedelta(minutes=11))
    response = client.post(path)
    assert response.status_code == 410
    assert "expired" in response.content.decode()
    assert SESSION_KEY not in client.session


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.2", "2001:db8::1", "", "unix:"])
def test_a_link_is_not_there_for_another_machine(client: Client, alice: User, address: str) -> None:
    path = sign_in_link(username="alice", now=timezone.now())
    assert client.get(path, REMOTE_ADDR=address).status_code == 404
    assert client.post(path, REMOTE_ADDR=address).status_code == 404
    assert client.post(path, REMOTE_ADDR="::1").status_code == 303


def test_a_link_is_not_there_through_a_proxy(client: Client, alice: User) -> None:
    path = sign_in_link(username="alice", now=timezone.now())
    for header in ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"):
        assert client.post(path, headers={header: "127.0.0.1"}).status_code == 404, header
    assert client.post(path).status_code == 303


@pytest.mark.parametrize("host", ["notes.example", "notes.example:8000", "10.0.0.7", "localhost.example"])
def test_a_link_is_not_there_under_another_name(client: Client, alice: User, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    path = sign_in_link(username="alice", now=timezone.now())
    assert client.post(path, headers={"Host": host}).status_code == 404
    for here in ("127.0.0.1:8000", "[::1]:8000", "localhost:8000"):
        assert client.get(path, headers={"Host": here}).status_code == 200, here


def test_a_link_is_not_there_behind_a_tls_proxy(client: Client, alice: User, settings: Any) -> None:
    settings.HTTPS = True
    assert client.post(sign_in_link(username="alice", now=timezone.now())).status_code == 404


def test_link_needs_the_csrf_token(alice: User) -> None:
    path = sign_in_link(username="alice", now=timezone.now())
    assert Here(enforce_csrf_checks=True).post(path).status_code == 403


def test_a_link_asks_for_no_old_password(client: Client, amy: User) -> None:
    client.post(sign_in_link(username="alice", now=timezone.now()))
    new = "nine dry umbrellas"
    response = client.post(reverse("accounts:set_password"), {"new_password1": new, "new_password2": new})
    assert (response.status_code, response["Location"]) == (303, reverse("home"))
    amy.refresh_from_db()
    assert amy.check_password(new)
    assert client.get(reverse("accounts:set_password")).status_code == 200, "still signed in"


def test_without_a_link_the_old_password_is_asked_for(client: Client, amy: User) -> None:
    post_sign_in(client)
    new = {"new_password1": "nine dry umbrellas", "new_password2": "nine dry umbrellas"}
    assert client.post(reverse("accounts:set_password"), new).status_code == 422
    wrong = client.post(reverse("accounts:set_password"), {**new, "old_password": "wrong"})
    assert wrong.status_code == 422
    assert client.post(reverse("accounts:set_password"), {**new, "old_password": PASSWORD}).status_code == 303


@pytest.mark.parametrize("password", ["short one", "password1234", "alice-alice-alice"])
def test_a_weak_password_is_refused(client: Client, alice: User, now: datetime, password: str) -> None:
    User.objects.update(username="alice-alice-ali")
    client.force_login(alice)
    response = client.post(reverse("accounts:set_password"), {"new_password1": password, "new_password2": password})
    assert response.status_code == 422
    assert not AuditEvent.objects.filter(verb="account.password_set").exists()
