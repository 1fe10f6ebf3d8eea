"""The card in a real Chromium: what it draws of the model's doubt, and the way to the guideline."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_guideline
from annotator.review.leases import take_note
from annotator.suggestions.models import Suggestion
from tests.cast import NOW, TEXT, make_document, make_set
from tests.review.conftest import CHEST_PAIN, suggest

pytestmark = [pytest.mark.browser]

SIGNALS = {"label_share": 0.46, "label_margin": 0.05, "runner_up": "Medication", "n_readings": 5, "agreement": 0.4}


@pytest.fixture
def card_page(
    page: Page, live_server: Any, project: Project, alice: User, bob: User, schema_version: SchemaVersion, bells: object
) -> Page:
    """Bob's browser at a suggestion that the model was unsure of, with a guideline and a decision of his own."""
    add_guideline(project=project, text="## Problem\nTake the **whole phrase**.", actor=alice, now=NOW)
    earlier = make_document(project, external_id="earlier", text=f"A {'very ' * 30}long way before {TEXT}")
    start = earlier.text.index("chest pain")
    make_set(earlier, bob, NewAnnotation(span=Span.of(start, start + 10), label="Problem", attributes={}))
    document = make_document(project)
    suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    Suggestion.objects.update(signals=SIGNALS)
    item = take_note(document=document, reviewer=bob, now=NOW)
    client = Client()
    client.force_login(bob)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("review:note", args=[project.public_id, item.public_id]))
    expect(page.locator("#note")).to_be_focused()
    return page


def style(page: Page, selector: str, name: str) -> str:
    return str(page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name))


def box(place: Locator) -> dict[str, float]:
    found = place.first.bounding_box()
    assert found is not None
    x, y, width, height = found["x"], found["y"], found["width"], found["height"]
    return {"x": x, "y": y, "width": width, "right": x + width, "bottom": y + height}


@pytest.mark.parametrize("width", [1440, 900, 700])
def test_the_card_draws_what_the_model_doubted_and_nothing_sticks_out(card_page: Page, width: int) -> None:
    page = card_page
    page.set_viewport_size({"width": width, "height": 900})
    card, bar = box(page.locator("#card")), box(page.locator("#card .segments"))
    first, second = (box(page.locator(f"#card .segments [data-kind={kind}]")) for kind in ("first", "second"))
    assert first["width"] / bar["width"] == pytest.approx(0.46, abs=0.01)
    assert second["width"] / bar["width"] == pytest.approx(0.41, abs=0.02)
    assert second["x"] == pytest.approx(first["right"], abs=3)
    doubts, others = page.locator("#card .signals [data-tone=warn]"), page.locator("#card .signals li:not([data-tone])")
    expect(doubts).to_have_count(2)
    assert box(doubts.last)["bottom"] <= box(others.first)["y"] + 1
    warn = style(page, "#card .signals [data-tone=warn] > .icon", "color")
    assert warn != style(page, "#card .signals li:not([data-tone]) > .icon", "color")
    pill = "#card button[value=Medication]"
    assert style(page, pill, "borderTopStyle") == "dashed"
    assert style(page, "#card button[value=Problem]", "borderTopStyle") == "solid"
    page.locator("#card .similar").scroll_into_view_if_needed()
    words = box(page.locator("#card .similar q b"))
    assert words["x"] >= card["x"]
    assert words["right"] <= box(page.locator("#card .similar .label"))["x"]
    expect(page.locator("#card .similar q")).to_have_text(f"before {TEXT[:69]} Plan:")
    assert page.locator("#card").evaluate("card => card.scrollWidth <= card.clientWidth")


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_a_suggestion_looks_and_reads_like_one_until_a_person_takes_it(card_page: Page, by: str) -> None:
    page, accept = card_page, card_page.get_by_role("button", name="Accept A")
    expect(page.locator("#card .origin")).to_contain_text("Suggested by rules")
    expect(page.locator("#card .verdict")).to_have_text("Low score\u20020.40")
    assert style(page, "#card .quote .span", "borderTopStyle") == "dashed"
    if by == "key":
        page.keyboard.press("a")
    else:
        accept.click()
    expect(page.locator("#card-title")).to_have_text("Nothing left to decide")
    page.locator("#note .span").click()
    expect(page.locator("#card .origin")).to_contain_text("From a suggestion of rules, accepted by you")
    expect(page.locator("#card .verdict")).to_have_count(0)
    assert style(page, "#card .quote .span", "borderTopStyle") != "dashed"


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_the_guideline_opens_beside_the_note(card_page: Page, by: str, project: Project) -> None:
    page = card_page
    expect(page.locator("#card .guideline b").first).to_have_text("whole phrase")
    address = page.url
    with page.expect_popup() as opened:
        if by == "key":
            page.keyboard.press("g")
        else:
            page.get_by_role("link", name="Open the guideline in a new tab").click()
    expect(opened.value.get_by_role("heading", name="Guideline", exact=True)).to_be_visible()
    assert opened.value.url.endswith(reverse("browse:guideline", args=[project.public_id]))
    assert page.url == address
    expect(page.locator("#card-title")).to_have_text("Suggestion 1 of 1")
