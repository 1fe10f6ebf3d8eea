"""Near-duplicates among the notes of a dataset: which patients share notes that say nearly the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.core.near_duplicates import N_BANDS, N_HASHES, MinHash, similar_pairs


@dataclass(frozen=True, slots=True)
class Twins:
    """Near-duplicates of different groups (`splits.group_of`): a cluster is the groups whose notes are alike, sorted,
    and a group stands in one cluster at most. `n_notes` are in any of them.
    """

    clusters: tuple[tuple[str, ...], ...]
    n_notes: int


NO_TWINS = Twins(clusters=(), n_notes=0)


def find_twins(*, texts: Iterable[str], groups: Sequence[str], folder: Path) -> Twins:
    """The near-duplicates among `texts`, of which each belongs to the group in its place.

    Of each text 400 bytes are kept, in a file without a name in `folder`; memory grows by some bytes a note.
    """
    import numpy as np

    if not groups:
        return NO_TWINS
    minhash = MinHash()
    joined: dict[str, str] = {}
    alike: set[int] = set()

    def root(group: str) -> str:
        while joined.get(group, group) != group:
            joined[group] = group = joined.get(joined[group], joined[group])
        return group

    with tempfile.TemporaryFile(dir=folder) as file:
        for text in texts:
            file.write(minhash.signature(text).tobytes())
        file.flush()
        signatures = np.memmap(file, dtype=np.uint32, mode="r", shape=(len(groups), N_HASHES))
        for band in range(N_BANDS):
            for one, other in similar_pairs(signatures, band).tolist():
                if groups[one] == groups[other]:
                    continue
                alike.update((one, other))
                first, second = sorted((root(groups[one]), root(groups[other])))
                joined[second] = joined.setdefault(first, first)
        del signatures
    clusters: dict[str, list[str]] = {}
    for group in joined:
        clusters.setdefault(root(group), []).append(group)
    return Twins(clusters=tuple(sorted(tuple(sorted(found)) for found in clusters.values())), n_notes=len(alike))
