"""The upload form in a browser: what its script adds to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from annotator.accounts.models import User
from annotator.exchange.models import Import
from annotator.exchange.spool import spooled_source
from annotator.projects.models import Project
from tests.cast import sign_in
from tests.exchange.files import write_files

pytestmark = pytest.mark.django_db(transaction=True)

DROP = """zone => {
  const file = (path) => ({ isFile: true, isDirectory: false, fullPath: path,
    file: (done) => done(new File(["text"], path.split("/").pop())) });
  const folder = (...below) => ({ isFile: false, isDirectory: true,
    createReader: () => ({ readEntries: (done) => done(below.splice(0, 1)) }) });
  const root = folder(file("/notes/a.txt"), folder(file("/notes/ward/a.txt"), file("/notes/ward/b.txt")));
  const event = new DragEvent("drop", { bubbles: true, cancelable: true });
  Object.defineProperty(event, "dataTransfer", { value: { items: [{ webkitGetAsEntry: () => root }], files: [] } });
  zone.dispatchEvent(event);
}"""


@pytest.fixture
def upload_page(page: Page, live_server: Any, project: Project, alice: User) -> Page:
    client = sign_in(Client(), alice)
    name = "marginalia_session"
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    page.goto(live_server.url + reverse("exchange:imports", args=[project.public_id]))
    return page


def names() -> list[str]:
    source = spooled_source(Import.objects.get().public_id)
    assert source is not None
    return [file.name for file in source.files]


def test_a_chosen_folder_keeps_its_subfolders(upload_page: Page, tmp_path: Path) -> None:
    write_files(tmp_path / "notes", {"a.txt": "A", "ward/a.txt": "WA", "ward/a.ann": "", "ward/x.pdf": ""})
    upload_page.set_input_files("input[name=folder]", tmp_path / "notes")
    assert upload_page.get_by_text("4 files").is_visible()
    upload_page.get_by_role("button", name="Upload and look").click()
    upload_page.get_by_role("heading", name="A look at the upload").wait_for()
    assert names() == ["a.txt", "ward/a.ann", "ward/a.txt"]


def test_a_dropped_folder_keeps_its_subfolders(upload_page: Page) -> None:
    upload_page.locator(".drop").first.evaluate(DROP)
    upload_page.get_by_text("a.txt, a.txt, b.txt").wait_for()
    upload_page.get_by_role("button", name="Upload and look").click()
    upload_page.get_by_role("heading", name="A look at the upload").wait_for()
    assert names() == ["a.txt", "ward/a.txt", "ward/b.txt"]
