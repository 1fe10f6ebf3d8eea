"""The page of a project's progress by keyboard and by mouse."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from tests.browse.test_people_browser import sign_in_browser
from tests.progress.scene import make_worked

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def test_other_days_are_chosen_by_key_and_the_bars_have_a_table(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    make_worked(project, bob, timezone.localdate())
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("progress:progress", args=[project.public_id]))
    row = page.get_by_role("row", name="bob")
    expect(row).to_contain_text("48")
    page.get_by_label("Period").focus()
    page.keyboard.press("ArrowDown")
    expect(row).to_contain_text("96")
    assert "period=91" in page.url
    page.go_back()
    expect(row).to_contain_text("48")

    page.get_by_text("As a table").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="2", exact=True).first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_text("19 times of 20")).to_be_visible()
    page.keyboard.press("Escape")

    with page.expect_download() as download:
        page.get_by_role("link", name="As CSV").click()
    assert download.value.suggested_filename == f"{project.public_id}-people.csv"
