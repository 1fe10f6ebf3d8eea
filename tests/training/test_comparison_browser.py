"""A comparison from the form to what was won, by keys, on a page that moves by itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.training.models import LabelerComparison
from tests.training.lab import make_lab, read_all, work

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def test_labelers_are_compared_and_the_places_looked_at(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    make_lab(project, lead=alice, reader=bob)
    client = Client()
    client.force_login(alice)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("training:comparisons", args=[project.public_id]))
    page.get_by_role("link", name="Compare labelers").click()
    checks = page.locator("#comparison-checks")
    expect(checks).to_contain_text("Notes that the candidate still has to read12")
    page.get_by_label("Current").select_option("Trained")
    expect(checks).to_contain_text("These are one labeler: choose two")
    page.get_by_label("Current").select_option("Rules")
    expect(checks).to_contain_text("Neither has learned from a test patient")
    page.get_by_role("button", name="Start the comparison").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("0 of 12")).to_be_visible()

    comparison = LabelerComparison.objects.get()
    assert comparison.candidate_run is not None
    read_all(comparison.candidate_run)
    expect(page.get_by_text("12 of 12")).to_be_visible()  # by itself
    work(comparison)
    expect(page.get_by_text("The candidate is better: strict F1 1.00 against .40")).to_be_visible()
    expect(page.locator("#comparison")).not_to_have_attribute("hx-trigger", "every 2s")

    page.get_by_label("Label", exact=True).select_option("Medication")
    page.get_by_role("button", name="Show").focus()
    page.keyboard.press("Enter")
    rows = page.locator("table.parted tbody tr")
    expect(rows).to_have_count(12)
    expect(rows.first.locator("mark")).to_have_text(["metformin", "met", "metformin"])
