from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.scoring import number, score_of

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["label_logprob", "agreement", "kind"]), ANYTHING))
def test_a_score_comes_of_any_signals(signals: dict[str, Any]) -> None:
    assert 0 <= score_of(signals) <= 1


def test_a_score_is_the_labels_probability_by_the_share_of_readings() -> None:
    assert score_of({}) == 0
    assert score_of({"label_logprob": math.log(0.8)}) == pytest.approx(0.8)
    assert score_of({"label_logprob": math.log(0.8), "agreement": 0.5}) == pytest.approx(0.4)
    assert score_of({"label_logprob": 0.1}) == 1


@pytest.mark.parametrize("value", [None, True, "1", math.nan, math.inf, [1]])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert number({"x": value}, "x") is None
