"""Train, dev and test: by patient, so that no part knows a patient of another."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from annotator.builds.options import PARTS

TEST = "test"


def group_of(*, patient_id: str, external_id: str) -> str:
    """What stays together in one part: the patient's notes; a note without a patient is a group of its own."""
    return f"patient:{patient_id}" if patient_id else f"note:{external_id}"


def group_digest(*, project: str, group: str) -> str:
    """What names a group where patients must not be named; `project` is its public id."""
    return hashlib.sha256(f"{project}\0{group}".encode()).hexdigest()


def split_groups(
    *,
    labels: Mapping[str, Collection[str]],
    shares: Sequence[int],
    seed: int,
    is_stratified: bool = False,
    locked: Collection[str] = (),
    together: Iterable[Collection[str]] = (),
) -> dict[str, str]:
    """The part of each group, a key of `labels`, which has the labels of its spans.

    `locked` groups are in test, whatever the shares are; the others are dealt by `shares`. Groups that stand together
    in a set of `together`, which has each group once, come into one part; where one of them is locked, the others have
    no part at all: they would tell the locked ones, or change what is locked.
    """
    found = {group: TEST for group in labels if group in locked}
    unit_of = {group: group for group in labels}
    for groups in together:
        known = sorted(group for group in groups if group in labels)
        unit_of.update(dict.fromkeys(known, known[0] if known else ""))
    barred = {unit_of[group] for group in found}
    units: dict[str, set[str]] = {}
    for group, unit in unit_of.items():
        if unit not in barred:
            units.setdefault(unit, set()).update(labels[group] if is_stratified else ())
    parts = parts_of(groups=units, shares=shares, seed=seed, labels=units if is_stratified else None)
    return found | {group: parts[unit] for group, unit in unit_of.items() if unit in parts}


def parts_of(
    *, groups: Iterable[str], shares: Sequence[int], seed: int, labels: Mapping[str, Collection[str]] | None = None
) -> dict[str, str]:
    """The part of each group. Depends on the groups, the shares and the seed, not on the order they are given in.

    Groups are put in the order of sha256(seed, group) and cut by `shares` (per cent of the groups, in the order of
    PARTS). Each part with a share gets at least one group where there are enough for all. With `labels` of the groups
    the parts are as large, and each label is spread over them by their sizes as evenly as can be.
    """
    ordered = sorted(set(groups), key=lambda group: (hashlib.sha256(f"{seed}\0{group}".encode()).digest(), group))
    sizes = _sizes(len(ordered), shares)
    if labels is not None:
        return _stratified(ordered, sizes, labels)
    found: dict[str, str] = {}
    reached = 0
    for part, size in zip(PARTS, sizes, strict=True):
        found.update(dict.fromkeys(ordered[reached : reached + size], part))
        reached += size
    return found


def _stratified(ordered: Sequence[str], sizes: Sequence[int], labels: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, algorithm 1), with parts that do not overflow: the
    label that fewest of the groups left have is dealt first, each of its groups to the part that lacks most of it.
    """
    n_left = Counter(label for group in ordered for label in labels[group])
    # How many groups with the label a part still wants, times the number of all groups: whole numbers.
    wanted = {label: [n * size for size in sizes] for label, n in n_left.items()}
    room = list(sizes)
    found: dict[str, str] = {}

    def place(group: str, lack: Sequence[int]) -> None:
        part = max((part for part in range(len(room)) if room[part]), key=lambda part: (lack[part], room[part], -part))
        found[group] = PARTS[part]
        room[part] -= 1
        for label in labels[group]:
            n_left[label] -= 1
            wanted[label][part] -= len(ordered)

    while any(n_left.values()):
        rarest = min((n, label) for label, n in n_left.items() if n)[1]
        for group in ordered:
            if group not in found and rarest in labels[group]:
                place(group, wanted[rarest])
    for group in ordered:
        if group not in found:
            place(group, room)
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
