"""Who of several readers reads which notes of a round: drawn by a seed, so that the same question has the same answer.

Readers are numbers 0..n-1 here, and a note is read by `n_readers` different ones of them.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations


class CannotAssign(ValueError):
    """The readers cannot read all the notes as asked; the message has the numbers."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a draw looks at: notes of one `stratum` are shared out in proportion, notes of one `patient` stay together.

    An empty `patient` is nobody's.
    """

    id: int
    stratum: str = ""
    patient: str = ""


def workloads(*, n_notes: int, n_readers: int, asked: Sequence[int | None], seed: int) -> list[int]:
    """How many notes each reader reads, `n_readers * n_notes` in all; None asks for an equal share of what is left.

    Where everybody asks for a number, and for more than there is in all, the numbers are kept in proportion. Numbers
    and equal shares differ by one at most from what they should be; the seed says for whom. Raises CannotAssign.
    """
    if len(asked) < n_readers:
        raise CannotAssign(
            f"{n_readers} different people are to read each note, and the round has {len(asked)}: "
            "add readers, or have each note read by fewer"
        )
    total = n_notes * n_readers
    most = [n_notes if number is None else min(number, n_notes) for number in asked]
    if sum(most) < total:
        raise CannotAssign(
            f"{n_notes:,} notes × {n_readers} readers are {total:,} readings, and these readers take {sum(most):,}: "
            "add readers, raise their numbers, or take fewer notes"
        )
    fixed = sum(number for number, wanted in zip(most, asked, strict=True) if wanted is not None)
    if None in asked and fixed > total:
        raise CannotAssign(
            f"the numbers asked for make {fixed:,} readings, and there are {total:,}: nothing is left to share equally"
        )
    rng = random.Random(seed)  # noqa: S311
    if None not in asked:
        return _proportional(total, most, rng)
    equal = [place for place, wanted in enumerate(asked) if wanted is None]
    shares = _proportional(total - fixed, [n_notes] * len(equal), rng)
    found = list(most)
    for place, share in zip(equal, shares, strict=True):
        found[place] = share
    return found


def draw_readers(
    *,
    notes: Sequence[Note],
    loads: Sequence[int],
    n_readers: int,
    seed: int,
    tell: Callable[[int, int], None] = lambda n_done, n_total: None,
) -> list[tuple[int, ...]]:
    """The readers of each note, in the order of `notes`; each reader gets exactly the notes that `loads` says.

    Of those who may still take a note, in this order: whoever has had less than their part of its stratum, whoever
    knows the patient, whoever has shared the fewest notes with those who read it already, so that every pair of readers
    can be compared, and whoever has most left to take. Time grows with notes × readers × `n_readers`; `tell` hears at
    every thousandth note how far it is.
    """
    rng = random.Random(seed)  # noqa: S311
    order = _in_strata(notes, rng)
    n_in_stratum = Counter(note.stratum for note in notes)
    part = [load / max(len(notes), 1) for load in loads]
    left = list(loads)
    shared = [[0] * len(loads) for _ in loads]
    had: dict[str, list[int]] = defaultdict(lambda: [0] * len(loads))
    knows: dict[str, set[int]] = defaultdict(set)
    tie = list(range(len(loads)))
    found: list[tuple[int, ...]] = [()] * len(notes)
    for n_done, place in enumerate(order):
        if n_done % 1000 == 0:
            tell(n_done, len(notes))
        note = notes[place]
        in_stratum, known = had[note.stratum], knows[note.patient] if note.patient else set()
        n_here = n_in_stratum[note.stratum]
        rng.shuffle(tie)
        # Whoever has as many to take as there are notes has to take this one too.
        chosen = [reader for reader in tie if left[reader] == len(notes) - n_done]
        while len(chosen) < n_readers:
            chosen.append(
                min(
                    (reader for reader in tie if left[reader] and reader not in chosen),
                    key=lambda reader: (
                        in_stratum[reader] >= part[reader] * n_here,
                        reader not in known,
                        sum(shared[reader][other] / part[other] for other in chosen) / part[reader],
                        -left[reader] / part[reader],
                    ),
                )
            )
        for reader in chosen:
            left[reader] -= 1
            in_stratum[reader] += 1
        for one, other in combinations(chosen, 2):
            shared[one][other] += 1
            shared[other][one] += 1
        known.update(chosen)
        found[place] = tuple(chosen)
    return found


def one_of_each(drawn: Sequence[tuple[int, ...]], *, seed: int) -> list[int]:
    """One reader of each note, at random, and each reader about as often as their notes allow."""
    rng = random.Random(seed)  # noqa: S311
    n_notes = Counter(reader for readers in drawn for reader in readers)
    n_taken: Counter[int] = Counter()
    found = [0] * len(drawn)
    for place in rng.sample(range(len(drawn)), len(drawn)):
        readers = rng.sample(drawn[place], len(drawn[place]))
        found[place] = min(readers, key=lambda reader: n_taken[reader] / n_notes[reader])
        n_taken[found[place]] += 1
    return found


def _proportional(total: int, weights: Sequence[int], rng: random.Random) -> list[int]:
    """`total` in whole parts that are in proportion to the weights, none above its weight; `total` <= their sum."""
    whole = sum(weights) or 1
    parts = [total * weight // whole for weight in weights]
    open_places = [place for place, part in enumerate(parts) if part < weights[place]]
    rng.shuffle(open_places)
    for place in open_places[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _in_strata(notes: Sequence[Note], rng: random.Random) -> list[int]:
    """The places of the notes: stratum after stratum, patients at random within it, the notes of one side by side."""
    keys = {note.patient: rng.random() for note in notes if note.patient}
    strata = sorted({note.stratum for note in notes})
    rng.shuffle(strata)
    rank = {stratum: number for number, stratum in enumerate(strata)}
    alone = [rng.random() for _ in notes]
    return sorted(
        range(len(notes)),
        key=lambda place: (rank[notes[place].stratum], keys.get(notes[place].patient, alone[place]), place),
    )
