"""How fast decisions are saved while thirty people review at once.

    python bench/reviewers.py [--reviewers 30] [--seconds 60] [--rate 25]
    python tests/postgres.py --durable python bench/reviewers.py

An installation of its own: the web server as `make run` starts it, on SQLite in a temporary folder or on a database of
its own at DATABASE_URL, and generated notes of about 2,000 characters with 60 suggestions each. Every reviewer sends
their share of --rate as a browser does: a decision as htmx posts it, answered with the next card; a note that is done
leads to the page of the next. Who falls behind sends at once, so that a server that is too slow shows in the saves a
second. Times are from sending to the last byte, and the clients share the machine with the server. "Processor" is what
the web processes used for each save, pages included: the figure that other programs on the machine change least. Needs
the development packages.
"""

from __future__ import annotations

import argparse
import atexit
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.review.scene import Answer, Tab

ROOT = Path(__file__).resolve().parent.parent
WORDS, SPANS = 340, 60
WARM_UP_SECONDS = 5.0
ACTS = [{"verdict": "accept"}] * 16 + [{"verdict": "reject"}] * 3 + [{"verdict": "skip"}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviewers", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=25, help="decisions a second, of all reviewers together")
    options = parser.parse_args()
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        data = str(Path(temporary, "data"))
        os.environ |= {
            "MARGINALIA_DATA": data,
            "DJANGO_SETTINGS_MODULE": "annotator.settings",
            "REDIS_URL": "memory://",
        }
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.conf import settings

        atexit.register(shutil.rmtree, settings.SOCKET_DIR, ignore_errors=True)
        measure(Path(data), n_reviewers=options.reviewers, seconds=options.seconds, rate=options.rate)


def measure(folder: Path, *, n_reviewers: int, seconds: float, rate: float) -> None:
    """Let the reviewers work and print what that gave."""
    from django.db import connection

    from annotator.accounts.models import User
    from annotator.demo.services import demo_schema
    from annotator.review.models import Decision
    from tests.review import scene

    with scene.own_database(folder) as environment:
        project = scene.make_shared_project(
            schema=demo_schema(),
            reviewers=[f"reviewer-{number}" for number in range(n_reviewers)],
            n_notes=2 * n_reviewers + int(rate * seconds / SPANS),
            n_words=WORDS,
            n_spans=SPANS,
            seed=1,
        )
        sessions = [scene.session_of(user) for user in User.objects.order_by("pk")]
        with scene.web_server(folder, environment) as server:
            tabs = [scene.Tab(server.port, session, project.public_id) for session in sessions]
            starts_at = time.monotonic() + WARM_UP_SECONDS
            period = n_reviewers / rate
            people = [
                threading.Thread(target=review, args=(tab, number, starts_at, period, starts_at + seconds))
                for number, tab in enumerate(tabs)
            ]
            began = processor_seconds(server.pid)
            for person in people:
                person.start()
            for person in people:
                person.join()
            used = processor_seconds(server.pid) - began
            n_locked = server.log.read_text().count("database is locked")
        print(f"{connection.vendor}: {Decision.objects.count()} decisions in the database; ", end="")
    print(f"database locked {n_locked} times; load average {os.getloadavg()[0]:.1f}")
    report([answer for tab in tabs for answer in tab.answers], starts_at, used)


def processor_seconds(pid: int) -> float:
    """What the web processes have used of the processor."""
    first = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (first, *first.children()))


def review(tab: Tab, number: int, starts_at: float, period: float, ends_at: float) -> None:
    """Decide every `period` seconds, as one person, from `starts_at` until `ends_at` (monotonic)."""
    chance = random.Random(number)
    tab.take_next()
    due = starts_at + period * chance.random()
    while due < ends_at and time.monotonic() < ends_at and tab.note:
        time.sleep(max(due - time.monotonic(), 0))
        tab.decide(**(chance.choice(ACTS) if tab.target else {"verdict": "note_done"}))
        due += period
    tab.close()


def report(answers: list[Answer], starts_at: float, used: float) -> None:
    saved = [answer for answer in answers if answer.what == "decide" and answer.is_saved]
    pages = [answer for answer in answers if answer.what == "note"]
    took = max(answer.sent_at + answer.seconds for answer in saved) - starts_at
    print(f"{len(saved)} saved, {len(saved) / took:.1f} a second; processor {1000 * used / len(saved):.0f} ms a save")
    print("| what | answers | p50 ms | p95 | p99 | max |\n|---|---|---|---|---|---|")
    for what, found in (("a decision", saved), ("the page of a note", pages)):
        times = sorted(1000 * answer.seconds for answer in found)
        shown = " | ".join(
            f"{times[min(int(len(times) * share), len(times) - 1)]:.0f}" for share in (0.5, 0.95, 0.99, 1)
        )
        print(f"| {what} | {len(times)} | {shown} |")
    statuses = Counter(answer.status for answer in answers)
    print("statuses: " + ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items())))


if __name__ == "__main__":
    main()
