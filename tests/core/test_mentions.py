from __future__ import annotations

from annotator.core.mentions import alike


def places(text: str, surface: str) -> list[str]:
    return [span.surface(text) for span in alike(text, surface)]


def test_whole_tokens_in_any_case_are_found_in_order() -> None:
    text = "Pain. No pain today; painful. PAIN"
    assert places(text, "pain") == ["Pain", "pain", "PAIN"]


def test_any_white_space_stands_for_white_space() -> None:
    assert places("chest pain, chest\npain, chest  pain, chestpain", "chest pain") == [
        "chest pain",
        "chest\npain",
        "chest  pain",
    ]


def test_offsets_are_code_points_of_the_text() -> None:
    text = "😀 İ rash e\u0301 rash"
    assert [text[span.start : span.end] for span in alike(text, "rash")] == ["rash", "rash"]


def test_a_letter_with_its_mark_is_not_the_letter_alone() -> None:
    assert places("e e\u0301 e", "e") == ["e", "e"]


def test_nothing_reads_like_an_empty_or_special_text() -> None:
    assert places("a b", " ") == []
    assert places("a+ (b) a+", "a+") == ["a+", "a+"]
