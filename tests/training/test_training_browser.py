"""A training is started by keys and watched while it goes on; its curve grows, and it is cancelled and resumed."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.jobs.models import Job
from annotator.jobs.services import claim_job
from annotator.projects.models import Project
from annotator.training.models import TrainingPoint, TrainingRun
from tests.browse.test_people_browser import sign_in_browser
from tests.cast import NOW
from tests.training.scene import make_build, work

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("bells")]


def tell(run: TrainingRun, *steps: int) -> None:
    for step in steps:
        TrainingPoint.objects.create(run=run, step=step, epoch=1, loss=400 / step, dev_f1=step / 500, seconds=step / 10)
    Job.objects.filter(pk=run.job.pk).update(n_done=steps[-1], n_total=400)


def test_a_training_is_started_watched_cancelled_and_resumed(
    page: Page, live_server: Any, project: Project, alice: User, bob: User
) -> None:
    make_build(project, bob, alice)
    sign_in_browser(page.context, alice, live_server.url)
    page.goto(live_server.url + reverse("training:new", args=[project.public_id]))
    checks = page.locator("#training-checks")
    expect(checks).to_contain_text("Reads the format jsonl")
    page.get_by_role("link", name="LoRA adapter").click()
    expect(checks).to_contain_text("Its rows do not ask as this base is asked")
    page.get_by_label("Base").fill("org/model")
    page.get_by_label("Base").press("Tab")
    expect(checks).to_contain_text("Reads the format messages")
    expect(checks).not_to_contain_text("Its rows do not ask")
    page.get_by_role("link", name="spaCy pipeline").click()
    expect(page.get_by_label("Base")).to_have_count(0)
    page.get_by_role("button", name="Start the training").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Waits for a worker.")).to_be_visible()

    run = TrainingRun.objects.get()
    assert claim_job(job_id=run.job.pk, now=NOW) is not None
    expect(page.get_by_text("Reads the dataset")).to_be_visible()  # by itself
    tell(run, 100, 200)
    expect(page.get_by_text("Step 200 of 400")).to_be_visible()
    curve = page.get_by_role("img", name="F1 on the part dev by step: from 0.20 to 0.40.")
    expect(curve).to_be_visible()
    button = page.locator("#training-cancel")
    button.focus()
    tell(run, 300)
    expect(page.get_by_role("img", name="F1 on the part dev by step: from 0.20 to 0.60.")).to_be_visible()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_text("Stopping")).to_be_visible()
    expect(page.get_by_text("after step 300 of 400")).to_be_visible()

    Job.objects.filter(pk=run.job.pk).update(status="cancelled")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Waits for a worker.")).to_be_visible()
    work(run)
    expect(page.get_by_text("Learnt from 8 notes")).to_be_visible()
    page.get_by_role("link", name="As a table").click()
    expect(page.get_by_role("row").filter(has_text="0.750")).to_be_visible()
