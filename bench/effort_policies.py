"""What each way to use suggestions takes of people and gives, where the truth is known, for `bench/effort.py`.

The reviewer is an oracle: a right suggestion is accepted; a wrong one becomes the gold span that it overlaps, if
nothing else has it, or is rejected; what no suggestion became is added, but only in notes that a person reads. What was
accepted unseen is never looked at again. Services and arithmetic go by the same rules, so that they can be held against
each other: `trusted` is the protocol of docs/certificates.md on the arithmetic of `annotator.core`, and everything
random in it comes by `Draws`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, inf, log
from pathlib import Path
from typing import Protocol

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.calibration import FIRST_FIT, Calibration, Case, NotEnoughCases, fit_calibration
from annotator.core.certificates import Ladder, Promise, claimed
from annotator.core.matching import Labelled
from annotator.core.planning import N_DRAWS, audits_needed, fewest_candidates, go_on, plan_ladder
from annotator.core.watch import doubts_in_batch
from bench.certificate_worlds import oracle_size, passes_at
from bench.effort_labelers import Suggested
from llm_labeler.gold import GoldNote

# What a project has unless its leads say otherwise, and how many audits a look waits for.
WATCH_PERCENT, LOOK_EVERY = 5, 10


@dataclass(frozen=True, slots=True)
class World:
    """The suggestions of all notes, in the order of notes and text; by place: the number of its note, whether it is
    right, and the gold span that a wrong one becomes. `missed`: by note, the gold spans that no suggestion becomes.
    """

    found: Sequence[Suggested]
    note_of: Sequence[int]
    right: Sequence[bool]
    becomes: Sequence[Labelled | None]
    missed: Sequence[Sequence[Labelled]]
    n_gold: int


def world_of(notes: Sequence[GoldNote], suggested: Mapping[str, Sequence[Suggested]]) -> World:
    """The world of these notes. Of suggestions equal in span and label the first counts."""
    found: list[Suggested] = []
    note_of: list[int] = []
    right: list[bool] = []
    becomes: list[Labelled | None] = []
    missed = []
    for number, note in enumerate(notes):
        distinct = {Labelled(one.span, one.label): one for one in reversed(suggested[note.name])}
        here = sorted(distinct, key=lambda one: (one.span, one.label))
        left = [one for one in note.gold if one not in distinct]
        for one in here:
            is_right = one in note.gold
            target = None if is_right else next((gold for gold in left if gold.span.overlaps(one.span)), None)
            if target:
                left.remove(target)
            found.append(distinct[one])
            note_of.append(number)
            right.append(is_right)
            becomes.append(target)
        missed.append(left)
    return World(found, note_of, right, becomes, missed, sum(len(note.gold) for note in notes))


@dataclass(frozen=True, slots=True)
class Tested:
    """A batch that was planned: its regions, those claimed in their order, and of the last claim the audits and the
    wrong ones inside when it was made; `n_audits` in all. No rung: nothing was to be gained.
    """

    candidates: tuple[int, ...]
    confidences: tuple[float, ...]
    ladder: Ladder | None
    claims: tuple[int, ...] = ()
    n_audits: int = 0
    n_inside: int = 0
    n_wrong: int = 0
    is_revoked: bool = False

    @property
    def size(self) -> int:
        return self.ladder.rungs[self.claims[-1]].size if self.ladder and self.claims else 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a policy. `accepted`: the suggestions that nobody decided, by place."""

    accepted: frozenset[int]
    n_decisions: int
    n_added: int
    n_delivered: int
    n_right: int
    calibration: Calibration | None = None
    tests: tuple[Tested, ...] = ()
    oracle: int = 0


def result_of(world: World, accepted: Collection[int]) -> Result:
    """The result where people decide all but the accepted, and read the notes that have any of the others, or none."""
    unseen = frozenset(accepted)
    has_some = set(world.note_of)
    read = {note for place, note in enumerate(world.note_of) if place not in unseen}
    read |= set(range(len(world.missed))) - has_some
    n_added = sum(len(world.missed[note]) for note in read)
    n_right = n_added
    n_delivered = n_added
    for place, is_right in enumerate(world.right):
        is_kept = is_right or (place not in unseen and world.becomes[place] is not None)
        n_right += is_kept
        n_delivered += is_kept or place in unseen
    return Result(unseen, len(world.found) - len(unseen), n_added, n_delivered, n_right)


def breaks(world: World, accepted: Collection[int], promise: Promise) -> bool:
    """Whether more of the accepted are wrong than the promise allows."""
    return sum(not world.right[place] for place in accepted) > promise.allowed(len(accepted))


def by_score(world: World, threshold: float) -> Result:
    """Accepted is what the labeler itself scores so high."""
    return result_of(world, [place for place in _placed(world) if world.found[place].score >= threshold])


