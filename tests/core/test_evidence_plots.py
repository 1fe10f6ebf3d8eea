"""Where bounds, risk and bars lie in their drawings."""

from __future__ import annotations

import pytest

from annotator.core.evidence_plots import Bound, Risk, bound_axis, risk_plot


def test_a_label_without_a_target_has_no_line_of_it() -> None:
    axis = bound_axis([Bound(), Bound(target=0.95, value=0.99, low=0.96)])
    assert axis.first == 0.9
    assert axis.rows[0].target is None and not axis.rows[0].is_clear
    assert axis.rows[1].target is not None and axis.rows[1].is_clear


@pytest.mark.parametrize(("largest", "top"), [(0.011, "2%"), (0.1, "12%"), (0.42, "60%"), (0.9, "100%")])
def test_the_axis_of_risk_ends_a_little_above_what_is_drawn(largest: float, top: str) -> None:
    risks = [Risk(0.2, 0.01, (0.0, 0.01)), Risk(0.9, largest / 2, (0.0, largest))]
    assert risk_plot(risks, chosen=None, words="", summary="").y_ticks[-1].label == top
