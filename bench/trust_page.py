"""Pictures of the lead's page of trust as a reviewer's work makes it: the demo notes, and 600 decisions on suggestions.

    python bench/trust_page.py --out FOLDER [--decisions 600] [--at 60,300] [--chromium /usr/bin/chromium]

An installation of its own in a temporary folder. The real dictionaries and rules read the demo notes, and a scripted
reviewer works as a person would, some minutes on three mornings a week: audits first, then the note that comes next.
The notes' own gold is what the reviewer knows: a suggestion that says the same is accepted, one that can become a gold
span is changed, any other rejected, and of what was not suggested a part is added. Blind notes come in their turn; what
is done in them is not among the 600. First some spans are decided by span, the least certain first; once a calibrator
rests on a hundred decisions, of many notes, a lead sets targets. Decisions, bells and the sweeper's rounds are the
application's own; only chance is seeded, and the clock is the script's.

How long the reviewer takes is invented (`PACE`): what the page says of time saved is a picture and no finding. Prints
what the page says, and writes pictures of it at each number of --at and in the end: 1440 and 900 pixels wide, light and
dark. Needs the development packages and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from trust_reviewer import Bells, Clock, Reviewer

    from annotator.accounts.models import User
    from annotator.projects.models import Project

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Of a seed by which the long note is not read blind, and so is in the tests.
SEED, BLIND_PERCENT = 6, 45
# So many are decided by span, the least certain first; and so many in all when the lead sets targets.
N_BY_SPAN, N_BEFORE = 60, 110
# The share that is to be right by label; 0 for a label that is left to people. "" are all others together.
TARGETS = {"": 0.75, "Medication": 0.85, "Problem": 0.9, "Procedure": 0.0}
WIDTHS = (1440, 900)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the pictures go")
    parser.add_argument("--decisions", type=int, default=600)
    parser.add_argument("--at", default="", help="numbers of decisions at which there are pictures too, with commas")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # with a data folder of its own, which goes when this ends
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop in this thread
    import django

    django.setup()
    from trust_reviewer import Bells, Clock

    clock, bells = Clock(), Bells()
    stages = sorted({*(int(n) for n in options.at.split(",") if n), options.decisions})
    with seeded(clock, bells):
        project, lead, reviewer = begin(clock, bells)
        for n in stages:
            go_on(project, lead, reviewer, n)
            bells.sweep(clock.now)
            tell(project, reviewer)
            name = "trust-demo" if n == options.decisions else f"trust-demo-{n}"
            draw(project, lead, clock, out=options.out, name=name, chromium=options.chromium)


@contextmanager
def seeded(clock: Clock, bells: Bells) -> Iterator[None]:
    """Time and bells are the script's, and chance is the same each time."""
    from annotator.routing import freezing, watching

    chance = random.Random(SEED)
    with (
        mock.patch("django.utils.timezone.now", side_effect=lambda: clock.now),
        mock.patch("annotator.jobs.bell._send", bells.ring),
        mock.patch.object(freezing, "_random", chance),
        mock.patch.object(watching, "_random", chance),
        mock.patch.object(secrets, "randbelow", chance.randrange),
        mock.patch.object(random, "SystemRandom", return_value=chance),
        mock.patch.object(random, "random", chance.random),
    ):
        yield


def begin(clock: Clock, bells: Bells) -> tuple[Project, User, Reviewer]:
    """The demo project, read by its labeler, with its lead and who reviews."""
    from django.core.management import call_command
    from trust_reviewer import Reviewer

    import llm_labeler.tasks  # noqa: F401  what a worker of the label queue knows
    from annotator.accounts.services import create_user
    from annotator.celery import app
    from annotator.demo.services import ensure_demo
    from annotator.projects.services import set_member

    call_command("migrate", verbosity=0, interactive=False)
    app.loader.import_default_modules()
    lead = create_user(username="lead", actor=None, now=clock.now, is_administrator=True)
    user = create_user(username="reviewer", actor=lead, now=clock.now)
    run = ensure_demo(now=clock.now)
    assert run is not None
    project = run.project
    set_member(project=project, user=user, role="annotator", actor=lead, now=clock.now)
    set_policy(project, lead, clock, "least_certain")
    bells.sweep(clock.now)
    return project, lead, Reviewer(project, user, clock, bells)


