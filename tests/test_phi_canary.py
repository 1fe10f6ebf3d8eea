"""A word from a note, followed through a whole installation at work: it is where it belongs, and nowhere else.

Real programs and a real browser with a profile on disk. On the way a view, a labeler and a build crash with the word in
their hands, an import is refused, and an outsider looks around.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.conftest import CHROMIUM_ARGUMENTS
from tests.installation import Installation, installed_at
from tests.patience import PATIENCE_MS, PATIENCE_SECONDS
from tests.test_whole_way import PASSWORD, make_project, press, sign_in

CANARY = "Zebrafever"
POISON = "Poisonword"  # as in tests.crashes, whose import here would crash the tests
BELONGS = {
    *("annotator_document.external_id", "annotator_document.patient_id", "annotator_document.note_type"),
    *("annotator_document.text", "annotator_document.metadata", "annotator_annotation.surface"),
}
# Counted by type of note, when the sweeper comes round.
COUNTED = {"annotator_countedproject.queue", "annotator_labelday.note_type", "annotator_workday.note_type"}
NOTES: list[dict[str, object]] = [
    {"id": f"{CANARY}-1", "text": f"Chest pain since Monday.\nKnown {CANARY}."},
    {"id": f"{CANARY}-2", "text": f"{POISON}: {CANARY} and cough."},
]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Witness:
    """Keeps what passes by: addresses, pages of who must not see anything, processes."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.processes: set[str] = set()
        self.kept_in_browser: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.addresses.add(request.url))
        context.on("response", lambda response: self.addresses.add(response.headers.get("location", "")))

    def look(self, page: Page, installation: Installation) -> None:
        """At the addresses in the page, at what the browser keeps for it, and at the processes."""
        self.addresses |= set(re.findall(r'(?:href|action|src|hx-[a-z-]+)="([^"]*)"', page.content()))
        self.kept_in_browser.append(
            page.evaluate(
                "async () => JSON.stringify([{...sessionStorage}, {...localStorage}, history.state, document.cookie,"
                " document.title, await caches.keys(), await indexedDB.databases()])"
            )
        )
        self.kept_in_browser += [_opened(cookie["value"]) for cookie in page.context.cookies()]
        for process in installation.processes():
            try:
                self.processes.add(f"{process.cmdline()} {process.environ()}")
            except psutil.Error:
                continue


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    temporary = tmp_path / "t"
    temporary.mkdir()
    environment = {"DJANGO_SETTINGS_MODULE": "tests.crashing", "TMPDIR": str(temporary), "LOG_REQUESTS": "1"}
    with installed_at(tmp_path / "data", **environment) as made:
        made.start()
        yield made


