"""Batches with known truth, for `bench/certificates.py`, and what the protocol makes of one.

Ordinary worlds: how likely each suggestion is right has a beta law; its score is .7 of the logit and noise. In a third
of them the suggestions of a note share an effect, in another the scores of four labels are shifted by -1 to 1, which
the calibrator does not know. The effect of a note is unknown to the score too ("unseen"), so that errors lie together,
or part of the logit that the score is made of ("seen"). Adversarial worlds: the ranking and the ladder of an ordinary
one, and errors laid so that regions are just too bad.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.calibration import Case, NotEnoughCases, fit_calibration
from annotator.core.certificates import Ladder, Promise, claimed, fewest_audits
from annotator.core.planning import N_DRAWS, TooFewCandidates, go_on, plan_ladder
from annotator.core.watch import doubts, doubts_in_batch, revoked_at

SHAPES = {"beta(3,1)": (3.0, 1.0), "beta(6,1)": (6.0, 1.0), "beta(4,.5)": (4.0, 0.5), "beta(8,.5)": (8.0, 0.5)}
ADVERSARIAL = ("flat", "cliff", "reversed")
NOISES = (0.5, 0.25)
KINDS = {"unseen": ("plain", "unseen", "labels"), "seen": ("plain", "seen", "labels")}
SPANS_A_NOTE = 20
N_FIT, JITTER = 300, 1.0
MOST_ADVERSARIAL_AUDITS = 4000
N_WATCHED, LATE, REVOCATION_DELTA = 1000, 500, 0.05
# Between looks at whether to go on, in audits, up to so many; then a hundredth of what has been done.
LOOK_EVERY = 10


@dataclass(frozen=True, slots=True)
class Batch:
    """Scores (logits) of all suggestions, whether each is right, and its note."""

    logits: np.ndarray
    right: np.ndarray
    notes: np.ndarray


@dataclass(frozen=True, slots=True)
class Frozen:
    """A batch at the freeze: its candidates' truth, most confident first, and the ladder, where one is planned."""

    wrong: np.ndarray
    ladder: Ladder | None


