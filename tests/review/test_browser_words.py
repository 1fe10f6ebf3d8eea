"""Redo, mentions alike, history and comments in a real Chromium, by key and by button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Comment
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.review.models import Decision
from tests.cast import NOW, make_document
from tests.review.conftest import suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

TEXT = "Assessment: chest pain at night.\nNo chest pain today, left knee hurts.\nChest pain clinic in May.\n"
PAINS = [Span.of(start, start + 10) for start in (12, 36, 70)]
KNEE = Span.of(TEXT.index("left knee"), TEXT.index("left knee") + 9)


@pytest.fixture
def desk(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> Desk:
    """Bob's browser at a note that says "chest pain" three times, two of them suggested."""
    document = make_document(project, text=TEXT)
    spans = [(PAINS[0], "Problem", 0.1), (PAINS[1], "Problem", 0.2), (KNEE, "Problem", 0.3)]
    suggest(document, spans, schema_version=schema_version)
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()


def way(page: Page, by: str, key: str, button: str) -> Callable[[], None]:
    return (lambda: page.keyboard.press(key)) if by == "key" else page.get_by_role("button", name=button).click


@pytest.mark.parametrize(
    ("by", "key"), [("key", "Shift+U"), ("key", "Control+Shift+Z"), ("key", "Control+y"), ("button", "")]
)
def test_redo_is_offered_after_undo_and_does_it_again(desk: Desk, by: str, key: str) -> None:
    redo = desk.page.get_by_role("button", name="Redo")
    expect(redo).to_have_count(0)
    desk.press("a")
    desk.press("u")
    expect(redo).to_be_visible()
    desk.answered(way(desk.page, by, key, "Redo"))
    expect(redo).to_have_count(0)
    assert desk.verdicts() == ["accept", "undo", "accept"]
    assert desk.live() == [("chest pain", "Problem")]


@pytest.mark.parametrize("by", ["key", "button"])
def test_all_mentions_alike_are_shown_first_and_undone_as_one(desk: Desk, by: str) -> None:
    page = desk.page
    link = page.get_by_role("link", name="2 others in this note read alike")
    desk.answered((lambda: page.keyboard.press("i")) if by == "key" else link.click)
    expect(page.locator(".alike > li")).to_have_count(2)
    assert page.locator(".alike b").all_text_contents() == ["chest pain", "Chest pain"]
    expect(page.locator(".alike")).to_contain_text("Problem, as suggested")
    expect(page.locator(".alike")).to_contain_text("Problem, added")
    desk.answered(way(page, by, "a", "Accept all A"))
    expect(page.locator("#note .span[data-state=person]")).to_have_count(3)
    assert [surface for surface, _ in desk.live()] == ["chest pain", "chest pain", "Chest pain"]
    expect(desk.title).to_have_text("Suggestion 1 of 1")
    desk.press("u")
    expect(page.locator("#note .span[data-state=person]")).to_have_count(0)
    assert desk.live() == []
    assert "".join(page.locator("#note .line").all_text_contents()) == TEXT


def test_esc_leaves_the_mentions_alike_undecided(desk: Desk) -> None:
    desk.press("i")
    desk.press("Escape")
    expect(desk.page.locator(".alike")).to_have_count(0)
    assert desk.verdicts() == []


def test_the_history_of_a_span_is_on_its_card(desk: Desk) -> None:
    desk.press("2")
    history = desk.page.locator(".history")
    expect(history.locator("summary")).to_contain_text("History")
    history.locator("summary").click()
    expect(history.locator("li")).to_have_count(1)
    expect(history.locator("li")).to_contain_text("Label Problem → Medication")
    expect(history.locator("li")).to_contain_text("bob")


def test_a_comment_is_typed_saved_and_taken_back_without_a_mouse(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("c")
    expect(page.locator("#remark")).to_be_focused()
    page.keyboard.type("a x u: is this one? 12")  # keys of the page, all of them
    page.keyboard.press("Control+Enter")
    expect(page.locator(".remark")).to_contain_text("a x u: is this one? 12")
    expect(page.locator("#remark")).to_have_value("")
    expect(page.locator("#note")).to_be_focused()
    assert desk.verdicts() == []
    page.keyboard.press("!")
    flag = page.get_by_role("button", name="Flag")
    expect(flag).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#queue [data-said=flag]")).to_have_count(1)
    expect(page.locator("#note .span[data-said=flag]")).to_have_text("chest pain")
    page.keyboard.press("q")
    expect(page.get_by_role("button", name="Discuss")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("!")
    expect(flag).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#note .span[data-said=discuss]")).to_have_text("chest pain")
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".remark")).to_have_count(0)
    kinds = Comment.objects.order_by("pk").values_list("kind", "body", "status")
    assert list(kinds) == [
        ("comment", "a x u: is this one? 12", "withdrawn"),
        ("flag", "", "withdrawn"),
        ("discuss", "", "open"),
    ]


def test_what_is_typed_while_the_next_card_comes_stays_with_its_span(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("a")
    page.keyboard.press("c")  # before the next card is there
    page.keyboard.type("said of the first")
    expect(desk.title).to_have_text("Suggestion 1 of 2")
    expect(page.locator("#remark")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".remark")).to_contain_text("said of the first")
    comment = Comment.objects.get()
    assert comment.suggestion is not None
    assert comment.suggestion.span == PAINS[0]
    assert desk.verdicts() == ["accept"]


def test_a_decision_carries_the_seconds_that_it_took(desk: Desk) -> None:
    with desk.page.expect_request(lambda request: request.url.endswith("/decide/")) as sent:
        desk.press("a")
    assert "active_seconds" in (sent.value.post_data or "")
    seconds = Decision.objects.get().active_seconds
    assert seconds is not None
    assert 0 <= seconds < 60


@pytest.mark.parametrize("by", ["key", "button"])
def test_what_may_be_missed_is_painted_and_added_or_dismissed(
    desk: Desk, by: str, schema_version: SchemaVersion
) -> None:
    page = desk.page
    clinic = Span.of(TEXT.index("clinic"), TEXT.index("clinic") + 6)
    suggest(
        desk.item.document,
        [],
        candidates=[(clinic, "Medication", 0.9)],
        schema_version=schema_version,
        labeler="a model",
    )
    for verdict in "axx":
        desk.press(verdict)
    expect(desk.title).to_have_text("Anything missed? 1 of 2")
    expect(page.locator("#note .span")).to_have_count(1)  # what is offered is no span of the note
    assert page.evaluate("[...CSS.highlights.get('missed')].map(String)") == ["Chest pain"]
    desk.answered(way(page, by, "x", "Dismiss X"))
    expect(desk.title).to_have_text("Anything missed? 1 of 1")
    expect(page.locator(".offered [aria-current]")).to_contain_text("Medication by the dictionaries only: high score")
    assert page.evaluate("[...CSS.highlights.get('missed')].map(String)") == ["clinic"]
    desk.answered(way(page, by, "a", "Add as Medication A"))
    expect(desk.title).to_have_text("Nothing left to decide")
    assert page.evaluate("CSS.highlights.has('missed')") is False
    desk.press("u")
    expect(desk.title).to_have_text("Anything missed? 1 of 1")
    desk.press("u")
    expect(desk.title).to_have_text("Anything missed? 1 of 2")
    desk.answered(way(page, by, "a", "Add as Problem A"))
    expect(desk.title).to_have_text("Anything missed? 1 of 1")
    assert desk.live() == [("chest pain", "Problem"), ("Chest pain", "Problem")]
    assert desk.verdicts() == ["accept", "reject", "reject", "dismiss", "add", "undo", "undo", "add"]
