"""The review page in a real Chromium: what only a browser can lose, press twice or draw wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.selectors import note_view
from tests.cast import NOW, make_document
from tests.line import Line
from tests.review.conftest import suggest

pytestmark = [pytest.mark.browser]

# Line 0 has an emoji of three code points before the spans, line 1 a combining mark, line 2 what HTML would take badly.
TEXT = (
    "Seen 👩\u200d⚕️: no chest pain today.\nCafe\u0301-au-lait spots, left knee.\n"
    'BP <120 & "fine"; <script>x</script> ok\n'
)


def span_of(words: str) -> Span:
    start = TEXT.index(words)
    return Span.of(start, start + len(words))


class Desk:
    """Bob's browser at the note."""

    def __init__(self, page: Page, item: ReviewItem, url: str) -> None:
        self.page, self.item, self.url = page, item, url
        self.address = url + reverse("review:note", args=[item.document.project.public_id, item.public_id])
        self.card, self.token = page.locator("#card"), page.locator("#card input[name=key]")
        self.title = page.locator("#card-title")

    def open(self) -> Desk:
        self.page.goto(self.address)
        expect(self.page.locator("#note")).to_be_focused()
        return self

    def press(self, key: str) -> None:
        """Press a key and wait for the card that answers it."""
        self.answered(lambda: self.page.keyboard.press(key))

    def answered(self, do: Callable[[], None]) -> None:
        before = self.token.input_value()
        do()
        expect(self.token).not_to_have_value(before)

    def verdicts(self) -> list[str]:
        return list(Decision.objects.order_by("pk").values_list("verdict", flat=True))

    def live(self) -> list[tuple[str, str]]:
        found = Annotation.objects.filter(status="live").order_by("start", "end", "pk")
        return [(annotation.surface, annotation.label) for annotation in found]

    def drag(self, start: int, end: int) -> None:
        """Draw the mouse over the note's text from one code point to another."""
        points = [self.point(start), self.point(end)]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        self.page.mouse.move(*points[1], steps=6)
        self.page.mouse.up()

    def point(self, offset: int) -> tuple[float, float]:
        """Where on the screen the caret stands before a code point of the note."""
        x, y = self.page.evaluate(
            """async (offset) => {
              const { positionOf } = await import("/static/js/offsets.js");
              const place = positionOf(offset);
              const range = document.createRange();
              range.setStart(...place);
              range.setEnd(...place);
              const box = range.getClientRects()[0];
              return [box.left, box.top + box.height / 2];
            }""",
            offset,
        )
        return x, y


def sign_in_browser(context: BrowserContext, user: User, url: str) -> None:
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": url}])


@pytest.fixture
def note_item(
    live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> ReviewItem:
    document = make_document(project, text=TEXT)
    spans = [("chest pain", "Problem", 0.1), ("spots", "Problem", 0.2), ("left knee", "Problem", 0.3)]
    suggest(document, [(span_of(words), label, score) for words, label, score in spans], schema_version=schema_version)
    return take_note(document=document, reviewer=bob, now=NOW)


@pytest.fixture
def desk(page: Page, note_item: ReviewItem, bob: User, live_server: Any) -> Desk:
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, note_item, live_server.url).open()


@pytest.mark.parametrize("by", ["key", "button"])
def test_every_key_and_its_button(desk: Desk, by: str) -> None:
    page = desk.page

    def do(key: str, name: str) -> None:
        button = page.get_by_role("button", name=name, exact=True)
        desk.answered((lambda: page.keyboard.press(key)) if by == "key" else button.click)

    do("a", "Accept A")
    do("u", "Undo U")
    do("x", "Reject X")
    do("Control+z", "Undo U")
    do("Space", "Skip Space")
    do("u", "Undo U")
    do("2", "Medication 2")
    do("1", "Problem 1")
    do("n", "Absent N")
    do("[", "Start earlier")
    do("]", "Start later")
    do("}", "End later")
    do("{", "End earlier")
    assert desk.verdicts() == ["accept", "undo", "reject", "undo", "skip", "undo"] + ["edit"] * 7
    assert desk.live() == [("chest pain", "Problem")]
    assert Annotation.objects.get(status="live").attributes == {"assertion": "absent"}
    do("x", "Remove X")
    assert desk.live() == []
    assert page.locator("#note-pane").evaluate("pane => pane.scrollTop") == 0