@dataclass(frozen=True, slots=True)
class Revocations:
    """Of a certificate that is true: with which later audit it is revoked, or None.

    `in_batch`: the rest of its region is audited. `of_new`: new suggestions that are as good as the region; `at_limit`:
    that are just as good as promised, the worst case. `after_five`, `after_ten`: that are 5 and 10 points worse than
    promised; and `late_…`: after LATE that were as good as the region.
    """

    in_batch: int | None
    of_new: int | None
    at_limit: int | None
    after_five: int | None
    after_ten: int | None
    late_five: int | None
    late_ten: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a world, in suggestions; `is_false` of the last claim, `is_any_false` of any ever."""

    world: str
    n: int
    oracle: int
    certified: int = 0
    audits: int = 0
    audits_inside: int = 0
    is_false: bool = False
    is_any_false: bool = False
    revocations: Revocations | None = None

    @property
    def net(self) -> int:
        return self.certified - self.audits_inside


def ordinary(rng: np.random.Generator, n: int, shape: tuple[float, float], noise: float, kind: str) -> Batch:
    chance = np.clip(rng.beta(*shape, n), 1e-12, 1 - 1e-12)
    logit = np.log(chance / (1 - chance))
    notes = np.arange(n) // SPANS_A_NOTE
    effect = rng.normal(0, 1, notes[-1] + 1)[notes]
    if kind == "seen":
        logit = logit + effect
    score = 0.7 * logit + rng.normal(0, noise, n)
    if kind == "unseen":
        logit = logit + effect
    if kind == "labels":
        score = score + np.linspace(-1, 1, 4)[rng.integers(0, 4, n)]
    return Batch(score, rng.random(n) < 1 / (1 + np.exp(-logit)), notes)


def freeze(rng: np.random.Generator, batch: Batch, promise: Promise) -> Frozen:
    """Fit on the decisions that were taken first, the most uncertain ones; plan on the rest."""
    uncertain_first = np.argsort(np.abs(batch.logits) + rng.normal(0, JITTER, len(batch.logits)))
    fitted, rest = uncertain_first[:N_FIT], uncertain_first[N_FIT:]
    scores = 1 / (1 + np.exp(-batch.logits))
    cases = [Case("", float(scores[i]), str(batch.notes[i]), bool(batch.right[i])) for i in fitted]
    order = rest[np.lexsort((rng.random(len(rest)), -scores[rest]))]
    wrong = ~batch.right[order]
    try:
        calibration = fit_calibration(cases)
        if calibration.pooled.slope <= 0:
            order = order[::-1]
        draws = calibration.draws(label="", scores=scores[order], n_draws=N_DRAWS, seed=int(rng.integers(1 << 31)))
        return Frozen(~batch.right[order], plan_ladder(promise=promise, mean_errors=draws))
    except (NotEnoughCases, TooFewCandidates):
        return Frozen(wrong, None)


def oracle_size(wrong: np.ndarray, promise: Promise) -> int:
    """The largest region of the frozen candidates that keeps the promise."""
    sizes = np.arange(1, len(wrong) + 1)
    kept = sizes[wrong.cumsum() <= np.floor(promise.error * sizes + 1e-9)]
    return int(kept[-1]) if len(kept) else 0


def adversarial_errors(kind: str, ladder: Ladder, n: int) -> np.ndarray:
    """Errors by rank. flat: every region has one too many. cliff: a clean core up to a rung in the middle of the main
    chain, errors alone until there is one too many, then flat. reversed: flat up to the planned start, then clean.
    """
    allowed = np.array([ladder.promise.allowed(size) for size in range(n + 1)])
    flat = np.diff(allowed + 1, prepend=0)[1:] > 0
    flat[0] = True
    main = [rung.size for rung in ladder.rungs if rung.chain == "A"]
    if kind == "flat":
        return flat
    if kind == "reversed":
        return flat & (np.arange(n) < main[min(3, len(main) - 1)])
    core = main[len(main) // 2]
    wrong = np.zeros(n, dtype=bool)
    n_wrong = 0
    for rank in range(core, n):
        wrong[rank] = n_wrong <= allowed[rank + 1]
        n_wrong += wrong[rank]
    return wrong


def follow(rng: np.random.Generator, frozen: Frozen, promise: Promise, *, world: str, n: int, oracle: int) -> Outcome:
    """Audit in the order of keys, every decision a look, until going on is worth nothing; and then to the end, to see
    whether any claim could ever have been false.
    """
    ladder = frozen.ladder
    if ladder is None:
        return Outcome(world, n, oracle)
    walk = Walk(rng, ladder, frozen.wrong)
    truth = frozen.wrong.cumsum()
    is_false = [bool(truth[rung.size - 1] > promise.allowed(rung.size)) for rung in ladder.rungs]
    stop = walk.stop()
    now = claimed(ladder, walk.passed(stop))
    any_false = walk.is_any_false(is_false)
    if now is None:
        return Outcome(world, n, oracle, audits=stop, is_any_false=any_false)
    inside = int(walk.n[now][stop - 1])
    watched = None if is_false[now] else watch(rng, walk, frozen.wrong, now, stop)
    return Outcome(world, n, oracle, ladder.rungs[now].size, stop, inside, is_false[now], any_false, watched)


def watch(rng: np.random.Generator, walk: Walk, wrong: np.ndarray, now: int, stop: int) -> Revocations:
    """What audits after the grant make of a true certificate."""
    promise, size = walk.ladder.promise, walk.ladder.rungs[now].size
    n, x = int(walk.n[now][stop - 1]), int(walk.x[now][stop - 1])
    rest = walk.ranks[stop:]
    rest = rest[rest < size][:N_WATCHED]
    in_batch = doubts_in_batch(wrong[rest].tolist(), size=size - n, n_allowed=promise.allowed(size) - x)
    own = float(wrong[:size].mean())

    def of_new(*rates: float) -> int | None:
        drawn = np.concatenate([rng.random(LATE if rate is not rates[-1] else N_WATCHED) < rate for rate in rates])
        at = revoked_at(doubts(drawn.tolist(), target=promise.target), delta=REVOCATION_DELTA)
        return None if at is None else at - (len(drawn) - N_WATCHED)

    five, ten = promise.error + 0.05, promise.error + 0.10
    return Revocations(
        revoked_at(in_batch, delta=REVOCATION_DELTA),
        of_new(own),
        of_new(promise.error),
        of_new(five),
        of_new(ten),
        of_new(own, five),
        of_new(own, ten),
    )


def passes_at(
    ladder: Ladder, ranks: np.ndarray, wrong: np.ndarray
) -> tuple[list[np.ndarray], list[np.ndarray], list[int | None]]:
    """By rung what was audited in it and wrong after each audit of these ranks, and the audit with which it passes."""
    numbers, errors, passes = [], [], []
    for index, rung in enumerate(ladder.rungs):
        within = ranks < rung.size
        n, x = within.cumsum(), (within & wrong[ranks]).cumsum()
        most = min(int(x[-1]), ladder.promise.breaking(rung.size))
        wanted = fewest_audits(
            np.arange(most + 1), size=rung.size, promise=ladder.promise, threshold=ladder.threshold(index)
        )
        passed = n >= wanted[np.minimum(x, most)]
        numbers.append(n)
        errors.append(x)
        passes.append(int(passed.argmax()) + 1 if passed.any() else None)
    return numbers, errors, passes


class Walk:
    """The audits of a batch in the order of keys, and when each rung passes."""

    def __init__(
        self, rng: np.random.Generator, ladder: Ladder, wrong: np.ndarray, n_audits: int | None = None
    ) -> None:
        self.ladder = ladder
        self.ranks = rng.permutation(ladder.largest)[:n_audits]
        self.length = len(self.ranks)
        self.n, self.x, self.passes_at = passes_at(ladder, self.ranks, wrong)

    def passed(self, n_audits: int) -> set[int]:
        return {index for index, at in enumerate(self.passes_at) if at is not None and at <= n_audits}

    def stop(self) -> int:
        """After how many audits the rule stops."""
        times = sorted(at for at in self.passes_at if at is not None)
        done = next((at for at in times if claimed(self.ladder, self.passed(at)) is not None), None)
        while done is not None and done < self.length:
            outlook = go_on(
                ladder=self.ladder,
                passed=self.passed(done),
                n_audited=[n[done - 1] for n in self.n],
                n_wrong=[x[done - 1] for x in self.x],
            )
            if not outlook.is_worth_it:
                return done
            done = min(done + max(LOOK_EVERY, done // 100), self.length)
        return self.length

    def is_any_false(self, is_false: list[bool]) -> bool:
        """Whether any claim at any look is false."""
        for at in sorted({at for at in self.passes_at if at is not None}):
            now = claimed(self.ladder, self.passed(at))
            if now is not None and is_false[now]:
                return True
        return False


def run_world(seed: int, index: int, n: int, promise: Promise, world: str, notes: str) -> Outcome:
    """One world, the same for the same seed and index; `world` is a shape, "ordinary" (all in turn), or adversarial."""
    rng = np.random.default_rng([seed, index])
    names = list(SHAPES)
    name = world if world in SHAPES else names[index % len(names)]
    turn = index if world in SHAPES else index // len(names)
    batch = ordinary(rng, n, SHAPES[name], NOISES[turn % 2], KINDS[notes][turn // 2 % 3])
    frozen = freeze(rng, batch, promise)
    if world not in ADVERSARIAL:
        return follow(rng, frozen, promise, world=name, n=n, oracle=oracle_size(frozen.wrong, promise))
    if frozen.ladder is None:
        return Outcome(world, n, 0)
    wrong = adversarial_errors(world, frozen.ladder, len(frozen.wrong))
    walk = Walk(rng, frozen.ladder, wrong, MOST_ADVERSARIAL_AUDITS)
    truth = wrong.cumsum()
    is_false = [bool(truth[rung.size - 1] > promise.allowed(rung.size)) for rung in frozen.ladder.rungs]
    return Outcome(world, n, 0, audits=walk.length, is_any_false=walk.is_any_false(is_false))
