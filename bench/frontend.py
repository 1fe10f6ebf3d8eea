"""How fast the review page is in a browser: opened, and decision by decision.

    python bench/frontend.py [--notes 3000:40 50000:500] [--loads 7] [--decisions 30] [--chromium /usr/bin/chromium]

Starts the web server as `make run` does, on a folder and a database of its own, with one generated note for each
CHARACTERS:SPANS of --notes, all its spans as suggestions, and opens them in a headless Chromium, which shares the
machine with the server. Prints tables in Markdown; a figure is a median, with its range.

"Usable" is when the note has the keyboard, the first suggestion its ring and its card is there, at the end of the frame
that shows it, counted from navigation. With an empty cache it is the first page of a new browser profile. "Shift" is
the most that the layout shifted while the note came, of all loads. A decision is the key A; "main thread" is what the
page's main thread worked, by a trace, from the key to the end of the frame that shows the next card: script, style,
layout, paint and all else. "Processor" is the part of it in which the thread had a processor: where other programs run,
compare this. "Server" is the request as the page sees it, "server processor" what the web processes used for it.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import platform
import random
import re
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam

    from annotator.core.schema import Schema
    from annotator.core.spans import Span
    from annotator.suggestions.recording import NewSuggestion
    from tests.review.scene import Served

ROOT = Path(__file__).resolve().parent.parent
SEED = 1
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
REVIEWER = "reviewer"
TRACED = ["toplevel", "devtools.timeline", "blink.user_timing"]
KINDS = {
    **dict.fromkeys(("FunctionCall", "EventDispatch", "XHRReadyStateChange", "XHRLoad", "TimerFire"), "script"),
    **dict.fromkeys(("EvaluateScript", "v8.run", "FireAnimationFrame", "RunMicrotasks"), "script"),
    "ParseHTML": "parsing",
    **dict.fromkeys(("UpdateLayoutTree", "Document::recalcStyle"), "style"),
    "Layout": "layout",
    **dict.fromkeys(("PrePaint", "Paint", "Layerize", "Commit"), "paint"),
}
HEADINGS = (
    *("History of present illness", "Past medical history", "Medications", "Allergies", "Family history"),
    *("Social history", "Physical examination", "Laboratory data", "Imaging", "Hospital course", "Assessment and plan"),
)
WORDS = (
    *("patient", "reports", "chest", "pain", "and", "takes", "metformin", "daily", "without", "fever", "or", "cough"),
    *("since", "Monday", "denies", "nausea", "started", "aspirin", "after", "surgery", "on", "the", "left", "knee"),
    *("with", "mild", "oedema", "of", "both", "ankles", "blood", "pressure", "was", "normal", "café-au-lait", "spots"),
)
# Runs before the page's own scripts: what the page does is marked in its trace, and each frame is told to the driver.
WATCH = """(() => {
  const seen = (window.seen = { shift: 0, long: [], times: [], server: [], usable: 0 });
  const watch = (type, take) => {
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  };
  watch("layout-shift", (entry) => entry.hadRecentInput || (seen.shift += entry.value));
  watch("longtask", (entry) => seen.long.push(entry.duration));
  watch("resource", (entry) => {
    if (entry.name.endsWith("/decide/")) seen.server.push(entry.responseEnd - entry.requestStart);
  });
  const afterFrame = (name, then) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      performance.mark(name);
      then();
      console.debug(name);
    };
    channel.port2.postMessage(0);
  });
  let pressed = 0;
  const wanted = ["#note .span[data-current]", "#card input[name=key]"];
  document.addEventListener("focusin", (event) => {
    if (event.target.id !== "note" || seen.usable || !wanted.every((part) => document.querySelector(part))) return;
    afterFrame("usable", () => (seen.usable = performance.now()));
  });
  document.addEventListener("keydown", (event) => {
    performance.mark("pressed");
    pressed = event.timeStamp;
  }, { capture: true });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "card") afterFrame("shown", () => seen.times.push(performance.now() - pressed));
  });
})();"""


@dataclass(frozen=True, slots=True)
class Load:
    """One opening of the note; milliseconds and bytes."""

    usable: float
    processor: float
    shift: float
    long_tasks: list[float]
    received: dict[str, int]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What each decision took, in milliseconds."""

    whole: list[float]
    server: list[float]
    server_processor: float
    main_thread: list[float]
    processor: list[float]
    kinds: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", nargs="+", default=["3000:40", "50000:500"], metavar="CHARACTERS:SPANS")
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument("--decisions", type=int, default=30)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    sizes = [(int(n_chars), int(n_spans)) for n_chars, n_spans in (size.split(":") for size in options.notes)]
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        data = str(Path(temporary, "data"))
        os.environ |= {
            "MARGINALIA_DATA": data,
            "DJANGO_SETTINGS_MODULE": "annotator.settings",
            "REDIS_URL": "memory://",
        }
        os.environ.pop("DATABASE_URL", None)
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.conf import settings

        atexit.register(shutil.rmtree, settings.SOCKET_DIR, ignore_errors=True)
        measure(Path(data), sizes, options)


