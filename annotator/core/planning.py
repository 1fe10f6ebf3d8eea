"""Which regions to test, how long to go on, and what a promise would cost: all before, or between, looks at audits.

Nothing here can make a certificate false: the ladder is fixed before an audit is read, and when to stop is free.
Numbers of audits are those of `core.certificates`; what is drawn comes from `Calibration.draws`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import TYPE_CHECKING, Any

from annotator.core.certificates import (
    FALLBACK,
    MAIN,
    Ladder,
    Promise,
    Rung,
    claimed,
    log_evidences,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

N_DRAWS = 24
_N_SIZES = 60
# The ladder, in shares of the size with the best prospects. Tuned on synthetic batches: bench/certificates.py.
_START, _UP, _DOWN, _LARGEST = 0.85, 1.15, 1.3, 3.0
_N_STRICT = 2
# No region is smaller: with fewer expected errors to find the evidence cannot become large, and little is won.
_FEWEST_ALLOWED, _SMALLEST_SHARE = 3.6, 0.03
# Going on: how many audits the calibrator's word is worth, the chances that are looked at, the weight of a failure.
_PSEUDO_AUDITS = 15.0
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_LOSS_WEIGHT = 0.2
_N_STEPS = 40


class TooFewCandidates(ValueError):
    """A batch is smaller than the smallest region that could be certified."""

    def __init__(self, n_candidates: int, n_wanted: int) -> None:
        super().__init__(f"{n_candidates} candidates, and at least {n_wanted} are wanted")
        self.n_candidates, self.n_wanted = n_candidates, n_wanted


@dataclass(frozen=True, slots=True)
class Outlook:
    """What going on promises: with `chance`, within `n_audits` more, the rung; it is worth it or not."""

    is_worth_it: bool
    index: int | None
    chance: float
    n_audits: int
    n_gained: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What a promise is expected to take of a batch, before anything is done.

    `chance` that it certifies anything much; of all candidates the share accepted unseen, and the share that people
    decide; `n_audits` in all and those within the region, which cost work that would not have been done otherwise.
    """

    size: int
    chance: float
    share_accepted: float
    share_human: float
    n_audits: int
    n_audits_inside: int


def fewest_candidates(promise: Promise) -> int:
    """The size of the smallest region that can be certified with that promise."""
    return int(_FEWEST_ALLOWED / promise.error) + 1


def plan_ladder(*, promise: Promise, mean_errors: Array) -> Ladder:
    """The ladder of a frozen batch. `mean_errors` `(n_draws, n_candidates)`: a draw's mean error of the best 1, 2, ….

    It begins some rungs below the size with the best prospects, in two chains: see `Ladder`. Raises TooFewCandidates.
    """
    n_candidates = mean_errors.shape[1]
    smallest = _smallest(promise, n_candidates)
    sizes, gains = _prospects(promise, mean_errors)
    start = max(_START * sizes[gains.mean(0).argmax()], smallest)
    up = [round(start)]
    while up[-1] < min(_LARGEST * start, n_candidates):
        up.append(min(round(start * _UP ** len(up)), n_candidates))
    down: list[int] = []
    while (size := round(start / _DOWN ** (len(down) + 1))) >= smallest:
        down.append(size)
    strict, fallback = down[:_N_STRICT], down[_N_STRICT:]
    chains = dict.fromkeys((*strict, *up), MAIN) | dict.fromkeys(fallback, FALLBACK)
    return Ladder(
        promise, tuple(Rung(chains[size], size, float(mean_errors[:, size - 1].mean())) for size in sorted(chains))
    )


def go_on(*, ladder: Ladder, passed: Collection[int], n_audited: Sequence[int], n_wrong: Sequence[int]) -> Outlook:
    """Whether more audits are worth what they cost, by rung so far.

    Before a first claim they cost nothing, since what is not claimed is reviewed anyway. After it those within the
    claimed region do: they go on while for a larger rung, and a number of audits, what it would add is expected to be
    more. Each rung's error rate has the beta law of its audits and of the calibrator's word; an uncertain success is
    weighed against a fifth of a failure's loss, since a person may stop on the way.
    """
    import numpy as np
    from scipy.special import betaincinv

    now = claimed(ladder, passed)
    n, x = np.array(n_audited, dtype=float), np.array(n_wrong, dtype=float)
    left = np.array([rung.size for rung in ladder.rungs]) - n
    if now is None:
        return Outlook(left[-1] > 0, None, 0.0, 0, 0)
    wanted = [
        index for index, rung in enumerate(ladder.rungs) if index not in passed and _is_ahead(ladder, now, rung.chain)
    ]
    if not wanted or not left[-1]:
        return Outlook(False, None, 0.0, 0, 0)
    expected = np.array([rung.expected_error for rung in ladder.rungs])
    chances = np.array(_QUANTILES)
    a = (x + _PSEUDO_AUDITS * expected)[wanted]
    b = (n - x + _PSEUDO_AUDITS * (1 - expected))[wanted]
    rates = betaincinv(a[:, None], b[:, None], chances)
    # What no number of audits reaches, or has nothing left to audit, is worth nothing.
    with np.errstate(all="ignore"):
        # A rung counts after those before it, so it wants the most that any of them does, in audits of the stream.
        shares = left[wanted] / left[-1]
        stream = _more_audits(ladder, wanted, n[wanted], x[wanted], rates) / shares[:, None]
        for chain in (MAIN, FALLBACK):
            of_chain = [place for place, index in enumerate(wanted) if ladder.rungs[index].chain == chain]
            stream[of_chain] = np.maximum.accumulate(stream[of_chain], axis=0)
        gained = left[wanted] - left[now]
        lost = stream * (left[now] / left[-1])
        value = chances * (gained[:, None] - stream * shares[:, None]) - _LOSS_WEIGHT * (1 - chances) * lost
        value[np.isnan(value) | (gained <= 0)[:, None]] = -inf
    place, at = np.unravel_index(value.argmax(), value.shape)
    if not value[place, at] > 0:
        return Outlook(False, None, 0.0, 0, 0)
    return Outlook(True, wanted[place], float(chances[at]), int(np.ceil(stream[place, at])), int(gained[place]))


