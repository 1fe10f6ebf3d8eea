"""Relations and labels of the note in a real Chromium: by keyboard and by mouse."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import DocumentValue, Relation
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.relations import document_values_of, relations_of
from annotator.review.services import Add, decide
from tests.a11y.checks import give_axe, serious_violations
from tests.cast import NOW, SCHEMA, make_document
from tests.line import Line
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

AGAIN = Span.of(85, 94)
TIED = SCHEMA | {
    "relations": [
        {"name": "treats", "definition": "Given for it.", "heads": ["Medication"], "tails": ["Problem"]},
        {"name": "causes", "definition": "Led to it.", "heads": ["Problem"], "tails": ["Problem"]},
        {"name": "seen with", "definition": "At once.", "heads": ["Problem"], "tails": ["Problem"]},
    ],
    "document_labels": [{"name": "smoking", "definition": "What is said of it.", "values": ["never", "former"]}],
}


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(TIED)


@pytest.fixture
def note_item(
    live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> ReviewItem:
    """A note with a problem and two mentions of a drug that Bob has labelled, and one suggestion."""
    document = make_document(project)
    suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    item = take_note(document=document, reviewer=bob, now=NOW)
    for span, label in ((DIABETES, "Problem"), (METFORMIN, "Medication"), (AGAIN, "Medication")):
        decide(note_item=item, reviewer=bob, act=Add(span=span, label=label), key=f"add {span}", now=NOW)
    return item


@pytest.fixture
def desk(page: Page, note_item: ReviewItem, bob: User, live_server: Any) -> Desk:
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, note_item, live_server.url).open()


def mark(desk: Desk, span: Span) -> Any:
    return (
        desk.page.locator("#note .span[data-span]")
        .filter(has_text=span.surface(desk.item.document.text))
        .nth(1 if span == AGAIN else 0)
    )


def at(desk: Desk, span: Span) -> None:
    """Bring a span into focus by a click."""
    desk.answered(lambda: mark(desk, span).click())


def ties(desk: Desk) -> list[tuple[str, str, str]]:
    """The live relations: type and the text of both ends."""
    text = {mark.public_id: mark.surface for mark in desk.item.document.annotation_sets.get().annotations.all()}
    return [(each.type, text[each.head], text[each.tail]) for each in relations_of(desk.item)]


def test_a_relation_by_keyboard_undone_done_again_and_removed(desk: Desk) -> None:
    page, told, line = desk.page, desk.page.locator("#told"), desk.page.locator(".tie-lines path")
    give_axe(page)
    at(desk, METFORMIN)
    desk.press("Shift+R")
    expect(desk.title).to_have_text("Relation from ‘metformin’")
    assert serious_violations(page) == []
    expect(page.locator("#actions")).to_contain_text("Relation from ‘metformin’")
    expect(told).to_contain_text("Other span: Diabetes, Problem. treats: metformin → Diabetes.")
    desk.press("Enter")
    assert ties(desk) == [("treats", "metformin", "Diabetes")]
    expect(told).to_contain_text("treats: metformin → Diabetes added, 1 left. Your span: metformin")
    expect(mark(desk, DIABETES)).to_have_attribute("data-related", "treats")
    expect(mark(desk, DIABETES).locator(".glyph[data-glyph=tied]")).to_have_count(1)
    expect(line).to_have_attribute("d", re.compile("^M"))
    assert serious_violations(page) == []
    desk.press("u")
    assert ties(desk) == []
    expect(told).to_contain_text("treats: metformin → Diabetes undone")
    expect(page.locator("#note [data-related], #note .glyph[data-glyph=tied]")).to_have_count(0)
    desk.press("Shift+U")
    assert ties(desk) == [("treats", "metformin", "Diabetes")]
    desk.answered(lambda: page.get_by_role("button", name="Remove treats to Diabetes").click())
    assert ties(desk) == []
    expect(page.locator("#note [data-related], #note .glyph[data-glyph=tied]")).to_have_count(0)
    page.locator(".history summary").click()
    expect(page.locator(".history li").last).to_contain_text("treats → Problem removed")


def test_the_other_end_is_walked_to_and_a_suggestion_accepted_on_the_way(desk: Desk) -> None:
    page = desk.page
    at(desk, AGAIN)
    desk.press("Shift+R")
    desk.press("j")
    expect(page.locator("#card .quote mark")).to_have_text("chest pain")
    expect(page.locator("#told")).to_contain_text("chest pain is a suggestion: accept it first")
    desk.press("a")
    expect(desk.title).to_have_text("Relation from ‘metformin’")
    desk.press("Shift+R")
    assert ties(desk) == [("treats", "metformin", "chest pain")]
    at(desk, DIABETES)
    desk.press("Shift+R")
    desk.press("j")
    expect(page.locator("#card .quote mark")).to_have_text("metformin")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")  # from word to word to 'pain', which asks for no new span now
    desk.press("Enter")
    expect(page.locator("#card [name=relation]")).to_have_count(4)
    desk.press("4")
    assert ties(desk)[1:] == [("seen with", "chest pain", "Diabetes")]


def test_a_relation_by_mouse_and_a_pair_that_none_joins(desk: Desk) -> None:
    page = desk.page
    at(desk, METFORMIN)
    link = page.get_by_role("link", name="Relate")
    desk.answered(link.click)
    desk.answered(lambda: mark(desk, AGAIN).click())
    expect(page.locator("#card .ties")).to_contain_text("No relation joins Medication and Medication.")
    expect(page.locator("#card .reach")).to_contain_text("treats → Problem")
    desk.press("Escape")
    expect(desk.title).to_have_text("Your span")
    desk.answered(link.click)
    mark(desk, DIABETES).click()
    expect(page.locator("#told")).to_contain_text("treats: metformin → Diabetes added")
    desk.answered(page.locator("#card [data-tie] a").click)
    expect(page.locator("#card .quote mark")).to_have_text("Diabetes")
    expect(page.locator("#card [data-tie]")).to_contain_text("treats ←")
    desk.answered(lambda: page.locator("#do-reject").click())
    assert ties(desk) == []
    expect(page.locator("#told")).to_contain_text("Problem rejected with 1 relation, 1 left")
    expect(page.locator("#note .glyph[data-glyph=tied]")).to_have_count(0)
    assert Relation.objects.count() == 1


def test_the_note_is_labelled_by_key_and_by_mouse(desk: Desk) -> None:
    page, values = desk.page, desk.page.locator("#note-values")
    desk.press("Shift+N")
    expect(desk.title).to_have_text("This note")
    desk.press("1")
    assert document_values_of(desk.item) == {"smoking": "never"}
    expect(values).to_contain_text("smoking never")
    expect(page.locator("#told")).to_contain_text("smoking “never” set, 1 left.")
    desk.press("1")
    assert document_values_of(desk.item) == {}
    expect(values).to_contain_text("smoking –")
    desk.press("u")
    assert document_values_of(desk.item) == {"smoking": "never"}
    expect(page.locator("#card [aria-pressed=true]")).to_contain_text("Never")
    desk.press("Escape")
    expect(desk.title).to_have_text("Suggestion 1 of 1")
    desk.answered(values.get_by_role("link").click)
    desk.answered(page.get_by_role("button", name="Former").click)
    assert document_values_of(desk.item) == {"smoking": "former"}
    assert DocumentValue.objects.count() == 2
    desk.press("j")
    desk.press("x")
    expect(desk.title).to_have_text("Nothing left to decide")
    expect(page.get_by_role("group", name="Smoking: former")).to_be_visible()


def test_a_relation_that_the_line_loses_is_sent_again_and_counts_once(
    browser: Browser, note_item: ReviewItem, bob: User, live_server: Any
) -> None:
    context = browser.new_context()  # not that of `page`: htmx reports on the console that no answer came
    line = Line(context)
    sign_in_browser(context, bob, live_server.url)
    page = context.new_page()
    desk = Desk(page, note_item, live_server.url).open()
    at(desk, METFORMIN)
    desk.press("Shift+R")
    line.carry_by(lambda route: route.abort())
    desk.press("Enter")
    expect(page.locator("#strip")).to_contain_text("1 decision is kept")
    expect(page.locator("#told")).to_contain_text("relation treats “Diabetes”, not sent")
    line.mend()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#card [data-tie]")).to_contain_text("treats →")
    assert ties(desk) == [("treats", "metformin", "Diabetes")]
    context.close()