@pytest.fixture
def context(browser: Browser, chromium: Path, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser whose profile lies on disk."""
    opened = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium, args=CHROMIUM_ARGUMENTS, viewport={"width": 1440, "height": 900}
    )
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    opened.close()


def test_a_word_of_a_note_is_only_where_it_belongs(
    context: BrowserContext, browser: Browser, installation: Installation, tmp_path: Path
) -> None:
    witness, page = Witness(), context.pages[0]
    witness.watch(context)
    sign_in(page, installation)
    make_project(page)
    project = page.url.rstrip("/").rpartition("/")[2]
    work_through(page, witness, installation, tmp_path, project)
    crash(page, witness, installation)
    spy(browser, witness, installation, project)
    page.goto(address(installation, "/"))
    sign_out(page)
    witness.look(page, installation)
    broker = dump_of_broker(installation)
    context.close()

    assert found_columns(installation) - COUNTED == BELONGS
    assert sessions_of(installation).count("_auth_user_id") >= 1
    assert files_with(tmp_path / "data") == {"db.sqlite3", "builds"}
    for name, kept in {
        "addresses": witness.addresses,
        "command lines and environments": witness.processes,
        "storage of the browser": witness.kept_in_browser,
        "keys of the broker": broker,
        "sessions": sessions_of(installation),
    }.items():
        assert len(kept) > 0, name
        assert CANARY.lower() not in str(kept).lower(), name
    assert files_with(tmp_path / "t") == set()
    assert files_with(tmp_path / "profile") == set()
    logs = "".join(path.read_text() for path in (tmp_path / "data" / "logs").iterdir())
    assert "CrashError" in logs, "the logs no longer tell of the crashes"
    assert (tmp_path / "data" / "valkey").is_dir()


def work_through(page: Page, witness: Witness, installation: Installation, folder: Path, project: str) -> None:
    """Import, a refused import, labels, review, datasets, the search of the data page."""
    upload(page, folder, [NOTES[0], {"id": f"{CANARY}-x", "text": f"\0 {CANARY}"}])
    page.locator("form[action$='/start/']").evaluate("form => form.requestSubmit()")  # the page has no button for it
    expect(page.get_by_text("Nothing came in")).to_be_visible()
    common: dict[str, object] = {"patient_id": f"{CANARY}-p", "note_type": CANARY, "metadata": {"ward": CANARY}}
    upload(page, folder, [note | common for note in NOTES])
    witness.look(page, installation)
    page.get_by_role("button", name="Import 2 notes").click()
    expect(page.get_by_text("2 notes came in")).to_be_visible()
    until(lambda: rows(installation, "SELECT status FROM annotator_labeljob ORDER BY id") == [("done",), ("failed",)])
    assert rows(installation, "SELECT error FROM annotator_labeljob WHERE status = 'failed'") == [("CrashError",)]
    page.get_by_label("Project").get_by_role("link", name="Runs").click()
    page.get_by_role("link", name="Run 1").click()
    witness.look(page, installation)
    review(page, witness, installation)
    for format_name, status in (("JSONL spans", "done"), ("Chat messages", "failed")):
        build(page, installation, project, format_name)
        until(lambda wanted=status: statuses_of_builds(installation)[-1] == wanted)
        page.reload()
        witness.look(page, installation)
    for name in ("Notes", "Overview", "People", "Data"):
        page.goto(address(installation, f"/p/{project}/{'' if name == 'Overview' else name.lower() + '/'}"))
        witness.look(page, installation)
    page.get_by_label("Id", exact=True).fill(f"{CANARY}-p")
    page.get_by_role("button", name="Show what would go").click()
    expect(page.get_by_role("button", name="Delete 2 notes")).to_be_visible()
    witness.look(page, installation)


def upload(page: Page, folder: Path, notes: list[dict[str, object]]) -> None:
    file = folder / "notes.jsonl"
    file.write_text("".join(json.dumps(note) + "\n" for note in notes))
    page.get_by_role("button", name="More pages").click()
    page.locator("#nav-menu").get_by_role("link", name="Import").click()
    page.set_input_files("input[name=notes]", file)
    page.get_by_role("button", name="Upload and look").click()
    expect(page.get_by_role("heading", name="A look at the upload")).to_be_visible()
    file.unlink()


def review(page: Page, witness: Witness, installation: Installation) -> None:
    """Everything in the note accepted, its last word marked, and done."""
    page.get_by_label("Project").get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Start reviewing").click()
    expect(page.locator("#note")).to_be_focused()
    witness.look(page, installation)
    while page.get_by_role("heading", name="Nothing left to decide").count() == 0:
        press(page, "a")
    page.locator("#note").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    press(page, "4")
    expect(page.get_by_role("heading", name="Your span")).to_be_visible()
    witness.look(page, installation)
    here = page.url
    page.keyboard.press("d")
    expect(page).not_to_have_url(here)


def build(page: Page, installation: Installation, project: str, format_name: str) -> None:
    page.goto(address(installation, f"/p/{project}/datasets/new/"))
    page.get_by_text("More formats").click()
    for label in page.get_by_role("group", name="Formats", exact=True).locator("label").all():
        if label.locator("input").is_checked() != (format_name in label.inner_text()):
            label.click()
    page.get_by_role("button", name="Build dataset").click()
    page.wait_for_url(re.compile(r"/datasets/[a-z2-7]{16}/"))


def crash(page: Page, witness: Witness, installation: Installation) -> None:
    """A view that fails, an address that is none, and a form that is refused."""
    page.set_extra_http_headers({"X-Crash": "1"})
    answer = page.goto(page.url)
    assert answer.status == 500
    assert CANARY not in page.content() + str(answer.headers)
    page.set_extra_http_headers({})
    missing = page.request.get(address(installation, f"/p/{CANARY}/"))
    assert missing.status == 404
    assert CANARY not in missing.text()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address(installation, "/accounts/sign-in/"), f"username={CANARY}".encode(), timeout=60)


def spy(browser: Browser, witness: Witness, installation: Installation, project: str) -> None:
    """Somebody who leads another project asks for every address that was seen in this one."""
    for command in (["create_project", "Other"], ["add_member", "other", "eve", "lead", "--create"]):
        assert installation.run(*command).returncode == 0
    link = re.findall(r"/accounts/first/\S+", installation.run("sign_in_link", "eve").stdout)
    outsider = browser.new_context()
    page = outsider.new_page()
    page.goto(address(installation, "/"))
    page.get_by_label("User").fill(CANARY)
    page.locator("input[type=password]").fill(CANARY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto(address(installation, link[0]))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/accounts/password/"))
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name=re.compile("password", re.IGNORECASE)).click()
    page.wait_for_url(address(installation, "/"))
    paths = {urllib.parse.urlsplit(seen).path for seen in witness.addresses}
    inside = sorted(path for path in paths if path.startswith(f"/p/{project}/"))
    assert len(inside) > 10
    for path in inside:
        answer = outsider.request.get(address(installation, path))
        assert answer.status in {404, 405}, path
        assert CANARY not in answer.text() + str(answer.headers), path
    assert CANARY not in outsider.request.get(address(installation, "/")).text()
    outsider.close()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name=re.compile("Sign out")).first.click()
    page.wait_for_url(re.compile("sign-in"))


def address(installation: Installation, path: str) -> str:
    return f"http://127.0.0.1:{installation.port}{path}"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def rows(installation: Installation, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(f"file:{installation.folder / 'db.sqlite3'}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def statuses_of_builds(installation: Installation) -> list[object]:
    """How the builds are doing, oldest first."""
    query = "SELECT j.status FROM annotator_datasetbuild b JOIN annotator_job j ON b.job_id = j.id ORDER BY b.id"
    return [status for (status,) in rows(installation, query)]


def found_columns(installation: Installation) -> set[str]:
    """The columns of the database that have the word, whatever the case."""
    tables = rows(installation, "SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {
        (table, column) for (table,) in tables for _, column, *_ in rows(installation, f'PRAGMA table_info("{table}")')
    }
    return {
        f"{table}.{column}"
        for table, column in names
        if rows(installation, f'SELECT 1 FROM "{table}" WHERE CAST("{column}" AS TEXT) LIKE \'%{CANARY}%\' LIMIT 1')
    }


def sessions_of(installation: Installation) -> str:
    """All sessions, opened."""
    return " ".join(_opened(str(data)) for (data,) in rows(installation, "SELECT session_data FROM django_session"))


def _opened(signed: str) -> str:
    """A value that Django has signed, and perhaps compressed, with what it says beside it."""
    packed = signed.lstrip(".").partition(":")[0]
    try:
        content = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        return signed + (zlib.decompress(content) if signed.startswith(".") else content).decode(errors="replace")
    except (ValueError, zlib.error):
        return signed


def dump_of_broker(installation: Installation) -> list[str]:
    """Every key of the broker with what it holds."""
    printed = installation.run(
        "shell", "-v", "0", "-c", "from django.conf import settings; print(settings.BROKER_SOCKET)"
    )
    broker = redis.Redis(unix_socket_path=printed.stdout.strip().splitlines()[-1])
    try:
        return [f"{key!r} {broker.dump(key)!r}" for key in broker.scan_iter("*")]
    finally:
        broker.close()


def files_with(folder: Path) -> set[str]:
    """What lies in the folder and has the word in it: names of files, or of folders that have such files.

    The database's log counts as the database.
    """
    words = [CANARY.encode(form) for form in ("utf-8", "utf-16-le")]
    paths = [path for path in folder.rglob("*") if path.is_file()]
    assert paths or folder.name == "t"
    return {
        path.relative_to(folder).parts[0].removesuffix("-wal")
        for path in paths
        if any(word in path.read_bytes() for word in words)
    }
