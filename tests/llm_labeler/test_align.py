from __future__ import annotations

import re
import unicodedata
from itertools import pairwise, product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from annotator.core.spans import Span
from annotator.core.tokens import token_spans
from llm_labeler.align import Alignment, Quote, _chain, _joins, _normal, align

WORDS = ["pain", "Fever", "effusion", "2.5", "25", "e\u0301", "\u00e9", "İ", "i\u0307", "ß", "SS", "ﬁ", "fi"]
NUMBERS = ["2", "1", "\u00bd", "1/2", "\u215f"]
FOREIGN = [
    "\u05db\u05d0\u05b5\u05d1",
    "\u0623\u0644\u0645",
    "\u202bab\u202c",
    "\U0001f468\u200d\u2695\ufe0f",
    "\U0001f600",
    "\u75db",
]
SIGNS = [" ", " ", "\n", "\r\n", "\u00a0", "\u00ad", "\u200b", "\ufeff", "-", "\u2013", "\u2019", "'", ",", "<"]
PIECES = st.sampled_from(WORDS + NUMBERS + FOREIGN + SIGNS)
TEXTS = st.lists(PIECES, min_size=1, max_size=20).map("".join)


def places(text: str, *quotes: str) -> list[int | None]:
    found = align(text, [Quote(pieces=(quote,), key=quote) for quote in quotes])
    return [aligned.span.start if aligned.span else None for aligned in found]


@given(TEXTS, st.data())
def test_an_exact_quote_at_word_bounds_is_found_where_it_reads_so(text: str, data: st.DataObject) -> None:
    found = token_spans(text)
    assume(found)
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, len(found) - 1))
    start, end = found[first][0], found[last][1]
    assume(not _joins(text, start) and not _joins(text, end))
    quote = text[start:end]
    (aligned,) = align(text, [Quote(pieces=(quote,), key=quote)])
    assert aligned.alignment is Alignment.EXACT
    assert aligned.span is not None
    assert aligned.span.surface(text) == quote


@given(TEXTS, st.data())
def test_a_quote_in_other_case_and_space_is_found_in_original_offsets(text: str, data: st.DataObject) -> None:
    found = token_spans(text)
    assume(found)
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, len(found) - 1))
    quote = " ".join(text[found[first][0] : found[last][1]].split()).swapcase()
    assume(_normal(quote)[0].strip() and not unicodedata.combining(_normal(quote)[0][0]))
    (aligned,) = align(text, [Quote(pieces=(quote,), key=quote)])
    assert aligned.alignment in (Alignment.EXACT, Alignment.NORMALIZED)


@given(TEXTS, TEXTS)
def test_what_is_found_reads_as_the_quote(text: str, quote: str) -> None:
    (aligned,) = align(text, [Quote(pieces=(quote,), key=quote)])
    surface = aligned.span.surface(text) if aligned.span else ""
    if aligned.alignment is Alignment.EXACT:
        assert surface == quote.strip()
    elif aligned.alignment is Alignment.NORMALIZED:
        assert _normal(surface)[0].strip() == _normal(quote)[0].strip()
        at_word_bounds = not _joins(text, aligned.span.start) and not _joins(text, aligned.span.end)
        assert quote.strip() not in text or at_word_bounds
    elif aligned.alignment is Alignment.FUZZY:
        assert re.findall(r"\d+", _normal(surface)[0]) == re.findall(r"\d+", _normal(quote)[0])
        assert surface.strip() == surface


@given(st.lists(PIECES, max_size=20).map("".join), st.lists(st.text(max_size=6), max_size=5))
def test_no_quote_breaks_the_alignment(text: str, quotes: list[str]) -> None:
    for aligned in align(text, [Quote(pieces=(quote,), key=quote) for quote in quotes]):
        assert (aligned.span is None) == (aligned.alignment is Alignment.UNALIGNED)
        if aligned.span:
            assert aligned.span.surface(text).strip()