def _is_ahead(ladder: Ladder, now: int, chain: str) -> bool:
    """Whether rungs of that chain may still be larger than the claimed one."""
    return chain == MAIN or ladder.rungs[now].chain == FALLBACK


def _more_audits(ladder: Ladder, wanted: Sequence[int], n: Array, x: Array, rates: Array) -> Array:
    """How many more audits within each rung make it pass where they go wrong at these rates; inf where none do."""
    import numpy as np

    sizes = np.array([ladder.rungs[index].size for index in wanted], dtype=float)
    breaking = np.array([ladder.promise.breaking(ladder.rungs[index].size) for index in wanted])
    thresholds = np.array([ladder.threshold(index) for index in wanted])
    left = sizes - n
    more = left[:, None] * np.geomspace(0.002, 1.0, _N_STEPS)
    wrong = x[:, None, None] + rates[:, :, None] * more[:, None, :]
    found = log_evidences(
        (n[:, None] + more)[:, None, :],
        wrong,
        size=sizes[:, None, None],
        breaking=breaking[:, None, None],
        error=ladder.promise.error,
    )
    passes = found >= thresholds[:, None, None]
    first = passes.argmax(-1)
    return np.where(passes.any(-1), np.take_along_axis(more, first, -1), inf)


def _smallest(promise: Promise, n_candidates: int) -> int:
    wanted = fewest_candidates(promise)
    if n_candidates < wanted:
        raise TooFewCandidates(n_candidates, wanted)
    return max(wanted, round(_SMALLEST_SHARE * n_candidates))


def _prospects(promise: Promise, mean_errors: Array) -> tuple[Array, Array]:
    """Sizes, and for each draw and size what certifying it would accept unseen: 0 where it cannot."""
    import numpy as np

    n_candidates = mean_errors.shape[1]
    sizes = np.unique(np.geomspace(_smallest(promise, n_candidates), n_candidates, _N_SIZES).round().astype(int))
    needs = _needs(mean_errors[:, sizes - 1], sizes, promise, np.array(-log(promise.delta)))
    return sizes, np.maximum(sizes - needs, 0.0)


def _needs(rates: Array, sizes: Array, promise: Promise, thresholds: Array) -> Array:
    """About how many audits within each region make it pass, were that its error rate; inf where none do.

    What the evidence wants over what each audit brings (Wald 1945), and less as the region is used up.
    """
    import numpy as np

    limit = promise.error
    rates = np.clip(rates, 1e-9, 1 - 1e-9)
    brings = rates * np.log(rates / limit) + (1 - rates) * np.log((1 - rates) / (1 - limit))
    needs = (thresholds + 1) / np.maximum(brings, 1e-12)
    return np.where(rates < limit, needs / (1 + needs / sizes), inf)


def audits_needed(*, promise: Promise, mean_errors: Array, n_suggestions: int) -> Costs:
    """What the promise is expected to take of `n_suggestions`, of which the candidates are what is not yet decided.

    For each draw of the calibrator it takes the rung of the planned ladder that would win most by the plan's
    arithmetic, with the audits that it and those before it in its chain want; a draw without any audits the whole
    stream in vain. That is cautious: in bench/certificates.py (6,000 suggestions, .95) four fifths of what is then
    accepted, and twice the audits. Raises TooFewCandidates.
    """
    import numpy as np

    ladder = plan_ladder(promise=promise, mean_errors=mean_errors)
    sizes = np.array([rung.size for rung in ladder.rungs])
    thresholds = np.array([ladder.threshold(index) for index in range(len(sizes))])
    needs = _needs(mean_errors[:, sizes - 1], sizes, promise, thresholds)
    stream = needs * (ladder.largest / sizes)
    for chain in (MAIN, FALLBACK):
        of_chain = [index for index, rung in enumerate(ladder.rungs) if rung.chain == chain]
        stream[:, of_chain] = np.maximum.accumulate(stream[:, of_chain], axis=1)
    inside = stream * (sizes / ladder.largest)
    gains = np.where(inside < sizes, sizes - inside, 0.0)
    best = gains.argmax(1)
    rows = np.arange(len(gains))
    won = gains[rows, best] > 0
    accepted = float(gains[rows, best].mean()) / n_suggestions
    return Costs(
        size=round(float(sizes[best][won].mean())) if won.any() else 0,
        chance=float(won.mean()),
        share_accepted=accepted,
        share_human=1.0 - accepted,
        n_audits=round(float(np.where(won, stream[rows, best], ladder.largest).mean())),
        n_audits_inside=round(float(np.where(won, inside[rows, best], 0.0).mean())),
    )
