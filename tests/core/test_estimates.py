from __future__ import annotations

import random

import pytest

from annotator.core.estimates import Sums, change_interval, median, rate_interval, share_interval, sums_of
from annotator.core.intervals import intervals, weighted_ratio

CHANCE = random.Random(4)
# Of sixty notes the accepted of the decided, and the seconds of the characters.
EASES = [(CHANCE.randint(5, 60), CHANCE.betavariate(6, 3)) for _ in range(60)]
ACCEPTED = [(sum(CHANCE.random() < ease for _ in range(n)), n) for n, ease in EASES]
TIMES = [(n * CHANCE.lognormvariate(-4, 0.5), n) for n in (CHANCE.randint(500, 5000) for _ in range(60))]


@pytest.mark.parametrize(("notes", "interval"), [(ACCEPTED, share_interval), (TIMES, rate_interval)])
def test_intervals_are_those_of_resampled_notes(notes, interval) -> None:
    low, high = interval(sums_of(notes))
    (found,) = intervals(60, {0: weighted_ratio(*zip(*notes, strict=True))}, seed=2).values()
    assert (low, high) == pytest.approx(found, rel=0.04)


def test_sums_of_parts_are_the_sums_of_all() -> None:
    assert sums_of(ACCEPTED[:20]) + sums_of(ACCEPTED[20:]) == sums_of(ACCEPTED)


def test_the_variance_of_a_ratio_by_hand() -> None:
    # 1 of 2 and 1 of 4: ratio 1/3; residuals 1/3 and -1/3; (2/9) * 2/1 / 6**2.
    assert sums_of([(1, 2), (1, 4)]).variance == pytest.approx(2 / 9 * 2 / 36)


def test_below_ten_notes_there_is_no_interval() -> None:
    nine = sums_of([(1, 2)] * 9)
    assert share_interval(nine) is rate_interval(nine) is change_interval(nine, sums_of(ACCEPTED)) is None
    assert median([[1.0, 2.0]] * 9) is None
    assert share_interval(Sums(n=20)) is None


def test_where_all_is_part_a_note_is_worth_one() -> None:
    low, high = share_interval(sums_of([(50, 50)] * 10))
    assert high == pytest.approx(1)
    # Wilson for 10 of 10, with t(9) = 2.26 for z.
    assert low == pytest.approx(10 / (10 + 2.262**2), abs=0.003)


def test_notes_that_are_all_alike_are_worth_their_spans() -> None:
    low, high = share_interval(sums_of([(5, 10)] * 40))
    assert (low, high) == pytest.approx((0.5 - 2.023 * 0.025, 0.5 + 2.023 * 0.025), abs=0.001)


def test_a_change_has_both_intervals_in_it() -> None:
    before, after = sums_of([(1, 10)] * 12 + [(2, 10)] * 12), sums_of([(5, 10)] * 12 + [(6, 10)] * 12)
    low, high = change_interval(before, after)
    assert low < 0.4 < high
    assert low > 0.3
    assert change_interval(after, before) == pytest.approx((-high, -low))


def test_the_median_and_its_interval_over_notes() -> None:
    notes = [[float(10 * note + place) for place in range(10)] for note in range(20)]
    middle, (low, high) = median(notes)
    assert middle == 99.5
    # Notes that differ wholly are worth one value each: about the sixth and the fifteenth of twenty.
    assert 45 < low < 65
    assert 135 < high < 155
    mixed = [[float(10 * place + note) for place in range(10)] for note in range(10)]
    _, (low, high) = median(mixed)
    assert high - low < 15
