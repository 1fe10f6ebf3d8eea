"""From where readers differ to the guideline and the next example pool, by keyboard and by mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.projects.services import add_guideline
from annotator.readings.models import Adjudication
from annotator.suggestions.models import PoolWish
from tests.browse.settled import settle
from tests.browse.test_difference_views import make_read
from tests.browse.test_people_browser import sign_in_browser
from tests.cast import NOW

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]
By = Callable[[Locator], None]


def by_key(target: Locator) -> None:
    target.focus()
    target.press("Enter")


def by_mouse(target: Locator) -> None:
    target.click()


@pytest.fixture
def start(page: Page, live_server: Any, project: Project, alice: User, bob: User, adam: User) -> Page:
    """Alice's browser at the guideline; twice readers differ over nausea, and one of the places is settled."""
    add_guideline(project=project, text="## Problem\n\n- A finding.", actor=None, now=NOW)
    make_read(project, alice, bob, "Has nausea and cough.", ("nausea", "Problem", "Medication"), name="n1")
    settled = make_read(project, alice, bob, "NAUSEA again.", ("NAUSEA", "Medication", "Problem"), name="n2")
    Adjudication.objects.filter(document=settled).update(status="done", done_at=NOW)
    settle(settled, adam, "NAUSEA", "Problem", "Medication")
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("browse:guideline", args=[project.public_id]))
    return page


@pytest.mark.parametrize("do", [by_key, by_mouse])
def test_words_become_an_example_in_two_acts_and_wait_for_the_next_pool(
    start: Page, live_server: Any, project: Project, do: By
) -> None:
    page = start

    def go(name: str, role: Any = "link") -> None:
        with page.expect_navigation():
            do(page.get_by_role(role, name=name).first)

    go("Where readers differ")
    row = page.get_by_role("row").filter(has_text="as Problem")
    expect(row).to_contain_text("Medication or Problem")
    with page.expect_navigation():
        do(row.get_by_role("rowheader").get_by_role("link"))
    expect(page.locator(".lead")).to_contain_text("2 places where two readers differ")

    # The settled place waits for the next pool, and can be withdrawn.
    go("Put this place of n2 into the next example pool", "button")
    expect(page.locator("#main")).to_contain_text("NAUSEA again.")
    assert PoolWish.objects.get().status == "waiting"
    go("Withdraw", "button")
    expect(page.locator("#main")).to_contain_text("Nothing waits.")

    # Two acts: the example, and to keep the version that has it.
    page.goto(live_server.url + reverse("browse:differences", args=[project.public_id]))
    go("example: Problem")
    expect(page.get_by_label("Guideline")).to_have_value(
        "## Problem\n\n- A finding.\n- “NAUSEA” → Problem, not Medication"
    )
    go("Keep this version", "button")
    expect(page.locator("#main")).to_contain_text("Version 2 counts.")
    assert project.guidelines.count() == 2
