from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.reliability import Ratings, Units, coincidences, contingency, kappa, krippendorff_alpha

# Four observers, twelve units, values missing: Krippendorff 2011, section C.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# Ten subjects, five categories, fourteen raters: how many chose each.
FLEISS = [
    *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
    *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
]


def in_units(*raters: list[int | None]) -> Units:
    return Counter(zip(*raters, strict=True))


def spread(counts: list[int]) -> tuple[int, ...]:
    """The ratings that the counts are of."""
    return tuple(category for category, n in enumerate(counts) for _ in range(n))


def test_alpha_of_krippendorff_is_his() -> None:
    table = coincidences(in_units(*KRIPPENDORFF))
    assert sum(table.values()) == pytest.approx(40)  # pairable values
    assert krippendorff_alpha(table) == pytest.approx(0.743, abs=0.0005)


def test_kappa_of_fleiss_is_his() -> None:
    assert kappa(coincidences(Counter(map(spread, FLEISS)))) == pytest.approx(0.210, abs=0.0005)


def test_cohens_kappa_of_a_known_table() -> None:
    units = Counter({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert kappa(contingency(units, 0, 1)) == pytest.approx(0.40)


def test_one_value_alone_is_no_agreement_beyond_chance() -> None:
    units = Counter({("no", "no"): 50})
    assert kappa(contingency(units, 0, 1)) is None
    assert krippendorff_alpha(coincidences(units)) is None
    assert kappa({}) is None
    # One of two raters who always says the same agrees as chance does.
    assert kappa(contingency(Counter({("no", "no"): 40, ("no", "yes"): 10}), 0, 1)) == 0


rated = st.lists(st.tuples(*[st.sampled_from([None, "a", "b", "c"])] * 3), min_size=1, max_size=12)


@given(rows=rated)
def test_alpha_is_one_less_observed_over_expected_disagreement(rows: list[tuple[str | None, ...]]) -> None:
    """By its definition: how often two ratings of a unit differ, over how often any two ratings do."""
    kept = [given for row in rows if len(given := [value for value in row if value is not None]) > 1]
    pooled = [value for values in kept for value in values]
    found = krippendorff_alpha(coincidences(Counter(rows)))
    if len(set(pooled)) < 2:
        assert found is None
        return

    def differing(values: list[str]) -> int:
        return sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j)

    observed = sum(differing(values) / (len(values) - 1) for values in kept) / len(pooled)
    expected = differing(pooled) / (len(pooled) * (len(pooled) - 1))
    assert found == pytest.approx(1 - observed / expected)


@given(rows=rated)
def test_who_is_named_first_changes_nothing(rows: list[tuple[str | None, ...]]) -> None:
    one, turned = Counter(rows), Counter(row[::-1] for row in rows)
    assert kappa(contingency(one, 0, 2)) == pytest.approx(kappa(contingency(turned, 0, 2)))
    assert krippendorff_alpha(coincidences(one)) == pytest.approx(krippendorff_alpha(coincidences(turned)))


def test_ratings_add_up_over_notes() -> None:
    ratings = Ratings()
    for patient, unit in enumerate(zip(*KRIPPENDORFF, strict=True)):
        ratings.add(patient=patient, raters=["a", "b", "c", "d"], units={unit: 1})
    found = ratings.reliability(seed=0, n_resamples=100)
    assert found.alpha.n_units == 11
    assert found.alpha.estimate.value == pytest.approx(0.743, abs=0.0005)
    assert found.alpha.estimate.interval is not None
    assert found.alpha.estimate.interval.low < 0.743 < found.alpha.estimate.interval.high
    assert (found.fleiss.estimate.value, found.fleiss.estimate.caveat) == (
        None,
        "not defined: the number of ratings differs from unit to unit, see alpha",
    )
    assert found.cohen["a", "b"].estimate.value == pytest.approx(kappa(contingency(in_units(*KRIPPENDORFF[:2]), 0, 1)))
    assert len(found.cohen) == 6


def test_fleiss_is_given_where_each_unit_has_as_many_ratings() -> None:
    ratings = Ratings()
    for patient, counts in enumerate(FLEISS):
        ratings.add(patient=patient, raters=[f"rater {n:02}" for n in range(14)], units={spread(counts): 1})
    assert ratings.reliability(seed=0, n_resamples=0).fleiss.estimate.value == pytest.approx(0.210, abs=0.0005)


def test_one_patient_has_no_interval_and_says_why() -> None:
    ratings = Ratings()
    ratings.add(patient=0, raters=["a", "b"], units={("x", "x"): 3, ("x", "y"): 1})
    alpha = ratings.reliability(seed=0, n_resamples=10).alpha.estimate
    assert alpha.value is not None
    assert (alpha.interval, alpha.caveat) == (None, "no interval: fewer than 2 patients")


def test_the_libraries_say_the_same() -> None:
    import krippendorff  # these three take a second to import
    from sklearn import metrics
    from statsmodels.stats import inter_rater

    draw = random.Random(0)
    for _ in range(50):
        rows = [tuple(draw.choice("abc") for _ in range(3)) for _ in range(draw.randint(5, 30))]
        all_given = Counter(rows)
        assert kappa(contingency(all_given, 0, 1)) == pytest.approx(
            metrics.cohen_kappa_score(*list(zip(*rows, strict=True))[:2])
        )
        theirs = inter_rater.fleiss_kappa([[row.count(value) for value in "abc"] for row in rows])
        assert kappa(coincidences(all_given)) == pytest.approx(theirs)
        some = [tuple(value if draw.random() < 0.8 else None for value in row) for row in rows]
        codes = [
            [float("nan") if value is None else ord(value) for value in rater] for rater in zip(*some, strict=True)
        ]
        theirs = krippendorff.alpha(codes, level_of_measurement="nominal")
        assert krippendorff_alpha(coincidences(Counter(some))) == pytest.approx(theirs)