def test_the_focus_stays_where_the_person_works(desk: Desk) -> None:
    page = desk.page
    focus = "document.activeElement.dataset.spanKey ?? document.activeElement.id"
    page.locator("#queue-list a[aria-current]").focus()
    desk.press("ArrowDown")
    expect(desk.title).to_have_text("Suggestion 2 of 3")
    desk.press("a")
    assert page.evaluate(focus) == page.locator("#card").get_attribute("data-focus")
    expect(page.locator("#queue a[tabindex='0']")).to_have_count(1)
    page.get_by_role("button", name="Medication 2").focus()
    desk.press("Enter")
    assert page.evaluate(focus) == "note"
    expect(page.locator("#told")).to_have_text("Medication changed, 1 left. Your span: left knee, Medication.")


def test_keys_are_off_in_fields_dialogs_and_while_held_down(desk: Desk) -> None:
    page = desk.page
    page.get_by_label("from").focus()
    page.keyboard.type("1a2x")
    page.locator("#note").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    for key in "axu2":
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    before = desk.token.input_value()
    for _ in range(5):
        page.keyboard.down("a")  # after the first, these are repeats
    page.keyboard.up("a")
    expect(desk.token).not_to_have_value(before)
    page.get_by_role("button", name="Reject X").focus()
    before = desk.token.input_value()
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(desk.token).not_to_have_value(before)
    expect(page.get_by_role("button", name="Reject X")).to_be_focused()
    assert desk.verdicts() == ["accept", "reject"]


def test_space_after_a_click_on_a_button_skips(desk: Desk) -> None:
    desk.answered(desk.page.get_by_role("button", name="Reject X").click)
    desk.press("Space")
    assert desk.verdicts() == ["reject", "skip"]


def test_no_key_counts_for_a_card_that_was_not_shown(desk: Desk) -> None:
    page, line = desk.page, Line(desk.page)
    desk.open()
    page.evaluate(
        """() => {
          window.pressed = [];
          const target = () => document.querySelector("#card input[name=target]")?.value;
          document.addEventListener("keydown", () => window.shown = target(), { capture: true });
          document.addEventListener("htmx:configRequest", (event) => {
            if (event.detail.verb === "post") pressed.push([shown, event.detail.parameters.get("target")]);
          });
        }"""
    )
    waiting: list[Route] = []
    line.carry_by(waiting.append)
    before = desk.token.input_value()
    for _ in range(10):
        page.keyboard.press("a")
    expect(page.locator("#strip")).to_contain_text("Not taken: A came before the next span was shown.")
    waiting[0].continue_()
    line.mend()
    expect(desk.token).not_to_have_value(before)
    for _ in range(10):
        page.keyboard.press("a")  # as fast as the browser takes them
    expect(page.locator("#progress")).not_to_contain_text(re.compile("^[01] of"))
    pressed = page.evaluate("pressed")
    assert all(shown == posted for shown, posted in pressed)
    assert len(waiting) == 1
    expect(page.locator("#progress")).to_contain_text(f"{len(pressed)} of 3")
    assert desk.verdicts() == ["accept"] * len(pressed)


def test_a_span_drawn_with_the_mouse_is_what_was_selected(desk: Desk) -> None:
    for start, end, expected in (
        (5, 12, "👩\u200d⚕️: no"),  # from the emoji's token into a word
        (TEXT.index("hest"), TEXT.index(" today") + 4, "chest pain today"),  # over a span
        (TEXT.index("pain"), TEXT.index("\u0301"), "pain today.\nCafe\u0301"),  # over the line's end
        (TEXT.index("<script>"), TEXT.index(" ok"), "<script>x</script>"),
    ):
        for place in ((start, end), (end, start)):
            desk.answered(lambda place=place: desk.drag(*place))
            expect(desk.title).to_have_text("New span")
            desk.press("2")
            assert desk.live() == [(expected, "Medication")]
            expect(desk.page.locator("#note .span[data-state=person] > .tail > .code")).to_have_count(1)
            assert "".join(desk.page.locator("#note .line").all_text_contents()) == TEXT
            desk.press("u")
            assert "".join(desk.page.locator("#note .line").all_text_contents()) == TEXT


