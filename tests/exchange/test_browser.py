"""The import pages in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from annotator.accounts.models import User
from annotator.exchange.models import Import
from annotator.exchange.spool import spooled_source
from annotator.jobs.models import Job
from annotator.projects.models import Project
from tests.cast import sign_in
from tests.exchange.exports import TASKS
from tests.exchange.files import write_files
from tests.exchange.test_uploads import run, upload

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


def sign_in_page(page: Page, address: str, user: User) -> None:
    client = sign_in(Client(), user)
    name = "marginalia_session"
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])


@pytest.fixture
def upload_page(page: Page, live_server: Any, project: Project, alice: User) -> Page:
    sign_in_page(page, live_server.url, alice)
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


CSV = "ROW_ID,SUBJECT_ID,WARD,TEXT\n7,p-1,W3,No pain.\n8,p-2,W4,No fever.\n"


def test_columns_of_a_csv_file_are_mapped_on_the_preview(upload_page: Page, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": CSV})
    upload_page.set_input_files("input[name=notes]", tmp_path / "n.csv")
    upload_page.get_by_role("button", name="Upload and look").click()
    expect(upload_page.get_by_label("Text", exact=True)).to_have_value("3")
    upload_page.get_by_label("Pre-label these notes now").uncheck()
    upload_page.get_by_label("Note type").focus()
    upload_page.get_by_label("Note type").select_option(label="WARD")
    expect(upload_page.get_by_role("cell", name="W4")).to_be_visible()
    expect(upload_page.get_by_label("Note type")).to_be_focused()
    upload_page.get_by_label("Id", exact=True).select_option(label="Number the rows")
    expect(upload_page.get_by_role("rowheader", name="n-3")).to_be_visible()
    upload_page.get_by_text("ROW_ID", exact=True).last.click()
    expect(upload_page.get_by_text("ROW_ID: 8")).to_be_visible()
    assert not upload_page.get_by_label("Pre-label these notes now").is_checked(), "what stands below stays"
    upload_page.get_by_label("Delimiter").select_option(label="Tab")
    expect(upload_page.get_by_label("Text", exact=True)).to_have_value("0")
    upload_page.get_by_label("Delimiter").select_option(label="Comma")
    expect(upload_page.get_by_label("Text", exact=True)).to_have_value("3")
    upload_page.get_by_role("button", name="Import 2 notes").click()
    upload_page.get_by_text("Waits for a worker").wait_for()
    item = Import.objects.get()
    assert (item.csv_layout["text"], item.csv_layout["external_id"], item.is_prelabelled) == (3, 0, False)


def test_columns_are_mapped_without_a_script(browser: Browser, live_server: Any, project: Project, alice: User) -> None:
    item = upload(project, alice, {"n.csv": CSV})
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    sign_in_page(plain, live_server.url, alice)
    plain.goto(live_server.url + reverse("exchange:import", args=[project.public_id, item.public_id]))
    plain.get_by_label("Note type").select_option(label="WARD")
    plain.get_by_role("button", name="Import 2 notes").click()
    expect(plain.get_by_text("The columns have changed")).to_be_visible()
    expect(plain.get_by_role("cell", name="W4")).to_be_visible()
    plain.get_by_label("Id", exact=True).select_option(label="Number the rows")
    plain.get_by_role("button", name="Read again").click()
    expect(plain.get_by_role("rowheader", name="n-3")).to_be_visible()
    plain.get_by_role("button", name="Import 2 notes").click()
    plain.get_by_text("Waits for a worker").wait_for()
    context.close()


def test_an_export_of_another_tool_is_mapped_and_imported(
    upload_page: Page, tmp_path: Path, bob: User, project: Project
) -> None:
    write_files(tmp_path, {"export.json": json.dumps(TASKS)})
    upload_page.set_input_files("input[name=notes]", tmp_path / "export.json")
    upload_page.get_by_role("button", name="Upload and look").click()
    upload_page.get_by_role("heading", name="A look at the upload").wait_for()
    expect(upload_page.get_by_label("Read as")).to_have_value("")
    expect(upload_page.locator("mark", has_text="chest pain").first).to_be_visible()
    expect(upload_page.get_by_text("Drafts: 1")).to_be_visible()
    expect(upload_page.get_by_label("bob@ward.example")).to_have_value("annotations:bob")
    expect(upload_page.get_by_label("ner 2.1")).to_have_value("suggestions:ner 2.1")
    upload_page.get_by_label("eve@ward.example").select_option(label="Leave out")
    expect(upload_page.get_by_label("Problem")).to_have_value("Problem")
    upload_page.get_by_label("Drug").select_option(label="Medication")
    upload_page.get_by_label("Pre-label these notes now").uncheck()
    upload_page.get_by_role("button", name="Import 2 notes").click()
    upload_page.get_by_text("Waits for a worker").wait_for()
    item = Import.objects.get()
    assert item.job is not None
    assert run(item.job).status == Job.Status.DONE
    upload_page.reload()
    expect(upload_page.get_by_text("annotations of bob: 5 spans in 2 notes")).to_be_visible()
    expect(upload_page.get_by_text("suggestions of ner 2.1: 3 spans in 2 notes")).to_be_visible()
    expect(upload_page.get_by_text("1 reading left out")).to_be_visible()