def by_confidence(world: World, notes: Sequence[int], *, n_first: int, threshold: float) -> Result:
    """Accepted is what is so confident by the calibrator of the first decisions, of what is not decided then."""
    stream = _stream(world, notes)
    calibration = _fitted(world, stream[:n_first])
    if calibration is None:
        return result_of(world, ())
    left = set(_placed(world)).difference(stream[:n_first])
    confident = [place for place in left if _confidence(world, calibration, place) >= threshold]
    return replace(result_of(world, confident), calibration=calibration)


def least_certain_first(world: World, ties: Mapping[int, float], *, target: float) -> Result:
    """People decide the least certain, whatever its note, until the calibrator, fitted again whenever the application
    would, expects the share `target` of all others to be right: these are accepted.
    """
    decided: list[int] = []
    left = sorted(range(len(world.found)), key=lambda place: (world.found[place].score, ties[place]), reverse=True)
    due, calibration, expected = FIRST_FIT, None, 0.0
    confident: dict[int, float] = {}
    while left:
        if len(decided) >= due:
            due *= 2
            calibration = _fitted(world, decided) or calibration
            if calibration:
                confident = {place: _confidence(world, calibration, place) for place in left}
                left.sort(key=lambda place: (confident[place], ties[place]), reverse=True)
                expected = sum(confident.values())
        if calibration and expected >= target * len(left):
            break
        decided.append(left.pop())
        expected -= confident.get(decided[-1], 0.0)
    return replace(result_of(world, set(left).intersection(_placed(world))), calibration=calibration)


class Draws(Protocol):
    """What chance decides: the order in which notes come, and of each batch that is planned the seed of its plan, the
    order of equal confidences, and the keys, by the suggestion's place.
    """

    @property
    def notes(self) -> Sequence[int]: ...

    def batch(self, number: int) -> tuple[int, Mapping[int, float], Mapping[int, float]]: ...


@dataclass(frozen=True, slots=True)
class Seeded:
    """Draws of one seed."""

    world: World
    seed: int
    notes: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        notes = list(range(len(self.world.missed)))
        random.Random(f"notes {self.seed}").shuffle(notes)
        object.__setattr__(self, "notes", notes)

    def batch(self, number: int) -> tuple[int, Mapping[int, float], Mapping[int, float]]:
        chance = random.Random(f"batch {number} {self.seed}")
        places = range(len(self.world.found))
        ties = {place: chance.random() for place in places}
        return chance.randrange(2**31), ties, {place: chance.random() for place in places}


def trusted(world: World, draws: Draws, *, promise: Promise, n_first: int) -> Result:
    """The application's way. A lead sets the target once `n_first` suggestions are decided, note after note. With each
    fit, the next one at twice as many decisions, a batch is planned and tested, until a certificate stands; what it
    does not cover, people decide.
    """
    stream = _stream(world, draws.notes)
    exact = set(_placed(world))
    asked: set[int] = set()  # as audits: never fitted on
    tests: list[Tested] = []
    first: Calibration | None = None
    oracle, due = 0, n_first

    def result(accepted: Collection[int]) -> Result:
        return replace(result_of(world, accepted), calibration=first, tests=tuple(tests), oracle=oracle)

    while True:
        decided = [place for place in stream if place not in asked][:due]
        if len(decided) < due:
            return result(())
        due *= 2
        calibration = _fitted(world, decided)
        undecided = exact.difference(decided, asked)
        if calibration is None or len(undecided) < fewest_candidates(promise):
            continue
        first = first or calibration
        seed, ties, keys = draws.batch(len(tests))
        confidence = {place: _confidence(world, calibration, place) for place in undecided}
        ranked = sorted(undecided, key=lambda place: (-confidence[place], ties[place]))
        wrong = np.array([not world.right[place] for place in ranked])
        oracle = oracle if tests else oracle_size(wrong, promise)
        ladder = _planned(world, calibration, ranked, promise, seed)
        confidences = tuple(confidence[place] for place in ranked)
        if ladder is None:
            tests.append(Tested(tuple(ranked), confidences, None))
            continue
        order = np.argsort([keys[place] for place in ranked[: ladder.largest]])
        tested, seen = _tested(ranked, confidences, wrong, ladder, order)
        tests.append(tested)
        asked.update(ranked[rank] for rank in seen)
        if tested.size and not tested.is_revoked:
            return result(set(ranked[: tested.size]).difference(ranked[rank] for rank in seen))


