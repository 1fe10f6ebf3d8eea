"""What acceptance without review saves on real notes, and what it costs: labelers against an oracle reviewer.

    python bench/effort.py --cache FOLDER [--data ../shared/data] [--corpus maccrobat …] [--labeler spancat …]
        [--target .95 .9 .85] [--seeds 200] [--served .9] [--limit N]

A labeler's suggestions (`bench/effort_labelers.py`) go to a reviewer who decides as the corpus' gold has it, in five
ways (`bench/effort_policies.py`):

- everything is reviewed;
- raw score .9: what the labeler scores .9 or more is accepted unseen, all else reviewed;
- confidence .9: the same by the calibrator of the first decisions;
- least certain first: people decide the least certain until the calibrator, fitted anew at 50, 100, 200 … decisions,
  expects the target of what is left to be right, and that is accepted;
- certificates: what the application does, as `docs/certificates.md` has it.

Seeds are other orders of notes and of audits; least certain first has one order only. How many decisions the
calibrator of a first test has is fixed beforehand: the largest of 100, 200, 400 … that is no more than a twentieth of
the suggestions, and at least 100. Each way is held against each promise, as far as what was accepted unseen goes. What
certificates promise is another thing, and counted apart: that no region that is ever claimed has more errors than it
may. "Oracle" is the largest region of the first test's candidates that keeps the promise, by one who knows every label.

`--served`: of each corpus and labeler one run by the services themselves (`bench/effort_services.py`), each in a
process of its own, at these targets. Ends with 1 where they do not say exactly what the arithmetic says.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

# One thread: the arrays are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.certificates import Promise
from annotator.core.ranking import auroc
from bench.certificates import share
from bench.effort_labelers import DATA, LABELERS, Corpus, read_corpus, suggestions
from bench.effort_policies import (
    Result,
    Seeded,
    World,
    breaks,
    by_confidence,
    by_score,
    least_certain_first,
    result_of,
    trusted,
    world_of,
)
from bench.effort_services import Served, differences, expected, served
from bench.evaluate_labelers import MAPS
from llm_labeler.backends import BackendError
from llm_labeler.server import CannotServe

THRESHOLD = 0.9
FEWEST_FIRST = 100


@dataclass(frozen=True, slots=True)
class Setting:
    """A corpus with what a labeler suggested in it."""

    corpus: Corpus
    labeler: str
    world: World

    @property
    def name(self) -> str:
        return f"{self.corpus.name} | {self.labeler}"

    @property
    def n_first(self) -> int:
        """How many decisions the first calibrator that is tested has."""
        return first_fit(len(self.world.found))


def first_fit(n_suggestions: int) -> int:
    found = FEWEST_FIRST
    while 2 * found <= n_suggestions / 20:
        found *= 2
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="where what labelers said is kept")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--corpus", nargs="+", choices=list(MAPS), default=list(MAPS))
    parser.add_argument("--labeler", nargs="+", choices=LABELERS, default=LABELERS)
    parser.add_argument("--target", type=float, nargs="+", default=[0.95, 0.9, 0.85])
    parser.add_argument("--delta", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--served", type=float, nargs="*", default=[], help="targets of runs by the services")
    parser.add_argument("--limit", type=int, help="the first so many notes of each corpus; spancat learns from all")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    settings = list(_settings(options))
    promises = [Promise(target, options.delta) for target in options.target]
    print(tell_labelers(settings))
    found = [gone_through(setting, promises, options.seeds) for setting in settings]
    print("\n" + tell_ways(found, promises) + "\n\n" + tell_tests(found))
    n_wrong = 0
    for target in options.served:
        for setting in settings:
            n_wrong += not is_served_alike(setting, Promise(target, options.delta))
    sys.exit(n_wrong > 0)


def _settings(options: argparse.Namespace) -> Iterator[Setting]:
    for name in options.corpus:
        if not (options.data / name).is_dir():
            print(f"passed over: {options.data / name} is not laid out here", file=sys.stderr)
            continue
        whole = read_corpus(options.data, name)
        corpus = replace(whole, notes=whole.notes[: options.limit])
        for labeler in options.labeler:
            try:
                found = suggestions(whole, labeler, corpus.notes, options.cache)
            except (BackendError, CannotServe, OSError) as error:
                print(f"passed over: {labeler}: {error}", file=sys.stderr)
                continue
            yield Setting(corpus, labeler, world_of(corpus.notes, found))


def tell_labelers(settings: Sequence[Setting]) -> str:
    rows = ["| data | labeler | notes | gold | suggestions | strict P/R | AUROC of the score | of them ≥ .9 | right |"]
    rows.append("|---" * 9 + "|")
    for setting in settings:
        world = setting.world
        n_right = sum(world.right)
        scores = [one.score for one in world.found]
        high = [is_right for score, is_right in zip(scores, world.right, strict=True) if score >= THRESHOLD]
        rows.append(
            f"| {setting.name} | {len(setting.corpus.notes)} | {world.n_gold:,} | {len(world.found):,}"
            f" | {_share(n_right / len(world.found))}/{_share(n_right / world.n_gold)}"
            f" | {_share(auroc(scores, world.right))} | {_share(len(high) / len(scores))}"
            f" | {_share(sum(high) / len(high)) if high else '-'} |"
        )
    return "\n".join(rows)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of each way, by seed: by its name, and of certificates by promise."""

    setting: Setting
    ways: Mapping[str, Sequence[Result]]
    ours: Mapping[Promise, Sequence[Result]]


