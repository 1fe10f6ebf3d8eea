"""Someone new reads the notes of a try, by keyboard and by mouse."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Membership, Project
from annotator.qualification.models import Trial
from tests.browse.test_people_browser import sign_in_browser
from tests.cast import make_member
from tests.qualification.scene import ask, make_references

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def test_someone_new_tries_by_keyboard_and_again_by_mouse(
    page: Page, live_server: Any, project: Project, adam: User
) -> None:
    ask(project, make_references(project, adam, 2))
    sign_in_browser(page.context, make_member(project, "nina", Membership.Role.ANNOTATOR), live_server.url)
    page.goto(live_server.url + reverse("review:start", args=[project.public_id]))
    expect(page.get_by_role("heading", name="Qualify first")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Blind reading")).to_be_visible()
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.press("d")
    expect(page.get_by_text("Not passed.")).to_be_visible()
    expect(page.get_by_role("row", name="Problem chest pain")).to_contain_text("Missed")
    page.goto(live_server.url)
    expect(page.get_by_text("to qualify")).to_be_visible()
    page.get_by_role("button", name="Start in Discharge notes", exact=True).click()
    expect(page.get_by_role("heading", name="Blind reading")).to_be_visible()
    page.locator("#card").get_by_role("button", name="Note done").click()
    expect(page.get_by_text("No try is left")).to_be_visible()
    assert list(Trial.objects.values_list("status", flat=True)) == ["failed", "failed"]
