from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import SignInFailure, User
from annotator.accounts.services import reset_link, sign_in_link
from annotator.audit.models import AuditEvent
from tests.accounts.codes import code_at, set_up
from tests.cast import body, sign_in

pytestmark = pytest.mark.django_db
PASSWORD = "seven wet umbrellas"


class Here(Client):
    """A browser on this machine."""

    def __init__(self, *, headers: dict[str, str] | None = None, **options: Any) -> None:
        super().__init__(headers={"Host": "localhost", **(headers or {})}, **options)


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


@pytest.mark.parametrize("data", [{"password": "wrong"}, {"username": "nobody"}])
def test_a_wrong_sign_in_is_refused_without_saying_which_part(client: Client, amy: User, data: dict[str, str]) -> None:
    response = post_sign_in(client, **data)
    assert response.status_code == 422
    assert SESSION_KEY not in client.session
    assert "Name and password do not belong together." in response.content.decode()
    assert AuditEvent.objects.filter(verb="account.sign_in_failed").count() == 1


def test_an_empty_form_is_no_attempt(client: Client, amy: User) -> None:
    assert post_sign_in(client, username="", password="").status_code == 422
    assert not AuditEvent.objects.exists()
    assert not SignInFailure.objects.exists()


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_the_sixth_wrong_try_is_refused_alike_for_every_name(client: Client, amy: User, name: str) -> None:
    for _ in range(5):
        answer = body(post_sign_in(client, username=name, password="wrong"))
        assert "do not belong together" in answer
    refused = post_sign_in(client, username=name)
    assert refused.status_code == 422
    assert "Too many wrong tries. Try again in 15 minutes" in body(refused)
    assert f'value="{name}"' in body(refused)
    assert SESSION_KEY not in client.session
    assert AuditEvent.objects.filter(verb="account.sign_in_failed").count() == 5


