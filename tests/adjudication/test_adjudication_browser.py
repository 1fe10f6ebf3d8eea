"""Adjudication in a real Chromium: by keyboard and by mouse."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.adjudication.models import Choice
from annotator.adjudication.services import take
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from tests.adjudication.scene import ADAMS, BOBS, TEXT, gold_of, make_adjudication
from tests.review.test_browser import sign_in_browser

pytestmark = [pytest.mark.browser]


@pytest.fixture
def adjudication(live_server: Any, page: Page, project: Project, bob: User, adam: User, alice: User) -> Adjudication:
    """Open in Alice's browser."""
    found = make_adjudication(project, (bob, BOBS), (adam, ADAMS))
    take(adjudication=found, adjudicator=alice, now=timezone.now())
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("adjudication:note", args=[project.public_id, found.public_id]))
    return found


def test_a_note_is_settled_by_keys_alone(page: Page, adjudication: Adjudication) -> None:
    title, told = page.locator("#card-title"), page.locator("#told")
    expect(title).to_have_text("Open difference 1 of 3")
    page.keyboard.press("3")
    expect(told).to_contain_text("Accepted both, 2 left")
    page.keyboard.press("u")
    expect(title).to_have_text("Open difference 1 of 3")
    page.keyboard.press("4")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("a side effect")
    page.keyboard.press("Enter")
    expect(told).to_contain_text("Rejected")
    page.keyboard.press("Space")
    expect(page.locator(".quote")).to_have_text("fever")
    page.keyboard.press("1")
    expect(title).to_have_text("Open difference 1 of 1")
    page.keyboard.press("c")
    page.keyboard.type("by the list")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(title).to_have_text("A third version")
    page.keyboard.press("]")
    expect(page.locator(".third .quote")).to_have_text("500 mg")
    page.keyboard.press("a")
    expect(title).to_have_text("Everything is settled")
    page.keyboard.press("d")
    expect(page.locator("h1")).to_have_text("Adjudicate")
    assert [row[:2] for row in gold_of(adjudication)][1:2] == [("500 mg", "Medication")]
    assert Choice.objects.get(what="neither").active_seconds is not None


def test_a_click_opens_a_case_and_selected_words_write_a_third_version(page: Page, adjudication: Adjudication) -> None:
    page.locator("#sides .span", has_text="fever").first.click()
    expect(page.locator(".quote")).to_have_text("fever")
    line = page.locator("#sides .side[data-letter=A] .line", has_text="No fever")
    line.evaluate("node => getSelection().setBaseAndExtent(node, 0, node.querySelector('mark') ?? node, 1)")
    line.dispatch_event("mouseup")
    expect(page.locator(".third .quote")).to_have_text("No fever")
    page.locator(".choice", has_text="Medication").click()
    expect(page.locator("select")).to_have_count(0)
    page.get_by_role("button", name="Take this version").click()
    expect(page.locator(".cases")).to_contain_text("A third version, by you")
    assert ("No fever", "Medication", {}) in gold_of(adjudication)
    assert Choice.objects.get(what="edit").case_key.split() == [
        "span",
        str(TEXT.index("fever")),
        str(TEXT.index("fever") + 5),
    ]


def test_the_lease_is_renewed_only_while_someone_is_active(page: Page, adjudication: Adjudication, adam: User) -> None:
    page.clock.install()
    page.reload()
    expect(page.locator("#card-title")).to_have_text("Open difference 1 of 3")
    asked: list[int] = []
    page.on("response", lambda answer: asked.append(answer.status) if answer.url.endswith("/renew/") else None)
    page.clock.fast_forward(125_000)
    page.keyboard.press("j")
    with page.expect_response("**/renew/"):
        page.clock.fast_forward(125_000)
    assert asked == [204]
    Adjudication.objects.update(leased_by=adam)
    page.keyboard.press("k")
    page.clock.fast_forward(125_000)
    expect(page.locator("h1")).to_have_text("This note is not in your hands")