@pytest.mark.parametrize(
    ("text", "quote", "surface"),
    [
        ("Chest\n  pain", "chest pain", "Chest\n  pain"),
        ("İstanbul fever", "FEVER", "fever"),
        ("a İ b", "i\u0307", "İ"),
        ("caf\u00e9", "cafe\u0301", "caf\u00e9"),
        ("cafe\u0301 x", "CAF\u00c9", "cafe\u0301"),
        ("patient\u2019s \u201crash\u201d", 'patient\'s "rash"', "patient\u2019s \u201crash\u201d"),
        ("5 \u00b5g", "5 \u03bcg", "5 \u00b5g"),
        ("10\u201320 mg", "10-20 mg", "10\u201320 mg"),
        ("ﬁbrosis", "fibrosis", "ﬁbrosis"),
        ("soft\u00adened", "softened", "soft\u00adened"),
        ("SpO₂ 94", "spo2", "SpO₂"),
        ("\u00bd tablet", "1/2 tablet", "\u00bd tablet"),
        ("1/2 tablet", "\u00bd tablet", "1/2 tablet"),
        ("2\u00bd tablets", "2 1/2 tablets", "2\u00bd tablets"),
    ],
)
def test_a_normalised_quote_maps_back_to_the_original_text(text: str, quote: str, surface: str) -> None:
    (aligned,) = align(text, [Quote(pieces=(quote,), key="")])
    assert aligned.alignment is Alignment.NORMALIZED
    assert aligned.span is not None
    assert aligned.span.surface(text) == surface


def test_a_part_of_a_character_is_not_found() -> None:
    assert places("ﬁn", "f") == [None]
    assert places("x e\u0301", "E") == [None]


@pytest.mark.parametrize(
    ("text", "quote", "surface"),
    [
        ("small pleural effusion, left", "small plural effusion", "small pleural effusion"),
        ("given metoprolol", "metropolol", None),
        ("given metoprolol", "metoprlool", "metoprolol"),
        ("Ménière's disease", "Meniere's disease", "Ménière's disease"),
        ("follow-up CT", "Follow up CT", "follow-up CT"),
        ("amoxicillin (500 mg) daily", "amoxicilin 500 mg", "amoxicillin (500 mg"),
    ],
)
def test_near_spelling_is_found_where_nothing_else_is(text: str, quote: str, surface: str | None) -> None:
    (aligned,) = align(text, [Quote(pieces=(quote,), key="")])
    assert aligned.alignment is (Alignment.FUZZY if surface else Alignment.UNALIGNED)
    assert (aligned.span.surface(text) if aligned.span else None) == surface


def test_the_letter_comes_before_the_normal_form_and_that_before_near_spelling() -> None:
    text = "effusions, Effusion, effusion"
    for quote, alignment, start in (
        ("effusion", "exact", 21),
        ("EFFUSIONS", "normalized", 0),
        ("efusions", "fuzzy", 0),
    ):
        (aligned,) = align(text, [Quote(pieces=(quote,), key="")])
        assert (str(aligned.alignment), aligned.span.start) == (alignment, start)


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("aspirin \u00bd daily", "aspirin 1"),
        ("Metformin 2\u00bd tablets", "Metformin 21"),
        ("Metformin 2\u00bd tablets", "Metformin 21/2"),
        ("Metformin 2\u00bd tablets", "Metfornin 2"),
        ("Metformin 2 1/2 tablets", "Metfornin 2"),
        ("2\u00bd tablets", "1/2 tablets"),
        ("velocity 5\u33a7", "velocity 5m"),
        ("velocity 5\u33a7", "velocitty 5m"),
    ],
)
def test_no_part_of_a_fraction_or_unit_is_found(text: str, quote: str) -> None:
    assert places(text, quote) == [None]


def test_a_fraction_is_found_by_near_spelling() -> None:
    assert places("take Metformin 2\u00bd tablets", "Metfornin 2 1/2 tablets") == [5]


def test_pieces_are_not_found_by_near_spelling() -> None:
    (aligned,) = align("stiffness in both wrists", [Quote(pieces=("stifness", "wrists"), key="")])
    assert aligned.span is None


