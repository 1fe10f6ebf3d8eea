"""Nothing that an adjudicator chooses is lost between the page and the server, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from annotator.accounts.models import User
from annotator.adjudication.models import Choice
from annotator.adjudication.services import take
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from tests.a11y.checks import give_axe, serious_violations
from tests.adjudication.scene import ADAMS, BOBS, make_adjudication
from tests.line import Line, line_context
from tests.review.test_browser import sign_in_browser

pytestmark = [pytest.mark.browser]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with line_context(browser) as opened:
        yield opened


@pytest.fixture
def line(context: BrowserContext) -> Line:
    return Line(context)


@pytest.fixture
def tab(
    live_server: Any, context: BrowserContext, line: Line, project: Project, bob: User, adam: User, alice: User
) -> Page:
    """The note in Alice's browser."""
    found = make_adjudication(project, (bob, BOBS), (adam, ADAMS))
    take(adjudication=found, adjudicator=alice, now=timezone.now())
    sign_in_browser(context, alice, live_server.url)
    page = context.new_page()
    page.goto(live_server.url + reverse("adjudication:note", args=[project.public_id, found.public_id]))
    expect(page.locator("#card-title")).to_have_text("Open difference 1 of 3")
    return page


def is_warned(page: Page) -> bool:
    """Whether leaving the page is warned; the person then stays."""
    seen: list[str] = []

    def stay(dialog: Dialog) -> None:
        seen.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.evaluate("location.assign('/healthz')")
    if not seen:
        page.wait_for_url("**/healthz")
    return seen == ["beforeunload"]


def n_chosen() -> int:
    return Choice.objects.exclude(what="agreed").count()


def test_a_choice_waits_for_the_line_and_counts_once(tab: Page) -> None:
    strip, told = tab.locator("#strip"), tab.locator("#told")
    tab.context.set_offline(True)
    tab.keyboard.press("1")
    expect(strip).to_contain_text("Offline since")
    expect(strip).to_contain_text("1 decision is kept in this page")
    expect(tab.locator("#saved")).to_contain_text("1 not sent")
    give_axe(tab)
    assert not serious_violations(tab)
    for key in ("2", "j", "l"):
        tab.keyboard.press(key)
        expect(strip).to_contain_text("Not taken: the last choice is not sent yet.")
    assert is_warned(tab) and not n_chosen()
    tab.context.set_offline(False)
    expect(told).to_contain_text("2 left")
    expect(strip).to_be_hidden()
    expect(tab.locator("#saved")).to_contain_text("saved")
    assert n_chosen() == 1
    assert not is_warned(tab)


def test_a_choice_whose_answer_was_lost_is_saved_once(tab: Page, line: Line) -> None:
    line.lose_answers()
    tab.keyboard.press("1")
    expect(tab.locator("#strip")).to_contain_text("No answer from the server since")
    assert n_chosen() == 1
    line.mend()
    tab.locator("#strip").get_by_role("button", name="Try now").click()
    expect(tab.locator("#card-title")).to_have_text("Open difference 1 of 2")
    assert n_chosen() == 1


def test_a_reason_is_kept_with_its_choice_and_one_that_the_server_fails_on_can_be_left_out(
    tab: Page, line: Line
) -> None:
    line.fail_with(500)
    tab.keyboard.press("c")
    tab.keyboard.type("by the list")
    tab.keyboard.press("Escape")
    assert is_warned(tab), "what was typed is not saved"
    tab.keyboard.press("1")
    strip = tab.locator("#strip")
    expect(strip).to_contain_text("The server failed to save at")
    strip.get_by_role("button", name="Leave it out").click()
    expect(strip).to_contain_text("Left out: the last choice.")
    line.mend()
    expect(tab.locator("#card-title")).to_have_text("Open difference 1 of 3")
    tab.keyboard.press("1")
    expect(tab.locator("#card-title")).to_have_text("Open difference 1 of 2")
    assert Choice.objects.get(what="version").reason == "by the list"
    assert not is_warned(tab)


def test_a_choice_waits_for_who_has_been_signed_out_and_the_note_is_not_shown(
    tab: Page, alice: User, live_server: Any
) -> None:
    cookies = tab.context.cookies()
    tab.context.clear_cookies()
    tab.keyboard.press("1")
    strip = tab.locator("#strip")
    expect(strip).to_contain_text("You have been signed out.")
    expect(tab.locator("#main")).not_to_contain_text("nausea")
    assert not n_chosen()
    tab.context.add_cookies(cookies)
    strip.get_by_role("button", name="Try now").click()
    expect(tab.locator("#card-title")).to_have_text("Open difference 1 of 2")
    assert n_chosen() == 1


def test_who_has_lost_the_note_meanwhile_is_told_that_nothing_was_saved(tab: Page, adam: User) -> None:
    tab.context.set_offline(True)
    tab.keyboard.press("1")
    expect(tab.locator("#strip")).to_contain_text("kept in this page")
    Adjudication.objects.update(leased_by=adam)
    tab.context.set_offline(False)
    expect(tab.locator("h1")).to_have_text("This note is not in your hands")
    expect(tab.locator("body")).to_contain_text("Nothing was saved.")
    assert not n_chosen()
