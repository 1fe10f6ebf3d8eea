"""Certificates for automatic acceptance: what is promised of a frozen region, and the evidence that audits give for it.

A region is the `size` most confident suggestions of a frozen batch. Audits come in the order of uniform keys that were
drawn at the freeze, so what has been audited is a simple random sample without replacement of every region at once,
however errors lie in notes. The evidence is a likelihood ratio against "as many errors as break the promise": a
martingale where there are that many, so that it rarely ever grows large (Ville 1939), whenever somebody looks and
whenever somebody stops. It is the prior-posterior ratio of Waudby-Smith and Ramdas (2020, "Confidence sequences for
sampling without replacement") against one hypothesis. `docs/certificates.md` has the argument in words.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, inf, log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

# The shares of delta that a ladder's main chain and its fall-back chain get.
MAIN, FALLBACK = "A", "B"
_MAIN_SHARE = Fraction(9, 10)
# The bets: beta laws of the error rate, cut off at the promised one, with means of about these shares of it.
_BET_SHARES = (0.2, 0.4, 0.6, 0.8)
_BET_WEIGHT = 60.0


@dataclass(frozen=True, slots=True)
class Promise:
    """With confidence 1 - `delta`, at least the share `target` of a region was right before any correction."""

    target: float
    delta: float = 0.05

    def __post_init__(self) -> None:
        for name, value in (("target", self.target), ("delta", self.delta)):
            if not 0 < value < 1:
                raise ValueError(f"{name} is {value}, and lies between 0 and 1")

    @property
    def error(self) -> float:
        """The largest share of errors that keeps the promise."""
        return 1.0 - self.target

    def allowed(self, size: int) -> int:
        """The most errors that a region of that size keeps the promise with: exact, 1,000 at .95 allow 50."""
        return floor((1 - Fraction(str(self.target))) * size)

    def breaking(self, size: int) -> int:
        """The fewest errors that break the promise."""
        return self.allowed(size) + 1


@dataclass(frozen=True, slots=True)
class Rung:
    """A region that may be claimed; `expected_error` is the calibrator's, and steers only when to stop."""

    chain: str
    size: int
    expected_error: float


@dataclass(frozen=True, slots=True)
class Ladder:
    """The regions that a batch's audits test, smallest first; fixed before any audit is read.

    In each chain a rung counts only after those before it, so that a chain costs its alpha once however many rungs it
    has: its first false rung must pass before any false claim, and which one that is, no audit can change.
    """

    promise: Promise
    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        sizes = [rung.size for rung in self.rungs]
        if not sizes or sizes != sorted(set(sizes)):
            raise ValueError("a ladder has rungs, each larger than the one before")

    @property
    def largest(self) -> int:
        """The size of the largest region: what is audited, in the order of keys."""
        return self.rungs[-1].size

    def alpha(self, chain: str) -> float:
        """The chance of a false claim that the chain may take; one that is alone takes all of delta."""
        if len({rung.chain for rung in self.rungs}) == 1:
            return self.promise.delta
        return self.promise.delta * float(_MAIN_SHARE if chain == MAIN else 1 - _MAIN_SHARE)

    def threshold(self, index: int) -> float:
        """The log evidence with which the rung passes, for good."""
        return -log(self.alpha(self.rungs[index].chain))


def log_evidence(*, n_audited: int, n_wrong: int, size: int, target: float) -> float:
    """Log of the evidence that a region keeps the promise, from the audits within it so far: -inf to inf."""
    promise = Promise(target)
    if not 0 <= n_wrong <= n_audited <= size:
        raise ValueError(f"{n_wrong} wrong of {n_audited} audited of {size}")
    found = log_evidences(n_audited, n_wrong, size=size, breaking=promise.breaking(size), error=promise.error)
    return float(found)


def log_evidences(n_audited: Any, n_wrong: Any, *, size: Any, breaking: Any, error: float) -> np.ndarray[Any, Any]:
    """The same for arrays of looks or regions, which are broadcast; what is expected of audits need not be whole.

    The mixture's chance of these labels over the chance that `breaking` errors among `size` give them. Nothing speaks
    for a region once it has shown that many errors, or a larger share of them: there, the chance under still more
    errors would be larger, and the ratio would prove nothing.
    """
    import numpy as np
    from scipy.special import betainc, betaln, gammaln

    n, x, k, m = (np.asarray(value, dtype=float) for value in (n_audited, n_wrong, size, breaking))
    says_nothing = (x >= m) | (m * n < x * k)
    is_sure = ~says_nothing & (k - n < m - x)

    def log_choose(of: Any, take: Any) -> Any:
        return gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1)

    # What comes of counts at which nothing is said, or all, is not looked at.
    with np.errstate(all="ignore"):
        b = _BET_WEIGHT / error
        bets = np.stack(
            [
                betaln(a + x, b + n - x)
                + np.log(betainc(a + x, b + n - x, error))
                - betaln(a, b)
                - np.log(betainc(a, b, error))
                for a in (share * _BET_WEIGHT for share in _BET_SHARES)
            ]
        )
        best = bets.max(axis=0)
        best = np.where(np.isfinite(best), best, 0.0)
        mixture = best + np.log(np.exp(bets - best).mean(axis=0))
        found = mixture - (log_choose(k - n, m - x) - log_choose(k, m))
    return np.where(says_nothing, -inf, np.where(is_sure, inf, found))