def set_policy(project: Project, lead: User, clock: Clock, policy: str) -> None:
    from annotator.review.streams import set_streams, streams_of

    streams = replace(streams_of(project), policy=policy, blind_percent=BLIND_PERCENT)
    set_streams(project=project, streams=streams, actor=lead, now=clock.now)


def go_on(project: Project, lead: User, reviewer: Reviewer, n_decisions: int) -> None:
    """Up to so many decisions, some by span and the others by note; the lead sets the targets on the way."""
    from annotator.routing.targets import set_target

    clock, bells = reviewer.clock, reviewer.bells
    reviewer.work(min(n_decisions, N_BY_SPAN), is_by_span=True)
    set_policy(project, lead, clock, "benefit")
    reviewer.work(min(n_decisions, N_BEFORE))
    bells.sweep(clock.now)
    if n_decisions > N_BEFORE and not project.acceptance_targets.exists():
        for label, target in TARGETS.items():
            status = "on" if target else "off"
            wanted = target or 0.95
            set_target(
                project=project, label=label, status=status, target=wanted, delta=0.05, actor=lead, now=clock.now
            )
        bells.sweep(clock.now)
    reviewer.work(n_decisions)


def tell(project: Project, reviewer: Reviewer) -> None:
    """What the page is drawn from."""
    from annotator.projects.selectors import current_schema
    from annotator.quality.effort import effort_of
    from annotator.quality.recall import recall_of
    from annotator.trust import pages
    from annotator.trust.selectors import trust_of

    labels = current_schema(project).schema.labels
    found = trust_of(project=project, labels=[label.name for label in labels])
    rows, _ = pages.rows(found, labels, now=reviewer.clock.now)
    print(f"\n{reviewer.n_decided} decisions by {reviewer.clock.now:%d %b %H:%M}; acts: {dict(reviewer.done)}")
    print("".join(words for words, _ in pages.lead(found)))
    for row in rows:
        said = f"target {row.target}, lower bound {row.lower}, {row.n_audited} audits, {row.n_wrong} wrong"
        print(f"  {row.name}: {row.pill.word}, {said}; {row.said}")
    recall, effort = recall_of(project), effort_of(project)
    print(
        f"  recall {recall.overall.strict.value} in {recall.n_notes} blind notes; saved {effort.saved.value}, ", end=""
    )
    print(f"{effort.assisted.n_notes} notes with suggestions and {effort.control.n_notes} without", flush=True)


def draw(project: Project, lead: User, clock: Clock, *, out: Path, name: str, chromium: str) -> None:
    """Write the pictures of the page, and of the newest certificate."""
    from django.conf import settings
    from django.test import Client
    from django.urls import reverse
    from playwright.sync_api import sync_playwright
    from pytest_django.live_server_helper import LiveServer
    from screens import picture

    pages = {name: reverse("trust:trust", args=[project.public_id])}
    newest = project.certificates.order_by("-number").first()
    if newest is not None:
        pages[f"{name}-certificate"] = reverse("trust:certificate", args=[project.public_id, newest.public_id])
    client = Client()
    client.force_login(lead)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    out.mkdir(parents=True, exist_ok=True)
    server = LiveServer("localhost")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            painter = browser.new_page()
            context = browser.new_context(locale="en-GB", timezone_id="UTC", reduced_motion="reduce")
            context.clock.set_fixed_time(clock.now)
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": server.url}])
            page = context.new_page()
            for file, path in pages.items():
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.goto(server.url + path)
                    page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
                    for theme in ("light", "dark"):
                        page.emulate_media(color_scheme=theme)
                        at = "" if width == WIDTHS[0] else f"-{width}"
                        (out / f"{file}{at}-{theme}.png").write_bytes(picture(page, painter))
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
