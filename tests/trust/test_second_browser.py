"""A false alarm in a real Chromium: its second reader is asked as about any audit, the lead sees what came of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.projects.models import Project
from annotator.review.models import SecondRead
from annotator.routing import looking
from tests.review.test_browser import sign_in_browser
from tests.routing.scene import Oracle, make_oracle

pytestmark = [pytest.mark.browser]


@pytest.fixture
def oracle(project: Project, alice: User, bob: User, bells: object, monkeypatch: pytest.MonkeyPatch) -> Oracle:
    """Bob has decided six audits, the third as wrong. The clock is the browser's, and every look is due at once."""
    Project.objects.filter(pk=project.pk).update(seconds="on", second_percent=0)
    project.refresh_from_db()
    found = make_oracle(project, alice, bob, monkeypatch)

    def now() -> Any:
        found.now = timezone.now()
        return found.now

    monkeypatch.setattr(found, "later", now)
    monkeypatch.setattr(looking, "_APART", timedelta(0))
    found.label(n_notes=4, score=lambda number: 0.97 - number / 1000, name="first")
    found.want(delta=0.2)
    found.step()
    items = found.asked()[:6]
    found.is_wrong = lambda suggestion: suggestion.pk == items[2].suggestion_id
    for item in items:
        found.decide(item)
    found.step()
    return found


def test_a_false_alarm_is_taken_back_by_who_cannot_tell(
    page: Page, live_server: Any, oracle: Oracle, alice: User
) -> None:
    project, read = oracle.project, SecondRead.objects.select_related("suggestion").get()
    trust = live_server.url + reverse("trust:trust", args=[project.public_id])
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("review:start", args=[project.public_id]))
    with page.expect_navigation():
        page.get_by_role("button", name="Work by span").click()
    card = page.locator("#card")
    expect(page.locator("#note .span[data-current]")).to_have_text(read.suggestion.surface)
    expect(card).to_contain_text("audit")
    for word in ("second", "again", "bob"):
        assert word not in page.locator("#main").inner_text().lower()
    token = page.locator("#card input[name=key]")
    before = token.input_value()
    page.keyboard.press("a")
    expect(token).not_to_have_value(before)
    assert not Annotation.objects.filter(set__kind="reading", annotator=alice).exists()
    oracle.step()
    page.goto(trust)
    panel = page.get_by_role("region", name="Second reader")
    expect(panel).to_contain_text("100.0%")
    expect(panel).to_contain_text("none decided again yet")
    with page.expect_navigation():
        panel.get_by_role("link", name="where the two differ").press("Enter")
    expect(page.get_by_role("row").filter(has_text=read.suggestion.surface)).to_contain_text("Wrong")
