"""From a pair to a kind of confusion to the spot in the note, by keys and by mouse."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from tests.cast import make_user
from tests.quality.reading_scene import make_read

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def test_a_disagreement_is_found_by_keys_and_by_mouse(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    make_read(project, [alice, bob, make_user("cy")], n_notes=30)
    client = Client()
    client.force_login(alice)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("quality:agreement", args=[project.public_id]))
    title = page.locator("#differences-title")
    expect(title).to_have_text("Disagreements")

    pair = page.get_by_role("link", name="bob and cy: F1")
    pair.focus()
    page.keyboard.press("Enter")
    expect(title).to_have_text("Disagreements, bob and cy")
    expect(pair).to_be_focused()
    expect(pair).to_have_attribute("aria-current", "true")
    n_of_pair = page.locator(".differences tbody tr").count()
    cell = page.get_by_role("link", name="Problem against Medication")
    cell.focus()
    page.keyboard.press("Enter")
    expect(cell).to_have_attribute("aria-current", "true")
    assert 0 < page.locator(".differences tbody tr").count() < n_of_pair
    page.get_by_role("link", name="…").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Take this note").click()
    expect(page).to_have_url(re.compile(r"/adjudicate/\w+/\?at=\d+$"))
    expect(page.locator(".cases [aria-current]")).to_be_visible()

    page.go_back()
    page.go_back()
    expect(title).to_have_text("Disagreements, bob and cy")
    page.get_by_role("link", name="Problem against Medication").click()
    expect(cell).not_to_have_attribute("aria-current", "true")
    page.get_by_label("Match").select_option("overlap")
    expect(page).to_have_url(re.compile("scheme=overlap.*pair="))
    page.get_by_role("link", name="Show all").click()
    expect(title).to_have_text("Disagreements")
