from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator

from annotator.core.matching import Labelled, n_overlap_pairs, n_strict_pairs, overlap_matches, strict_matches
from annotator.core.spans import Span

LABELS = ["Problem", "Test", "Anatomy"]


def labelled(start: int, end: int, label: str = "Problem") -> Labelled:
    return Labelled(Span.of(start, end), label)


def nervaluated(gold: list[Labelled], found: list[Labelled]) -> dict[str, Any]:
    """nervaluate's results; its ends are inclusive."""

    def entities(spans: list[Labelled]) -> list[dict[str, Any]]:
        return [{"label": label, "start": span.start, "end": span.end - 1} for span, label in spans]

    return Evaluator([entities(gold)], [entities(found)], tags=LABELS, loader="dict").evaluate()


def assert_equal(gold: list[Labelled], found: list[Labelled], theirs: Any, *, scheme: str) -> None:
    matches = strict_matches(gold, found) if scheme == "strict" else overlap_matches(gold, found)
    n_right = sum(matches)
    assert theirs.correct == n_right
    assert theirs.precision == pytest.approx(n_right / len(found) if found else 0)
    assert theirs.recall == pytest.approx(n_right / len(gold) if gold else 0)
    total = len(found) + len(gold)
    assert theirs.f1 == pytest.approx(2 * n_right / total if total else 0)


one_span = st.tuples(st.integers(0, 40), st.integers(1, 20), st.sampled_from(LABELS))
any_spans = st.lists(one_span.map(lambda drawn: labelled(drawn[0], drawn[0] + drawn[1], drawn[2])), max_size=12)


def flat(spans: list[Labelled]) -> list[Labelled]:
    """Without those that overlap an earlier one of their label, by place."""
    kept: list[Labelled] = []
    reached = dict.fromkeys(LABELS, 0)
    for each in sorted(spans):
        if each.span.start >= reached[each.label]:
            kept.append(each)
            reached[each.label] = each.span.end
    return kept


@given(gold=any_spans.map(sorted), found=any_spans.map(flat))
@settings(max_examples=400)
def test_each_label_is_as_nervaluate_says_where_what_is_found_of_it_does_not_overlap(
    gold: list[Labelled], found: list[Labelled]
) -> None:
    theirs = nervaluated(gold, found)["entities"]
    for label in {each.label for each in (*gold, *found)}:
        of_label = ([g for g in gold if g.label == label], [f for f in found if f.label == label])
        assert_equal(*of_label, theirs[label]["strict"], scheme="strict")
        assert_equal(*of_label, theirs[label]["ent_type"], scheme="overlap")


@given(gold=any_spans.map(sorted), found=any_spans)
@settings(max_examples=400)
def test_any_spans_are_as_nervaluate_says_when_it_is_given_the_right_ones_first(
    gold: list[Labelled], found: list[Labelled]
) -> None:
    equal, overlapping = strict_matches(gold, found), overlap_matches(gold, found)
    order = sorted(range(len(found)), key=lambda i: (not equal[i], not overlapping[i], found[i]))
    theirs = nervaluated(gold, [found[i] for i in order])
    assert_equal(gold, found, theirs["overall"]["strict"], scheme="strict")
    assert_equal(gold, found, theirs["overall"]["ent_type"], scheme="overlap")
    for label in {each.label for each in (*gold, *found)}:
        of_label = ([g for g in gold if g.label == label], [f for f in found if f.label == label])
        assert_equal(*of_label, theirs["entities"][label]["strict"], scheme="strict")
        assert_equal(*of_label, theirs["entities"][label]["ent_type"], scheme="overlap")


@given(gold=any_spans, found=any_spans)
def test_a_strict_match_is_an_overlap(gold: list[Labelled], found: list[Labelled]) -> None:
    pairs = zip(strict_matches(gold, found), overlap_matches(gold, found), strict=True)
    assert all(is_overlap for is_strict, is_overlap in pairs if is_strict)


def test_a_gold_span_counts_once() -> None:
    gold = [labelled(0, 10)]
    assert strict_matches(gold, [labelled(0, 10), labelled(0, 10)]) == [True, False]
    assert overlap_matches(gold, [labelled(0, 4), labelled(6, 10)]) == [True, False]


def test_another_label_is_no_match() -> None:
    gold, found = [labelled(0, 10)], [labelled(0, 10, "Test")]
    assert (strict_matches(gold, found), overlap_matches(gold, found)) == ([False], [False])


def test_neighbours_do_not_overlap() -> None:
    assert overlap_matches([labelled(0, 5)], [labelled(5, 9)]) == [False]


def test_a_wrong_span_does_not_take_the_gold_of_a_right_one() -> None:
    gold = [labelled(0, 20), labelled(12, 20)]
    assert overlap_matches(gold, [labelled(0, 13), labelled(0, 20), labelled(12, 20)]) == [False, True, True]


def test_the_nearest_of_several_is_taken() -> None:
    gold = [labelled(0, 30), labelled(20, 30)]
    assert overlap_matches(gold, [labelled(21, 30), labelled(0, 5)]) == [True, True]


def test_discontinuous_spans_match_by_their_fragments() -> None:
    gold = [Labelled(Span(((0, 5), (20, 25))), "Problem")]
    assert strict_matches(gold, [labelled(0, 25)]) == [False]
    assert overlap_matches(gold, [labelled(8, 15)]) == [False]
    assert overlap_matches(gold, [labelled(22, 23)]) == [True]


def test_many_spans_are_matched_by_place() -> None:
    gold = [labelled(10 * n, 10 * n + 8) for n in range(4000)]
    assert sum(overlap_matches(gold, [labelled(10 * n + 4, 10 * n + 9) for n in range(4000)])) == 4000


places = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 9)).map(lambda drawn: Span.of(drawn[0], sum(drawn))), max_size=5
)


@given(one=places, other=places)
def test_the_most_pairs_are_made(one: list[Span], other: list[Span]) -> None:
    few, many = sorted((one, other), key=len)
    most = max(
        sum(a.start < b.end and b.start < a.end for a, b in zip(few, chosen, strict=True))
        for chosen in permutations(many, len(few))
    )
    assert n_overlap_pairs(one, other) == n_overlap_pairs(other, one) == most
    assert n_strict_pairs(one, other) == n_strict_pairs(other, one) <= most


def test_who_holds_a_place_moves_for_one_who_has_no_other() -> None:
    one = [Span.of(0, 12), Span.of(6, 12), Span.of(11, 12)]
    assert n_overlap_pairs(one, [Span.of(10, 12), Span.of(5, 9), Span.of(0, 2)]) == 3
    chain = [Span.of(10 * n, 10 * n + 12) for n in range(2000)]
    assert n_overlap_pairs(chain[::-1], [span.shift(5) for span in chain]) == 2000


def test_discontinuous_spans_are_paired_by_their_fragments() -> None:
    one = [Span(((0, 5), (20, 25)))]
    assert n_overlap_pairs(one, [Span.of(8, 15)]) == 0
    assert n_overlap_pairs(one, [Span.of(22, 23)]) == 1
    assert n_strict_pairs(one, [Span.of(0, 25)]) == 0
