"""Two people read one note at once, each in a browser of their own, and a third settles what they differ in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.models import User
from annotator.adjudication.models import Gold
from annotator.projects.models import Project
from annotator.review.queue import ensure_note_items
from tests.adjudication.scene import TEXT
from tests.cast import make_document
from tests.review.test_browser import sign_in_browser

PLACE_OF = """words => {
  const walker = document.createTreeWalker(document.getElementById("note"), NodeFilter.SHOW_TEXT);
  while (!walker.nextNode().data.includes(words));
  const range = document.createRange(), at = walker.currentNode.data.indexOf(words);
  range.setStart(walker.currentNode, at);
  range.setEnd(walker.currentNode, at + words.length);
  const box = range.getBoundingClientRect();
  return [box.x + 5, box.y + box.height / 2];
}"""


@contextmanager
def signed_in(browser: Browser, user: User, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    sign_in_browser(context, user, url)
    yield context.new_page()
    context.close()


def begin(page: Page, address: str) -> None:
    page.goto(address)
    with page.expect_navigation():
        page.get_by_role("button", name="Start reviewing").click()
    expect(page.locator("#note")).to_be_focused()


def label(page: Page, words: str, key: str) -> None:
    """Mark the words by a double click and a label's key."""
    page.mouse.dblclick(*page.evaluate(PLACE_OF, words))
    expect(page.locator("#card .quote")).to_have_text(words)
    page.keyboard.press(key)
    expect(page.locator("#note .span")).to_have_text([words])


@pytest.mark.browser
def test_two_read_at_once_see_nothing_of_each_other_and_a_third_settles_it(
    browser: Browser, live_server: Any, project: Project, alice: User, bob: User, adam: User
) -> None:
    Project.objects.filter(pk=project.pk).update(n_readers=2)
    ensure_note_items(document=make_document(project, text=TEXT), n_slots=2, priority=1.0)
    url = live_server.url
    start = url + reverse("review:start", args=[project.public_id])
    with signed_in(browser, bob, url) as bobs, signed_in(browser, adam, url) as adams:
        begin(bobs, start)
        begin(adams, start)
        assert bobs.url != adams.url
        label(bobs, "nausea", "1")
        adams.reload()
        expect(adams.locator("#note")).to_be_focused()
        expect(adams.locator("#note .span")).to_have_count(0)
        label(adams, "nausea", "2")
        with signed_in(browser, alice, url) as alices:
            alices.goto(url + reverse("adjudication:notes", args=[project.public_id]))
            for page in (bobs, adams):
                expect(alices.get_by_role("button", name="Start adjudicating")).to_have_count(0)
                with page.expect_navigation():
                    page.keyboard.press("d")
                alices.reload()
            with alices.expect_navigation():
                alices.get_by_role("button", name="Start adjudicating").click()
            expect(alices.locator(".sides .span, #sides .span")).to_have_text(["nausea", "nausea"])
            expect(alices.get_by_text("bob")).to_have_count(0)
            alices.keyboard.press("2")
            expect(alices.locator("#card-title")).to_have_text("Everything is settled")
            with alices.expect_navigation():
                alices.keyboard.press("d")
    (made,) = Gold.objects.select_related("annotation__set").filter(annotation__isnull=False)
    assert (made.annotation.surface, made.annotation.set.status) == ("nausea", "submitted")
    assert {source.annotator for source in made.sources.all()} <= {bob, adam}
