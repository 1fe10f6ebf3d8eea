from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.chunks import Chunk, ChunkError, chunks, sentences
from annotator.core.sections import sections
from annotator.core.tokens import token_spans

PIECES = st.sampled_from(
    [
        "He is well. ",
        "Dr. Smith came.\n",
        "\n\n",
        "PLAN:\n",
        "word ",
        "x" * 30,
        "\U0001f600",
        "e\u0301",
        "\r\n",
        "2.5 mg ",
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


def parts(text: str, max_chars: int, overlap: int = 0) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in chunks(text, max_chars, overlap)]


@given(TEXTS, st.integers(1, 80))
def test_chunks_without_overlap_tile_the_text(text: str, max_chars: int) -> None:
    found = parts(text, max_chars)
    assert "".join(found) == text
    assert all(0 < len(part) <= max_chars for part in found)


@given(TEXTS, st.integers(2, 80), st.data())
def test_chunks_with_overlap_cover_the_text_and_go_on(text: str, max_chars: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, max_chars // 2))
    found = chunks(text, max_chars, overlap)
    reached = 0
    inner = [start for start, _ in token_spans(text)]
    whole = {part.start for part in [*sentences(text), *sections(text)]}
    for before, chunk in zip([None, *found], found, strict=False):
        assert chunk.start <= reached < chunk.end
        assert reached - chunk.start <= overlap
        assert chunk.end - chunk.start <= max_chars
        assert before is None or before.start < chunk.start
        if before is not None and chunk.start == reached and reached not in whole:
            assert not any(max(before.start, reached - overlap - 1) < place < reached for place in inner)
        reached = chunk.end
    assert reached == len(text)


def test_a_text_that_fits_is_one_chunk() -> None:
    assert chunks("He is well. Home.", 100, 50) == [Chunk(0, 17)]


def test_a_section_is_a_better_bound_than_a_sentence() -> None:
    assert parts("Seen today. He is well.\nPLAN:\nRest. Fluids. Home tomorrow.", 45)[0] == "Seen today. He is well.\n"


def test_a_sentence_is_a_better_bound_than_a_wrapped_line() -> None:
    text = "He has pain in the\nleft knee. It came\nafter a fall on the\nice."
    assert parts(text, 40)[0] == "He has pain in the\nleft knee. "


def test_an_abbreviation_ends_no_sentence() -> None:
    assert [s.start for s in sentences("Seen by Dr. Smith vs. Jones. Home.")] == [0, 29]


def test_a_word_is_cut_only_where_it_is_longer_than_a_chunk() -> None:
    assert parts("aaa bbb ccc ddd", 6) == ["aaa ", "bbb ", "ccc ", "ddd"]
    assert parts("a" * 7, 3) == ["aaa", "aaa", "a"]
    assert parts("a bbbbbbb", 8) == ["a ", "bbbbbbb"]


def test_the_overlap_is_made_of_whole_sentences() -> None:
    text = "One two three. Four five. Six seven. Eight nine ten."
    first, second = parts(text, 40, 15)[:2]
    assert first == "One two three. Four five. Six seven. "
    assert second.startswith("Six seven.")


def test_a_cut_inside_a_long_sentence_overlaps_by_whole_tokens() -> None:
    text = "Medications: " + ", ".join(f"drug{i} {i} mg" for i in range(300))
    found = chunks(text, 1500, 150)
    assert len(found) > 2
    for before, chunk in pairwise(found):
        assert 140 <= before.end - chunk.start <= 150
        assert chunk.start in dict(token_spans(text))


def test_a_cut_between_long_sentences_needs_no_overlap() -> None:
    first, second = chunks("Word word word word word word word word word end. " * 2, 60, 20)
    assert second.start == first.end == 50


@pytest.mark.parametrize(("max_chars", "overlap"), [(0, 0), (-3, 0), (10, -1), (10, 6)])
def test_sizes_that_cannot_be_are_refused(max_chars: int, overlap: int) -> None:
    with pytest.raises(ChunkError):
        chunks("text", max_chars, overlap)


@given(TEXTS)
def test_sentences_tile_the_text(text: str) -> None:
    assert "".join(text[sentence.start : sentence.end] for sentence in sentences(text)) == text


@pytest.mark.parametrize("text", [" " * 50_000 + "x", "." * 50_000, ". " * 25_000, "\n" * 50_000, ".)" * 25_000])
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    chunks(text, 1200, 100)
    assert time.process_time() - began < 10  # under 0.5 s on an idle core; what grows with the square takes minutes
