"""Held and certified spans in a real Chromium: drawn, decided by keys, taken back."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.holding import hold_spans
from annotator.review.leases import take_note
from annotator.review.models import Decision, ReviewItem
from tests.cast import NOW, make_document
from tests.review.certified import certify
from tests.review.conftest import suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

TEXT = "Assessment: chest pain, spots and a left knee that hurts."
WORDS = {"chest pain": 0.95, "spots": 0.9, "left knee": 0.2}


@pytest.fixture
def desk(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> Desk:
    """Bob's browser at a note with a certified, a held and an open span."""
    document = make_document(project, text=TEXT)
    spans = [(Span.of(TEXT.index(word), TEXT.index(word) + len(word)), "Problem", at) for word, at in WORDS.items()]
    suggest(document, spans, schema_version=schema_version)
    items = ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler")
    certify(project, items.get(suggestion__surface="chest pain"))
    hold_spans(suggestions=[items.get(suggestion__surface="spots").suggestion_id or 0])
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()


def test_what_a_certificate_accepted_is_rejected_by_a_key_and_comes_back(desk: Desk) -> None:
    page = desk.page
    certified = page.locator('#note .span[data-state="certified"]')
    expect(certified).to_have_text("chest pain")
    expect(page.locator("#queue-list .item-text")).to_have_text(["left knee"])
    desk.answered(certified.click)
    expect(desk.title).to_have_text("Certified span")
    expect(page.locator("#card")).to_contain_text("Accepted under certificate 1")
    expect(page.locator("#card")).to_contain_text("Not read by a person")
    expect(page.locator("#do-accept")).to_be_disabled()
    desk.press("x")
    expect(certified).to_have_count(0)
    assert Annotation.objects.get(certificate__isnull=False).status == "withdrawn"
    desk.press("u")
    expect(certified).to_have_text("chest pain")
    assert Annotation.objects.get(certificate__isnull=False).status == "live"


def test_a_held_span_is_decided_by_a_key_though_nobody_asked(desk: Desk) -> None:
    page = desk.page
    held = page.locator("#note .span", has_text="spots")
    expect(held).to_have_attribute("data-state", "suggested")
    desk.answered(held.click)
    expect(desk.title).to_have_text("Held suggestion")
    expect(page.locator("#card")).to_contain_text("being tested for acceptance without review")
    expect(page.locator("#do-skip")).to_be_disabled()
    desk.press("a")
    expect(held).to_have_attribute("data-state", "person")
    assert Decision.objects.get().stream == "unasked"
    desk.press("u")
    expect(held).to_have_attribute("data-state", "suggested")
    expect(page.locator("#queue-count")).to_have_text("2")


def test_a_note_is_done_while_a_span_is_held(desk: Desk) -> None:
    desk.press("x")
    expect(desk.title).to_contain_text("Nothing left to decide")
    desk.page.keyboard.press("d")
    desk.page.wait_for_url("**/review/")
    assert ReviewItem.objects.get(unit="note").status == "decided"
    assert ReviewItem.objects.get(status="held").suggestion is not None