def measure(folder: Path, sizes: Sequence[tuple[int, int]], options: argparse.Namespace) -> None:
    from django.conf import settings

    from annotator.accounts.models import User
    from tests.review import scene

    with scene.own_database(folder) as environment:
        paths = [make_note(n_chars, n_spans) for n_chars, n_spans in sizes]
        session = scene.session_of(User.objects.get())
        with scene.web_server(folder, environment) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            address = f"http://127.0.0.1:{server.port}"
            cookie: SetCookieParam = {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}
            print(f"{os.cpu_count()} cores, {platform.machine()}, Chromium {browser.version}; ", end="")
            print(f"load average {os.getloadavg()[0]:.1f} before, ", end="", flush=True)
            loads, decisions = [], []
            for path in paths:
                loads += [
                    [open_note(browser, cookie, address + path) for _ in range(options.loads)],
                    open_again(browser, cookie, address + path, options.loads),
                ]
                decisions.append(decide(browser, cookie, address + path, server, options.decisions))
            print(f"{os.getloadavg()[0]:.1f} after\n")
            browser.close()
    names = [f"{n_chars:,} characters, {n_spans} spans" for n_chars, n_spans in sizes]
    report_loads([f"{name}, {cache} cache" for name in names for cache in ("empty", "warm")], loads)
    report_decisions(names, decisions)
    report_bytes(names, loads[::2])


def make_note(n_chars: int, n_spans: int) -> str:
    """A project of one note with its suggestions, taken by the reviewer; the path of its page."""
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.demo.services import demo_schema
    from annotator.documents.models import Document
    from annotator.documents.services import NewDocument, add_documents
    from annotator.projects.models import Membership
    from annotator.projects.services import create_project, set_member
    from annotator.review.leases import take_note
    from annotator.routing.services import route_job
    from annotator.suggestions.recording import suggestion_row
    from annotator.suggestions.services import LabelerSpec, import_run, labeler_for

    now, chance = timezone.now(), random.Random(SEED)
    reviewer, is_new = User.objects.get_or_create(username=REVIEWER)
    if is_new:
        reviewer.set_unusable_password()
        reviewer.save()
    project = create_project(name=f"{n_chars} characters", schema=demo_schema(), lead=None, now=now)
    set_member(project=project, user=reviewer, role=Membership.Role.ANNOTATOR, actor=None, now=now)
    text = note_text(n_chars, chance)
    add_documents(project=project, documents=[NewDocument(external_id="note", text=text)], now=now)
    document = Document.objects.select_related("project").get(project=project)
    spec = LabelerSpec(name="rules", backend="import", model_id="rules", revision="1")
    labeler = labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=now)
    rows = [suggestion_row(new) for new in suggested(text, n_spans, demo_schema(), chance)]
    run = import_run(project=project, labeler=labeler, suggestions=[(document.pk, rows)], actor=None, now=now)
    route_job(label_job_id=run.jobs.get().pk, now=now)
    item = take_note(document=document, reviewer=reviewer, now=now)
    return f"/p/{project.public_id}/review/{item.public_id}/"


def note_text(n_chars: int, chance: random.Random) -> str:
    """Sections of paragraphs with a table now and then, cut to so many characters."""
    lines: list[str] = []
    while sum(len(line) + 1 for line in lines) < n_chars:
        lines += ["", f"{chance.choice(HEADINGS).upper()}:"]
        for _ in range(chance.randint(4, 10)):
            words = [chance.choice(WORDS) for _ in range(chance.randint(6, 34))]
            lines.append(f"{' '.join(words).capitalize()}.")
        if chance.random() < 0.3:
            lines += [
                f"{name}    {chance.randint(2, 180)}    {chance.randint(2, 99)}-199" for name in ("Na", "K", "CRP")
            ]
    return "\n".join(lines[1:])[: n_chars - 1] + "\n"