def test_a_span_drawn_from_the_blank_beside_a_line_stays_in_the_note(desk: Desk) -> None:
    pane = desk.page.locator("#note-pane").bounding_box()
    assert pane is not None
    x, y = desk.point(TEXT.index("au-lait"))

    def drag() -> None:
        desk.page.mouse.move(pane["x"] + 8, y)
        desk.page.mouse.down()
        desk.page.mouse.move(x, y, steps=4)
        desk.page.mouse.up()

    desk.answered(drag)
    desk.press("1")
    assert desk.live() == [("Cafe\u0301-", "Problem")]


def test_selections_that_are_none_and_ones_that_are_dropped(desk: Desk) -> None:
    page = desk.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    quote = page.locator("#card .quote").bounding_box()
    assert quote is not None
    page.mouse.move(quote["x"] + 2, quote["y"] + 12)
    page.mouse.down()
    page.mouse.move(quote["x"] + 150, quote["y"] + 12, steps=4)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()")
    x, y = desk.point(TEXT.index("left"))
    desk.answered(lambda: page.mouse.dblclick(x + 5, y))
    expect(desk.card.locator(".quote")).to_have_text("left")
    assert sum("/new-span/" in url for url in asked) == 1, "what was selected in the card is none"
    desk.press("Escape")
    expect(desk.title).to_have_text("Suggestion 1 of 3")
    page.mouse.dblclick(*desk.point(TEXT.index("knee") + 1))  # opens the mark by its first click, selects by the second
    page.keyboard.press("2")
    expect(desk.title).to_have_text("Your span")
    assert desk.live() == [("knee", "Medication")]


