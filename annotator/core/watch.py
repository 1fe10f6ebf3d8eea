"""Whether audits after the grant speak against a certificate: the evidence that its promise is broken.

Two nulls, since audits come in two ways. Those of new suggestions, which are drawn as they come, have a chance of being
wrong of at most 1 - target while the promise holds (`doubts`). Those of the certified batch's rest are drawn without
replacement, and that chance may rise above it though the promise holds (`doubts_in_batch`). Either is a nonnegative
supermartingale from 1 under its null, so that it ever reaches 1/delta with a chance of at most delta (Ville 1939),
whenever somebody looks. Plain Python: nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, exp, inf, lgamma, log, log1p

# The bets: that so much more than the promise allows is wrong, in equal parts; of what there is, where it is little.
DROPS = (0.03, 0.06, 0.12, 0.24)
# Half of the bets begin with the first audit, half at one that is drawn by a geometric law of this mean: what went well
# for long before it went wrong costs a late bet ln(2 / _CHANGE) of evidence, and not all that it would have lost.
_FROM_START, _CHANGE = 0.5, 1 / 500


def doubts(wrong: Iterable[bool], *, target: float) -> list[float]:
    """The log evidence against "at least `target` of what comes is right" after each audit, in the order of audits.

    For each bet and each audit at which it may begin, the likelihood ratio of a rate above 1 - target to that rate:
    where the chance of a wrong one, given what came before, is no larger, none of them is expected to grow. The
    mixture's weights are fixed and sum to 1, so it does not either. A bet that started anew at its lowest (CUSUM) would
    not have this bound: it raises a false alarm sooner or later.
    """
    bets = [(log(rate / (1 - target)), log((1 - rate) / target)) for rate in _rates(1 - target)]
    start = log(_FROM_START / len(bets))
    begun = [start] * len(bets)
    waiting = log(1 - _FROM_START)
    found = []
    for is_wrong in wrong:
        begun = [value + bet[0 if is_wrong else 1] for value, bet in zip(begun, bets, strict=True)]
        found.append(_log_sum([*begun, waiting]))
        joining = waiting + log(_CHANGE / len(bets))
        begun = [_log_sum((value, joining)) for value in begun]
        waiting += log1p(-_CHANGE)
    return found


def doubts_in_batch(wrong: Iterable[bool], *, size: int, n_allowed: int) -> list[float]:
    """The log evidence against "at most `n_allowed` of these `size` are wrong" after each audit, in random order.

    `size` and `n_allowed` are of what was not yet audited at the grant: a region's size and the errors it may have,
    less its audits and the wrong ones among them. The bets' chance of these labels over that which `n_allowed` errors
    give them; with fewer errors they are less likely still, where more are found than would be expected. Where all
    may be wrong nothing speaks against it.
    """
    if n_allowed < 0:
        raise ValueError(f"{n_allowed} allowed of {size}")
    rates = _rates(n_allowed / size) if n_allowed < size else ()
    found = []
    n = x = 0
    for is_wrong in wrong:
        n, x = n + 1, x + is_wrong
        if n > size:
            raise ValueError(f"{n} audits of {size}")
        if x > n_allowed:
            found.append(inf)
        elif x * (size + 1) < n_allowed * n or n - x > size - n_allowed or not rates:
            found.append(-inf)
        else:
            bets = _log_sum([x * log(rate) + (n - x) * log1p(-rate) for rate in rates]) - log(len(rates))
            found.append(bets - (_log_choose(size - n, n_allowed - x) - _log_choose(size, n_allowed)))
    return found


def revoked_at(found: Iterable[float], *, delta: float) -> int | None:
    """With which audit, counted from 1, the evidence revokes the certificate; None where it does not."""
    return next((number for number, value in enumerate(found, 1) if value >= -log(delta)), None)


def audits_to_detect(*, target: float, drop: float, delta: float, is_late: bool = False) -> int:
    """About how many audits reveal that precision is `drop` below `target`; `is_late`: after long having kept it.

    What the evidence needs over what the best bet wins by an audit (Wald 1945). Rounded up.
    """
    rate = 1 - target + drop
    if drop <= 0 or rate > 1:
        raise ValueError(f"a drop of {drop} below {target}")
    needed = -log(delta) + log(len(DROPS)) - log((1 - _FROM_START) * _CHANGE if is_late else _FROM_START)
    wins = max(rate * log(bet / (1 - target)) + (1 - rate) * log((1 - bet) / target) for bet in _rates(1 - target))
    return ceil(needed / wins) if wins > 0 else 0


def _rates(limit: float) -> tuple[float, ...]:
    """The error rates that are bet on: above the limit, and below 1."""
    room = 1 - limit
    return tuple(limit + (drop if drop < room / 2 else room * drop) for drop in DROPS)


def _log_sum(values: Iterable[float]) -> float:
    kept = list(values)
    best = max(kept)
    return best + log(sum(exp(value - best) for value in kept))


def _log_choose(of: int, take: int) -> float:
    return lgamma(of + 1) - lgamma(take + 1) - lgamma(of - take + 1)
