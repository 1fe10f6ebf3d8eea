"""Spans by hand in a real Chromium: the handles at their ends, double clicks, and selections to the character."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from tests.cast import NOW, make_document
from tests.review.conftest import suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

NURSE = "👩\u200d⚕️"
TEXT = (
    f"Seen by {NURSE}{NURSE} for severe chest pain today, cafe\u0301_au_lait spots.\n"
    "Left and right knee swollen since 2.5 weeks; don't lift.\n"
)


@pytest.fixture
def note_item(
    live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> ReviewItem:
    document = make_document(project, text=TEXT)
    left, knee = TEXT.index("Left"), TEXT.index("knee")
    spans = [
        (span_of("chest pain"), "Problem", 0.1),
        (Span(((left, left + 4), (knee, knee + 4))), "Problem", 0.2),
    ]
    suggest(document, spans, schema_version=schema_version)
    return take_note(document=document, reviewer=bob, now=NOW)


@pytest.fixture
def desk(page: Page, note_item: ReviewItem, bob: User, live_server: Any) -> Desk:
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, note_item, live_server.url).open()


def span_of(words: str) -> Span:
    start = TEXT.index(words)
    return Span.of(start, start + len(words))


def grip(desk: Desk, edge: str) -> tuple[float, float]:
    """The middle of a handle."""
    box = desk.page.locator(f'.handle[data-edge="{edge}"]').bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def take(desk: Desk, edge: str, offset: int) -> None:
    """Take a handle and draw it to a code point, without letting go."""
    desk.page.mouse.move(*grip(desk, edge))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.point(offset), steps=5)


def pull(desk: Desk, edge: str, offset: int) -> None:
    def drag() -> None:
        take(desk, edge, offset)
        desk.page.mouse.up()

    desk.answered(drag)


def previewed(desk: Desk) -> list[str]:
    found: list[str] = desk.page.evaluate("[...CSS.highlights.get('bounds')].map((range) => range.toString())")
    return found


def shown(desk: Desk) -> str:
    return "".join(desk.page.locator("#note .line").all_text_contents())


def test_the_handles_stand_at_the_ends_of_the_span_in_focus(desk: Desk) -> None:
    page = desk.page
    for _ in range(2):
        pieces = page.locator("#note .span[data-current]:not([data-gap])")
        first, last = pieces.first.bounding_box(), pieces.last.bounding_box()
        assert first is not None and last is not None
        start, end = grip(desk, "start"), grip(desk, "end")
        assert abs(start[0] - first["x"]) <= 5 and abs(end[0] - last["x"] - last["width"]) <= 5
        assert first["y"] <= start[1] <= first["y"] + first["height"]
        assert last["y"] <= end[1] <= last["y"] + last["height"]
        desk.press("j")
    desk.answered(lambda: desk.drag(TEXT.index("swollen"), TEXT.index("swollen") + 7))
    for edge in ("start", "end"):
        expect(page.locator(f'.handle[data-edge="{edge}"]')).to_be_hidden()
    assert shown(desk) == TEXT


def test_a_handle_moves_a_bound_word_by_word_in_one_decision(desk: Desk) -> None:
    page = desk.page
    page.evaluate(
        """() => {
          window.shift = 0;
          new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += entry.value)))
            .observe({ type: "layout-shift" });
        }"""
    )
    take(desk, "start", TEXT.index("severe") + 1)
    assert previewed(desk) == ["severe chest pain"]
    assert abs(grip(desk, "start")[0] - desk.point(TEXT.index("severe"))[0]) <= 6
    assert desk.verdicts() == [] and page.evaluate("shift") == 0 and shown(desk) == TEXT
    desk.answered(page.mouse.up)
    assert desk.live() == [("severe chest pain", "Problem")]
    assert previewed(desk) == []
    pull(desk, "end", TEXT.index("pain") - 1)
    assert desk.live() == [("severe chest", "Problem")]
    pull(desk, "end", TEXT.index(NURSE) + len(NURSE) * 2)  # past its other end: one word stays
    assert desk.live() == [("severe", "Problem")]
    pull(desk, "end", TEXT.index("right") + 5)
    assert desk.live() == [(TEXT[TEXT.index("severe") : TEXT.index("right") + 5], "Problem")]
    desk.press("u")
    assert desk.live() == [("severe", "Problem")]
    assert desk.verdicts() == ["edit"] * 4 + ["undo"]


def test_escape_and_no_move_decide_nothing(desk: Desk) -> None:
    page = desk.page
    before = desk.token.input_value()
    stood = grip(desk, "start")
    take(desk, "start", TEXT.index("severe"))
    page.keyboard.press("a")  # no key counts while a handle is held
    page.keyboard.press("Escape")
    assert previewed(desk) == []
    assert grip(desk, "start") == stood
    page.mouse.up()
    take(desk, "end", TEXT.index("today") + 5)
    page.mouse.move(*desk.point(TEXT.index("pain") + 4))
    page.mouse.up()
    page.mouse.click(*grip(desk, "end"))
    assert desk.token.input_value() == before
    assert desk.verdicts() == []
    assert page.evaluate("getSelection().isCollapsed")
    desk.press("a")
    assert desk.live() == [("chest pain", "Problem")]


def test_the_ends_of_a_discontinuous_span_move_and_its_gap_stays(desk: Desk) -> None:
    desk.press("j")
    take(desk, "end", TEXT.index("swollen") + 6)
    assert previewed(desk) == ["Left", "knee swollen"]
    desk.answered(desk.page.mouse.up)
    assert desk.live() == [("Left knee swollen", "Problem")]
    desk.page.mouse.move(*grip(desk, "end"))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.point(TEXT.index("right") + 1))  # into the gap at once: no further than its own part
    assert previewed(desk) == ["Left", "knee"]
    desk.answered(desk.page.mouse.up)
    assert desk.live() == [("Left knee", "Problem")]


def test_exact_handles_go_by_characters_and_part_none(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Exact")).to_have_attribute("aria-pressed", "true")
    pull(desk, "end", TEXT.index("pain") + 2)
    assert desk.live() == [("chest pa", "Problem")]
    pull(desk, "start", TEXT.index(NURSE) + len(NURSE))
    assert desk.live() == [(f"{NURSE} for severe chest pa", "Problem")]
    pull(desk, "end", TEXT.index("\u0301") - 1)
    pull(desk, "end", TEXT.index("\u0301") + 1)
    assert desk.live()[0][0].endswith("cafe\u0301")
    desk.press("{")
    assert desk.live()[0][0].endswith("caf"), "so do the keys"
    desk.answered(page.get_by_role("button", name="End later").click)
    assert desk.live()[0][0].endswith("cafe\u0301")
    assert shown(desk) == TEXT


def test_a_finger_draws_a_handle(browser: Browser, note_item: ReviewItem, bob: User, live_server: Any) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as context:
        sign_in_browser(context, bob, live_server.url)
        desk = Desk(context.new_page(), note_item, live_server.url).open()
        fingers = context.new_cdp_session(desk.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            spots = [{"x": x, "y": y} for x, y in points]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

        scrolled = desk.page.locator("#note-pane").evaluate("pane => pane.scrollTop")
        x, y = grip(desk, "start")
        to = desk.point(TEXT.index("severe") + 1)
        touch("touchStart", (x, y))
        touch("touchMove", ((x + to[0]) / 2, (y + to[1]) / 2))
        touch("touchMove", to)
        desk.page.evaluate(
            """async () => {
              const shown = () => [...(CSS.highlights.get("bounds") ?? [])].join();
              for (let n = 0; shown() !== "severe chest pain"; n += 1) {
                if (n > 1200) throw new Error(`shown: ${shown()}`);
                await new Promise(requestAnimationFrame);
              }
            }"""
        )
        desk.answered(lambda: touch("touchEnd"))
        assert desk.live() == [("severe chest pain", "Problem")]
        assert desk.page.evaluate("getSelection().isCollapsed")
        assert desk.page.locator("#note-pane").evaluate("pane => pane.scrollTop") == scrolled


@pytest.mark.parametrize("is_exact", [False, True])
@pytest.mark.parametrize(
    ("at", "token"),
    [("au_", "au"), ("_lait", "_"), ("fe\u0301", "cafe\u0301"), ("5 weeks", "2.5"), ("n't", "don't"), (NURSE, NURSE)],
)
def test_a_double_click_takes_the_token_of_the_server(desk: Desk, at: str, token: str, is_exact: bool) -> None:
    if is_exact:
        desk.page.get_by_role("button", name="Exact").click()
    x, y = desk.point(TEXT.index(at))
    desk.answered(lambda: desk.page.mouse.dblclick(x + 2, y))
    assert desk.card.locator(".quote").text_content() == token
    desk.press("2")
    assert desk.live() == [(token, "Medication")]


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_a_selection_is_taken_to_the_character_where_one_wants(desk: Desk, by: str) -> None:
    page = desk.page
    start = TEXT.index("woll")
    desk.answered(lambda: desk.drag(start, start + 4))
    expect(desk.card.locator(".quote")).to_have_text("swollen")
    link = desk.card.get_by_role("link", name="Exactly as selected")
    desk.answered((lambda: page.keyboard.press("e")) if by == "key" else link.click)
    expect(desk.card.locator(".quote")).to_have_text("woll")
    expect(page.locator("#do-exact")).to_have_attribute("aria-pressed", "true")
    desk.press("2")
    assert desk.live() == [("woll", "Medication")]
    desk.open()  # it is kept for this browser, and nothing else is
    expect(page.locator("#do-exact")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("JSON.stringify({...localStorage})") == '{"exact":"true"}'
    first = TEXT.index(NURSE)
    desk.answered(lambda: desk.drag(first + len(NURSE), first + 2 * len(NURSE)))
    expect(desk.card.locator(".quote")).to_have_text(NURSE)
    link = desk.card.get_by_role("link", name="Whole words")
    desk.answered((lambda: page.keyboard.press("e")) if by == "key" else link.click)
    expect(page.locator("#do-exact")).to_have_attribute("aria-pressed", "false")
    desk.press("2")
    assert desk.live()[0] == (NURSE, "Medication")
    assert page.evaluate("localStorage.length") == 0
