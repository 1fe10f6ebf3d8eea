"""The loop turned twice on real notes: label, review, train, compare, promote, by the application itself.

    python bench/loop.py [--data ../shared/data] [--corpus ncbi_disease maccrobat] [--test .3] [--seed 2026]
        [--steps N] [--limit N] [--always]

Notes are split by document, at random: a test set, and the rest. An expert reads the test set as the gold has it,
without a suggestion; it is locked, and nothing is ever trained on it. The rest is read by the dictionaries and rules
that every installation begins with. Then, turn by turn:

- a reviewer who knows the gold takes a third of the notes, in random order, and decides: right is accepted; wrong, but
  touching a gold span that no other suggestion is or touches first, is edited; any other is rejected; what was not
  suggested is added;
- a dataset is built of all that is done, and a spaCy pipeline trained from it, by its own defaults;
- it is compared with the project's labeler on the test set, and promoted where its strict F1 is higher, or
  `--always`: then it reads what nobody has decided yet.

The last third is read by what the second turn leaves, and trains none. Each corpus has a process and a database of its
own; all work is done by the tasks that workers do. Seconds are the machine's: the reviewer is a script. Needs what
`make test` installs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.matching import Labelled
from bench.effort_labelers import DATA, read_corpus
from bench.evaluate_labelers import MAPS
from llm_labeler.gold import GoldNote

N_TURNS = 2
VERDICTS = ("accept", "edit", "reject", "add")


@dataclass
class Turn:
    """What a labeler suggested in its share of the notes, what people did with it, and what was learnt of it."""

    labeler: str
    n_notes: int = 0
    n_gold: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    candidate: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    is_promoted: bool = False

    @property
    def is_better(self) -> bool:
        """Whether the candidate's strict F1 is higher than the labeler's."""
        strict = self.report["overall"]["strict"]
        return bool(strict["candidate"]["f1"] > strict["current"]["f1"])

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--corpus", nargs="+", choices=sorted(MAPS), default=["ncbi_disease", "maccrobat"])
    parser.add_argument("--test", type=float, default=0.3, help="share of the notes")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--steps", type=int, help="at most, of each training")
    parser.add_argument("--limit", type=int, help="the first so many notes of each corpus")
    parser.add_argument("--always", action="store_true", help="promote each candidate, better or not")
    options = parser.parse_args()
    for name in options.corpus:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(looped, (options, name)), flush=True)


def looped(options: argparse.Namespace, name: str) -> str:
    """What came of one corpus, as Markdown. Once a process, since Django is set up once."""
    corpus = read_corpus(options.data, name)
    notes = list(corpus.notes[: options.limit])
    random.Random(options.seed).shuffle(notes)
    n_test = round(options.test * len(notes))
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        os.environ |= {
            "MARGINALIA_DATA": str(Path(temporary, "data")),
            "DJANGO_SETTINGS_MODULE": "annotator.settings",
            "REDIS_URL": "memory://",
            "LABELER": "spacy",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        loop = Loop(corpus.name, corpus.labels, recipe={"steps": options.steps} if options.steps else {})
        loop.lock(notes[:n_test])
        turns = loop.turned(notes[n_test:], is_always=options.always)
    return told(name, n_test, turns)


class Loop:
    """A project, who works in it, and its workers."""

    def __init__(self, name: str, labels: Sequence[str], *, recipe: Mapping[str, Any]) -> None:
        from django.utils import timezone

        from annotator.accounts.models import User
        from annotator.core.schema import schema_from_json
        from annotator.jobs import bell
        from annotator.projects.models import Project
        from annotator.projects.services import create_project, set_member

        import_module("llm_labeler.tasks")
        import_module("annotator.tasks")
        self.now, self.recipe = timezone.now, recipe
        self.rung: deque[tuple[str, tuple[int, ...]]] = deque()
        bell._send = lambda task, ids, queue: self.rung.append((task, ids))
        self.lead, self.reviewer, self.expert = (
            User.objects.create(username=name) for name in ("lead", "reviewer", "expert")
        )
        self.schema = schema_from_json({"labels": [{"name": name, "definition": name} for name in labels]})
        made = create_project(name=name, schema=self.schema, lead=self.lead, now=self.now())
        Project.objects.filter(pk=made.pk).update(policy=Project.Policy.RANDOM)
        self.project = Project.objects.get(pk=made.pk)
        for user in (self.reviewer, self.expert):
            set_member(project=self.project, user=user, role="annotator", actor=self.lead, now=self.now())

    def work(self) -> None:
        """Do what workers do until no bell is left."""
        from annotator.celery import app

        while self.rung:
            task, ids = self.rung.popleft()
            app.tasks[task].apply(args=ids, throw=True)

    def added(self, notes: Sequence[GoldNote]) -> dict[int, GoldNote]:
        """The notes, now in the project, by row id."""
        from annotator.documents.models import Document
        from annotator.documents.services import NewDocument, add_documents

        news = [NewDocument(external_id=note.name, text=note.text) for note in notes]
        add_documents(project=self.project, documents=news, now=self.now())
        pks = dict(Document.objects.filter(project=self.project).values_list("external_id", "pk"))
        return {pks[note.name]: note for note in notes}

    def lock(self, notes: Sequence[GoldNote]) -> None:
        """Have the expert read these notes, and lock them as the test set."""
        from annotator.annotations.services import NewAnnotation, SetRows, annotation_row, import_sets
        from annotator.builds.test_sets import lock_test_set

        sets = []
        for pk, note in self.added(notes).items():
            news = (NewAnnotation(span=one.span, label=one.label, attributes={}) for one in sorted(set(note.gold)))
            sets.append((pk, SetRows([annotation_row(text=note.text, schema=self.schema, new=new) for new in news])))
        version = self.project.schema_versions.get()
        import_sets(annotator=self.expert, schema_version=version, sets=sets, now=self.now())
        lock_test_set(build=self.built("Test set", (0, 0, 100)), actor=self.lead, now=self.now())

    def turned(self, notes: Sequence[GoldNote], *, is_always: bool) -> list[Turn]:
        """Turn the loop over these notes; the last turn has the share that the last model read, and trains none."""
        from annotator.documents.models import Document
        from annotator.suggestions.labelers import default_labeler
        from annotator.suggestions.services import start_run
        from annotator.training.promoting import promote

        gold = self.added(notes)
        size = -(-len(gold) // (N_TURNS + 1))
        labeler = default_labeler(project=self.project, now=self.now())
        turns = [Turn(labeler.name)]
        documents = Document.objects.filter(pk__in=gold)
        with turns[0].timed("label"):
            start_run(project=self.project, labeler=labeler, documents=documents, actor=self.lead, now=self.now())
            self.work()
        for number in range(1, N_TURNS + 1):
            turn = turns[-1]
            self.reviewed(gold, turn, size)
            with turn.timed("build"):
                build = self.built(f"Turn {number}", (80, 20, 0))
            with turn.timed("train"):
                candidate = self.trained(build)
            with turn.timed("compare"):
                comparison = self.compared(candidate, labeler)
            turn.candidate, turn.report = candidate.name, comparison.report
            turn.is_promoted = is_always or turn.is_better
            if turn.is_promoted:
                labeler = candidate
            turns.append(Turn(labeler.name))
            with turns[-1].timed("label"):
                if turn.is_promoted:
                    promote(labeler=labeler, comparison=comparison, actor=self.lead, now=self.now())
                    self.work()
        self.reviewed(gold, turns[-1], size)
        return turns

    def reviewed(self, gold: Mapping[int, GoldNote], turn: Turn, n_notes: int) -> None:
        """Have the reviewer take and finish so many notes, or all that are left."""
        from annotator.review.leases import take_next

        while turn.n_notes < n_notes:
            item = take_next(project=self.project, reviewer=self.reviewer, now=self.now())
            if item is None:
                return
            note = gold[item.document_id]
            turn.n_notes += 1
            turn.n_gold += len(set(note.gold))
            self.read(item, note, turn)
            self.work()

    def read(self, item: Any, note: GoldNote, turn: Turn) -> None:
        """Decide every suggestion of the note, add what is missing, and submit it."""
        from annotator.review import services
        from annotator.review.models import ReviewItem

        asked = ReviewItem.objects.filter(document=item.document_id, unit="span", status="open")
        spans = sorted(asked.select_related("suggestion"), key=lambda each: (each.suggestion.start, each.pk))
        said = {each.pk: Labelled(each.suggestion.span, each.suggestion.label) for each in spans}
        left = sorted(set(note.gold) - set(said.values()))
        for each in spans:
            is_right = said[each.pk] in set(note.gold)
            target = None if is_right else next((one for one in left if one.span.overlaps(said[each.pk].span)), None)
            act: services.Act = services.Accept(each) if is_right else services.Reject(each)
            if target is not None:
                left.remove(target)
                act = services.Edit(each, span=target.span, label=target.label)
            self.decide(item, act, turn)
        for one in left:
            self.decide(item, services.Add(span=one.span, label=one.label), turn)
        self.decide(item, services.FinishNote(), turn)

    def decide(self, item: Any, act: Any, turn: Turn) -> None:
        from annotator.review.services import decide

        made = decide(note_item=item, reviewer=self.reviewer, act=act, key=str(uuid.uuid4()), now=self.now())
        turn.verdicts[made.verdict] += 1
        item.refresh_from_db()

    def built(self, name: str, shares: tuple[int, int, int]) -> Any:
        from annotator.builds.options import BuildOptions
        from annotator.builds.services import create_build

        options = BuildOptions(shares=shares)
        build = create_build(
            project=self.project, name=name, formats=["jsonl"], options=options, actor=self.lead, now=self.now()
        )
        self.work()
        return _done(build)

    def trained(self, build: Any) -> Any:
        """The labeler that was made of a pipeline trained on the dataset."""
        from annotator.training.services import start_training

        run = start_training(
            project=self.project,
            build=build,
            kind="spacy",
            base="",
            recipe=self.recipe,
            actor=self.lead,
            now=self.now(),
        )
        self.work()
        return _done(run).labeler

    def compared(self, candidate: Any, current: Any) -> Any:
        from annotator.training.comparing import start_comparison

        comparison = start_comparison(
            project=self.project, candidate=candidate, current=current, actor=self.lead, now=self.now()
        )
        self.work()
        return _done(comparison)


def _done(row: Any) -> Any:
    """The row as its job left it. Raises SystemExit where that was not to the end."""
    row.refresh_from_db()
    row.job.refresh_from_db()
    if row.job.status != "done":
        raise SystemExit(f"{type(row).__name__}: {row.job.status}, {row.job.error}")
    return row


def told(name: str, n_test: int, turns: Sequence[Turn]) -> str:
    """Two tables: what people did in each turn, and what the models of each are worth on the test set."""
    lines = [
        f"{name}: {n_test} notes to test on, {sum(turn.n_notes for turn in turns)} for the loop",
        "",
        "| labeler | notes | gold spans | accepted | edited | rejected | added"
        " | decisions a gold span | accepted of gold |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for turn in turns:
        counts = [turn.verdicts[verdict] for verdict in VERDICTS]
        lines.append(
            f"| {turn.labeler} | {turn.n_notes} | {turn.n_gold:,} | "
            + " | ".join(f"{count:,}" for count in counts)
            + f" | {sum(counts) / turn.n_gold:.2f} | {counts[0] / turn.n_gold:.0%} |"
        )
    lines += [
        "",
        "| candidate against current | strict F1 | difference (95 %) | overlap F1 | difference (95 %)"
        " | promoted | seconds: label, build, train, compare |",
        "|---|---|---|---|---|---|---|",
    ]
    for turn in turns[:-1]:
        cells = [_scheme(turn.report["overall"][scheme]) for scheme in ("strict", "overlap")]
        seconds = ", ".join(f"{turn.seconds[what]:.0f}" for what in ("label", "build", "train", "compare"))
        lines.append(
            f"| {turn.candidate} against {turn.labeler} | {' | '.join(cells)} |"
            f" {'yes' if turn.is_promoted else 'no'} | {seconds} |"
        )
    return "\n".join([*lines, f"\nThe last labeler read what was left in {turns[-1].seconds['label']:.0f} s.", ""])


def _scheme(row: Mapping[str, Any]) -> str:
    low, high = row["difference"]["interval"]
    f1 = f"{row['candidate']['f1']:.3f} against {row['current']['f1']:.3f}"
    return f"{f1} | {row['difference']['value']:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
