"""What every test has: isolation from this machine's settings, and a real browser where one is asked for."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests import prepared
from tests.chromium import find_chromium
from tests.order import dealt
from tests.patience import PATIENCE_MS

# Set before torch is loaded: its threads and the processes of pytest-xdist would take the processors from each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

hypothesis_settings.register_profile("suite", deadline=None, print_blob=True)
hypothesis_settings.load_profile("suite")

pytest_plugins = ["tests.cast"]

expect.set_options(timeout=PATIENCE_MS)

RARELY = (20_000, 20, 20)  # Python's own: 700 more objects than before, ten times that, ten times that again
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Mark what has a database with `db`: `make test` runs these on PostgreSQL as well. A browser makes no difference
    to a database, so its tests run once. What is marked for the other database is left out.

    What is left in the end is put into the order in which the processes are to take it.
    """
    is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    other = "postgresql" if is_sqlite else "sqlite"
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        has_database = item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(fixtures)
        if (has_database and "browser" not in fixtures) or item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.db)
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(other)])
    items[:] = [item for item in items if not item.get_closest_marker(other)]
    result = yield
    items[:] = dealt(items, n_processes=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Python looks for garbage rarely: what is loaded by now stays, and looking through it took a tenth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*RARELY)
        gc.enable()


def pytest_configure() -> None:
    prepared.begin()  # here, for all processes of pytest-xdist


def pytest_unconfigure() -> None:
    """Remove the data folder: a process of pytest-xdist ends without its exit handlers."""
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)
    shutil.rmtree(settings.SOCKET_DIR, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """SQLite's file is put there with its tables, and goes with the data folder."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The database of this process is a copy: its tables are made once for all."""
    names = connection.settings_dict["TEST"]
    if connection.vendor == "sqlite":
        prepared.give_database(Path(names["NAME"]))
    else:
        names["TEMPLATE"] = prepared.template()


KEPT = {"auth_permission", "django_content_type"}  # rows that come with the tables


def _empty_tables(self: TransactionTestCase) -> None:
    """After a test whose transactions were real. Django's way makes all tables anew, which takes ten times as long."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f'DELETE FROM "{table}"')


@cache
def _tables() -> list[str]:
    return [name for name in connection.introspection.django_table_names(only_existing=True) if name not in KEPT]


TransactionTestCase._fixture_teardown = _empty_tables


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The Chromium of this machine; `make test` installs one where there is none."""
    program = find_chromium()
    assert program is not None, "no Chromium: run `python tests/chromium.py`"
    return program


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    """A headless Chromium, shared by the tests of this process.

    Playwright keeps an event loop in this thread, which makes Django refuse the ORM: the tests that ask for a
    browser are synchronous all the same, so the refusal is lifted while it is open.
    """
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield opened
        opened.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser session at 1440 x 900; the test fails where a script does, or where the CSP blocks something."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    troubles: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: _note_trouble(message, troubles))
    yield opened
    context.close()
    assert not troubles, troubles


def _note_trouble(message: ConsoleMessage, troubles: list[str]) -> None:
    # A 4xx answer is reported on the console as well: that one is the test's own business.
    if message.type == "error" and "Failed to load resource" not in message.text:
        troubles.append(message.text)
