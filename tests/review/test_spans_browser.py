"""Working by span in a real Chromium: one round of blind audits over two notes, by keyboard and by mouse."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import release, take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import NOT_BACK
from tests.cast import make_document
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest
from tests.review.test_browser import sign_in_browser

pytestmark = [pytest.mark.browser]


@pytest.fixture
def start(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> Page:
    """Bob's browser at the start page; two spans are blind audits, in one note each, and a third is uncertain."""
    for name, key in (("first", 0.1), ("second", 0.2)):
        document = make_document(project, external_id=name, metadata={"title": f"The {name} note"})
        spans = [(CHEST_PAIN, "Problem", 0.4)] + ([(DIABETES, "Problem", 0.9)] if name == "first" else [])
        suggest(document, spans, schema_version=schema_version)
        audits = ReviewItem.objects.filter(document=document, suggestion__fragments=str(CHEST_PAIN))
        audits.update(stream="audit", audit_key=key)
    Project.objects.filter(pk=project.pk).update(audits="blind")
    sign_in_browser(page.context, bob, live_server.url)
    page.goto(live_server.url + reverse("review:start", args=[project.public_id]))
    return page


@pytest.mark.parametrize("by", ["key", "button"])
def test_a_round_of_blind_audits(start: Page, by: str) -> None:
    page = start
    title, note, card = page.locator("#card-title"), page.locator("#note-head h1"), page.locator("#card")

    def do(key: str, name: str) -> None:
        if by == "key":
            page.keyboard.press(key)
        else:
            page.get_by_role("button", name=name, exact=True).click()

    with page.expect_navigation():  # until its script has run
        page.get_by_role("button", name="Work by span").click()
    expect(note).to_have_text("The first note")
    expect(title).to_have_text("Audit")
    expect(page.locator("#do-accept")).to_be_disabled()
    page.evaluate("window.isStill = true")
    do("}", "End later")
    expect(card.locator("[name=fragments]")).to_have_count(1)
    do("{", "End earlier")
    expect(card.locator("[name=fragments]")).to_have_value(str(CHEST_PAIN))
    do("{", "End earlier")
    expect(page.locator("#note .span[data-current]")).to_have_text("chest")
    page.locator("#note .span", has_text="chest").click()
    expect(page.locator("#note .span[data-current]")).to_have_text("chest pain")
    do("1", "Problem 1")
    expect(card).to_contain_text("“chest pain”: the model says Problem, with a score of 0.40; you say the same.")
    do("a", "Keep it, on to the next span A")
    expect(note).to_have_text("The second note")
    expect(card).not_to_contain_text("the model says")
    do("x", "No span here X")
    expect(note).to_have_text("The first note")
    expect(title).to_have_text("Suggestion")
    expect(card).to_contain_text("you say there is no span.")
    do("u", "Undo U")
    expect(note).to_have_text("The second note")
    expect(title).to_have_text("Audit")
    do(" ", "Skip Space")
    expect(note).to_have_text("The first note")
    do("a", "Accept A")
    expect(note).to_have_text("The second note")  # what was skipped has come back
    assert page.evaluate("window.isStill"), "all of it without a page of its own"
    assert list(Decision.objects.order_by("pk").values_list("verdict", flat=True)) == [
        *("accept", "reject", "undo", "skip", "accept"),
    ]
    page.reload()
    expect(title).to_have_text("Audit")
    if by == "key":
        page.keyboard.press(".")
    else:
        page.get_by_role("link", name="Open the whole note").click()
    expect(title).to_have_text("Audit, 1 of 1")
    expect(page.locator("#note .line")).to_have_count(2)


def test_undo_waits_for_who_has_the_note_and_comes_back_to_it(start: Page, adam: User) -> None:
    page, note = start, start.locator("#note-head h1")
    with page.expect_navigation():
        page.get_by_role("button", name="Work by span").click()
    page.keyboard.press("x")
    expect(note).to_have_text("The second note")
    first = take_note(document=Document.objects.get(external_id="first"), reviewer=adam, now=timezone.now())
    page.keyboard.press("u")
    expect(page.locator("#card").get_by_role("alert")).to_contain_text(NOT_BACK)
    expect(note).to_have_text("The second note")
    release(note_item=first, reviewer=adam)
    page.get_by_role("button", name="Undo U").click()
    expect(note).to_have_text("The first note")
    expect(page.locator("#card-title")).to_have_text("Audit")
