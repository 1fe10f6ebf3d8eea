"""The whole way in a real browser, on real programs: from the first sign-in to a downloaded dataset."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.installation import Installation, installed_at

NOTES = [
    ("n1", "P1", "Presenting complaint: chest pain 😊 since morning.\nTroponin sent. Aspirin 300 mg given."),
    ("n2", "P2", "HISTORY\nNo fever. Type 2 diabetes, on metformin 500 mg bd."),
    ("n3", "P3", "Chest X-ray: no pneumonia.\r\nPlan: stop amoxicillin."),
]
PASSWORD = "plain brown fox over 9 hills"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed_at(tmp_path / "data") as made:
        made.start()
        yield made


def sign_in(page: Page, installation: Installation) -> None:
    printed = installation.run("sign_in_link").stdout
    path = re.search(r"/accounts/first/\S+", printed)
    assert path is not None, printed
    page.goto(f"http://127.0.0.1:{installation.port}{path[0]}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/accounts/password/"))
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name=re.compile("password", re.IGNORECASE)).click()
    page.wait_for_url(f"http://127.0.0.1:{installation.port}/")
    expect(page.get_by_role("button", name="Account of lead")).to_be_visible()


def make_project(page: Page) -> None:
    page.get_by_role("link", name=re.compile("project", re.IGNORECASE)).first.click()
    page.get_by_label("Name").fill("Three notes")
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("heading", name="Three notes")).to_be_visible()


def import_notes(page: Page, folder: Path) -> None:
    file = folder / "notes.jsonl"
    rows = [{"id": name, "patient_id": patient, "text": text} for name, patient, text in NOTES]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page.get_by_role("button", name="More pages").click()
    page.locator("#nav-menu").get_by_role("link", name="Import").click()
    page.set_input_files("input[name=notes]", file)
    page.get_by_role("button", name="Upload and look").click()
    page.get_by_role("button", name="Import 3 notes").click()
    expect(page.get_by_text("3 notes came in")).to_be_visible()


def wait_for_labels(page: Page) -> None:
    page.get_by_role("link", name="See the run").click()
    page.get_by_role("link", name="Run 1").click()
    expect(page.get_by_text("All 3 notes")).to_be_visible()


def press(page: Page, key: str) -> None:
    """Press a key and wait until its decision is on the page."""
    token = page.locator("#card input[name=key]")
    before = token.input_value()
    page.keyboard.press(key)
    expect(token).not_to_have_value(before)


def review_all(page: Page) -> None:
    """Every note by keyboard alone: a rejection taken back, a span added, every suggestion accepted."""
    page.get_by_label("Project").get_by_role("link", name="Review").click()
    page.get_by_role("button", name="Start reviewing").click()
    for _ in NOTES:
        expect(page.get_by_role("heading", name=re.compile("Suggestion 1 of"))).to_be_visible()
        expect(page.locator("#note")).to_be_focused()
        press(page, "x")
        press(page, "u")
        add_last_word(page)
        while page.get_by_role("heading", name="Nothing left to decide").count() == 0:
            press(page, "a")
        here = page.url
        page.keyboard.press("d")
        expect(page).not_to_have_url(here)
    expect(page.get_by_text("3 of 3 notes here are done")).to_be_visible()


def add_last_word(page: Page) -> None:
    """Choose a word with the arrow keys and label it with the fourth key."""
    page.locator("#note").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    press(page, "4")
    expect(page.get_by_role("heading", name="Your span")).to_be_visible()
    assert "?" not in page.url  # the note's page has not been left
    kept = page.evaluate("JSON.stringify([sessionStorage, localStorage])")
    assert not any(word in kept for _, _, text in NOTES for word in text.split() if len(word) > 4)


def build(page: Page, folder: Path) -> dict[str, object]:
    page.get_by_label("Project").get_by_role("link", name="Datasets").click()
    page.get_by_role("link", name="Build a dataset").click()
    page.get_by_role("button", name="Build dataset").click()
    expect(page.get_by_text("3 notes with")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="train.jsonl").first.click()
    file = folder / "train.jsonl"
    download.value.save_as(file)
    return dict(json.loads(file.read_text().splitlines()[0]))


@pytest.mark.browser
@pytest.mark.slow
def test_from_sign_in_to_a_dataset(page: Page, installation: Installation, tmp_path: Path) -> None:
    sign_in(page, installation)
    make_project(page)
    import_notes(page, tmp_path)
    wait_for_labels(page)
    review_all(page)
    row = build(page, tmp_path)
    texts = {name: text.replace("\r\n", "\n") for name, _, text in NOTES}
    assert row["text"] == texts[str(row["id"])]
    spans = row["spans"]
    assert isinstance(spans, list)
    assert spans
    for span in spans:
        assert texts[str(row["id"])][span["start"] : span["end"]] == span["surface"]
        assert span["source"]["kind"] == "person"
