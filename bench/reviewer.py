"""A scripted reviewer: 100 spans decided by keyboard in a headless Chromium, as the gold has them, and what it took.

    python bench/reviewer.py [--decisions 100] [--notes 12] [--data ../shared/data] [--chromium /usr/bin/chromium]

Starts `manage.py up` on a folder of its own, imports the first --notes case reports (`maccrobat/` below --data, without
their gold) and has the dictionaries and rules read them. Then it goes from suggestion to suggestion as the queue does:

- accept: it is in the gold; relabel: its place is, the label is changed by key; bounds: it overlaps a gold span whose
  ends `[ ] { }` reach in at most --steps presses, the label changed as well where it has to; reject: all others;
- add: a gold span that no suggestion touches, where at most --steps arrow keys from the one in focus choose it.

Keys are counted to the next suggestion's card. Seconds are the machine's share: each key's, from its press to the frame
that shows the card it brings; a selection waits 0.12 s for the hand to come to rest, which is in them. Active seconds
are what the page stored, of a script that does not think. In the end every annotation must be the one that was meant,
and read as the note does there. Needs the development packages.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frontend import VIEWPORT, WATCH
from playwright.sync_api import Page, sync_playwright
from whole_way import ROOT, Installation, import_folder, sign_in, wait_for_run

sys.path.insert(0, str(ROOT))

from evaluate_labelers import MAPS

from annotator.core.matching import Labelled
from annotator.core.spans import Span, SpanError
from annotator.core.tokens import Edge, move_boundary, snap, token_spans
from llm_labeler.gold import GoldNote, read_gold

KINDS = ("accept", "relabel", "bounds", "reject", "add")
# Where the span of the card lies, in code points; what it is labelled; and the note, to know which it is.
SEEN = """() => {
  const count = (text) => [...text].length;
  const card = document.getElementById("card");
  const pieces = document.querySelectorAll("#note [data-current]");
  const lines = [...document.querySelectorAll("#note .line")];
  const texts = lines.map((line) => line.textContent);
  const at = (piece, isEnd) => {
    const before = new Range();
    before.setStartBefore(piece.closest(".line"));
    before[isEnd ? "setEndAfter" : "setEndBefore"](piece);
    return count(texts.slice(0, lines.indexOf(piece.closest(".line"))).join("") + before.toString());
  };
  return {
    place: pieces.length ? [at(pieces[0], false), at(pieces[pieces.length - 1], true)] : null,
    label: card.querySelector(".labels [aria-pressed=true]")?.value ?? "",
    keys: Object.fromEntries([...card.querySelectorAll("[name=label]")].map((one) => [one.value, one.dataset.key])),
    canGoOn: Boolean(card.querySelector("[data-key=a]")),
    error: card.querySelector("[role=alert]")?.textContent ?? "",
    text: texts.join(""),
  };
}"""


@dataclass
class Work:
    """What one kind of decision took: keys and seconds of each."""

    keys: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Reviewer:
    """Who sits at the page of a note and knows its gold."""

    def __init__(self, page: Page, notes: list[GoldNote], *, n_steps: int) -> None:
        self.page = page
        self.n_steps = n_steps
        self.notes = {_ink(note.text): note for note in notes}
        self.meant: dict[str, set[Labelled]] = defaultdict(set)
        self.work = {kind: Work() for kind in KINDS}
        self._keys = 0
        self._seconds = 0.0
        self.look()

    def look(self) -> None:
        """Read what the page shows."""
        seen = self.page.evaluate(SEEN)
        if seen["error"]:
            raise RuntimeError(f"refused: {seen['error']}")
        self.note = self.notes[_ink(seen["text"])]
        self.span = Span.of(*seen["place"]) if seen["place"] else None
        self.label: str = seen["label"]
        self.label_keys: dict[str, str] = seen["keys"]
        self.can_go_on: bool = seen["canGoOn"]

    def press(self, *keys: str) -> None:
        """Press keys of which the last brings a card, and wait for it."""
        for key in keys[:-1]:
            self.page.keyboard.press(key)
        with self.page.expect_console_message(lambda message: message.text == "shown"):
            self.page.keyboard.press(keys[-1])
        self._keys += len(keys)
        self._seconds += self.page.evaluate("seen.times.at(-1)") / 1000
        self.look()

    def go_on(self) -> None:
        """Leave the span just made for the next suggestion, where there is one."""
        if self.can_go_on:
            self.press("a")
        else:
            self.span = None

    def decided(self, kind: str, made: Labelled | None) -> None:
        """Take down what the last keys did, and that the span they made was meant."""
        if made is not None:
            self.meant[self.note.name].add(made)
        self.work[kind].keys.append(self._keys)
        self.work[kind].seconds.append(self._seconds)
        self._keys, self._seconds = 0, 0.0

    def decide(self) -> None:
        """Add what is missed near the suggestion in focus, then decide on it."""
        open_gold = [one for one in self.note.gold if one not in self.meant[self.note.name]]
        for missed in open_gold:
            if (keys := self._keys_to(missed)) and not self._is_touched(missed):
                self.press(*keys)
                self.press(self.label_keys[missed.label])
                self.go_on()
                self.decided("add", missed)
                return
        self._decide_on_suggestion(open_gold)

    def _decide_on_suggestion(self, open_gold: list[Labelled]) -> None:
        for kind, wanted, moves in self._ways(open_gold):
            if kind == "accept":
                self.press("a")
            else:
                for key in moves:
                    self.press(key)
                if wanted.label != self.label:
                    self.press(self.label_keys[wanted.label])
                self.go_on()
            self.decided(kind, wanted)
            return
        self.press("x")
        self.decided("reject", None)

    def _ways(self, open_gold: list[Labelled]) -> Iterator[tuple[str, Labelled, list[str]]]:
        """The gold spans that the suggestion can become, the nearest first."""
        assert self.span is not None
        here = [one for one in open_gold if one.span == self.span]
        yield from (("accept", one, []) for one in here if one.label == self.label)
        yield from (("relabel", one, []) for one in here if one.label != self.label)
        reached = [(one, moves) for one in open_gold if (moves := self._moves_to(one.span))]
        yield from (("bounds", one, moves) for one, moves in sorted(reached, key=lambda way: len(way[1])))

    def _moves_to(self, wanted: Span) -> list[str] | None:
        """The keys that move the bounds of the span in focus to those of one that it overlaps; None for too many."""
        span, keys = self.span, []
        assert span is not None
        if wanted.is_discontinuous or wanted.end <= span.start or span.end <= wanted.start:
            return None
        edges: tuple[tuple[Edge, str, str], ...] = (("end", "{", "}"), ("start", "[", "]"))
        for edge, back, on in edges:
            while getattr(span, edge) != getattr(wanted, edge) and len(keys) < self.n_steps:
                is_back = getattr(span, edge) > getattr(wanted, edge)
                try:
                    span = move_boundary(self.note.text, span, edge, -1 if is_back else 1)
                except SpanError:
                    return None
                keys.append(back if is_back else on)
        return keys if span == wanted else None

    def _keys_to(self, wanted: Labelled) -> list[str] | None:
        """The arrow keys that choose a span from the one in focus, in the same line; None for too many."""
        assert self.span is not None
        text, (start, end) = self.note.text, (wanted.span.start, wanted.span.end)
        line = text.rfind("\n", 0, self.span.start) + 1, (text + "\n").find("\n", self.span.start)
        is_whole = not wanted.span.is_discontinuous and snap(text, start, end) == (start, end)
        if not (is_whole and line[0] <= start < end <= line[1]):
            return None
        tokens = [(first + line[0], last + line[0]) for first, last in token_spans(text[line[0] : line[1]])]
        inside = [token for token in tokens if start <= token[0] < end]
        if start >= self.span.start:
            way = ["ArrowRight"] * sum(self.span.start <= token[0] <= start for token in tokens)
            keys = [*way, *["Shift+ArrowRight"] * (len(inside) - 1)]
        else:
            way = ["ArrowLeft"] * sum(inside[-1][0] <= token[0] and token[1] <= self.span.start for token in tokens)
            keys = [*way, *["Shift+ArrowLeft"] * (len(inside) - 1)]
        return keys if 0 < len(keys) <= self.n_steps else None

    def _is_touched(self, wanted: Labelled) -> bool:
        """Whether something is marked there already, so that it is no missed span."""
        assert self.span is not None
        return self.page.evaluate(
            """([start, end]) => {
              let at = 0;
              const walker = document.createTreeWalker(document.getElementById("note"), NodeFilter.SHOW_TEXT);
              for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                if (!node.parentElement.closest(".line")) continue;
                const from = at;
                at += [...node.data].length;
                if (from < end && start < at && node.parentElement.closest(".span")) return true;
              }
              return false;
            }""",
            [wanted.span.start, wanted.span.end],
        )


def _ink(text: str) -> str:
    return "".join(text.split())


def review(page: Page, reviewer: Reviewer, n_decisions: int) -> None:
    """Decide so many spans, from note to note."""
    while sum(len(work.keys) for work in reviewer.work.values()) < n_decisions:
        if reviewer.span is not None:
            reviewer.decide()
            continue
        with page.expect_console_message(lambda message: message.text == "usable"):
            page.keyboard.press("d")
        reviewer.look()


def prepare(page: Page, installation: Installation, folder: Path) -> None:
    """A project of the notes in `folder`, pre-labelled, with the first of them open."""
    page.goto(f"{installation.address}/projects/new/")
    page.get_by_label("Name").fill("Case reports")
    page.get_by_role("button", name="Make the project").click()
    page.get_by_role("heading", name="Case reports").wait_for()
    project = page.url
    import_folder(page, folder)
    page.goto(f"{project}runs/")
    page.get_by_role("button", name=re.compile("Pre-label")).click()
    wait_for_run(page)
    page.goto(f"{project}review/")
    with page.expect_console_message(lambda message: message.text == "usable"):
        page.get_by_role("button", name="Start reviewing").click()


def stored(
    installation: Installation, notes: list[GoldNote]
) -> tuple[dict[str, set[Labelled]], dict[str, list[float]]]:
    """The live annotations of each note, and the active seconds of the decisions by verdict, as the database has them.

    Raises AssertionError where an annotation does not read as the note.
    """
    os.environ |= {"MARGINALIA_DATA": str(installation.folder), "DJANGO_SETTINGS_MODULE": "annotator.settings"}
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps an event loop in this thread
    import django

    django.setup()
    from annotator.annotations.models import Annotation
    from annotator.review.models import Decision

    texts = {note.name: note.text for note in notes}
    found: dict[str, set[Labelled]] = defaultdict(set)
    live = Annotation.objects.filter(status="live", set__document__project__name="Case reports")
    for annotation in live.select_related("set__document"):
        name = Path(annotation.set.document.external_id).stem
        span = Span.parse(annotation.fragments)
        assert span.surface(texts[name]) == annotation.surface, f"{name}, {span}: does not read as the note"
        found[name].add(Labelled(span, annotation.label))
    seconds: dict[str, list[float]] = defaultdict(list)
    for verdict, active in Decision.objects.exclude(active_seconds=None).values_list("verdict", "active_seconds"):
        seconds[verdict].append(active)
    return found, seconds


def report(reviewer: Reviewer, seconds: dict[str, list[float]]) -> None:
    print("| kind | spans | keys a span | machine's s a span, median | 95 % | of it a key, median |")
    print("|---|---|---|---|---|---|")
    whole = Work()
    for kind, work in reviewer.work.items():
        whole.keys += work.keys
        whole.seconds += work.seconds
        if work.keys:
            print(f"| {kind} | {figures(work)} |")
    print(f"| all | {figures(whole)} |")
    told = ", ".join(f"{verdict} {statistics.mean(active):.2f} ({len(active)})" for verdict, active in seconds.items())
    print(f"\nActive seconds stored, mean (decisions): {told}")


def figures(work: Work) -> str:
    worst = sorted(work.seconds)[round(0.95 * (len(work.seconds) - 1))]
    a_key = statistics.median(spent / n_keys for spent, n_keys in zip(work.seconds, work.keys, strict=True))
    return (
        f"{len(work.keys)} | {statistics.mean(work.keys):.1f} | {statistics.median(work.seconds):.3f} | {worst:.3f} "
        f"| {a_key:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=100)
    parser.add_argument("--notes", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4, help="presses that a bound or a selection is worth")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    labels = dict(pair.split("=") for pair in MAPS["maccrobat"])
    notes = list(read_gold(options.data / "maccrobat", labels, limit=options.notes).notes)
    os.environ["LABELER"] = "spacy"
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place) / "notes"
        folder.mkdir()
        for note in notes:
            shutil.copy(options.data / "maccrobat" / f"{note.name}.txt", folder)
        installation = Installation(Path(place) / "data")
        installation.start()
        try:
            browser = playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport=VIEWPORT)
            page.set_default_timeout(60_000)
            page.add_init_script(WATCH)
            sign_in(page, installation)
            prepare(page, installation, folder)
            load = os.getloadavg()[0]
            reviewer = Reviewer(page, notes, n_steps=options.steps)
            review(page, reviewer, options.decisions)
            print(f"Chromium {browser.version}, {os.cpu_count()} cores, load {load:.1f} to {os.getloadavg()[0]:.1f}\n")
            browser.close()
        finally:
            installation.stop()
        found, seconds = stored(installation, notes)
        report(reviewer, seconds)
        assert found == {name: spans for name, spans in reviewer.meant.items() if spans}, "not what was meant"
        print(f"All {sum(map(len, found.values()))} annotations are what was meant, and read as their notes do.")


if __name__ == "__main__":
    main()
