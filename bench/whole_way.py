"""The whole way as a new user goes it, with its times: start, import, pre-labelling, review by keyboard, dataset.

    python bench/whole_way.py [--data ../shared/data] [--chromium /usr/bin/chromium]

Needs the development packages (`make lint` installs them) and a Chromium. Starts `manage.py up` twice on a folder of
its own, in which it makes a project of the case reports (`maccrobat/`) and abstracts (`ncbi_disease/`) below --data.
Prints a table in Markdown. Times are wall-clock seconds on this machine; sizes are what the browser received.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "plain brown fox over 9 hills"
N_SPANS = 10


class Installation:
    """`manage.py up` on a fresh folder and a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Seconds until the sign-in page answers 200."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(self.port), "--data", str(self.folder)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/accounts/sign-in/", timeout=5) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except OSError:
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def manage(self, *arguments: str) -> str:
        """What `manage.py …` printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, "MARGINALIA_DATA": str(self.folder)},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def sign_in(page: Page, installation: Installation) -> None:
    path = re.search(r"/accounts/first/\S+", installation.manage("sign_in_link"))
    assert path is not None
    page.goto(installation.address + path[0])
    page.get_by_role("button", name="Sign in").click()
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name=re.compile("password", re.IGNORECASE)).click()
    page.get_by_role("button", name="Account of lead").wait_for()


def wait_for_run(page: Page) -> None:
    """Stay on the newest run's page until it says that all notes are done."""
    page.get_by_label("Project").get_by_role("link", name="Runs").click()
    page.locator("table tbody a").first.click()
    page.get_by_text(re.compile(r"All \d+ notes")).wait_for(timeout=600_000)


def run_seconds(page: Page) -> float:
    """How long the run on the page took, as it says."""
    said = re.search(r"after (?:(\d+) min )?(?:(\d+) s)?", page.locator(".lead").inner_text())
    assert said is not None
    return int(said[1] or 0) * 60 + int(said[2] or 0)


def import_folder(page: Page, folder: Path) -> None:
    page.get_by_label("Project").get_by_role("link", name="Import").click()
    page.set_input_files("input[name=folder]", folder)
    page.get_by_role("button", name="Upload and look").click()
    page.get_by_label(re.compile("Pre-label")).uncheck()
    page.get_by_role("button", name=re.compile(r"Import \d+ notes")).click()
    page.get_by_text(re.compile(r"\d+ notes came in")).wait_for(timeout=120_000)


def decide(page: Page, key: str) -> float:
    """Seconds from the key to the next card."""
    token = page.locator("#card input[name=key]")
    before = token.input_value()
    began = time.monotonic()
    page.keyboard.press(key)
    page.locator(f'#card input[name=key]:not([value="{before}"])').wait_for(state="attached")
    return time.monotonic() - began


def open_note(page: Page, address: str) -> tuple[float, int]:
    """Seconds until the note can be worked on, and the bytes received with an empty cache."""
    received = [0]
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Network.clearBrowserCache")
    client.on(
        "Network.loadingFinished", lambda event: received.__setitem__(0, received[0] + event["encodedDataLength"])
    )
    began = time.monotonic()
    page.goto(address)
    page.locator("#note:focus").wait_for()
    seconds = time.monotonic() - began
    page.wait_for_load_state("networkidle")
    client.detach()
    return seconds, int(received[0])


def measure(data: Path, chromium: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        installation = Installation(Path(place) / "data")
        rows.append(("first start to HTTP 200, packages installed", f"{installation.start():.1f} s"))
        try:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(60_000)
            sign_in(page, installation)
            rows += walk(page, installation, data)
            installation.stop()
            rows.append(("second start to HTTP 200", f"{installation.start():.1f} s"))
            browser.close()
        finally:
            installation.stop()
    return rows


def walk(page: Page, installation: Installation, data: Path) -> list[tuple[str, str]]:
    page.get_by_role("link", name="Demo notes", exact=True).click()
    wait_for_run(page)
    rows = [("31 demo notes labelled", f"{run_seconds(page):.0f} s")]
    page.goto(f"{installation.address}/projects/new/")
    page.get_by_label("Name").fill("Case reports")
    page.get_by_role("button", name="Make the project").click()
    page.get_by_role("heading", name="Case reports").wait_for()
    project = page.url
    for folder in ("maccrobat", "ncbi_disease"):
        n_notes = len(list((data / folder).glob("*.txt")))
        seconds = timed(lambda folder=folder: import_folder(page, data / folder))
        rows.append(
            (f"{n_notes} notes of `{folder}` uploaded, looked at and imported in the browser", f"{seconds:.1f} s")
        )
    page.goto(f"{project}runs/")
    page.get_by_role("button", name=re.compile("Pre-label")).click()
    wait_for_run(page)
    seconds = run_seconds(page)
    rows.append(("the 200 notes labelled by one worker", f"{seconds:.0f} s, {200 / max(seconds, 1):.0f} notes/s"))
    page.goto(f"{project}review/")
    page.get_by_role("button", name="Start reviewing").click()
    page.locator("#note:focus").wait_for()
    seconds, size = open_note(page, page.url)
    n_chars = sum(len(text) for text in page.locator("#note .line").all_text_contents())
    rows.append((f"a note of {n_chars:,} characters: navigation to usable", f"{seconds:.2f} s"))
    rows.append(("the same, everything the browser received, empty cache", f"{size / 1000:.0f} kB"))
    times = sorted(decide(page, key) for key in "aaxaaaxaaa")
    rows.append(
        (
            f"{N_SPANS} decisions by keyboard, key to next card",
            f"median {times[5] * 1000:.0f} ms, worst {times[-1] * 1000:.0f} ms",
        )
    )
    while page.get_by_role("heading", name="Nothing left to decide").count() == 0:
        decide(page, "a")
    here = page.url
    page.keyboard.press("d")
    page.wait_for_url(lambda url: url != here)
    rows.append(("that note finished; dataset of it built", f"{timed(lambda: build(page, project)):.1f} s"))
    return rows + long_note(page, installation)


def build(page: Page, project: str) -> None:
    page.goto(f"{project}datasets/new/")
    page.get_by_role("button", name="Build dataset").click()
    page.get_by_role("link", name="manifest.json").first.wait_for()


def long_note(page: Page, installation: Installation) -> list[tuple[str, str]]:
    """The demo's note of 50,000 characters, with all its suggestions."""
    page.goto(installation.address)
    page.get_by_role("link", name="Demo notes", exact=True).click()
    page.get_by_label("Project").get_by_role("link", name="Notes").click()
    page.get_by_role("row", name=re.compile("N-2010")).get_by_role("button", name="Review").click()
    page.locator("#note:focus").wait_for()
    n_spans = len(set(page.locator("#note .span").evaluate_all("marks => marks.map(mark => mark.dataset.span)")))
    seconds, size = open_note(page, page.url)
    times = sorted(decide(page, "a") for _ in range(N_SPANS))
    return [
        (f"the demo note of 49,634 characters with {n_spans:,} spans: navigation to usable", f"{seconds:.2f} s"),
        ("the same, everything the browser received, empty cache", f"{size / 1000:.0f} kB"),
        ("a decision in it, key to next card", f"median {times[5] * 1000:.0f} ms, worst {times[-1] * 1000:.0f} ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    if not (options.data / "maccrobat").is_dir():
        parser.error(f"{options.data} has no folder maccrobat: name the folder of the notes with --data")
    print("| what | figure |\n|---|---|")
    for what, figure in measure(options.data, options.chromium):
        print(f"| {what} | {figure} |")


if __name__ == "__main__":
    main()