def test_an_invented_quote_stays_unaligned() -> None:
    (aligned,) = align("No rash.", [Quote(pieces=("aspirin",), key="")])
    assert (aligned.span, aligned.alignment, aligned.n_occurrences) == (None, Alignment.UNALIGNED, 0)


def test_repeats_map_to_successive_occurrences() -> None:
    assert places("pain, fever, pain, rash, pain", "pain", "fever", "pain", "pain") == [0, 6, 13, 25]


def test_a_later_neighbour_tells_which_occurrence_is_meant() -> None:
    assert places("pain, fever, pain, rash", "fever", "pain", "rash") == [6, 13, 19]


def test_an_item_out_of_order_is_still_placed() -> None:
    assert places("pain, fever, rash", "fever", "rash", "pain") == [6, 13, 0]


def test_items_that_nest_share_a_start() -> None:
    assert places("chest pain; chest clear", "chest pain", "chest") == [0, 0]


def test_a_repeat_goes_on_even_past_a_nested_item() -> None:
    assert places("chest pain; chest pain", "chest pain", "chest", "chest pain") == [0, 0, 12]


def test_a_repeat_beyond_the_occurrences_falls_on_one_that_is_taken() -> None:
    assert places("pain", "pain", "pain") == [0, 0]


def test_a_quote_is_looked_for_at_word_bounds_first() -> None:
    assert places("CRAB in RA", "RA") == [8]
    assert places("CRAB", "RA") == [1]


@pytest.mark.parametrize(
    ("text", "quote", "start", "alignment"),
    [
        ("Pain is worse on walking; painful gait", "pain", 0, "normalized"),
        ("Asthma. No asthmatic attacks", "asthma", 0, "normalized"),
        ("Painless; painful gait", "pain", 10, "exact"),
        ("Pain and pain", "pain", 9, "exact"),
    ],
)
def test_a_word_in_another_case_comes_before_a_part_of_a_word(
    text: str, quote: str, start: int, alignment: str
) -> None:
    (aligned,) = align(text, [Quote(pieces=(quote,), key="")])
    assert (aligned.span, str(aligned.alignment)) == (Span.of(start, start + len(quote)), alignment)


def test_a_hint_is_believed_only_where_the_text_reads_so() -> None:
    text = "pain and pain"
    right, wrong = align(text, [Quote(("pain",), "a", start=9), Quote(("pain",), "b", start=3)])
    assert right.span == Span.of(9, 13)
    assert right.n_occurrences == 2
    assert wrong.span is not None
    assert wrong.span.surface(text) == "pain"


def test_pieces_are_found_in_order_and_near_each_other() -> None:
    text = "wrists. Stiffness in the left and right wrists." + " " * 300 + "ankles"
    near, far = align(text, [Quote(("Stiffness in the left", "wrists"), "a"), Quote(("Stiffness", "ankles"), "b")])
    assert near.span == Span(((8, 29), (40, 46)))
    assert far.span is None


STARTS = st.lists(st.lists(st.integers(0, 6), max_size=3, unique=True).map(sorted), max_size=5)


@given(STARTS, st.lists(st.sampled_from("ab"), min_size=5, max_size=5))
def test_the_chain_is_as_long_as_any(starts: list[list[int]], keys: list[str]) -> None:
    keys = keys[: len(starts)]

    def is_chain(choice: tuple[int | None, ...]) -> bool:
        taken = [(starts[item][option], keys[item]) for item, option in enumerate(choice) if option is not None]
        pairs = pairwise(taken)
        return all(a[0] < b[0] or (a[0] == b[0] and a[1] != b[1]) for a, b in pairs)

    choices = product(*([None, *range(len(options))] for options in starts))
    longest = max(sum(option is not None for option in choice) for choice in choices if is_chain(choice))
    chosen = tuple(_chain(starts, keys))
    assert is_chain(chosen)
    assert sum(option is not None for option in chosen) == longest


def test_many_repeats_map_to_successive_occurrences() -> None:
    found = places("pain " * 400, *["pain"] * 150)
    assert found == [n * 5 for n in range(150)]
