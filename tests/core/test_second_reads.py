from __future__ import annotations

import pytest

from annotator.core.second_reads import Changed, Disagreement


def test_a_share_has_wilsons_interval() -> None:
    """The worked example of Newcombe (1998), method 3: 81 of 263 is .3080, from .2553 to .3662."""
    low, high = Changed(263, 81).interval or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_none_and_all_have_an_interval_that_ends_there() -> None:
    none, every = Changed(20, 0).interval, Changed(20, 20).interval
    assert none is not None and every is not None
    assert none.low == 0 and 0.1 < none.high < 0.2
    assert every.high == 1 and 0.8 < every.low < 0.9


def test_where_nothing_was_read_again_nothing_is_said() -> None:
    found = Disagreement(wrong=Changed(0, 0), right=Changed(0, 0), n_right=40)
    assert (found.wrong.share, found.wrong.interval, found.expected_overlooked, found.share) == (None,) * 4


def test_the_drawn_share_stands_for_all_that_were_called_right() -> None:
    found = Disagreement(wrong=Changed(10, 4), right=Changed(50, 1), n_right=500)
    number, interval = found.expected_overlooked or (0, None)
    assert number == pytest.approx(10)
    assert interval is not None and interval.low < 10 < interval.high
    assert found.share == pytest.approx((4 + 10) / 510)


def test_with_nobody_called_right_the_wrong_ones_are_all() -> None:
    assert Disagreement(wrong=Changed(4, 1), right=Changed(0, 0), n_right=0).share == 0.25