def _planned(
    world: World, calibration: Calibration, ranked: Sequence[int], promise: Promise, seed: int
) -> Ladder | None:
    """The ladder; None where the calibrator expects nothing to be gained."""
    errors = calibration.draws(
        label=[world.found[place].label for place in ranked],
        scores=[world.found[place].score for place in ranked],
        n_draws=N_DRAWS,
        seed=seed,
    )
    costs = audits_needed(promise=promise, mean_errors=errors, n_suggestions=len(ranked))
    return plan_ladder(promise=promise, mean_errors=errors) if costs.chance else None


def _tested(
    ranked: Sequence[int], confidences: tuple[float, ...], wrong: np.ndarray, ladder: Ladder, order: np.ndarray
) -> tuple[Tested, list[int]]:
    """The audits in the order of keys (`order`, of ranks from 0), a look after every LOOK_EVERY, until the batch is
    settled, and those of watching; what came of it, and the ranks that people decided.
    """
    promise = ladder.promise
    n, x, passed_at = passes_at(ladder, order, wrong)
    claims: list[int] = []
    n_inside = n_wrong = done = 0

    def tested(n_audits: int, *, is_revoked: bool = False) -> Tested:
        return Tested(tuple(ranked), confidences, ladder, tuple(claims), n_audits, n_inside, n_wrong, is_revoked)

    while True:
        done = min(done + LOOK_EVERY, len(order))
        passed = {index for index, at in enumerate(passed_at) if at is not None and at <= done}
        found = claimed(ladder, passed)
        n_now, x_now = [each[done - 1] for each in n], [each[done - 1] for each in x]
        if claims and _doubt(wrong, order[:done], ladder, claims, n_inside) >= -log(promise.delta):
            return tested(done, is_revoked=True), [int(rank) for rank in order[:done]]
        if found is not None and (not claims or claims[-1] < found):
            claims.append(found)
            n_inside, n_wrong = int(n_now[found]), int(x_now[found])
        outlook = go_on(ladder=ladder, passed=passed, n_audited=n_now, n_wrong=x_now)
        if not outlook.is_worth_it or (found is None and _is_hopeless(ladder, x_now)):
            break
    if not claims:
        return tested(done), [int(rank) for rank in order[:done]]
    size = ladder.rungs[claims[-1]].size
    seen = [int(rank) for rank in order[:done]]
    rest = [int(rank) for rank in order[done:] if rank < size]
    n_watched = n_inside + ceil((size - n_inside) * WATCH_PERCENT / 100)
    rest = rest[: max(n_watched - int(n_now[claims[-1]]), 0)]
    for first in range(0, len(rest), LOOK_EVERY):
        seen += rest[first : first + LOOK_EVERY]
        if _doubt(wrong, seen, ladder, claims, n_inside) >= -log(promise.delta):
            return tested(len(seen), is_revoked=True), seen
    return tested(len(seen)), seen


def _doubt(wrong: np.ndarray, seen: Iterable[int], ladder: Ladder, claims: Sequence[int], n_inside: int) -> float:
    """What audits since the last claim say against it, as `routing.watching.doubt_of` counts them."""
    size = ladder.rungs[claims[-1]].size
    inside = [bool(wrong[rank]) for rank in seen if rank < size]
    n_allowed = ladder.promise.allowed(size) - sum(inside[:n_inside])
    if n_allowed < 0:
        return inf
    found = doubts_in_batch(inside[n_inside:], size=size - n_inside, n_allowed=n_allowed)
    return max(max(found, default=-inf) - (len(claims) + 1) * log(2), 0.0)


def _is_hopeless(ladder: Ladder, n_wrong: Sequence[int]) -> bool:
    """Whether the first rung of every chain has shown as many errors as break the promise."""
    first: dict[str, int] = {}
    for index, rung in enumerate(ladder.rungs):
        first.setdefault(rung.chain, index)
    return all(n_wrong[index] >= ladder.promise.breaking(ladder.rungs[index].size) for index in first.values())


def _stream(world: World, notes: Sequence[int]) -> list[int]:
    """All suggestions in the order in which they are read, note after note."""
    by_note: dict[int, list[int]] = {}
    for place, note in enumerate(world.note_of):
        by_note.setdefault(note, []).append(place)
    return [place for note in notes for place in by_note.get(note, [])]


def _placed(world: World) -> list[int]:
    """What may be accepted unseen at all: what stands in its note word for word."""
    return [place for place, one in enumerate(world.found) if one.is_exact]


def _fitted(world: World, decided: Sequence[int]) -> Calibration | None:
    cases = [
        Case(world.found[place].label, world.found[place].score, str(world.note_of[place]), world.right[place])
        for place in decided
    ]
    try:
        return fit_calibration(cases)
    except NotEnoughCases:
        return None


def _confidence(world: World, calibration: Calibration, place: int) -> float:
    return calibration.confidence(label=world.found[place].label, score=world.found[place].score)