def test_a_span_is_chosen_with_the_arrow_keys_and_opened_with_enter(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    expect(desk.title).to_have_text("Your span")
    assert desk.live() == [("-au", "Problem")]
    desk.press("a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    assert page.evaluate("getSelection().isCollapsed")
    expect(desk.title).to_have_text("Suggestion 1 of 3")
    page.keyboard.press("ArrowDown")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(desk.card.locator(".quote mark")).to_have_text("spots")


def test_the_second_half_of_a_double_click_is_not_for_the_next_span(desk: Desk) -> None:
    desk.answered(desk.page.get_by_role("button", name="Accept A").dblclick)
    expect(desk.page.locator("#strip")).to_contain_text("Not taken: Accept A")
    assert desk.verdicts() == ["accept"]


def test_a_note_that_someone_else_took_is_left_alone(desk: Desk, alice: User) -> None:
    desk.press("a")
    ReviewItem.objects.filter(pk=desk.item.pk).update(leased_by=alice)
    desk.page.keyboard.press("a")
    expect(desk.card).to_contain_text("This last decision is not")
    expect(desk.page.locator("#main")).not_to_contain_text("left knee")
    expect(desk.page.locator(".actions button")).to_have_count(0)
    assert desk.verdicts() == ["accept"]
    desk.page.reload()
    expect(desk.page.get_by_role("heading", name="This note is not yours now")).to_be_visible()


def test_spans_that_lie_in_and_across_each_other(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    text = "abc def ghi jkl\nmno pqr <b>&amp;\n\tstu 'vwx'\n"
    spans = [
        (Span.of(0, 15), "Problem", 0.1),
        (Span.of(4, 7), "Medication", 0.2),
        (Span.of(4, 7), "Problem", 0.3),
        (Span.of(8, 19), "Medication", 0.4),
        (Span(((12, 15), (20, 23), (36, 39))), "Problem", 0.5),
        (Span.of(24, 31), "Problem", 0.6),
    ]
    document = make_document(project, text=text)
    suggest(document, spans, schema_version=schema_version)
    sign_in_browser(page.context, bob, live_server.url)
    desk = Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()
    assert "".join(page.locator("#note .line").all_text_contents()) == text
    names = note_view(note_item=desk.item).names
    for span, _, score in spans:
        key = f"i{ReviewItem.objects.get(suggestion__score=score).public_id}"
        pieces = page.locator(f'#note .span[data-span="{names[key]}"]')
        code = page.locator(f'#note .span[data-span="{names[key]}"] > .tail > .code')
        expect(code).to_have_count(1)
        if page.locator("#card").get_attribute("data-focus") != key:
            box = code.bounding_box()
            assert box is not None
            desk.answered(lambda box=box: page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2))
        expect(page.locator("#card")).to_have_attribute("data-focus", key)
        expect(page.locator("#note .span[data-current]")).to_have_count(pieces.count())
        drawn = [piece.text_content() or "" for piece in pieces.all() if piece.get_attribute("data-gap") is None]
        assert "".join(drawn) == "".join(text[start:end] for start, end in span.fragments)


def test_a_second_click_opens_the_span_around(desk: Desk) -> None:
    around = span_of("no chest pain today")
    desk.answered(lambda: desk.drag(around.start, around.end))
    desk.press("2")
    focus = []
    for _ in range(3):
        desk.answered(lambda: desk.page.mouse.click(*desk.point(TEXT.index("hest"))))
        focus.append(desk.card.get_attribute("data-focus"))
    assert focus[0] == focus[2] != focus[1]


def test_a_decision_leaves_the_rest_of_the_page_where_it_is(desk: Desk) -> None:
    page = desk.page

    def rows() -> tuple[list[str], list[bool]]:
        """What the rows of the queue read, and which of them were there before."""
        items = page.locator("#queue-list li")
        return items.locator(".item-text").all_text_contents(), items.evaluate_all(
            "all => all.map(one => !!one.wasThere)"
        )

    page.evaluate(
        """() => {
          window.kept = [...document.querySelectorAll("#note .line")].map((line) => line.firstChild);
          window.shift = 0;
          new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += entry.value)))
            .observe({ type: "layout-shift" });
        }"""
    )
    desk.press("j")
    desk.press("k")
    assert page.evaluate("shift") == 0
    page.evaluate("document.querySelectorAll('#queue-list li, #do-accept').forEach((one) => (one.wasThere = true))")
    desk.press("a")
    assert page.evaluate("kept.map((node) => node.isConnected)") == [False, True, True]
    assert rows() == (["spots", "left knee"], [True, True])
    assert page.locator("#do-accept").evaluate("button => button.wasThere"), "it is as it was"
    desk.press("u")
    assert rows() == (["chest pain", "spots", "left knee"], [False, True, True])
    expect(page.locator("#queue-list [aria-current]")).to_contain_text("chest pain")
    desk.press("x")
    desk.press("x")
    desk.press("x")
    expect(page.locator("#queue-list")).to_have_text("Every suggestion in this note is decided.")


def test_everything_works_without_script(browser: Browser, note_item: ReviewItem, bob: User, live_server: Any) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        sign_in_browser(context, bob, live_server.url)
        page = context.new_page()
        desk = Desk(page, note_item, live_server.url)
        page.goto(desk.address)
        for name in ("Accept A", "Skip Space", "Medication 2", "Absent N", "Start earlier"):
            page.get_by_role("button", name=name, exact=True).click()
            page.get_by_role("button", name="Undo U").click()
        assert (len(desk.verdicts()), desk.live()) == (10, [])
        page.get_by_label("from").fill("0")
        page.get_by_label("up to").fill("2")
        page.get_by_role("button", name="Choose its label").click()
        page.get_by_role("button", name="Medication 2").click()
        assert desk.live() == [("Seen", "Medication")]
        page.get_by_role("link", name="chest pain").click()
        for _ in range(3):
            page.get_by_role("button", name="Reject X").click()
        page.get_by_role("button", name="Leave for later").click()
        expect(page).to_have_url(desk.address)
        page.get_by_role("button", name="Note done, next note").click()
        expect(page.get_by_text("1 of 1 notes here are done")).to_be_visible()
