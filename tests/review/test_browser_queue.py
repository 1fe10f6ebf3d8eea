"""The queue and the parts of the review page in a real Chromium: filter, rail, sheet, F6, keys that are off."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from tests.cast import NOW, make_document
from tests.review.conftest import suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

TEXT = "Assessment: chest pain, spots and a left knee that hurts.\n" + "No fever, no cough, no rash.\n" * 30
WORDS = {"chest pain": 0.1, "spots": 0.9, "left knee": 0.2, "fever": 0.8, "cough": 0.3}


@pytest.fixture
def desk(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> Desk:
    """Bob's browser at a note of five suggestions; a score of 0.8 or 0.9 is not low."""
    document = make_document(project, text=TEXT)
    spans = [(Span.of(TEXT.index(word), TEXT.index(word) + len(word)), "Problem", at) for word, at in WORDS.items()]
    suggest(document, spans, schema_version=schema_version)
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()


def rows(desk: Desk) -> list[str]:
    return desk.page.locator("#queue-list .item-text").all_text_contents()


def in_focus(desk: Desk) -> str:
    return str(
        desk.page.evaluate(
            """() => {
              const at = document.activeElement;
              return at.dataset.spanKey ? at.querySelector(".item-text").textContent
                : at.dataset.reason !== undefined ? `filter ${at.dataset.reason}` : at.id || at.className;
            }"""
        )
    )


def overflow(desk: Desk) -> list[str]:
    """What is wider than the page, or cut off by a button or the bar around it."""
    found: list[str] = desk.page.evaluate(
        """() => [...document.querySelectorAll("html, #note-pane, #card, .actions, .topbar, .button")]
          .filter((box) => box.scrollWidth > box.clientWidth + 1 && box.checkVisibility())
          .map((box) => box.id || box.className || box.tagName)"""
    )
    return found


@pytest.mark.parametrize("by", ["mouse", "key"])
def test_the_filter_narrows_the_queue_and_every_way_on(desk: Desk, by: str) -> None:
    page = desk.page
    assert rows(desk) == ["chest pain", "left knee", "cough", "fever", "spots"]

    def choose(words: str, reason: str, *keys: str) -> None:
        if by == "mouse":
            desk.answered(page.locator(".filter", has_text=words).click)
        else:
            page.locator("#queue-list a[aria-current]").focus()
            page.keyboard.press("ArrowUp")
            for key in keys:
                page.keyboard.press(key)
            assert in_focus(desk) == f"filter {reason}"
            desk.press("Enter")
            assert in_focus(desk) == f"filter {reason}", "the focus stays on what was chosen"

    choose("Not yet proven 2", "unproven", "ArrowRight", "ArrowRight")
    expect(page.locator(".filter[aria-current]")).to_have_text("Not yet proven 2")
    expect(desk.title).to_have_text("Suggestion 1 of 2")
    assert rows(desk) == ["fever", "spots"]
    for key, title in (("j", "Suggestion 2 of 2"), ("j", "Suggestion 1 of 2"), ("k", "Suggestion 2 of 2")):
        desk.press(key)
        expect(desk.title).to_have_text(title)
    desk.press("a")
    expect(desk.title).to_have_text("Suggestion 1 of 1")
    expect(page.locator("#card .quote mark")).to_have_text("fever")
    expect(page.locator(".filter[aria-current]")).to_have_text("Not yet proven 1")
    expect(page.locator("#queue-count")).to_have_text("4")
    desk.answered(page.locator("#note .span", has_text="cough").click)
    expect(desk.title).to_have_text("Suggestion 3 of 4")
    assert rows(desk) == ["fever"], "what is outside can be opened, and the queue stays as it is"
    desk.press("j")
    expect(page.locator("#card .quote mark")).to_have_text("fever")
    desk.press("x")
    expect(page.locator("#told")).to_contain_text("the queue shows all")
    expect(page.locator(".filter[aria-current]")).to_have_text("All 3")
    assert rows(desk) == ["chest pain", "left knee", "cough"]
    assert desk.verdicts() == ["accept", "reject"]


def test_the_queue_is_one_tab_stop_with_arrows_inside(desk: Desk) -> None:
    page = desk.page
    row = page.locator("#queue-list a").nth(1)
    desk.answered(row.click)
    page.locator("#queue-list a[aria-current]").focus()
    desk.press("ArrowUp")
    assert in_focus(desk) == "chest pain"
    page.keyboard.press("ArrowUp")
    assert in_focus(desk) == "filter "
    expect(page.locator("#queue [tabindex='0']")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-queue-toggle]")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.locator("#queue").evaluate("queue => queue.offsetWidth") == 52
    page.keyboard.press("Enter")
    assert page.locator("#queue").evaluate("queue => queue.offsetWidth") == 276
    page.keyboard.press("ArrowDown")
    assert in_focus(desk) == "chest pain"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.closest('.topbar') !== null")