def test_a_known_and_an_unknown_name_cost_the_same(
    client: Client, amy: User, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same queries, and one slow hash for each."""
    n_hashed: list[int] = []
    encode = MD5PasswordHasher.encode

    def counted(*given: Any) -> str:
        n_hashed.append(1)
        return encode(*given)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    post_sign_in(client, username="warm", password="up")
    costs = []
    for name in ("alice", "nobody", "disabled"):
        User.objects.filter(username=name).update(is_active=False)
        n_hashed.clear()
        with CaptureQueriesContext(connection) as captured:
            post_sign_in(client, username=name, password="wrong")
        costs.append((len(captured), len(n_hashed)))
    assert costs[0] == costs[1] == costs[2]
    assert costs[0][1] == 1


def test_success_clears_the_failures(client: Client, amy: User) -> None:
    for _ in range(4):
        post_sign_in(client, password="wrong")
    post_sign_in(client)
    client.logout()
    for _ in range(4):
        post_sign_in(client, password="wrong")
    assert post_sign_in(client).status_code == 303


@pytest.mark.parametrize(("https", "is_refused"), [(False, True), (True, False)])
def test_behind_our_proxy_the_address_is_the_one_it_names(
    client: Client, amy: User, settings: Any, https: bool, is_refused: bool
) -> None:
    """Without the proxy the header is anybody's to write, and counts for nothing."""
    settings.HTTPS = https
    for number in range(20):
        post_sign_in(Here(headers={"X-Forwarded-For": "10.0.0.7"}), username=f"name-{number}", password="wrong")
    answer = client.post(
        reverse("accounts:sign_in"),
        {"username": "alice", "password": PASSWORD},
        headers={"X-Forwarded-For": "10.0.0.7, 10.0.0.8"},
    )
    assert ("Too many wrong tries" in body(answer)) is is_refused


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
    for response in (Here().get(path), Here().post(path)):
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


def test_who_came_by_a_link_goes_nowhere_before_the_password_is_set(client: Client, alice: User) -> None:
    client.post(sign_in_link(username="alice", now=timezone.now()))
    for name in ("home", "accounts:account", "accounts:sessions", "browse:new_project"):
        response = client.get(reverse(name))
        assert (response.status_code, response["Location"]) == (303, reverse("accounts:set_password")), name
    htmx = client.get(reverse("home"), headers={"HX-Request": "true"})
    assert htmx["HX-Redirect"] == reverse("accounts:set_password")
    assert client.get(reverse("accounts:set_password")).status_code == 200
    assert client.post(reverse("accounts:sign_out")).status_code == 303


def test_the_password_pages_tell_a_password_manager_whose_it_is(client: Client, alice: User) -> None:
    reset = reset_link(username="alice", actor=None, now=timezone.now())
    for page in (client.get(reset), sign_in(client, alice).get(reverse("accounts:set_password"))):
        assert 'name="username" autocomplete="username" value="alice" readonly' in body(page)


def test_a_reset_link_that_is_over_leads_on_as_who_follows_it_can(client: Client, alice: User) -> None:
    path = reset_link(username="alice", actor=None, now=timezone.now() - timedelta(days=2))
    assert "Sign in with a password" in body(client.get(path))
    page = body(sign_in(client, alice).get(path))
    assert ("To your work" in page, "Sign in with a password" in page) == (True, False)


def test_a_reset_link_works_from_anywhere_and_signs_nobody_in(client: Client, amy: User, settings: Any) -> None:
    settings.HTTPS = True
    path = reset_link(username="alice", actor=None, now=timezone.now())
    assert "New password for alice" in body(client.get(path, REMOTE_ADDR="10.0.0.7"))
    weak = client.post(path, {"new_password1": "short", "new_password2": "short"}, REMOTE_ADDR="10.0.0.7")
    assert weak.status_code == 422
    new = {"new_password1": "nine dry umbrellas", "new_password2": "nine dry umbrellas"}
    response = client.post(path, new, REMOTE_ADDR="10.0.0.7")
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:sign_in"))
    assert SESSION_KEY not in client.session
    assert client.post(path, new).status_code == 410
    assert post_sign_in(client, password="nine dry umbrellas").status_code == 303


def test_a_reset_link_needs_the_csrf_token(alice: User) -> None:
    path = reset_link(username="alice", actor=None, now=timezone.now())
    new = {"new_password1": "nine dry umbrellas", "new_password2": "nine dry umbrellas"}
    assert Here(enforce_csrf_checks=True).post(path, new).status_code == 403


def test_a_second_factor_is_asked_for_before_anybody_is_signed_in(client: Client, amy: User) -> None:
    secret, _ = set_up(amy, now=timezone.now() - timedelta(minutes=5))
    response = post_sign_in(client, next="/accounts/sessions/")
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:code"))
    assert SESSION_KEY not in client.session
    assert client.get(reverse("home")).status_code == 302
    assert client.get(reverse("accounts:code")).status_code == 200
    before = client.session.session_key
    response = client.post(reverse("accounts:code"), {"code": code_at(secret, timezone.now())})
    assert (response.status_code, response["Location"]) == (303, "/accounts/sessions/")
    assert client.session[SESSION_KEY] == str(amy.pk)
    assert client.session.session_key != before
    assert AuditEvent.objects.get(verb="account.sign_in").detail == {"by": "password and code"}


def test_a_link_asks_for_the_second_factor_too(client: Client, amy: User) -> None:
    secret, _ = set_up(amy, now=timezone.now() - timedelta(minutes=5))
    assert client.post(sign_in_link(username="alice", now=timezone.now()))["Location"] == reverse("accounts:code")
    assert client.get(reverse("home")).status_code == 302
    response = client.post(reverse("accounts:code"), {"code": code_at(secret, timezone.now())})
    assert response["Location"] == reverse("accounts:set_password")
    assert client.get(reverse("home"))["Location"] == reverse("accounts:set_password")


def test_a_recovery_code_signs_in_and_says_how_many_are_left(client: Client, amy: User) -> None:
    _, codes = set_up(amy, now=timezone.now())
    post_sign_in(client)
    response = client.post(reverse("accounts:code"), {"code": codes[3]}, follow=True)
    assert "You have 9 recovery codes left." in body(response)
    assert AuditEvent.objects.get(verb="account.sign_in").detail == {"by": "password and recovery code"}


def test_wrong_codes_lock_and_a_right_password_does_not_open_again(client: Client, amy: User) -> None:
    _, codes = set_up(amy, now=timezone.now())
    for _ in range(5):
        post_sign_in(client)
        assert "does not open the account" in body(client.post(reverse("accounts:code"), {"code": "000000"}))
    post_sign_in(client)
    assert "Too many wrong tries" in body(client.post(reverse("accounts:code"), {"code": codes[0]}))
    assert SESSION_KEY not in client.session
    assert AuditEvent.objects.filter(verb="account.code_failed", object_id=amy.public_id).count() == 5


@pytest.mark.parametrize("change", ["disabled", "new password", "late"])
def test_the_code_is_not_taken_any_more_where_the_first_factor_is_void(
    client: Client, amy: User, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, codes = set_up(amy, now=timezone.now())
    post_sign_in(client)
    if change == "disabled":
        User.objects.update(is_active=False)
    elif change == "new password":
        amy.set_password("nine dry umbrellas")
        amy.save()
    else:
        later = timezone.now() + timedelta(minutes=5)
        monkeypatch.setattr("annotator.accounts.views.timezone.now", lambda: later)
    response = client.post(reverse("accounts:code"), {"code": codes[0]})
    assert (response.status_code, response["Location"]) == (302, reverse("accounts:sign_in"))
    assert SESSION_KEY not in client.session


def test_who_is_signed_in_and_follows_another_ones_link_is_out_until_the_code_has_come(
    client: Client, amy: User, charlie: User
) -> None:
    sign_in(client, charlie)
    set_up(amy, now=timezone.now())
    client.post(sign_in_link(username="alice", now=timezone.now()))
    assert SESSION_KEY not in client.session
