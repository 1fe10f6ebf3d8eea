"""A round by keyboard: a lead makes it, a reader hands a note back and takes it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.review.models import ReviewItem, Round
from tests.browse.test_people_browser import sign_in_browser
from tests.cast import make_document

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def test_a_round_is_made_read_and_handed_back_by_keyboard(
    page: Page, live_server: Any, project: Project, alice: User, bob: User, adam: User
) -> None:
    for number in range(6):
        make_document(project, external_id=f"n-{number}", note_type="Discharge letter")
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("browse:new_round", args=[project.public_id]))
    page.get_by_role("checkbox", name="adam").focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="bob").focus()
    page.keyboard.press("Space")
    expect(page.locator("#round-plan")).to_contain_text("12 readings: 6 notes × 2 readers.")
    page.get_by_label("To be read by").fill((timezone.localdate() + timedelta(days=5)).isoformat())
    page.get_by_label("Readers of each note").fill("3")
    page.get_by_role("button", name="Start the round").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("3 different people are to read each note")
    page.get_by_label("Readers of each note").fill("1")
    page.get_by_role("button", name="Start the round").click()
    expect(page.get_by_role("heading", name="Round 1")).to_be_visible()
    assert Round.objects.get().items.filter(assigned_to=bob).count() == 3

    sign_in_browser(page.context, bob, live_server.url)
    page.goto(live_server.url)
    page.get_by_role("link", name="Round 1").focus()
    with page.expect_navigation():  # to its end: keys do nothing before the scripts are there
        page.keyboard.press("Enter")
    expect(page.get_by_text("3 of 3 notes")).to_be_visible()
    page.keyboard.press("r")
    page.wait_for_url("**/review/*/")
    page.keyboard.press("Shift+L")
    expect(page.get_by_text("The note is handed back")).to_be_visible()
    expect(page.get_by_text("2 of 2 notes")).to_be_visible()
    assert ReviewItem.objects.filter(handed_back_by=bob, assigned_to=None).count() == 1
    page.get_by_role("button", name="Take back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 of 3 notes")).to_be_visible()


def test_a_file_of_ids_stays_chosen_when_the_form_is_refused(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    for number in range(6):
        make_document(project, external_id=f"n-{number}")
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("browse:new_round", args=[project.public_id]))
    page.get_by_label("Or the notes of a file").set_input_files(
        {"name": "ids.csv", "mimeType": "text/csv", "buffer": b"note_id,type\nn-1,A\nn-4,B\n"}
    )
    page.get_by_role("checkbox", name="bob").check()
    page.get_by_label("Readers of each note").fill("2")
    page.get_by_label("Readers of each note").blur()
    expect(page.locator("#round-plan")).to_contain_text("2 different people are to read each note")
    page.get_by_role("button", name="Start the round").click()
    expect(page.get_by_role("alert")).to_contain_text("2 different people are to read each note")
    page.get_by_label("Readers of each note").fill("1")
    page.get_by_role("button", name="Start the round").click()
    expect(page.get_by_role("heading", name="Round 1")).to_be_visible()
    assert set(Round.objects.get().items.values_list("document__external_id", flat=True)) == {"n-1", "n-4"}