def test_tab_goes_through_the_page_in_order_and_out_of_it(desk: Desk) -> None:
    page = desk.page
    page.locator(".skip").focus()
    order = ["skip"]
    for _ in range(60):
        page.keyboard.press("Tab")
        part = page.evaluate(
            """() => {
              const at = document.activeElement;
              const part = at.closest(".skip, .topbar, #queue, #note-pane, #card, #remarks, .actions");
              return at === document.body ? "" : part ? part.id || part.className : "elsewhere";
            }"""
        )
        if part in ("", "skip"):
            break
        assert part != "queue" or order[-1] != "queue", "one tab stop"
        if order[-1] != part:
            order.append(part)
    else:
        pytest.fail(f"no way out: {order}")
    assert order == ["skip", "topbar", "queue", "note-pane", "card", "remarks", "actions"]


def test_f6_goes_from_part_to_part_and_says_where(desk: Desk) -> None:
    page = desk.page
    told = page.locator("#told")
    page.keyboard.press("F6")
    expect(page.locator("#card")).to_be_focused()
    expect(told).to_have_text("Card: Suggestion 1 of 5")
    desk.press("j")
    expect(page.locator("#card")).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator("#do-accept")).to_be_focused()
    expect(told).to_have_text("Action bar")
    page.keyboard.press("F6")
    expect(page.locator(".brand")).to_be_focused()
    page.keyboard.press("F6")
    assert in_focus(desk) == "left knee"
    expect(told).to_have_text("Queue, 5 in this note")
    page.keyboard.press("F6")
    expect(page.locator("#note")).to_be_focused()
    expect(told).to_contain_text("Note: ")
    page.keyboard.press("Shift+F6")
    assert in_focus(desk) == "left knee"
    page.keyboard.press("Shift+F6")
    page.keyboard.press("Shift+F6")
    expect(page.locator("#do-accept")).to_be_focused()
    page.keyboard.press("?")
    page.keyboard.press("F6")
    assert page.evaluate("document.activeElement.closest('dialog') !== null"), "a dialog keeps the focus"


def test_single_keys_can_be_turned_off_for_this_browser(desk: Desk) -> None:
    page = desk.page
    off = page.get_by_role("button", name="Keys are off")
    expect(off).to_be_hidden()
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(off).to_be_visible()
    for again in (False, True):
        if again:
            desk.open()  # it is kept
        before = desk.token.input_value()
        for key in ("a", "x", "Space", "2", "n", "]", "j", "e", "?"):
            page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_hidden()
        assert desk.token.input_value() == before
        assert desk.verdicts() == []
    assert page.evaluate("JSON.stringify({...localStorage})") == '{"keys":"off"}'
    page.locator("#queue-list a[aria-current]").focus()
    desk.press("ArrowDown")  # types nothing, so it goes on working
    desk.answered(page.get_by_role("button", name="Reject").click)
    desk.press("Control+z")
    assert desk.verdicts() == ["reject", "undo"]
    off.click()
    expect(off).to_be_hidden()
    desk.press("a")
    assert desk.verdicts()[-1] == "accept"


@pytest.mark.parametrize("width", [900, 700, 390])
def test_the_queue_is_a_rail_that_opens_over_the_note(desk: Desk, width: int) -> None:
    page = desk.page
    page.set_viewport_size({"width": width, "height": 844})
    desk.open()
    assert overflow(desk) == []
    queue = page.locator("#queue")
    box, line = queue.bounding_box(), page.locator("#note .line").nth(1).bounding_box()
    assert box is not None and line is not None
    assert (box["width"] if width > 720 else box["height"]) == (52 if width > 720 else 44)
    expect(page.locator("#queue .label-code").first).to_be_visible()
    expect(page.get_by_role("link", name="chest pain")).to_have_count(1)  # heard, where only the code is drawn
    toggle = page.locator("[data-queue-toggle]")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#queue .item-text").first).to_be_visible()
    assert page.locator("#note .line").nth(1).bounding_box() == line, "the note stays where it is"
    assert overflow(desk) == []
    desk.answered(page.locator(".filter", has_text="Not yet proven").click)
    page.keyboard.press("Escape")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    chosen = page.locator(".filter[aria-current]")
    expect(chosen).to_be_visible()
    assert overflow(desk) == []


@pytest.mark.parametrize("width", [700, 390])
def test_the_card_is_a_sheet_at_the_foot(desk: Desk, width: int) -> None:
    page = desk.page
    page.set_viewport_size({"width": width, "height": 844})
    desk.open()
    pane, card, bar = (page.locator(place) for place in ("#note-pane", "#card", ".actions"))

    def height(part: Any) -> float:
        box = part.bounding_box()
        assert box is not None and box["x"] == 0 and box["width"] == width
        return float(box["height"])

    assert height(pane) >= 280 and height(card) >= 200 and height(bar) <= 110
    grip = page.get_by_role("button", name="Show less or more of the card")
    half = height(pane)
    grip.click()
    expect(grip).to_have_attribute("aria-expanded", "false")
    assert height(pane) > half + 100 and height(card) >= 60
    for button in ("Accept", "Reject", "Skip", "Undo"):
        expect(page.get_by_role("button", name=button)).to_be_in_viewport(ratio=1)
    desk.answered(page.get_by_role("button", name="Accept").click)
    expect(page.locator("#note .span[data-current]")).to_be_in_viewport()
    assert overflow(desk) == []
    grip.click()
    assert height(pane) == half
