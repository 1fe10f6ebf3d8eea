"""Where bounds, risk and bars lie in their drawings."""

from __future__ import annotations

from itertools import pairwise

import pytest

from annotator.core.evidence_plots import Binned, Bound, Risk, bound_axis, reliability_plot, risk_plot


def test_a_label_without_a_target_has_no_line_of_it() -> None:
    axis = bound_axis([Bound(), Bound(target=0.95, value=0.99, low=0.96)])
    assert axis.first == 0.9
    assert axis.rows[0].target is None and not axis.rows[0].is_clear
    assert axis.rows[1].target is not None and axis.rows[1].is_clear


@pytest.mark.parametrize(("largest", "top"), [(0.011, "2%"), (0.1, "12%"), (0.42, "60%"), (0.9, "100%")])
def test_the_axis_of_risk_ends_a_little_above_what_is_drawn(largest: float, top: str) -> None:
    risks = [Risk(0.2, 0.01, (0.0, 0.01)), Risk(0.9, largest / 2, (0.0, largest))]
    assert risk_plot(risks, chosen=None, words="", summary="").y_ticks[-1].label == top


def test_the_name_of_the_raw_score_stands_below_all_that_is_drawn_there() -> None:
    bins = [Binned(0.4, 0.4, 10, (0.3, 0.5)), Binned(0.7, 0.52, 10, (0.41, 0.7)), Binned(0.9, 0.9, 10, (0.8, 1.0))]
    raw = [Binned(0.5, 0.5, 10), Binned(0.7, 0.9, 10), Binned(0.9, 0.6, 10)]
    plot = reliability_plot(bins, raw, summary="")
    name, whisker = plot.other_name_at, plot.points[1].low
    assert name is not None and whisker is not None and name.x > plot.points[1].x
    assert whisker < name.y < plot.bottom


def test_bars_of_close_bins_do_not_overlap() -> None:
    bins = [Binned(0.70 + 0.03 * place, 0.8, 10) for place in range(6)]
    bars = reliability_plot(bins, [], summary="").bars
    assert all(one.x + one.width < other.x for one, other in pairwise(bars))