def fewest_audits(n_wrong: Any, *, size: int, promise: Promise, threshold: float) -> np.ndarray[Any, Any]:
    """With how many audits a region passes that shows so many wrong ones; `size` + 1 where no number does.

    Each right one adds to the evidence: while it says anything the region's rest is expected to be worse, were the
    promise broken, than any of the bets has it. So the first number is found by halving.
    """
    import numpy as np

    wrong = np.asarray(n_wrong)
    breaking = promise.breaking(size)
    # With a larger share of errors than breaks the promise nothing speaks for it yet; with as many nothing ever will.
    low = np.where(wrong < breaking, -(-wrong * size // breaking) - 1, size)
    high = np.full_like(wrong, size + 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        found = log_evidences(np.minimum(middle, size), wrong, size=size, breaking=breaking, error=promise.error)
        # Where nothing is left between the two, the middle is the lower one, which is known not to pass.
        passes = (found >= threshold) & (middle > low) & (middle <= size)
        low, high = np.where(passes, low, np.maximum(middle, low)), np.where(passes, middle, high)
    return high


def claimed(ladder: Ladder, passed: Collection[int]) -> int | None:
    """The index of the largest rung that may be claimed: it and all before it in its chain have passed. None yet."""
    found = None
    broken = set()
    for index, rung in enumerate(ladder.rungs):
        if index not in passed:
            broken.add(rung.chain)
        elif rung.chain not in broken:
            found = index
    return found


def unchecked_precision(*, n_audited: int, n_wrong: int, size: int, target: float) -> float | None:
    """Of a claimed region's suggestions that nobody looked at at least this share is right, at no extra risk.

    It lies below the promise. None where all were looked at.
    """
    n_left = Promise(target).allowed(size) - n_wrong
    return max(1.0 - max(n_left, 0) / (size - n_audited), 0.0) if size > n_audited else None


def delivered_precision(*, n_wrong: int, size: int, target: float, n_differing: int = 0) -> float:
    """Of a claimed region's suggestions at least this share is right once the audits' corrections are applied; but for
    the `n_differing` whose label is not what stands in their notes, since a second reader decided it.
    """
    n_unseen = max(Promise(target).allowed(size) - n_wrong, 0)
    return max(1.0 - (n_unseen + n_differing) / size, 0.0)


def lower_bound(*, n_audited: int, n_wrong: int, size: int, promise: Promise, alpha: float | None = None) -> float:
    """A precision that the region has at least, by its audits so far, with confidence 1 - alpha (delta unless given).

    It holds at all looks together: the same mixture, which is fixed by the promise, is held against every number of
    errors, and only the ratio to the true one would have to grow large. For one region named beforehand; where bounds
    of several are shown side by side, each takes its share of alpha. It reaches the promise where the evidence does.
    """
    if not 0 <= n_wrong <= n_audited <= size:
        raise ValueError(f"{n_wrong} wrong of {n_audited} audited of {size}")
    threshold = -log(promise.delta if alpha is None else alpha)
    # Below the sample's own share of errors nothing is excluded, above it the ratio grows with the errors.
    kept = n_wrong * size // n_audited if n_audited else size
    excluded = size - n_audited + n_wrong + 1
    while excluded - kept > 1:
        middle = (kept + excluded) // 2
        if log_evidences(n_audited, n_wrong, size=size, breaking=middle, error=promise.error) >= threshold:
            excluded = middle
        else:
            kept = middle
    return 1.0 - kept / size


def evidence_by_rung(ladder: Ladder, n_audited: Sequence[int], n_wrong: Sequence[int]) -> list[float]:
    """The log evidence of each rung, from the audits within it."""
    return [float(value) for value in ladder_evidence(ladder, n_audited, n_wrong)]


def ladder_evidence(ladder: Ladder, n_audited: Any, n_wrong: Any) -> np.ndarray[Any, Any]:
    """The log evidence by rung of arrays `(…, n_rungs)`: one row for each look."""
    sizes = [rung.size for rung in ladder.rungs]
    breaking = [ladder.promise.breaking(size) for size in sizes]
    return log_evidences(n_audited, n_wrong, size=sizes, breaking=breaking, error=ladder.promise.error)
