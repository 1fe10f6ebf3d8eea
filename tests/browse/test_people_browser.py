"""Inviting someone, who joins from a second browser with a new account, and goes on with a key."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Membership, Project
from tests.browse.scene import make_states
from tests.patience import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]

PASSWORD = "green ladder in March"


def sign_in_browser(context: BrowserContext, user: User, url: str) -> None:
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": url}])


def test_who_is_invited_joins_with_a_new_account_in_a_browser_of_their_own(
    page: Page, browser: Browser, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    make_states(project, bob)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("browse:people", args=[project.public_id]))
    page.locator("#id_role").select_option("adjudicator")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.locator("#invitation-link").input_value()

    theirs = browser.new_context()
    theirs.set_default_timeout(PATIENCE_MS)
    guest = theirs.new_page()
    guest.goto(link)
    expect(guest.get_by_role("heading", name="Join Discharge notes")).to_be_visible()
    guest.get_by_label("User name").fill("nora")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_label("The same again").fill(PASSWORD)
    guest.get_by_role("button", name="Make the account and join").click()
    expect(guest.get_by_text("Welcome to Discharge notes. Your role here: adjudicator.")).to_be_visible()
    assert Membership.objects.get(user__username="nora").role == Membership.Role.ADJUDICATOR

    guest.goto(live_server.url)
    expect(guest.get_by_role("heading", name="Your work")).to_be_visible()
    guest.keyboard.press("r")
    expect(guest.locator("#note")).to_be_visible()
    guest.goto(link)
    expect(guest.get_by_text("This link has been used. It lets one person in.")).to_be_visible()
    theirs.close()

    page.goto(live_server.url + reverse("browse:people", args=[project.public_id]))
    expect(page.get_by_role("row", name="nora")).to_be_visible()
    expect(page.get_by_text("None. A link that was used")).to_be_visible()
