from __future__ import annotations

import pytest

from annotator.core.wording import (
    ago_words,
    counted,
    day_words,
    duration_words,
    memory_words,
    remaining_words,
    revision_words,
    sentence,
    work_words,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_duration_has_at_most_two_units(seconds: float, words: str):
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9, "9 s"), (60, "1 min"), (370.9, "6 min 10 s"), (3599, "59 min 59 s"), (3661, "1 h 1 min"), (90_061, "1 day")],
)
def test_work_is_told_to_the_second_of_an_hour(seconds: float, words: str):
    assert work_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.9, "just now"), (-2, "just now"), (4, "4 s ago"), (360, "6 min ago"), (7500, "2 h ago")]
)
def test_ago_has_one_unit(seconds: float, words: str):
    assert ago_words(seconds) == words


@pytest.mark.parametrize(
    ("n_days", "words"), [(0, "today"), (1, "yesterday"), (2, "2 days ago"), (1200, "1,200 days ago")]
)
def test_days_are_told_from_today(n_days: int, words: str):
    assert day_words(n_days) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20, "less than a minute left"),
        (1690, "about 28 min left"),
        (5400, "about 2 h left"),
        (260_000, "about 3 days left"),
    ],
)
def test_remaining_is_said_as_a_guess(seconds: float, words: str):
    assert remaining_words(seconds) == words


def test_memory_is_in_binary_units():
    assert [memory_words(n << 20) for n in (412, 3174, 63_488)] == ["412 MiB", "3.1 GiB", "62 GiB"]


def test_one_is_singular():
    assert [counted(n, "note") for n in (0, 1, 3412)] == ["0 notes", "1 note", "3,412 notes"]
    assert counted(2, "has", "have") == "2 have"


def test_a_sentence_begins_and_ends_as_one():
    assert [sentence(words) for words in ("a run is on", "It is on.", "")] == ["A run is on.", "It is on.", "."]


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("a5fd3b62230aa5ec+96895a4fcc3c8541", "96895a4fcc3c"),
        ("a5fd3b62230aa5ec", "a5fd3b62230a"),
        ("1", "1"),
        ("", ""),
    ],
)
def test_a_revision_in_short_tells_two_adapters_of_a_base_apart(revision: str, words: str) -> None:
    assert revision_words(revision) == words
