from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.scoring import number, score_of

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


SURE = {"label_logprob": 0.0, "quote_mean_logprob": 0.0, "end_logprob": 0.0, "second_share": 1.0}


@given(st.dictionaries(st.sampled_from([*SURE, "agreement", "is_masked"]), ANYTHING))
def test_a_score_comes_of_any_signals(signals: dict[str, Any]) -> None:
    assert 0 <= score_of(signals) <= 1


def test_a_score_is_the_labels_probability_by_the_share_of_readings() -> None:
    assert score_of({}) == 0
    assert score_of({"label_logprob": math.log(0.8)}) == pytest.approx(0.8)
    assert score_of({"label_logprob": math.log(0.8), "agreement": 0.5}) == pytest.approx(0.4)
    assert score_of({"label_logprob": 0.1}) == 1


@pytest.mark.parametrize(
    ("name", "less"), [("label_logprob", -0.2), ("end_logprob", -0.2), ("second_share", 0.5), ("agreement", 0.5)]
)
def test_each_signal_that_speaks_less_for_a_span_lowers_its_score(name: str, less: float) -> None:
    assert 0.8 < score_of(SURE) < 1
    assert score_of(SURE | {name: less}) < score_of(SURE)


def test_a_signal_that_is_missing_counts_as_it_usually_is() -> None:
    unsure = SURE | {"second_share": 0.0}
    without = {name: value for name, value in SURE.items() if name != "second_share"}
    assert score_of(unsure) < score_of(without) < score_of(SURE)


@pytest.mark.parametrize("other", [{"is_masked": 1}, {"quote_mean_logprob": None}])
def test_log_probabilities_of_another_kind_are_not_weighed(other: dict[str, Any]) -> None:
    assert score_of(SURE | {"label_logprob": math.log(0.7)} | other) == pytest.approx(0.7)


@pytest.mark.parametrize("value", [None, True, "1", math.nan, math.inf, [1]])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert number({"x": value}, "x") is None
