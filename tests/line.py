"""The line between a page and the server, for the tests that cut it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.patience import PATIENCE_MS


class Line:
    """What becomes of the decisions that a page posts: they are let through, unless a test says otherwise.

    It is laid before an address is opened, and stays. Chromium begins and ends to intercept requests beside the page
    that makes them: on a busy machine, what an open page posts just then goes by unseen.
    """

    def __init__(self, of: BrowserContext | Page) -> None:
        self.mend()
        of.route(re.compile(r"/(decide|choose)/$"), lambda route: self._carry(route))

    def carry_by(self, carry: Callable[[Route], None]) -> None:
        self._carry = carry

    def fail_with(self, status: int) -> None:
        self.carry_by(lambda route: route.fulfill(status=status))

    def lose_answers(self) -> None:
        """What is posted is saved, but the page never hears of it."""

        def lose(route: Route) -> None:
            route.fetch()
            route.abort()

        self.carry_by(lose)

    def mend(self) -> None:
        self.carry_by(lambda route: route.continue_())


@contextmanager
def line_context(browser: Browser) -> Iterator[BrowserContext]:
    """Not the one of `page`, whose test fails where htmx reports on the console that no answer came."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    opened.on("weberror", lambda error: errors.append(str(error.error)))
    yield opened
    opened.close()
    assert not errors, errors
