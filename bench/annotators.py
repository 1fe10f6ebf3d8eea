"""Four simulated annotators with planted errors: what they disagree in is found again, to the span, and settled.

Each reads every note without suggestions, by the REST API, and says what the corpus' gold says but for the errors of
their profile: spans missed, labels confused, ends moved, spans invented. Then an adjudicator settles by the API every
case that is not as the corpus has it, and finishes each note. What was planted is counted here, by set arithmetic
alone, and held against what `manage.py agreement` and the cases say; the project's gold is held against the corpus'.
Ends with 1 where anything differs. Spans of the corpus that overlap nothing that anyone marked are in no case: no
adjudicator can come by them, and they are counted apart.

    python bench/annotators.py [--notes 30] [--data ../shared/data] [--seed 1]

In one process, on a database of its own in a temporary folder. Needs the development packages.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.matching import Labelled
from annotator.core.spans import Span
from annotator.core.tokens import token_spans
from bench.lexicon_priors import LABELS
from llm_labeler.evaluate import SCHEMA
from llm_labeler.gold import GoldNote, read_gold

ROOT = Path(__file__).resolve().parent.parent
if TYPE_CHECKING:
    from annotator.projects.models import Project

Said = Mapping[str, set[Labelled]]
Confusions = Counter[tuple[str, str]]
ADJUDICATOR = "adjudicator"


@dataclass(frozen=True, slots=True)
class Profile:
    """Shares of the gold spans: missed, with an end moved by a word, labelled otherwise; and of words, invented."""

    missed: float = 0.0
    moved: float = 0.0
    confused: Mapping[tuple[str, str], float] = field(default_factory=dict)
    invented: float = 0.0


PROFILES = {
    "careful": Profile(missed=0.02, moved=0.01),
    "hasty": Profile(missed=0.20, moved=0.03),
    "generous": Profile(missed=0.03, moved=0.15, invented=0.02),
    "confused": Profile(missed=0.05, confused={("Problem", "Anatomy"): 0.25, ("Test", "Procedure"): 0.15}),
}


def planted(note: GoldNote, profile: Profile, chance: random.Random) -> set[Labelled]:
    """What an annotator of this profile says of the note."""
    words = token_spans(note.text)
    said = set()
    for span, label in note.gold:
        if chance.random() < profile.missed:
            continue
        for (gold, other), share in profile.confused.items():
            if label == gold and chance.random() < share:
                label = other
                break
        if len(span.fragments) == 1 and chance.random() < profile.moved:
            later = [end for _, end in words if end > span.end]
            span = Span.of(span.start, later[0]) if later else span
        said.add(Labelled(span, label))
    for start, end in words:
        if note.text[start:end].isalpha() and chance.random() < profile.invented:
            said.add(Labelled(Span.of(start, end), "Problem"))
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=30)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    notes = read_gold(options.data / "maccrobat", LABELS, limit=options.notes).notes
    gold = {note.name: {Labelled(*each) for each in note.gold} for note in notes}
    readings = {
        name: {note.name: planted(note, profile, random.Random(f"{options.seed} {name} {note.name}")) for note in notes}
        for name, profile in PROFILES.items()
    }
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        os.environ |= {
            "MARGINALIA_DATA": str(Path(temporary, "data")),
            "DJANGO_SETTINGS_MODULE": "annotator.settings",
            "REDIS_URL": "memory://",
            "ALLOWED_HOSTS": "testserver",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)
        project = prepared(notes)
        for name, said in readings.items():
            read(project, name, said)
        settled = Settled()
        adjudicate(project, gold, settled)
        out = StringIO()
        call_command("agreement", project.slug, "--json", stdout=out)
        measured = json.loads(out.getvalue())
    n_wrong = tell_pairs(readings, measured) + tell_confusions(readings, settled)
    n_wrong += tell_gold(readings, gold, settled) + tell_errors(readings, gold, measured)
    print(f"{n_wrong} figures differ")
    sys.exit(n_wrong > 0)


def prepared(notes: Sequence[GoldNote]) -> Project:
    """A project with the notes, none of them pre-labelled, each to be read by everyone."""
    from django.utils import timezone

    from annotator.core.schema import schema_from_json
    from annotator.documents.models import Document
    from annotator.documents.services import NewDocument, add_documents
    from annotator.projects.models import Membership
    from annotator.projects.services import create_project
    from annotator.review.queue import ensure_note_items
    from tests.cast import make_member

    now = timezone.now()
    schema = schema_from_json(json.loads(SCHEMA.read_text()))
    project = create_project(name="Case reports", schema=schema, lead=None, now=now, n_readers=len(PROFILES))
    add_documents(
        project=project, documents=[NewDocument(external_id=note.name, text=note.text) for note in notes], now=now
    )
    for document in Document.objects.filter(project=project).select_related("project"):
        ensure_note_items(document=document, n_slots=project.n_readers, priority=0)
    for name in PROFILES:
        make_member(project, name, Membership.Role.ANNOTATOR)
    make_member(project, ADJUDICATOR, Membership.Role.ADJUDICATOR)
    return project


class Program:
    """Asks by the API as this person; the throttle is set back for each note, since all share this process."""

    def __init__(self, project: Project, name: str) -> None:
        from annotator.accounts.models import User
        from annotator.documents.models import Document
        from tests.api.scene import Api

        self.api = Api(User.objects.get(username=name), project=project)
        self.names = dict(Document.objects.filter(project=project).values_list("public_id", "external_id"))

    def notes(self, kind: str) -> Iterator[tuple[dict[str, Any], str]]:
        """Each note that is taken, with its name, until none is left."""
        from django.core.cache import cache

        while (held := self.api.post(f"./{kind}/next/")).status_code == 200:
            cache.clear()
            yield held.json(), self.names[held.json()["document"]]
        if held.status_code != 204:
            raise SystemExit(f"{kind}: {held.status_code} {held.content.decode()}")

    def post(self, address: str, **body: Any) -> Any:
        answer = self.api.post(address, body and {"key": str(uuid.uuid4()), **body})
        if answer.status_code not in {200, 201}:
            raise SystemExit(f"{address} {body}: {answer.status_code} {answer.content.decode()}")
        return answer.json()


def read(project: Project, name: str, said: Said) -> None:
    """Take note after note, add what this person says of it, and submit it."""
    program = Program(project, name)
    for held, note in program.notes("review"):
        address = f"./review/{held['id']}/decisions/"
        for span, label in sorted(said[note]):
            program.post(address, verdict="add", label=label, fragments=[list(pair) for pair in span.fragments])
        program.post(address, verdict="note_done")


@dataclass
class Settled:
    """What the adjudicator saw and did: label confusions in the cases, ways to choose, and the gold that came out."""

    confusions: Confusions = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    gold: dict[str, set[Labelled]] = field(default_factory=dict)


def adjudicate(project: Project, gold: Said, settled: Settled) -> None:
    """Take note after note, settle what is not as the corpus has it, and finish it."""
    program = Program(project, ADJUDICATOR)
    for held, note in program.notes("adjudications"):
        address = f"./adjudications/{held['id']}/"
        settled.confusions += confusions(readers_of(held["cases"]))
        wanted = in_cases(gold[note], held["cases"])
        for case in held["cases"]:
            if case["stands"] and labelled(case["stands"]["spans"]) == wanted[case["key"]]:
                continue
            choice = choice_for(case, wanted[case["key"]])
            settled.ways[choice["what"]] += 1
            program.post(f"{address}choices/", case=case["key"], digest=case["digest"], **choice)
        done = program.post(f"{address}finish/")
        settled.gold[note] = set().union(*(labelled(case["stands"]["spans"]) for case in done["cases"]))


def choice_for(case: Mapping[str, Any], wanted: set[Labelled]) -> dict[str, Any]:
    """The choice that makes the case say what is wanted: a version, all of them, none, or a third one."""
    said = {version["digest"]: labelled(version["spans"]) for version in case["versions"]}
    for digest, spans in said.items():
        if spans == wanted:
            return {"what": "version", "version": digest}
    if not wanted:
        return {"what": "neither", "reason": "Not in the corpus"}
    if case["may_take_all"] and set().union(*said.values()) == wanted:
        return {"what": "all"}
    base = max(said, key=lambda digest: len(said[digest] & wanted))
    third = [{"fragments": [list(pair) for pair in span.fragments], "label": label} for span, label in sorted(wanted)]
    return {"what": "edit", "version": base, "spans": third}


def labelled(spans: Iterable[Mapping[str, Any]]) -> set[Labelled]:
    return {Labelled(Span.from_pairs(span["fragments"]), span["label"]) for span in spans}


def in_cases(gold: set[Labelled], cases: Sequence[Mapping[str, Any]]) -> dict[str, set[Labelled]]:
    """The spans of the corpus by the first case that they share a character with."""
    found: dict[str, set[Labelled]] = {case["key"]: set() for case in cases}
    marked = {
        case["key"]: labelled(span for version in case["versions"] for span in version["spans"]) for case in cases
    }
    for one in gold:
        for key, others in marked.items():
            if is_reachable(one, others):
                found[key].add(one)
                break
    return found


def is_reachable(one: Labelled, others: Iterable[Labelled]) -> bool:
    """Whether it shares a character with one of the others."""
    return any(
        start < other_end and other_start < end
        for start, end in one.span.fragments
        for other in others
        for other_start, other_end in other.span.fragments
    )


def readers_of(cases: Sequence[Mapping[str, Any]]) -> list[set[Labelled]]:
    """What each letter says in the note."""
    found: dict[str, set[Labelled]] = defaultdict(set)
    for case in cases:
        for version in case["versions"]:
            for reader in version["readers"]:
                found[reader] |= labelled(version["spans"])
    return list(found.values())


def confusions(readers: Sequence[set[Labelled]]) -> Confusions:
    """How often two readers mark the same place, each with a label that the other has not there, by the two labels."""
    found: Confusions = Counter()
    for ours, theirs in combinations(readers, 2):
        own, other = ours - theirs, theirs - ours
        places: dict[Span, list[str]] = defaultdict(list)
        for span, label in other:
            places[span].append(label)
        for span, label in own:
            for theirs_label in places[span]:
                first, second = sorted((label, theirs_label))
                found[first, second] += 1
    return found


def tell_pairs(readings: Mapping[str, Said], measured: Mapping[str, Any]) -> int:
    """Print each pair as it was planted and as it was found; how many differ."""
    print("| pair | spans | in both | planted F1 | found F1 | 95 % |\n|---|---|---|---|---|---|")
    found = {frozenset((pair["a"], pair["b"])): pair for pair in measured["pairs"]}
    n_wrong = 0
    for a, b in combinations(sorted(readings), 2):
        ours, theirs = everything(readings[a]), everything(readings[b])
        n_both = len(ours & theirs)
        f1 = 2 * n_both / (len(ours) + len(theirs))
        pair = found[frozenset((a, b))]
        n_wrong += abs(pair["strict"]["f1"] - f1) > 1e-9
        low, high = pair["strict"]["interval"]
        print(
            f"| {a}, {b} | {len(ours):,}, {len(theirs):,} | {n_both:,} | {f1:.3f} | {pair['strict']['f1']:.3f}"
            f" | {low:.2f}–{high:.2f} |"
        )
    print(f"mean {measured['strict_f1_mean']:.3f}, sd {measured['strict_f1_sd']:.3f}\n")
    return n_wrong


def tell_confusions(readings: Mapping[str, Said], settled: Settled) -> int:
    """Print how often two readers gave a place these labels, as planted and as in the cases; how many differ."""
    expected: Confusions = Counter()
    for note in settled.gold:
        expected += confusions([said[note] for said in readings.values()])
    print("| labels at one place | planted | in the cases |\n|---|---|---|")
    labels = sorted(expected | settled.confusions)
    for pair in labels:
        print(f"| {', '.join(pair)} | {expected[pair]:,} | {settled.confusions[pair]:,} |")
    print()
    return sum(expected[pair] != settled.confusions[pair] for pair in labels)


def tell_gold(readings: Mapping[str, Said], gold: Said, settled: Settled) -> int:
    """Print how the project's gold compares with the corpus'; how many spans differ that an adjudicator came by."""
    corpus, made = everything(gold), everything(settled.gold)
    unreachable = corpus - everything(reachable(readings, gold))
    f1 = 2 * len(corpus & made) / (len(corpus) + len(made))
    ways = ", ".join(f"{n:,} {way}" for way, n in settled.ways.most_common())
    print(f"cases settled: {ways}")
    print(
        f"gold: {len(made):,} spans of {len(corpus):,} in the corpus, {len(unreachable):,} in no case;"
        f" strict F1 {f1:.4f}, without those {2 * len(corpus & made) / (len(corpus - unreachable) + len(made)):.4f}\n"
    )
    return len((corpus - unreachable) ^ made)


def tell_errors(readings: Mapping[str, Said], gold: Said, measured: Mapping[str, Any]) -> int:
    """Print each annotator's errors against gold, as planted and as found; how many figures differ."""
    found = {each["b"]: each for each in measured["gold"]}
    corpus = everything(reachable(readings, gold))
    print("| annotator | missed | found | not in gold | found | P | R |\n|---|---|---|---|---|---|---|")
    n_wrong = 0
    for name, said in readings.items():
        ours, pair = everything(said), found[name]
        missed, more = len(corpus - ours), len(ours - corpus)
        n_both = round(pair["strict"]["r"] * pair["n_a"])
        found_missed, found_more = pair["n_a"] - n_both, pair["n_b"] - n_both
        n_wrong += (missed, more) != (found_missed, found_more)
        print(
            f"| {name} | {missed:,} | {found_missed:,} | {more:,} | {found_more:,}"
            f" | {pair['strict']['p']:.3f} | {pair['strict']['r']:.3f} |"
        )
    return n_wrong


def reachable(readings: Mapping[str, Said], gold: Said) -> dict[str, set[Labelled]]:
    """The spans of the corpus that share a character with one that somebody marked."""
    marked = {note: set().union(*(said[note] for said in readings.values())) for note in gold}
    return {note: {one for one in spans if is_reachable(one, marked[note])} for note, spans in gold.items()}


def everything(said: Said) -> set[tuple[str, Labelled]]:
    return {(note, one) for note, spans in said.items() for one in spans}


if __name__ == "__main__":
    main()
