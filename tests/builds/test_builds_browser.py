"""A dataset of some of the notes, asked for by keys, locked, verified and compared."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.builds.services import write_build
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from tests.builds.scene import annotate
from tests.cast import NOW, make_document

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def write_waiting() -> None:
    for job in Job.objects.filter(status=Job.Status.QUEUED):
        run_job(job_id=job.pk, work=lambda mine: write_build(job=mine, clock=lambda: NOW), clock=lambda: NOW)


def test_datasets_are_built_locked_verified_and_compared(
    page: Page, live_server: Any, project: Project, alice: User, bob: User, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(settings, "BUILDS_DIR", tmp_path)
    for number in range(10):
        document = make_document(
            project, external_id=f"n{number}", patient_id=f"p{number}", note_type="ED" if number < 8 else "Letter"
        )
        annotate(document, bob, ("metformin", "Medication"))
    client = Client()
    client.force_login(alice)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("builds:new", args=[project.public_id]))
    checks = page.locator("#build-checks")
    expect(checks).to_contain_text("Notes are ready10")
    page.get_by_role("button", name="Build dataset").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    write_waiting()
    expect(page.get_by_role("heading", name="Files")).to_be_visible()  # by itself

    page.get_by_role("button", name="Lock this test set").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Locked since")).to_be_visible()
    page.get_by_role("button", name="Verify files").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Files as they were written")).to_be_visible()

    page.get_by_role("link", name="Build another like it").click()
    page.get_by_text("Only some of the finished notes").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Letter").focus()
    page.keyboard.press("Space")
    expect(checks).to_contain_text("filtered by note type8")
    page.get_by_label("ED").check()
    expect(checks).not_to_contain_text("filtered by note type")
    page.get_by_label("Problem").check()
    page.get_by_role("button", name="Build dataset").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    write_waiting()
    expect(page.get_by_text("only the labels Problem")).to_be_visible()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Notes that differ")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="n0")
    expect(row).to_contain_text("removed: Medication")
