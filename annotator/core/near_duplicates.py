"""Notes that say nearly the same: MinHash (Broder 1997) over runs of five words, in bands (Leskovec et al. 2020, 3.4).

Two texts are near-duplicates where at least THRESHOLD of the runs of words that either has are in both, as estimated by
N_HASHES hashes, whose standard error there is .04. Pairs that are looked at share all hashes of a band: of those with
.8 in common one in 2,500 is missed, of those with .9 fewer than one in a million. Words are runs of letters and
digits, caseless; a text of fewer than five is one run.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RUN = 5
N_HASHES = 100
N_BANDS = 20
THRESHOLD = 0.8
_WORD = re.compile(r"\w+")
_SEED = 20240229


def word_runs(text: str) -> frozenset[str]:
    """The runs of five words of the text."""
    words = _WORD.findall(text.casefold())
    return frozenset(" ".join(words[first : first + RUN]) for first in range(max(len(words) - RUN, 0) + 1))


class MinHash:
    """The hashes that all signatures of one comparison are made with."""

    def __init__(self) -> None:
        import numpy as np

        random = np.random.Generator(np.random.PCG64(_SEED))
        self._factors = random.integers(1, 2**63, size=(N_HASHES, 1), dtype=np.uint64) | np.uint64(1)
        self._shifts = random.integers(0, 2**63, size=(N_HASHES, 1), dtype=np.uint64)

    def signature(self, text: str) -> NDArray[np.uint32]:
        """Shape `(N_HASHES,)`: of each hash the least value over the text's runs."""
        import numpy as np

        runs = word_runs(text)
        keys = np.fromiter((zlib.crc32(run.encode()) for run in runs), dtype=np.uint64, count=len(runs))
        return ((self._factors * keys + self._shifts) >> np.uint64(32)).min(axis=1).astype(np.uint32)


def similar_pairs(signatures: NDArray[np.uint32], band: int) -> NDArray[np.int64]:
    """Pairs of rows that share the band's hashes and are near-duplicates, shape `(n_pairs, 2)`.

    Of rows that share a band, each is compared with the first and with the one before: what is alike is found to be
    connected, not each pair of it.
    """
    import numpy as np

    width = N_HASHES // N_BANDS
    keys = np.zeros(len(signatures), dtype=np.uint64)
    for column in range(band * width, (band + 1) * width):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + signatures[:, column]
    order = np.argsort(keys, kind="stable")
    is_same = keys[order[1:]] == keys[order[:-1]]
    starts = np.maximum.accumulate(np.where(np.concatenate(([True], ~is_same)), np.arange(len(order)), 0))
    later = np.nonzero(is_same)[0] + 1
    pairs = np.concatenate(
        (np.stack((order[later - 1], order[later]), axis=1), np.stack((order[starts[later]], order[later]), axis=1))
    )
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    wanted = THRESHOLD * N_HASHES
    kept = [
        block[(signatures[block[:, 0]] == signatures[block[:, 1]]).sum(axis=1) >= wanted]
        for block in np.array_split(pairs, max(1, len(pairs) // 10_000))
    ]
    return np.concatenate(kept)
