from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.builds.options import PARTS, BuildOptions, OptionError
from annotator.builds.splits import group_digest, group_of, parts_of, split_groups
from annotator.core.chunks import WINDOW

SHARES = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(
    lambda cut: (min(cut), max(cut) - min(cut), 100 - max(cut))
)


@given(st.sets(st.text(max_size=5), max_size=60), SHARES, st.integers(0, 2**31 - 1))
def test_every_group_has_one_part_and_every_share_its_group(
    groups: set[str], shares: tuple[int, int, int], seed: int
) -> None:
    found = parts_of(groups=groups, shares=shares, seed=seed)
    sizes = Counter(found.values())
    assert found.keys() == groups
    for part, share in zip(PARTS, shares, strict=True):
        if not share:
            assert not sizes[part]
        elif len(groups) >= 3:
            assert sizes[part] >= 1


@given(st.lists(st.text(max_size=5), max_size=30), st.randoms())
def test_the_order_and_repeats_of_groups_do_not_matter(groups: list[str], random) -> None:
    shuffled = groups * 2
    random.shuffle(shuffled)
    first, second = (parts_of(groups=given, shares=(80, 10, 10), seed=7) for given in (groups, shuffled))
    assert first == second


def test_shares_are_kept_to_the_nearest_group() -> None:
    sizes = Counter(parts_of(groups=map(str, range(1913)), shares=(80, 10, 10), seed=0).values())
    assert sizes == {"train": 1531, "dev": 191, "test": 191}


def test_another_seed_is_another_split() -> None:
    groups = [str(number) for number in range(50)]
    assert parts_of(groups=groups, shares=(80, 10, 10), seed=0) != parts_of(groups=groups, shares=(80, 10, 10), seed=1)


def test_a_note_without_patient_is_a_group_that_no_patient_can_share() -> None:
    assert group_of(patient_id="", external_id="p1") != group_of(patient_id="p1", external_id="x")
    assert group_of(patient_id="p1", external_id="x") == group_of(patient_id="p1", external_id="y")


@pytest.mark.parametrize(
    "wrong",
    [{"shares": (80, 10, 11)}, {"shares": (110, -5, -5)}, {"window": 199}, {"window": 8001}, {"seed": -1}],
)
def test_options_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="wanted"):
        BuildOptions(**wrong)  # type: ignore[arg-type]


def test_windows_are_those_that_the_labeler_reads() -> None:
    assert BuildOptions().window == WINDOW


def test_options_survive_the_database() -> None:
    options = BuildOptions(seed=3, shares=(60, 0, 40), window=500, annotator="abc")
    assert BuildOptions.from_json(options.to_json()) == options


@given(st.dictionaries(st.text(max_size=4), st.sets(st.sampled_from("ABC")), max_size=40), SHARES, st.integers(0, 1000))
def test_stratified_parts_are_as_large_and_do_not_depend_on_the_order(
    labels: dict[str, set[str]], shares: tuple[int, int, int], seed: int
) -> None:
    plain = parts_of(groups=labels, shares=shares, seed=seed)
    spread = parts_of(groups=labels, shares=shares, seed=seed, labels=labels)
    assert Counter(plain.values()) == Counter(spread.values())
    assert spread == parts_of(groups=reversed(list(labels)), shares=shares, seed=seed, labels=labels)


def test_a_rare_label_is_spread_over_all_parts_by_their_shares() -> None:
    labels = {f"p{number}": {"Common"} | ({"Rare"} if number < 10 else set()) for number in range(100)}
    for seed in range(20):
        parts = parts_of(groups=labels, shares=(80, 10, 10), seed=seed, labels=labels)
        assert Counter(parts[f"p{number}"] for number in range(10)) == {"train": 8, "dev": 1, "test": 1}


def test_locked_groups_stay_in_test_and_the_others_are_dealt_by_the_shares() -> None:
    labels = {f"p{number}": () for number in range(12)}
    for seed in range(5):
        parts = split_groups(labels=labels, shares=(90, 10, 0), seed=seed, locked={"p3", "p7", "gone"})
        assert {group for group, part in parts.items() if part == "test"} == {"p3", "p7"}
        assert Counter(parts.values()) == {"train": 9, "dev": 1, "test": 2}
    grown = split_groups(labels=labels, shares=(0, 0, 100), seed=0, locked={"p3"})
    assert set(grown.values()) == {"test"}


def test_groups_that_stand_together_come_into_one_part_and_those_beside_a_locked_one_into_none() -> None:
    labels = {f"p{number}": () for number in range(12)}
    together = [("p1", "p2", "p5"), ("p3", "p9"), ("unknown", "p11")]
    for seed in range(10):
        parts = split_groups(labels=labels, shares=(60, 20, 20), seed=seed, locked={"p3"}, together=together)
        assert len({parts[group] for group in ("p1", "p2", "p5")}) == 1
        assert parts["p3"] == "test"
        assert parts.keys() == labels.keys() - {"p9"}


def test_the_digest_of_a_group_is_of_its_project() -> None:
    assert group_digest(project="a", group="patient:1") != group_digest(project="b", group="patient:1")