def suggested(text: str, n_spans: int, schema: Schema, chance: random.Random) -> list[NewSuggestion]:
    """Spans of one to three words, some of them in or across others, with labels, attributes and scores."""
    from annotator.core.spans import Span
    from annotator.suggestions.recording import NewSuggestion

    words = [match.span() for match in re.finditer(r"[a-zé-]{3,}", text)]
    places: set[tuple[int, int]] = set()
    while len(places) < n_spans:
        first = chance.randrange(len(words) - 3)
        start, end = words[first][0], words[first + chance.choice((0, 0, 1, 2))][1]
        if "\n" not in text[start:end]:
            places.add((start, end))
    found = []
    for start, end in sorted(places):
        label = chance.choice(schema.labels)
        given = {
            attribute.name: chance.choice([attribute.default, *(value.name for value in attribute.values)])
            for attribute in schema.attributes_of(label.name)
        }
        span: Span = Span.of(start, end)
        score = round(chance.random(), 4)
        found.append(
            NewSuggestion(
                span=span, surface=text[start:end], label=label.name, attributes=given, alignment="exact", score=score
            )
        )
    return found


def watched_page(context: BrowserContext, cookie: SetCookieParam) -> Page:
    context.add_cookies([cookie])
    page = context.new_page()
    page.add_init_script(WATCH)
    page.set_default_timeout(60_000)
    return page


def go(browser: Browser, page: Page, address: str) -> Load:
    """Open the note and read what the page saw."""
    received: Counter[str] = Counter()
    names: dict[str, str] = {}
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on("Network.requestWillBeSent", lambda event: names.update({event["requestId"]: event["request"]["url"]}))
    client.on(
        "Network.loadingFinished",
        lambda event: received.update({kind_of(names.get(event["requestId"], "")): int(event["encodedDataLength"])}),
    )
    browser.start_tracing(page=page, categories=TRACED)
    with page.expect_console_message(lambda message: message.text == "usable"):
        page.goto(address, wait_until="commit")
    page.wait_for_load_state("networkidle")
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    seen = page.evaluate("seen")
    client.detach()
    end = next(event for event in trace if event.get("name") == "usable" and event["ph"] in "RI")
    _, processor, _ = spent_between(trace, end["pid"], end["tid"], end["ts"] - 1000 * seen["usable"], end["ts"])
    return Load(
        usable=seen["usable"],
        processor=processor,
        shift=seen["shift"],
        long_tasks=seen["long"],
        received=dict(received),
    )


def kind_of(url: str) -> str:
    """What a resource is, by its address: its ending where it has one, else the page."""
    found = re.search(r"\.(css|js|woff2|svg)$", url)
    return {"css": "styles", "js": "scripts", "woff2": "fonts", "svg": "icons"}[found[1]] if found else "page"


def open_note(browser: Browser, cookie: SetCookieParam, address: str) -> Load:
    context = browser.new_context(viewport=VIEWPORT)
    load = go(browser, watched_page(context, cookie), address)
    context.close()
    return load


def open_again(browser: Browser, cookie: SetCookieParam, address: str, n_times: int) -> list[Load]:
    """The note opened from a profile that has all files of the page already."""
    context = browser.new_context(viewport=VIEWPORT)
    page = watched_page(context, cookie)
    go(browser, page, address)
    loads = [go(browser, page, address) for _ in range(n_times)]
    context.close()
    return loads


def decide(browser: Browser, cookie: SetCookieParam, address: str, server: Served, n_times: int) -> Decisions:
    """Accept so many suggestions, each as soon as its card is shown; three more before, uncounted."""
    context = browser.new_context(viewport=VIEWPORT)
    page = watched_page(context, cookie)
    go(browser, page, address)

    def accept() -> None:
        with page.expect_console_message(lambda message: message.text == "shown"):
            page.keyboard.press("a")

    for _ in range(3):
        accept()
    page.evaluate("Object.assign(seen, { times: [], server: [] })")
    used = processor_seconds(server.pid)
    browser.start_tracing(page=page, categories=TRACED)
    for _ in range(n_times):
        accept()
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    used = processor_seconds(server.pid) - used
    seen = page.evaluate("seen")
    context.close()
    spent = [spent_between(trace, *window) for window in windows_of(trace)]
    kinds: Counter[str] = Counter()
    for _, _, by_kind in spent:
        kinds.update(by_kind)
    return Decisions(
        whole=seen["times"],
        server=seen["server"],
        server_processor=1000 * used / n_times,
        main_thread=[wall for wall, _, _ in spent],
        processor=[processor for _, processor, _ in spent],
        kinds={kind: milliseconds / n_times for kind, milliseconds in kinds.items()},
    )


