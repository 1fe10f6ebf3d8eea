from __future__ import annotations

import pytest

from annotator.core.evaluation import EvaluatedNote, FoundSpan, Measure, evaluate, is_in_text
from annotator.core.matching import Labelled
from annotator.core.spans import Span

LABELS = ("Problem", "Test")


def gold(start: int, end: int, label: str = "Problem") -> Labelled:
    return Labelled(Span.of(start, end), label)


def found(start: int, end: int, score: float, label: str = "Problem", **signals: float | str) -> FoundSpan:
    return FoundSpan(Span.of(start, end), label, score, signals)


NOTES = [
    EvaluatedNote(
        gold=[gold(0, 5), gold(10, 20), gold(30, 35, "Test")],
        found=[found(0, 5, 0.9, margin=2.0, kind="a"), found(10, 15, 0.6), found(30, 35, 0.3, "Test", margin=1.0)],
        n_unaligned=1,
        n_invented=1,
    ),
    EvaluatedNote(gold=[gold(0, 5, "Test")], found=[found(0, 5, 0.2, margin=0.5)], n_unaligned=1),
]


def test_counts_are_by_label_and_in_sum() -> None:
    evaluation = evaluate(NOTES, LABELS)
    assert evaluation.labels["Problem"].strict == Measure(n_found=3, n_gold=2, n_right=1)
    assert evaluation.labels["Problem"].overlap == Measure(n_found=3, n_gold=2, n_right=2)
    assert evaluation.labels["Test"].strict == Measure(n_found=1, n_gold=2, n_right=1)
    assert evaluation.strict == Measure(n_found=4, n_gold=4, n_right=2)
    assert (evaluation.overlap.precision, evaluation.overlap.recall, evaluation.overlap.f1) == (0.75, 0.75, 0.75)


def test_rates_are_of_all_quotes() -> None:
    evaluation = evaluate(NOTES, LABELS)
    assert (evaluation.n_quotes, evaluation.unaligned_rate, evaluation.invented_rate) == (6, 2 / 6, 1 / 6)


def test_the_score_is_measured_against_strict_and_overlap() -> None:
    score = evaluate(NOTES, LABELS).score
    assert (score.n, score.n_right) == (4, 2)
    assert score.auroc == 3 / 4  # right .9 .3, wrong .6 .2
    assert score.auroc_overlap == 1.0
    assert score.brier == pytest.approx((0.01 + 0.36 + 0.49 + 0.04) / 4)
    assert [point.risk for point in score.risk_coverage] == [0, 1 / 2, 1 / 3, 1 / 2]


def test_each_signal_that_is_a_number_is_ranked_over_the_spans_that_have_it() -> None:
    signals = evaluate(NOTES, LABELS).signals
    assert list(signals) == ["margin"]
    assert (signals["margin"].n, signals["margin"].auroc) == (3, 1.0)


def test_other_labels_are_left_out() -> None:
    evaluation = evaluate(NOTES, ("Test",))
    assert evaluation.strict == evaluation.labels["Test"].strict == Measure(n_found=1, n_gold=2, n_right=1)
    assert evaluation.score.n == 1


def test_nothing_at_all_is_zero_and_undefined() -> None:
    evaluation = evaluate([], LABELS)
    assert (evaluation.strict.precision, evaluation.strict.recall, evaluation.strict.f1) == (0, 0, 0)
    assert (evaluation.invented_rate, evaluation.score.auroc, evaluation.score.ece, evaluation.score.bins) == (
        *(None, None, None),
        (),
    )


def test_an_interval_holds_the_figure() -> None:
    evaluation = evaluate(NOTES * 20, LABELS, seed=1)
    for measure in (evaluation.strict, evaluation.labels["Problem"].overlap):
        low, high = measure.f1_interval
        assert low < measure.f1 < high
    score = evaluation.score
    assert score.auroc is not None
    assert score.auroc_interval.low < score.auroc < score.auroc_interval.high


def test_notes_that_are_all_alike_have_an_interval_without_width() -> None:
    evaluation = evaluate(NOTES[:1] * 20, LABELS)
    assert evaluation.strict.f1_interval == pytest.approx((evaluation.strict.f1,) * 2)


@pytest.mark.parametrize(
    ("quote", "is_there"), [("Chest\npain", True), ("ﬁbrosis", True), ("chest ache", False), ("", True)]
)
def test_a_quote_is_in_the_text_but_for_case_space_and_form(quote: str, is_there: bool) -> None:
    assert is_in_text(quote, "No chest  pain, no fibrosis.") is is_there