def gone_through(setting: Setting, promises: Sequence[Promise], n_seeds: int) -> Found:
    world, n_first = setting.world, setting.n_first
    began = time.perf_counter()
    draws = [Seeded(world, seed) for seed in range(n_seeds)]
    ways = {
        "everything reviewed": [result_of(world, ())],
        f"raw score {THRESHOLD}": [by_score(world, THRESHOLD)],
        f"confidence {THRESHOLD}": [
            by_confidence(world, one.notes, n_first=n_first, threshold=THRESHOLD) for one in draws
        ],
    }
    for promise in promises:
        ways[f"least certain first, {promise.target}"] = [
            least_certain_first(world, one.batch(0)[1], target=promise.target) for one in draws[:1]
        ]
    ours = {promise: [trusted(world, one, promise=promise, n_first=n_first) for one in draws] for promise in promises}
    print(f"{setting.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return Found(setting, ways | {f"certificates, {each.target}": ours[each] for each in promises}, ours)


def tell_ways(found: Sequence[Found], promises: Sequence[Promise]) -> str:
    """The means over the seeds, and the share of seeds in which more of the accepted is wrong than promises allow."""
    rows = [
        "| data | labeler | way | P | R | decisions a gold span | actions | accepted unseen | right of these"
        f" | more wrong than {', '.join(str(each.target) for each in promises)} allow |",
        "|---" * 10 + "|",
    ]
    for each in found:
        world = each.setting.world
        for name, results in each.ways.items():
            unseen = [result.accepted for result in results]
            right = [mean(world.right[place] for place in places) for places in unseen if places]
            broken = [mean(breaks(world, places, promise) for places in unseen) for promise in promises]
            rows.append(
                f"| {each.setting.name} | {name} | {mean(one.n_right / one.n_delivered for one in results):.3f}"
                f" | {mean(one.n_right / world.n_gold for one in results):.3f}"
                f" | {mean(one.n_decisions for one in results) / world.n_gold:.2f}"
                f" | {mean(one.n_decisions + one.n_added for one in results) / world.n_gold:.2f}"
                f" | {mean(len(places) for places in unseen) / len(world.found):.3f}"
                f" | {f'{mean(right):.3f}' if right else '-'}"
                f" | {', '.join(_share(one) for one in broken) if right else '-'} |"
            )
    return "\n".join(rows)


def tell_tests(found: Sequence[Found]) -> str:
    """What the tests came to: means over the seeds, and how often anything false was certified."""
    rows = [
        "| data | labeler | target | first test after | oracle | certified in | region | audits | accepted unseen"
        " | of the oracle's | revoked in | false at any claim |",
        "|---" * 12 + "|",
    ]
    for each in found:
        world = each.setting.world
        for promise, results in each.ours.items():
            oracle, unseen = mean(one.oracle for one in results), mean(len(one.accepted) for one in results)
            sizes = [tested.size for one in results for tested in one.tests if tested.claims]
            certified = mean(any(tested.claims for tested in one.tests) for one in results)
            revoked = mean(any(tested.is_revoked for tested in one.tests) for one in results)
            audits = mean(sum(tested.n_audits for tested in one.tests) for one in results)
            rows.append(
                f"| {each.setting.name} | {promise.target} | {each.setting.n_first} | {oracle:,.0f}"
                f" | {_share(certified)} | {f'{mean(sizes):,.0f}' if sizes else '-'} | {audits:,.0f} | {unseen:,.0f}"
                f" | {_share(unseen / oracle) if oracle else '-'} | {_share(revoked)}"
                f" | {share(is_any_false(world, one, promise) for one in results)} |"
            )
    return "\n".join(rows)


def is_any_false(world: World, result: Result, promise: Promise) -> bool:
    """Whether any region that was ever claimed has more errors than the promise allows."""
    return any(
        tested.ladder is not None and breaks(world, tested.candidates[: tested.ladder.rungs[claim].size], promise)
        for tested in result.tests
        for claim in tested.claims
    )


def is_served_alike(setting: Setting, promise: Promise) -> bool:
    """Whether one run by the services says what the arithmetic says of the same order of notes and audits."""
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_served, (setting, promise))
    ours = trusted(setting.world, found.draws, promise=promise, n_first=setting.n_first)
    differ = differences(expected(setting.world, ours), found.said)
    last = found.said["batches"][-1] if found.said["batches"] else {"certificate": None, "audits": 0}
    print(
        f"\n{setting.name}, target {promise.target}, by the services in {time.perf_counter() - began:.0f} s:"
        f" {len(found.said['batches'])} batches, certificate (size, audited, wrong) {last['certificate']},"
        f" {len(found.said['accepted']):,} accepted unseen, {found.said['decisions']:,} decisions,"
        f" {found.said['added']:,} added; "
        + (f"differs from the arithmetic in {', '.join(differ)}" if differ else "all as the arithmetic says"),
        flush=True,
    )
    return not differ


def _served(setting: Setting, promise: Promise) -> Served:
    return served(setting.corpus, setting.world, promise, n_first=setting.n_first)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".removeprefix("0")


if __name__ == "__main__":
    main()
