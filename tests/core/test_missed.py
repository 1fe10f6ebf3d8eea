from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotator.core.mentions import n_mentions
from annotator.core.missed import MOST_TOKENS, Found, Record, may_be_missed, open_phrases
from annotator.core.surfaces import normal_surface, surface_key, surface_keys

TEXT = "Chest pain and X-ray of the left knee. No chest\npain today."
CHEST_PAINS = [(0, 10), (42, 52)]


def test_words_are_found_wherever_they_stand_in_any_case_and_over_white_space() -> None:
    found = open_phrases(TEXT, [])
    assert found["chest pain"] == CHEST_PAINS
    assert {"x-ray", "the left knee", "x-ray of the left", "no chest pain"} <= found.keys()


def test_no_phrase_begins_or_ends_with_a_link_or_goes_over_a_mark_between_words() -> None:
    found = open_phrases(TEXT, [])
    assert not {"and", "pain and", "of the left knee", "left knee. no chest", "ray of the"} & found.keys()


def test_what_is_covered_is_in_no_phrase() -> None:
    found = open_phrases(TEXT, [(6, 10)])
    assert found["chest pain"] == CHEST_PAINS[1:]
    assert found["chest"] == [(0, 5), (42, 47)]


@given(st.text(alphabet="aB1 -.\n’é", max_size=60), st.integers(0, 50))
def test_a_phrase_reads_as_its_words_and_has_their_key(text: str, covered: int) -> None:
    phrases = open_phrases(text, [(covered, covered + 3)] if covered + 3 <= len(text) else [])
    for words, places in phrases.items():
        for start, end in places:
            assert normal_surface(text[start:end]) == words
            assert len(words.split()) <= MOST_TOKENS
    keys = surface_keys(project_id=7, surfaces=phrases)
    assert {key: surface_key(project_id=7, surface=words) for key, words in keys.items()} == {key: key for key in keys}


def test_words_labelled_in_the_note_come_before_the_records_of_others() -> None:
    places = {"knee": [(30, 34)], "chest pain": [(0, 10)], "x-ray": [(15, 20)]}
    records = {
        "knee": Record("Anatomy", n_spans=9, n_notes=5, n_mentions=10, n_labelled=9),
        "x-ray": Record("Test", n_spans=2, n_notes=2, n_mentions=3, n_labelled=2),
    }
    found = may_be_missed(places, here={"chest pain": ("Problem", 2)}, records=records, refused=[], found={})
    assert [(one.label, one.start) for one in found] == [("Problem", 0), ("Anatomy", 30), ("Test", 15)]


def test_words_that_people_mostly_leave_out_are_not_offered() -> None:
    record = Record("Problem", n_spans=3, n_notes=3, n_mentions=7, n_labelled=3)
    assert may_be_missed({"cold": [(0, 4)]}, here={}, records={"cold": record}, refused=[], found={}) == []


def test_a_refused_place_is_left_out_for_its_label_and_the_next_place_is_offered() -> None:
    places = {"chest pain": [(0, 10), (42, 52)]}
    here = {"chest pain": ("Problem", 1)}
    (other,) = may_be_missed(places, here=here, records={}, refused=[("Problem", 5, 6)], found={})
    assert (other.start, other.end) == (42, 52)
    (first,) = may_be_missed(places, here=here, records={}, refused=[("Test", 5, 6)], found={})
    assert (first.start, first.end) == (0, 10)


def test_of_candidates_that_overlap_the_longest_is_offered() -> None:
    places = {"pain": [(6, 10)], "chest pain": [(0, 10)]}
    found = may_be_missed(
        places, here={"pain": ("Problem", 3), "chest pain": ("Problem", 1)}, records={}, refused=[], found={}
    )
    assert [(one.start, one.end) for one in found] == [(0, 10)]


def test_what_a_second_reader_found_comes_behind_what_people_said_and_never_over_it() -> None:
    places = {"pain": [(6, 10)], "chest pain": [(0, 10)], "x-ray": [(15, 20)], "knee": [(30, 34)], "cold": [(40, 44)]}
    records = {
        "pain": Record("Problem", n_spans=1, n_notes=1),
        "x-ray": Record("", n_spans=0, n_notes=0),
        "cold": Record("", n_spans=0, n_notes=0, n_mentions=1),
    }
    found = {words: [Found(*places[words][0], "Test", 0.5, "spacy")] for words in places}
    found["knee"] = [Found(30, 34, "Anatomy", 0.8, "spacy"), Found(50, 54, "Anatomy", 0.7, "spacy")]
    offered = may_be_missed(places, here={}, records=records, refused=[("Anatomy", 30, 34)], found=found)
    assert [(one.start, one.label, one.found is None) for one in offered] == [
        (6, "Problem", True),  # the longer words are the reader's alone
        (50, "Anatomy", False),  # the first place was refused
        (15, "Test", False),  # finished notes leave out what is not here
    ]


def test_mentions_are_whole_words() -> None:
    assert n_mentions("pain, painful pain", "pain") == 2
    assert n_mentions("2.5 mg", "mg") == 1
