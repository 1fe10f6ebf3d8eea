"""Every page, in every state, wide and light or narrow and dark: axe finds nothing serious, it is no wider than the
window, and Tab leads through it.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.a11y.checks import give_axe, overflow, serious_violations, tab_faults
from tests.a11y.pages import PAGES, Theme, Visitor, page_routes
from tests.a11y.scene import Tour

# What of axe's rules can come out otherwise on a page that is wide or light.
OF_LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
N_PARTS = 3  # each makes the installation anew
WAYS: tuple[tuple[int, Theme, tuple[str, ...]], ...] = ((700, "dark", ()), (1440, "light", OF_LOOKS))


def test_every_page_has_a_row_and_every_row_a_page() -> None:
    assert {row.route for row in PAGES} == page_routes()
    assert len({row.name for row in PAGES}) == len(PAGES)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("part", range(N_PARTS))
def test_every_page_can_be_read_and_worked_without_a_mouse(
    tour: Tour, live_server: Any, browser: Browser, part: int
) -> None:
    visitor = Visitor(browser, live_server.url, tour)
    found = []
    walked: set[str] = set()
    rows = [row for row in PAGES if not row.is_unsent]
    for row in rows[len(rows) * part // N_PARTS : len(rows) * (part + 1) // N_PARTS]:
        page = visitor.open(row)
        give_axe(page)
        for width, theme, rules in WAYS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            faults = overflow(page) + serious_violations(page, rules)
            found += [f"{row.name} {width} {theme}: {each}" for each in faults]
        # Back by Shift+Tab once on each page: its states differ in what stands there, not in how keys are taken.
        for key in ("Tab",) if row.route in walked else ("Tab", "Shift+Tab"):
            found += [f"{row.name} {key}: {each}" for each in tab_faults(page, key)]
        walked.add(row.route)
    visitor.close()
    assert found == []
    assert visitor.troubles == []


@pytest.mark.browser
def test_axe_finds_what_is_serious(page: Page) -> None:
    page.set_content("<main><h1>Title</h1><button></button><p style='color: #bbb; background: #fff'>Faint</p></main>")
    give_axe(page)
    assert {each.split()[0] for each in serious_violations(page)} >= {"button-name", "color-contrast"}


@pytest.mark.browser
def test_a_page_that_is_wider_than_the_window_is_found(page: Page) -> None:
    page.set_content("<main style='overflow: auto'><p style='width: 3000px'>It scrolls in its place</p></main>")
    assert overflow(page) == []
    page.set_content("<main><p style='width: 3000px'>It takes the page with it</p></main>")
    assert overflow(page) != []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        (
            "<a href=#>One</a> <input id=i onkeydown='event.preventDefault()' aria-label=Two> <a href=#>Three</a>",
            "a trap",
        ),
        ("<a href=#>One</a> <button></button>", "no name"),
        ("<a href=#>One</a> <a href=# style='outline: none'>Two</a>", "no visible focus"),
        (
            "<a href=#>One</a> <button onfocus='this.previousElementSibling.focus()'>Two</button> <a href=#>Three</a>",
            "not reached",
        ),
    ],
)
def test_a_fault_of_the_way_by_tab_is_found(page: Page, markup: str, fault: str) -> None:
    page.set_content(markup)
    assert any(each.startswith(fault) for each in tab_faults(page, "Tab"))


@pytest.mark.browser
def test_a_way_without_fault_is_let_through(page: Page) -> None:
    page.set_content("<a href=#>One</a> <label>Two <input></label> <button>Three</button>")
    assert tab_faults(page, "Tab") == tab_faults(page, "Shift+Tab") == []
