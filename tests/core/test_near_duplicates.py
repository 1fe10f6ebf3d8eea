"""MinHash of notes: what is nearly alike is found, and what is not is not."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotator.builds.twins import NO_TWINS, find_twins
from annotator.core.near_duplicates import N_BANDS, N_HASHES, MinHash, similar_pairs, word_runs


def note(seed: int, n_words: int = 200) -> list[str]:
    words = random.Random(seed)
    return [f"w{words.randrange(5000)}" for _ in range(n_words)]


def pairs_of(*texts: str) -> set[tuple[int, int]]:
    minhash = MinHash()
    signatures = np.stack([minhash.signature(text) for text in texts])
    return {(one, other) for band in range(N_BANDS) for one, other in similar_pairs(signatures, band).tolist()}


def test_runs_are_of_five_words_whatever_their_case_and_what_stands_between() -> None:
    assert word_runs("A b, c.\nD e F") == {"a b c d e", "b c d e f"}
    assert word_runs("Two words") == {"two words"}
    assert word_runs("…") == {""}


def test_the_share_of_equal_hashes_estimates_the_share_of_common_runs() -> None:
    minhash = MinHash()
    for n_changed in (0, 4, 12, 40):
        words = note(1, 400)
        other = [*words[:-n_changed], *note(2, n_changed)] if n_changed else words
        one, two = word_runs(" ".join(words)), word_runs(" ".join(other))
        truth = len(one & two) / len(one | two)
        found = (minhash.signature(" ".join(words)) == minhash.signature(" ".join(other))).mean()
        assert abs(found - truth) < 0.15


def test_copies_with_some_words_changed_are_found_and_others_are_not() -> None:
    words = note(1)
    copy = [*words[:190], *note(2, 10)]
    assert pairs_of(" ".join(words), " ".join(note(3)), " ".join(copy)) == {(0, 2)}


@given(st.text(max_size=60))
def test_a_text_is_its_own_near_duplicate(text: str) -> None:
    assert pairs_of(text, text) == {(0, 1)}


def test_a_signature_is_the_same_on_every_machine() -> None:
    signature = MinHash().signature("No chest pain. Diabetes, on metformin 500 mg twice daily.")
    assert signature.shape == (N_HASHES,)
    assert signature[:3].tolist() == [768248308, 1348307007, 977335778]


def test_groups_that_share_a_note_are_one_cluster_and_a_group_with_itself_is_none(tmp_path: Path) -> None:
    a, b, c = (" ".join(note(seed)) for seed in (1, 2, 3))
    found = find_twins(texts=[a, a, b, b, c, a + " end"], groups=["p1", "p1", "p2", "p3", "p4", "p3"], folder=tmp_path)
    assert found.clusters == (("p1", "p2", "p3"),)
    assert found.n_notes == 5
    assert find_twins(texts=[a, a, b], groups=["p1", "p1", "p2"], folder=tmp_path) == NO_TWINS
    assert list(tmp_path.iterdir()) == []
