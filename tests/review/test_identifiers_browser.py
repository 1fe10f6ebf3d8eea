"""Identifiers on the review page of a real Chromium: taken by a key, given another kind, and all alike at once."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.identifiers import ATTRIBUTE, FINDER, LABEL, with_identifiers
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.review.leases import take_note
from tests.cast import NOW, make_document
from tests.review.conftest import suggest
from tests.review.test_browser import Desk, sign_in_browser

pytestmark = [pytest.mark.browser]

TEXT = "Dear Dr Okonjo, I saw Mrs Hollis of Thornbury. Hollis takes metformin. Mrs Hollis was well."
HOLLIS = [Span.of(start, start + 6) for start in range(len(TEXT)) if TEXT.startswith("Hollis", start)]


def at(words: str) -> Span:
    return Span.of(TEXT.index(words), TEXT.index(words) + len(words))


@pytest.fixture
def desk(
    page: Page, live_server: Any, project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> Desk:
    """Bob's browser at a note with five suggested names, one of which is a town."""
    both = add_schema_version(project=project, schema=with_identifiers(schema_version.schema), actor=None, now=NOW)
    document = make_document(project, text=TEXT)
    scores = [(at("Thornbury"), 0.4), (at("Okonjo"), 0.5), *((span, 0.8) for span in HOLLIS)]
    found = [(span, LABEL, score) for span, score in scores]
    suggest(document, found, schema_version=both, labeler="finder", backend=FINDER, attributes={ATTRIBUTE: "name"})
    sign_in_browser(page.context, bob, live_server.url)
    return Desk(page, take_note(document=document, reviewer=bob, now=NOW), live_server.url).open()


def kinds() -> list[tuple[str, str]]:
    live = Annotation.objects.filter(status=Annotation.Status.LIVE).order_by("start")
    return [(found.surface, found.attributes[ATTRIBUTE]) for found in live]


def test_an_identifier_is_given_another_kind_taken_by_a_key_and_all_alike_at_once(desk: Desk) -> None:
    card = desk.page.locator("#card")
    expect(card).to_contain_text("Suggested by finder")
    desk.answered(card.get_by_role("button", name="Location").click)
    assert kinds() == [("Thornbury", "location")]
    expect(desk.page.locator("#note .span[data-state=person]")).to_have_count(1)
    desk.press("a")
    desk.press("a")
    assert kinds() == [("Okonjo", "name"), ("Thornbury", "location")]
    desk.answered(lambda: desk.page.keyboard.press("i"))
    expect(desk.page.locator(".alike > li")).to_have_count(2)
    desk.press("a")
    assert [words for words, _ in kinds()] == ["Okonjo", "Hollis", "Thornbury", "Hollis", "Hollis"]
