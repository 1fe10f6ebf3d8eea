"""A certificate's whole life in two real Chromiums: a lead sets a target and watches, a reader decides what drifted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.routing import looking
from annotator.suggestions.models import Suggestion
from tests.review.test_browser import sign_in_browser
from tests.routing.scene import Oracle, make_oracle

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def oracle(project: Project, alice: User, bob: User, bells: object, monkeypatch: pytest.MonkeyPatch) -> Oracle:
    """Eighty suggestions wait, and there is a calibrator. The clock is the browsers', and every look is due at once."""
    found = make_oracle(project, alice, bob, monkeypatch)

    def now() -> datetime:
        found.now = timezone.now()
        return found.now

    monkeypatch.setattr(found, "later", now)
    monkeypatch.setattr(looking, "_APART", timedelta(0))
    found.label(n_notes=4, score=lambda number: 0.97 - number / 1000, name="first")
    return found


def test_a_target_is_certified_and_falls_with_the_drift_that_a_reader_sees(
    page: Page, browser: Browser, live_server: Any, oracle: Oracle, alice: User, bob: User
) -> None:
    project = oracle.project
    trust = live_server.url + reverse("trust:trust", args=[project.public_id])
    sign_in_browser(page.context, alice, live_server.url)
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Problem"))

    # The lead asks what a target would take, and sets it, by keyboard.
    page.goto(trust)
    expect(row).to_contain_text("Off")
    row.get_by_role("link", name="Problem").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_label("Right, of what is accepted").fill("80")
    page.get_by_label("Risk that a certificate is false").fill("20")
    page.get_by_role("button", name="What would that take?").click()
    expect(page.locator("#outlook")).to_contain_text("of 80 waiting suggestions are expected to be decided by people")
    page.get_by_role("radio", name="On, under a certificate").focus()
    page.keyboard.press("Space")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").press("Enter")
    expect(row).to_contain_text("80%")

    # People decide the audits, which prove it.
    oracle.step()
    page.reload()
    expect(row).to_contain_text("Too few audits")
    oracle.audit()
    page.reload()
    expect(row).to_contain_text("Certified")
    expect(page.locator(".lead")).to_contain_text("1 of 2 labels may be accepted without review")
    n_accepted = Annotation.objects.filter(certificate__isnull=False, status="live").count()
    assert n_accepted > 20
    with page.expect_navigation():
        row.get_by_role("link", name="Certified").press("Enter")
    expect(page.locator("#main")).to_contain_text("With 80% confidence, at least 80%")

    # Later notes are worse: what is watched of them the reader rejects, and the certificate falls.
    Project.objects.filter(pk=project.pk).update(watch_percent=100)
    oracle.label(n_notes=1, score=lambda number: 0.97, name="second")
    Project.objects.filter(pk=project.pk).update(watch_percent=5)
    drifted = set(Suggestion.objects.filter(job__run__number=2).values_list("pk", flat=True))
    reader = browser.new_context().new_page()
    sign_in_browser(reader.context, bob, live_server.url)
    reader.goto(live_server.url + reverse("review:start", args=[project.public_id]))
    with reader.expect_navigation():
        reader.get_by_role("button", name="Work by span").click()
    token = reader.locator("#card input[name=key]")
    for _ in range(40):
        if oracle.certificate().status != "live":
            break
        shown = ReviewItem.objects.get(public_id=_shown(reader))
        answered(reader, token, "x" if shown.suggestion_id in drifted else "a")
        oracle.step()
    assert (oracle.certificate().status, oracle.certificate().reason) == ("revoked", "doubted")

    # The lead is told, and the spans are back with people.
    page.goto(trust)
    expect(row).to_contain_text("Revoked")
    expect(page.locator("#main")).to_contain_text(
        "Problem was revoked. Too much of what people went on checking was wrong"
    )
    expect(page.locator(".bell .count")).to_be_visible()
    assert not Annotation.objects.filter(certificate__isnull=False, status="live").exists()
    back = ReviewItem.objects.filter(status="open", reason="revoked").select_related("document__project")
    assert back.count() >= n_accepted // 2
    held = take_note(document=back[0].document, reviewer=bob, now=timezone.now())
    reader.goto(live_server.url + reverse("review:note", args=[project.public_id, held.public_id]))
    expect(reader.locator("#queue-list")).to_contain_text("certificate revoked")
    reader.context.close()


def answered(page: Page, token: Locator, key: str) -> None:
    """Press a key and wait for the card that answers it."""
    before = token.input_value()
    page.keyboard.press(key)
    expect(token).not_to_have_value(before)


def _shown(page: Page) -> str:
    """The public id of the item that the card is about."""
    target = page.locator("#card input[name=target]").first.input_value()
    return target.removeprefix("i")
