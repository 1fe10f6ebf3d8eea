from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import BrowserSession, User
from annotator.accounts.services import end_other_sessions
from annotator.accounts.sessions import end_of, live_sessions, seconds_left, session_of, sweep_sessions, touch
from annotator.accounts.two_factor import turn_off
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from annotator.web.addresses import agent_words
from tests.accounts.codes import set_up
from tests.cast import body, sign_in

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
POLL = {"Marginalia-Poll": "1"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def only_session() -> BrowserSession:
    return BrowserSession.objects.get()


def rest(minutes: float) -> None:
    """Let so many minutes go by since the last activity."""
    BrowserSession.objects.update(active_at=timezone.now() - minutes * MINUTE)


def test_a_session_has_a_row_from_its_first_request_on(client: Client, alice: User) -> None:
    client.force_login(alice)
    client.get(reverse("home"), headers={"User-Agent": FIREFOX})
    client.get(reverse("home"))
    assert (only_session().user, only_session().agent) == (alice, "Firefox on Linux")
    assert only_session().session_key == client.session.session_key


def test_a_session_is_in_the_list_before_it_is_used(client: Client, alice: User) -> None:
    alice.set_password("correct horse battery")
    alice.save()
    client.post(reverse("accounts:sign_in"), {"username": "alice", "password": "correct horse battery"})
    assert only_session().session_key == client.session.session_key
    end_other_sessions(user=alice, keep="another", now=timezone.now())
    assert client.get(reverse("home")).status_code == 302


def test_fifteen_minutes_without_activity_end_a_session(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    rest(14.9)
    assert client.get(reverse("home")).status_code == 200
    rest(15)
    response = client.get(reverse("home"))
    assert (response.status_code, response["Location"]) == (302, f"{reverse('accounts:sign_in')}?next=/")
    assert SESSION_KEY not in client.session
    assert not BrowserSession.objects.exists()
    event = AuditEvent.objects.get(verb="account.session_end")
    assert (event.object_id, event.actor, event.detail["why"]) == (alice.public_id, None, "idle")


def test_a_post_of_who_was_idle_is_not_done(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    rest(15)
    client.post(reverse("browse:new_project"), {"name": "Too late", "schema": "{}"})
    assert not Project.objects.filter(name="Too late").exists()


def test_a_poll_is_no_activity(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    rest(10)
    client.get(reverse("home"), headers=POLL)
    assert timezone.now() - only_session().active_at > 9 * MINUTE
    client.get(reverse("home"))
    assert timezone.now() - only_session().active_at < MINUTE


def test_a_poll_is_refused_once_the_session_is_idle(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    rest(15)
    here = {"HX-Request": "true", "HX-Current-URL": "http://testserver/"}
    assert "sign-in" in client.get(reverse("home"), headers=POLL | here)["HX-Redirect"]


def test_twelve_hours_end_a_session_however_active(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    BrowserSession.objects.update(started_at=timezone.now() - timedelta(hours=12))
    assert client.get(reverse("home")).status_code == 302
    assert AuditEvent.objects.get(verb="account.session_end").detail["why"] == "age"


def test_a_new_password_does_not_begin_the_twelve_hours_anew(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    began = timezone.now() - timedelta(hours=11)
    BrowserSession.objects.update(started_at=began)
    new = "nine dry umbrellas"
    client.post(reverse("accounts:set_password"), {"new_password1": new, "new_password2": new})
    client.get(reverse("home"))
    assert (only_session().session_key, only_session().started_at) == (client.session.session_key, began)


def test_activity_is_written_at_most_once_a_minute(alice: User, now: datetime) -> None:
    row = session_of(user=alice, session_key="k", agent="", now=now)
    touch(row, now=now + timedelta(seconds=59))
    assert only_session().active_at == now
    touch(row, now=now + MINUTE)
    assert only_session().active_at == now + MINUTE


def test_a_page_of_who_is_active_costs_one_query_more(alice_client: Client, django_assert_num_queries: Any) -> None:
    alice_client.get(reverse("accounts:idle"))
    with django_assert_num_queries(3):  # session, user, browser
        alice_client.get(reverse("accounts:idle"))


def test_seconds_left_end_with_the_earlier_limit(alice: User, now: datetime) -> None:
    row = session_of(user=alice, session_key="k", agent="", now=now)
    assert seconds_left(row, now=now + MINUTE) == 14 * 60
    row.started_at = now - timedelta(hours=11, minutes=58)
    assert seconds_left(row, now=now) == 120
    assert end_of(row, now=now) is None


def test_the_idle_minutes_are_a_setting(alice: User, now: datetime, settings: Any) -> None:
    settings.IDLE_MINUTES = 5
    row = session_of(user=alice, session_key="k", agent="", now=now)
    assert end_of(row, now=now + 5 * MINUTE) is not None


def test_asking_how_long_is_left_is_no_activity_and_saying_so_is(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    rest(13.5)
    asked = client.get(reverse("accounts:idle"), headers=POLL).json()
    assert 85 <= asked["seconds"] <= 90
    assert asked["is_final"] is False
    assert client.post(reverse("accounts:idle")).json()["seconds"] > 14 * 60


def test_who_nears_the_twelve_hours_is_told_that_nothing_helps(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    BrowserSession.objects.update(started_at=timezone.now() - timedelta(hours=11, minutes=58))
    told = client.post(reverse("accounts:idle")).json()
    assert told["is_final"] is True
    assert told["seconds"] <= 120


def test_pages_tell_the_script_how_long_is_left(client: Client, alice: User) -> None:
    page = body(sign_in(client, alice).get(reverse("home")))
    assert 'data-seconds="900" data-ask="/accounts/idle/"' in page
    client.logout()
    assert 'id="idle"' not in body(client.get(reverse("accounts:sign_in")))


def test_the_list_shows_the_own_browsers_and_marks_this_one(client: Client, alice: User, charlie: User) -> None:
    elsewhere, theirs = Client(), Client()
    for browser, user in ((theirs, charlie), (elsewhere, alice), (client, alice)):
        browser.force_login(user)
    theirs.get(reverse("home"), headers={"User-Agent": "Opera OPR/1 Windows"})
    elsewhere.get(reverse("home"), headers={"User-Agent": FIREFOX})
    page = body(client.get(reverse("accounts:sessions"), headers={"User-Agent": "iPad Safari/1"}))
    assert page.count("Firefox on Linux</th>") == page.count("Safari on iPad</th>") == page.count("This one") == 1
    assert "Opera" not in page


def test_a_browser_that_is_signed_out_is_refused_at_once(client: Client, alice: User) -> None:
    other = sign_in(Client(), alice)
    other.get(reverse("home"))
    ended = only_session()
    response = sign_in(client, alice).post(reverse("accounts:end_session", args=[ended.public_id]))
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:sessions"))
    assert other.get(reverse("home")).status_code == 302
    assert client.get(reverse("home")).status_code == 200
    event = AuditEvent.objects.get(verb="account.session_end")
    assert (event.actor, event.detail) == (alice, {"session": ended.public_id, "why": "asked"})


def test_this_browser_is_signed_out_too(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    response = client.post(reverse("accounts:end_session", args=[only_session().public_id]))
    assert response["Location"] == reverse("accounts:sign_in")
    assert client.get(reverse("home")).status_code == 302


def test_nobody_ends_the_session_of_another(client: Client, alice: User, charlie: User) -> None:
    theirs = sign_in(Client(), charlie)
    session = charlie.browser_sessions.get()
    assert sign_in(client, alice).post(reverse("accounts:end_session", args=[session.public_id])).status_code == 404
    assert theirs.get(reverse("home")).status_code == 200


def test_all_others_end_but_this_one(client: Client, alice: User, charlie: User) -> None:
    others = [sign_in(Client(), alice) for _ in range(2)]
    theirs = sign_in(Client(), charlie)
    for browser in (*others, theirs):
        browser.get(reverse("home"))
    sign_in(client, alice)
    assert client.post(reverse("accounts:end_other_sessions")).status_code == 303
    assert [browser.get(reverse("home")).status_code for browser in (*others, theirs, client)] == [302, 302, 200, 200]
    assert AuditEvent.objects.get(verb="account.sessions_end").detail == {"n_sessions": 2}


def test_a_new_password_ends_the_other_browsers(client: Client, alice: User) -> None:
    other = sign_in(Client(), alice)
    other.get(reverse("home"))
    sign_in(client, alice).get(reverse("home"))
    new = "nine dry umbrellas"
    client.post(reverse("accounts:set_password"), {"new_password1": new, "new_password2": new})
    assert (other.get(reverse("home")).status_code, client.get(reverse("home")).status_code) == (302, 200)
    assert only_session().session_key == client.session.session_key


def test_signing_out_takes_the_browser_off_the_list(client: Client, alice: User) -> None:
    sign_in(client, alice).get(reverse("home"))
    client.post(reverse("accounts:sign_out"))
    assert not BrowserSession.objects.exists()


def test_what_ended_is_swept_with_its_cookie(client: Client, alice: User, now: datetime) -> None:
    sign_in(client, alice).get(reverse("home"))
    key = client.session.session_key
    sweep_sessions(now=timezone.now() + 14 * MINUTE)
    assert Session.objects.filter(session_key=key).exists()
    sweep_sessions(now=timezone.now() + 15 * MINUTE)
    assert not Session.objects.filter(session_key=key).exists()
    assert not BrowserSession.objects.exists()


def test_a_row_without_its_session_is_not_shown(alice: User, now: datetime) -> None:
    session_of(user=alice, session_key="gone", agent="", now=now)
    assert not live_sessions(user=alice, now=now).exists()


def test_where_a_second_factor_is_required_its_set_up_comes_first(
    client: Client, alice: User, now: datetime, settings: Any
) -> None:
    settings.REQUIRE_TWO_FACTOR = True
    sign_in(client, alice)
    for name in ("home", "accounts:account", "accounts:two_factor", "browse:new_project"):
        response = client.get(reverse(name))
        assert (response.status_code, response["Location"]) == (303, reverse("accounts:set_up_two_factor")), name
    assert client.get(reverse("accounts:set_up_two_factor")).status_code == 200
    assert client.get(reverse("accounts:two_factor_qr")).status_code == 200
    set_up(alice, now=now)
    assert client.get(reverse("home")).status_code == 200
    turn_off(user=alice, actor=alice, now=now)
    assert client.get(reverse("home")).status_code == 303


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Safari/604", "Chrome on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8", "Another browser"),
        ("", "Another browser"),
        ("<script>" * 500, "Another browser"),
    ],
)
def test_a_browser_is_said_in_words(rf: Any, agent: str, words: str) -> None:
    assert agent_words(rf.get("/", headers={"User-Agent": agent})) == words
