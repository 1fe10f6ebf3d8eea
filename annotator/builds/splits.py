"""Train, dev and test: by patient, so that no part knows a patient of another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from annotator.builds.options import PARTS


def group_of(*, patient_id: str, external_id: str) -> str:
    """What stays together in one part: the patient's notes; a note without a patient is a group of its own."""
    return f"patient:{patient_id}" if patient_id else f"note:{external_id}"


def parts_of(*, groups: Iterable[str], shares: Sequence[int], seed: int) -> dict[str, str]:
    """The part of each group. Depends on the groups, the shares and the seed, not on the order they are given in.

    Groups are put in the order of sha256(seed, group) and cut by `shares` (per cent of the groups, in the order of
    PARTS). Each part with a share gets at least one group where there are enough for all.
    """
    ordered = sorted(set(groups), key=lambda group: (hashlib.sha256(f"{seed}\0{group}".encode()).digest(), group))
    found: dict[str, str] = {}
    reached = 0
    for part, size in zip(PARTS, _sizes(len(ordered), shares), strict=True):
        found.update(dict.fromkeys(ordered[reached : reached + size], part))
        reached += size
    return found


def _sizes(n_groups: int, shares: Sequence[int]) -> list[int]:
    """`n_groups` shared out by largest remainder, then one from the largest part for each part that got none."""
    sizes = [n_groups * share // 100 for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda part: (-(n_groups * shares[part] % 100), part))
    for part in by_remainder[: n_groups - sum(sizes)]:
        sizes[part] += 1
    wanted = [part for part, share in enumerate(shares) if share]
    if n_groups >= len(wanted):
        for part in wanted:
            if not sizes[part]:
                sizes[sizes.index(max(sizes))] -= 1
                sizes[part] = 1
    return sizes
