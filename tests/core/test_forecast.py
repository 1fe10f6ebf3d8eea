from __future__ import annotations

from annotator.core.forecast import HORIZON, forecast

UNEVEN = [30, 25, 0, 0, 31, 40, 22, 18, 35, 0, 0, 20, 44, 12]


def test_an_even_pace_leaves_nothing_to_chance() -> None:
    assert forecast(95, [10] * 14).days == 10
    assert forecast(95, [10] * 14).interval == (10, 10)


def test_days_without_work_count() -> None:
    found = forecast(790, UNEVEN)  # 19.8 a day
    assert 37 <= found.days <= 43
    assert 25 <= found.interval.low <= 32
    assert 50 <= found.interval.high <= 75


def test_the_last_few_notes_may_meet_days_without_work() -> None:
    assert forecast(5, UNEVEN).interval.low == 1
    assert forecast(5, UNEVEN).interval.high >= 3


def test_below_five_days_with_work_nothing_is_said() -> None:
    assert forecast(100, [10] * 4 + [0] * 10) is None
    assert forecast(100, [10] * 5 + [0] * 9) is not None


def test_beyond_a_year_is_later() -> None:
    assert forecast(100_000, UNEVEN).days == HORIZON + 1
    assert forecast(7000, UNEVEN).interval.high == HORIZON + 1
