from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.core.cases import Case, Reading, SaidSpan, compare
from annotator.core.sides import rows_of
from annotator.core.spans import Span

TEXT = "HISTORY\n\nShe has a cough. Fever since Monday. No pain.\nPlan: rest. Water."


def cases_of(*said: tuple[str, bool]) -> list[Case]:
    """Cases on these words of TEXT, agreed on or marked by one reader alone."""
    spans = [
        (SaidSpan(Span.of(TEXT.index(words), TEXT.index(words) + len(words)), "P"), agreed) for words, agreed in said
    ]
    return compare([Reading(frozenset(s for s, _ in spans)), Reading(frozenset(s for s, agreed in spans if agreed))])


def shown(*said: tuple[str, bool]) -> list[str]:
    return [TEXT[row.start : row.end] for row in rows_of(TEXT, cases_of(*said))]


def test_sentences_in_which_nobody_differs_are_one_row_as_far_as_their_line_goes() -> None:
    assert shown() == ["HISTORY", "She has a cough. Fever since Monday. No pain.", "Plan: rest. Water."]
    assert shown(("cough", True)) == shown()
    assert shown(("Fever", False)) == [
        "HISTORY",
        "She has a cough.",
        "Fever since Monday.",
        "No pain.",
        "Plan: rest. Water.",
    ]


def test_a_case_is_not_cut_where_it_goes_over_sentences_and_lines() -> None:
    assert shown(("pain.\nPlan", False)) == [
        "HISTORY",
        "She has a cough. Fever since Monday.",
        "No pain.\nPlan: rest.",
        "Water.",
    ]


@settings(max_examples=50)
@given(st.text("ab. \nA", max_size=60), st.sets(st.tuples(st.integers(0, 59), st.integers(1, 9)), max_size=4))
def test_every_word_and_every_case_is_in_exactly_one_row(text: str, places: set[tuple[int, int]]) -> None:
    spans = [Span.of(start, min(start + n, len(text))) for start, n in places if start < len(text)]
    cases = compare([Reading(frozenset(SaidSpan(span, "P") for span in spans)), Reading()])
    rows = rows_of(text, cases)
    assert "".join("".join(text[row.start : row.end].split()) for row in rows) == "".join(text.split())
    worded = [case for case in cases if text[case.start : case.end].strip()]
    assert [case for row in rows for case in row.cases if case in worded] == worded
