"""A lead promotes a labeler from the registry without a mouse."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.suggestions.labelers import current_spec, default_labeler
from annotator.suggestions.models import LabelRun, Promotion
from tests.cast import NOW, make_document
from tests.review.test_browser import sign_in_browser
from tests.suggestions.scene import make_run
from tests.training.promoted import make_trained

pytestmark = [pytest.mark.browser]


def test_a_labeler_is_promoted_and_taken_back_by_keyboard(
    page: Page, live_server: Any, project: Project, alice: User, bells: object
) -> None:
    make_document(project)
    make_run(project)
    trained = make_trained(project)
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("training:models", args=[project.public_id]))
    page.get_by_role("link", name=f"Promote {trained.name}").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    expect(page.get_by_text("1 note is read by it")).to_be_visible()
    page.get_by_label("Confirm").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_text("Type “without a comparison”")).to_be_visible()
    assert not Promotion.objects.exists()
    page.get_by_label("Confirm").focus()
    page.keyboard.type("without a comparison")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Current")
    expect(page.get_by_text("reads the project's notes from now on")).to_be_visible()
    assert current_spec(project).digest == trained.digest
    assert trained.runs.get().jobs.count() == 1
    assert LabelRun.objects.earliest("number").status == LabelRun.Status.CANCELLED

    page.get_by_role("link", name="All models").click()
    page.get_by_role("link", name="Go back to").click()
    page.get_by_label("Confirm").fill("without a comparison")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Current")
    assert current_spec(project).digest == default_labeler(project=project, now=NOW).digest


def test_a_wide_table_scrolls_in_its_place(page: Page, live_server: Any, project: Project, alice: User) -> None:
    make_trained(project)
    sign_in_browser(page.context, alice, live_server.url)
    page.set_viewport_size({"width": 900, "height": 900})
    page.goto(live_server.url + reverse("training:models", args=[project.public_id]))
    assert page.locator(".table-wrap").first.evaluate("wrap => wrap.scrollWidth > wrap.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 900
