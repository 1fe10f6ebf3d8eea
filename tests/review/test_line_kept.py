"""What is kept in the page while the line fails, and is more than a span that was decided: see test_line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, expect

from annotator.accounts.models import User
from annotator.projects.models import Project, SchemaVersion
from annotator.review.models import ReviewItem
from tests.cast import TIED_SCHEMA
from tests.line import line_context
from tests.review.test_line import SAVED, Tab, sign_in, take_suggested, verdicts

pytestmark = [pytest.mark.browser]


@pytest.fixture
def tab(browser: Browser, project: Project, bob: User, live_server: Any, bells: object) -> Iterator[Tab]:
    """Bob's tab, before he opens the note."""
    with line_context(browser) as context:
        sign_in(context, bob, live_server.url)
        yield Tab(context.new_page(), take_suggested(project, bob), live_server.url)


def line_is_back(tab: Tab) -> None:
    """The server answers again, and the page tries at once."""
    tab.line.mend()
    tab.page.evaluate("dispatchEvent(new Event('online'))")


def test_a_blind_audit_has_nothing_to_accept_offline(tab: Tab) -> None:
    Project.objects.update(audits="blind")
    ReviewItem.objects.filter(suggestion__surface="diabetes").update(stream="audit")
    tab.open()
    tab.press("j")
    tab.page.context.set_offline(True)
    tab.press("x", "k", "k")
    expect(tab.title).to_have_text("Audit, 1 of 5")
    expect(tab.page.locator("#card")).to_contain_text("to give a label needs the connection")
    expect(tab.page.locator("#do-accept")).to_be_disabled()
    tab.press("x")
    expect(tab.title).to_have_text("Suggestion 3 of 5")
    expect(tab.page.locator("#do-accept")).to_be_enabled()
    tab.page.context.set_offline(False)
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.strip).to_have_text(re.compile("“diabetes”: the model says Problem.*; you say there is no span"))
    assert verdicts() == ["reject", "reject"]


def test_what_a_label_reveals_is_told_when_it_is_saved_though_it_was_kept(tab: Tab, bob: User) -> None:
    Project.objects.update(audits="blind")
    ReviewItem.objects.filter(suggestion__surface__in=["diabetes", "metformin", "rash"]).update(stream="audit")
    tab.open()
    told = "“{}”: the model says {}, with a score of {}; you say the same."
    tab.line.fail_with(502)
    tab.press("1")
    expect(tab.title).to_have_text("Changed, not sent")
    line_is_back(tab)
    expect(tab.page.locator("#card")).to_contain_text(told.format("diabetes", "Problem", "0.20"))
    expect(tab.strip).to_be_hidden()  # it is on the card
    tab.press("a")
    tab.line.fail_with(502)
    tab.press("2", "j", "Space")
    expect(tab.corner).to_have_text("2 not sent")
    expect(tab.strip).not_to_contain_text("the model says")
    line_is_back(tab)
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.strip).to_have_text(re.compile(told.format("metformin", "Medication", "0.30")))
    assert tab.violations() == []
    tab.page.get_by_role("link", name="rash").click()
    expect(tab.quote).to_have_text("rash")
    Session.objects.all().delete()
    tab.page.keyboard.press("1")
    expect(tab.strip).to_contain_text("You have been signed out")
    sign_in(tab.page.context, bob, tab.url)
    line_is_back(tab)
    expect(tab.strip).to_contain_text("Saved. " + told.format("rash", "Problem", "0.50"))
    expect(tab.corner).to_have_text(SAVED)
    expect(tab.strip.get_by_role("button", name="Go on")).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#progress")).to_contain_text("3 of 5")
    assert verdicts() == ["accept", "accept", "skip", "accept"]


def test_a_label_of_the_note_that_is_kept_is_not_drawn_as_the_span_s(tab: Tab) -> None:
    SchemaVersion.objects.update(definition=TIED_SCHEMA)
    tab.open()
    values = tab.page.locator("#note-values")
    tab.press("Shift+N")
    tab.page.context.set_offline(True)
    tab.page.get_by_role("button", name="Never").click()
    expect(tab.corner).to_have_text("1 not sent")
    expect(tab.title).to_have_text("Suggestion 1 of 5")
    expect(tab.page.locator("#told")).to_contain_text("smoking never for the note, not sent. Suggestion 1 of 5")
    expect(values.locator("[data-kept]")).to_have_attribute("data-kept", "never")
    expect(tab.page.locator("#queue [data-kept]")).to_have_count(0)
    tab.press("a")
    tab.page.context.set_offline(False)
    expect(tab.corner).to_have_text(SAVED)
    expect(values).to_contain_text("smoking never")
    expect(values.locator("[data-kept]")).to_have_count(0)
    assert verdicts() == ["classify", "accept"]
