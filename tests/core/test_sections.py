from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.sections import heading_key, sections


def titles(text: str) -> list[str]:
    return [section.title for section in sections(text)]


@pytest.mark.parametrize(
    ("text", "title", "heading"),
    [
        ("HISTORY OF PRESENT ILLNESS\nSeen today.", "HISTORY OF PRESENT ILLNESS", "HISTORY OF PRESENT ILLNESS"),
        ("PLAN:\n- rest", "PLAN", "PLAN:"),
        ("Assessment and Plan: rest", "Assessment and Plan", "Assessment and Plan:"),
        ("# Plan\nrest", "Plan", "# Plan"),
        ("### 2. Plan ###\nrest", "Plan", "### 2. Plan ###"),
        ("Labs\n----\nNa 140", "Labs", "Labs\n----"),
        ("Ward Round\n==========\nwell", "Ward Round", "Ward Round\n=========="),
        ("**Family History:** none", "Family History", "**Family History:**"),
        ("3. Medications on Admission:\naspirin", "Medications on Admission", "3. Medications on Admission:"),
        ("CT CHEST WITHOUT CONTRAST\nClear.", "CT CHEST WITHOUT CONTRAST", "CT CHEST WITHOUT CONTRAST"),
        ("Hospital Day Three:\nwell", "Hospital Day Three", "Hospital Day Three:"),
        ("  Plan:\n  rest", "Plan", "Plan:"),
    ],
)
def test_a_heading_is_recognised_as_it_is_written(text: str, title: str, heading: str) -> None:
    section = sections(text)[0]
    assert section.title == title
    assert text[section.heading_start : section.heading_end] == heading


@pytest.mark.parametrize(
    "text",
    [
        "BP: 120/80\nHR: 70",
        "WBC    12.3\nHGB    10.1",
        "| Test | Value |\n| Na | 140 |",
        "Na\t140\nK\t4.1",
        "The patient was told the following:\nrest",
        "He will continue the plan: rest",
        "plan: rest",
        "Rest was advised.\nNORMAL\n",
        "\nNO KNOWN ALLERGIES\n",
        "Seen at 10:30",
        "# 1\n",
        "----\n----",
    ],
)
def test_what_only_looks_like_a_heading_is_text(text: str) -> None:
    assert titles(text) == [""]


def test_capitals_say_nothing_in_a_note_of_capitals() -> None:
    text = "\n\n".join(["SEEN ON THE WARD", "HE FEELS BETTER", "PAIN IS LESS", "EATING WELL", "PLAN", "GO HOME"])
    assert titles(text) == ["", "PLAN"]


def test_text_before_the_first_heading_is_a_section_without_title() -> None:
    first, second = sections("Dictated.\nPlan: rest")
    assert (first.title, first.heading_start, first.heading_end) == ("", 0, 0)
    assert second.start == 10


def test_white_space_before_the_first_heading_belongs_to_it() -> None:
    assert [(section.start, section.title) for section in sections("\n\nPlan: rest")] == [(0, "Plan")]


def test_an_empty_text_has_no_sections() -> None:
    assert sections("") == []


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("  Family   HISTORY:", "family history"),
        ("2) Plan", "plan"),
        ("Medications (home)", "medications"),
        ("(x)", "(x)"),
    ],
)
def test_the_key_leaves_out_what_does_not_name_the_section(title: str, key: str) -> None:
    assert heading_key(title) == key


LINES = st.sampled_from(
    [
        "PLAN:",
        "Plan: rest",
        "# Labs",
        "----",
        "CHEST PAIN TODAY",
        "",
        "  ",
        "\U0001f600 pain",
        "e\u0301",
        "A\tB",
        "x: y",
        "\r",
    ]
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_sections_tile_the_text(text: str) -> None:
    found = sections(text)
    assert "".join(text[section.start : section.end] for section in found) == text
    for section in found:
        assert section.start <= section.heading_start <= section.heading_end <= section.end
        assert bool(section.title) == (section.heading_start < section.heading_end)


@pytest.mark.parametrize(
    "text", ["# " * 25_000, " " * 50_000 + "x", "A\t" * 25_000, "A " * 25_000 + ":", "Plan\n---\n" * 5000]
)
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.process_time()
    sections(text)
    assert time.process_time() - began < 10  # under 0.5 s on an idle core; what grows with the square takes minutes