def processor_seconds(pid: int) -> float:
    """What the web processes have used of the processor."""
    first = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:2]) for process in (first, *first.children()))


def windows_of(trace: Iterable[dict[str, Any]]) -> list[tuple[int, int, float, float]]:
    """(process, thread, from, to) of every decision: from the key to the frame with the next card."""
    marks = sorted(
        (event for event in trace if event.get("name") in {"pressed", "shown"} and event["ph"] in "RI"),
        key=lambda event: event["ts"],
    )
    return [
        (first["pid"], first["tid"], first["ts"], second["ts"])
        for first, second in pairwise(marks)
        if (first["name"], second["name"]) == ("pressed", "shown")
    ]


def spent_between(
    trace: Iterable[dict[str, Any]], pid: int, tid: int, start: float, end: float
) -> tuple[float, float, Counter[str]]:
    """What a thread's tasks took, in milliseconds: wall clock, processor, and wall clock by kind of work."""
    inside = [
        event
        for event in trace
        if event["ph"] == "X"
        and (event["pid"], event["tid"]) == (pid, tid)
        and event["ts"] < end
        and event["ts"] + event.get("dur", 0) > start
    ]
    tasks = [event for event in inside if event["name"] == "ThreadControllerImpl::RunTask"]
    by_kind: Counter[str] = Counter()
    open_events: list[tuple[float, str]] = []
    for event in sorted(inside, key=lambda event: (event["ts"], -event.get("dur", 0))):
        while open_events and open_events[-1][0] <= event["ts"]:
            open_events.pop()
        around = open_events[-1][1] if open_events else ""
        kind = KINDS.get(event["name"], around)
        if event in tasks:
            kind = "other"
        if kind != around:
            by_kind[kind] += event.get("dur", 0) / 1000
            if around:
                by_kind[around] -= event.get("dur", 0) / 1000
        open_events.append((event["ts"] + event.get("dur", 0), kind))
    wall = sum(event["dur"] for event in tasks) / 1000
    return wall, sum(event.get("tdur", event["dur"]) for event in tasks) / 1000, by_kind


def spread(figures: Sequence[float], digits: int = 0) -> str:
    """The median, with its range."""
    if not figures:
        return "–"
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f}–{max(figures):.{digits}f})"


def report_loads(names: Sequence[str], loads: Sequence[Sequence[Load]]) -> None:
    print("| opened | usable, ms | main thread processor | long tasks, ms | shift | kB received |")
    print("|---|---|---|---|---|---|")
    for name, found in zip(names, loads, strict=True):
        sizes = [sum(load.received.values()) / 1000 for load in found]
        long = [sum(load.long_tasks) for load in found]
        usable, shift = [load.usable for load in found], max(load.shift for load in found)
        processor = spread([load.processor for load in found])
        print(f"| {name} | {spread(usable)} | {processor} | {spread(long)} | {shift:.4f} | {spread(sizes, 1)} |")


def report_decisions(names: Sequence[str], decisions: Sequence[Decisions]) -> None:
    print("\n| a decision in | main thread, ms | of it processor | server, ms | server processor | key to card, ms |")
    print("|---|---|---|---|---|---|")
    for name, found in zip(names, decisions, strict=True):
        print(
            f"| {name} | {spread(found.main_thread)} | {spread(found.processor)} | {spread(found.server)} "
            f"| {found.server_processor:.0f} | {spread(found.whole)} |"
        )
    kinds = sorted({kind for found in decisions for kind in found.kinds})
    print(f"\n| mean main thread ms by kind | {' | '.join(kinds)} |\n|{'---|' * (len(kinds) + 1)}")
    for name, found in zip(names, decisions, strict=True):
        print(f"| {name} | {' | '.join(f'{found.kinds.get(kind, 0):.1f}' for kind in kinds)} |")


def report_bytes(names: Sequence[str], loads: Sequence[Sequence[Load]]) -> None:
    kinds = sorted({kind for found in loads for load in found for kind in load.received})
    print(f"\n| kB received, empty cache | {' | '.join(kinds)} |\n|{'---|' * (len(kinds) + 1)}")
    for name, found in zip(names, loads, strict=True):
        print(f"| {name} | {' | '.join(f'{found[0].received.get(kind, 0) / 1000:.1f}' for kind in kinds)} |")


if __name__ == "__main__":
    main()
