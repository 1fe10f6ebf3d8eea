"""Signing in with a second factor, and being signed out for idleness, in a browser."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import BrowserSession, User
from annotator.accounts.two_factor import has_two_factor
from annotator.projects.models import Project
from tests.accounts.codes import code_at
from tests.cast import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "seven wet umbrellas"
MINUTE_MS = 60_000


def open_as(page: Page, live_server: Any, user: User) -> None:
    """The projects of the user, who is signed in."""
    name = settings.SESSION_COOKIE_NAME
    cookie = sign_in(Client(), user).cookies[name].value
    page.context.add_cookies([{"name": name, "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("home"))


def rest(minutes: float) -> None:
    """Let so many minutes have gone by, for the server, since the last activity."""
    BrowserSession.objects.update(active_at=timezone.now() - timedelta(minutes=minutes))


def idle_minutes() -> float:
    return (timezone.now() - BrowserSession.objects.get().active_at) / timedelta(minutes=1)


@pytest.fixture
def idle_page(page: Page, live_server: Any, project: Project, alice: User) -> Page:
    """Alice's projects, on a clock that the test moves."""
    page.clock.install()
    open_as(page, live_server, alice)
    expect(page.get_by_text("Discharge notes")).to_be_visible()
    return page


def test_a_second_factor_is_set_up_and_asked_for(page: Page, live_server: Any, alice: User) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    open_as(page, live_server, alice)
    page.get_by_role("button", name="account of alice").click()
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Set up").click()
    page.get_by_role("link", name="Set up").click()
    picture = page.get_by_role("img", name="The key below")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows").fill(code_at(secret, timezone.now()))
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#codes").inner_text().split("\n")
    assert len([code for code in codes if code]) == 10
    page.get_by_role("link", name="I have kept them").click()
    assert has_two_factor(alice)

    page.get_by_role("button", name="account of alice").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    # The next one: a code counts once, and this one is good for two steps yet, however slow the page is.
    page.keyboard.type(code_at(secret, timezone.now() + timedelta(seconds=30)))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="account of alice")).to_be_visible()


def test_two_minutes_before_the_end_the_page_says_so_and_a_button_keeps_it(idle_page: Page) -> None:
    warning = idle_page.get_by_role("alert")
    idle_page.clock.fast_forward(12 * MINUTE_MS)
    expect(warning).to_be_hidden()
    rest(13.1)
    idle_page.clock.fast_forward(1 * MINUTE_MS + 1000)
    expect(warning).to_have_text("You will be signed out in 2 minutes.")
    idle_page.get_by_role("button", name="Stay signed in").click()
    expect(warning).to_be_hidden()
    assert idle_minutes() < 1


def test_at_the_end_the_content_goes_and_comes_back_after_signing_in(idle_page: Page) -> None:
    rest(14.2)
    idle_page.clock.fast_forward(13 * MINUTE_MS + 1000)
    expect(idle_page.get_by_role("alert")).to_have_text("You will be signed out in less than a minute.")
    rest(15)
    idle_page.clock.fast_forward(MINUTE_MS)
    expect(idle_page).to_have_url(re.compile(r"/accounts/sign-in/\?next=%2F$"))
    expect(idle_page.get_by_text("Discharge notes")).to_have_count(0)


def test_what_another_tab_does_takes_the_warning_away(idle_page: Page) -> None:
    rest(13.1)
    idle_page.clock.fast_forward(13 * MINUTE_MS + 1000)
    expect(idle_page.get_by_role("alert")).to_be_visible()
    rest(0)
    idle_page.clock.fast_forward(11_000)
    expect(idle_page.get_by_role("alert")).to_be_hidden()


def test_asking_does_not_keep_anybody_signed_in(idle_page: Page) -> None:
    rest(13.5)
    with idle_page.expect_response("**/accounts/idle/"):
        idle_page.clock.fast_forward(13 * MINUTE_MS + 1000)
    assert idle_minutes() > 13


def test_typing_and_scrolling_are_activity(idle_page: Page) -> None:
    rest(10)
    idle_page.clock.fast_forward(10 * MINUTE_MS)
    with idle_page.expect_response("**/accounts/idle/") as answer:
        idle_page.mouse.wheel(0, 10)
    assert answer.value.request.method == "POST"
    assert idle_minutes() < 1


def test_without_a_server_the_content_goes_at_the_time_that_was_said(idle_page: Page) -> None:
    idle_page.context.set_offline(True)
    idle_page.clock.fast_forward(13 * MINUTE_MS + 1000)
    expect(idle_page.get_by_role("alert")).to_be_visible()
    idle_page.clock.fast_forward(2 * MINUTE_MS)
    expect(idle_page.get_by_text("Discharge notes")).to_have_count(0)
