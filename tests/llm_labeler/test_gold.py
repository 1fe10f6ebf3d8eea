from __future__ import annotations

from pathlib import Path

import pytest

from annotator.core.matching import Labelled
from annotator.core.spans import Span
from llm_labeler.gold import GoldError, read_gold

LABELS = {"Sign_symptom": "Problem", "Medication": "Medication"}


def write(folder: Path, name: str, text: str, ann: str | None = "") -> None:
    (folder / f"{name}.txt").write_bytes(text.encode())
    if ann is not None:
        (folder / f"{name}.ann").write_bytes(ann.encode())


def test_types_become_labels_and_others_are_counted(tmp_path: Path) -> None:
    ann = (
        "T1\tSign_symptom 0 4\tPain\nE1\tSign_symptom:T1 \nA1\tNegated E1\nT2\tAge 6 8\tof\n#1\tAnnotatorNotes T1\tx\n"
    )
    write(tmp_path, "a", "Pain, of heart.", ann.replace("6 8", "6 8"))
    gold = read_gold(tmp_path, LABELS)
    assert gold.notes[0].gold == (Labelled(Span.of(0, 4), "Problem"),)
    assert gold.left_out == {"Age": 1}


def test_a_star_stands_for_every_other_type(tmp_path: Path) -> None:
    write(tmp_path, "a", "Pain, of heart.", "T1\tSign_symptom 0 4\tPain\nT2\tAge 6 8\tof\n")
    (note,) = read_gold(tmp_path, {"*": "Problem", "Age": "Test"}).notes
    assert [labelled.label for labelled in note.gold] == ["Problem", "Test"]


def test_offsets_are_code_points_of_the_raw_file_and_become_those_of_the_note(tmp_path: Path) -> None:
    write(tmp_path, "a", "😀 a\r\nPain and\r\nache", "T1\tSign_symptom 5 9;15 19\tPain ache\n")
    (note,) = read_gold(tmp_path, LABELS).notes
    assert note.text == "😀 a\nPain and\nache"
    ((span, _),) = note.gold
    assert span.surface(note.text) == "Pain ache"


def test_a_span_that_two_types_give_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "a", "Pain.", "T1\tSign_symptom 0 4\tPain\nT2\tDisease 0 4\tPain\n")
    gold = read_gold(tmp_path, {"*": "Problem"})
    assert (len(gold.notes[0].gold), gold.n_repeats) == (1, 1)


def test_the_first_notes_by_name_are_read(tmp_path: Path) -> None:
    for name in "cab":
        write(tmp_path, name, "Pain.")
    assert [note.name for note in read_gold(tmp_path, LABELS, limit=2).notes] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "ann", "said"),
    [
        ("Pain.", "T1\tSign_symptom 0 4\tPain\nT2 what\n", r"a\.ann, line 2: a span is written"),
        ("Pain.", "T1\tSign_symptom 1 4\tPain\n", r"a\.ann, line 1: characters 1 4 of the note do not read as"),
        ("Pain.", "T1\tSign_symptom 0 40\tPain\n", r"a\.ann, line 1: ends at 40"),
        ("Pain.", None, r"a\.txt: a\.ann is not beside it"),
        (" ", "", r"a\.txt: 'text' is empty"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(tmp_path: Path, text: str, ann: str | None, said: str) -> None:
    write(tmp_path, "a", text, ann)
    with pytest.raises(GoldError, match=said):
        read_gold(tmp_path, LABELS)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a", "Pain.")
    (tmp_path / "a.ann").write_bytes(b"T1\xff")
    with pytest.raises(GoldError, match=r"a\.ann: not UTF-8 at byte 2"):
        read_gold(tmp_path, LABELS)


def test_a_folder_without_notes_is_said(tmp_path: Path) -> None:
    with pytest.raises(GoldError, match=r"no \.txt is there"):
        read_gold(tmp_path, LABELS)
