from __future__ import annotations

from pathlib import Path

import pytest

from annotator.core.foreign import ForeignNote
from annotator.core.spans import Span
from annotator.exchange import sources
from annotator.exchange.seen import SeenIds
from annotator.exchange.sources import RowFault, SourceError, count_rows, read_notes, source_at
from tests.exchange.files import write_files, write_rows


def read(path: Path, *, has_spans: bool = True) -> list[ForeignNote | RowFault]:
    return list(read_notes(source_at(path), has_spans=has_spans))


def faults(path: Path) -> list[tuple[str, str]]:
    return [(row.where, row.message) for row in read(path) if isinstance(row, RowFault)]


def test_a_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    files = {
        "b.txt": "B",
        "a.txt": "A",
        "a.ann": "T1\tX 0 1\tA\n",
        "ward/a.TXT": "WA",
        "a.b.txt": "AB",
        "readme.md": "",
    }
    write_files(tmp_path, files | {".git/c.txt": "hidden", "._a.txt": "hidden"})
    found = source_at(tmp_path)
    assert [note.external_id for note in read(tmp_path) if isinstance(note, ForeignNote)] == ["a", "a.b", "b", "ward/a"]
    assert (count_rows(found), found.n_other_files) == (4, 2)


def test_spans_are_read_where_asked_for(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.ann": "T1\tX 0 1\tA\n", "b.txt": "B", "c.txt": "C", "c.ann": ""})
    with_spans = [note.spans for note in read(tmp_path) if isinstance(note, ForeignNote)]
    assert [None if spans is None else [one.span for one in spans] for spans in with_spans] == [
        [Span.of(0, 1)],
        None,
        [],
    ]
    without = read(tmp_path, has_spans=False)
    assert [note.spans for note in without if isinstance(note, ForeignNote)] == [None] * 3


def test_byte_order_marks_are_dropped_and_line_endings_kept(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {"a.txt": "\ufeffA\r\nB", "a.ann": "\ufeffT1\tX 3 4\tB\n", "b.jsonl": '\ufeff{"id": "b", "text": "x"}'},
    )
    assert [note.text for note in read(tmp_path) if isinstance(note, ForeignNote)] == ["A\r\nB", "x"]


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.ann": "", "b.txt": "B"})
    assert len(read(tmp_path / "a.txt")) == 1
    (note,) = read(write_rows(tmp_path / "n.jsonl", {"id": "x", "text": "y"}))
    assert note.where == "row 1"


def test_rows_are_counted_as_lines_of_the_file(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "n.jsonl", {"id": "a"}, "", "  ", "{", {"id": "b"})
    assert [row.where for row in read(file)] == ["row 1", "row 4", "row 5"]
    write_files(tmp_path, {"m.txt": "M"})
    assert [row.where for row in read(tmp_path)] == ["m.txt", "n.jsonl row 1", "n.jsonl row 4", "n.jsonl row 5"]


def test_what_is_not_text_is_named_with_its_byte(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": b"ok \xff secret", "b.txt": "b", "b.ann": b"\xe9"})
    write_files(tmp_path, {"c.jsonl": b'{"id": "x"}\n{"id": "\xe9"}\n'})
    assert faults(tmp_path) == [
        ("a.txt", "not UTF-8 (at byte 3): save it as UTF-8"),
        ("b.ann", "the file ends in the middle of a character: was it copied whole?"),
        ("c.jsonl row 2", "not UTF-8 (at byte 20 of the file): save it as UTF-8"),
    ]


def test_notes_and_lines_are_bounded_and_the_next_row_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_NOTE_BYTES", 1024 * 1024)
    monkeypatch.setattr(sources, "MAX_LINE_BYTES", 2 * 1024 * 1024)
    long = "é" * (512 * 1024 + 1)
    write_files(tmp_path, {"a.txt": long})
    write_rows(tmp_path / "b.jsonl", {"id": "1", "text": long}, "x" * 5_000_000, {"id": "3", "text": "y"})
    assert faults(tmp_path) == [
        ("a.txt", "the file is longer than 1 MB"),
        ("b.jsonl row 1", "'text' is longer than 1 MB"),
        ("b.jsonl row 2", "the line is longer than 2 MB"),
    ]
    assert [row.where for row in read(tmp_path)][-1] == "b.jsonl row 3"


def test_a_wrong_annotation_file_is_named_with_its_line(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.ann": "T1\tX 0 1\tA\nboo\n"})
    assert faults(tmp_path) == [("a.ann", "line 2: starts with none of T A M E R * # N")]


def test_two_files_of_one_name_are_a_fault(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.TXT": "A"})
    assert [message for _, message in faults(tmp_path)] == ["there are two files of this name"]


def test_a_name_that_cannot_be_an_id_is_a_fault(tmp_path: Path) -> None:
    write_files(tmp_path, {"a\tb.txt": "A", "x/" * 100 + "yy.txt": "B"})
    assert len(faults(tmp_path)) == 2


def test_a_path_without_notes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file or folder"):
        source_at(tmp_path / "none")
    with pytest.raises(SourceError, match=r"has no file of notes \(\.ann, \.csv"):
        source_at(tmp_path)
    with pytest.raises(SourceError, match="neither a folder nor"):
        source_at(write_files(tmp_path, {"a.pdf": ""}) / "a.pdf")


def test_seen_ids_tell_the_first_row_and_whether_it_says_the_same() -> None:
    with SeenIds() as seen:
        assert seen.earlier(external_id="a", digest="1", position=1) is None
        assert seen.earlier(external_id="b", digest="1", position=2) is None
        for digest, is_same in (("1", True), ("2", False)):
            earlier = seen.earlier(external_id="a", digest=digest, position=3)
            assert earlier is not None
            assert (earlier.position, earlier.is_same_text) == (1, is_same)


def test_an_index_beside_brat_files_says_what_brat_cannot(tmp_path: Path) -> None:
    row = {
        "file": "x1",
        "id": "n 1",
        "patient_id": "p-1",
        "metadata": {"ward": 3},
        "document_labels": {"smoking": "never"},
    }
    write_files(tmp_path / "train", {"x1.txt": "A", "x1.ann": "T1\tX 0 1\tA\n", "x2.txt": "B"})
    write_rows(tmp_path / "train" / "notes.jsonl", row, "{")
    first, second = (note for note in read(tmp_path) if isinstance(note, ForeignNote))
    assert (first.external_id, first.patient_id, first.metadata, first.document_labels) == (
        *("n 1", "p-1", {"ward": 3}),
        {"smoking": "never"},
    )
    assert (second.external_id, count_rows(source_at(tmp_path))) == ("train/x2", 2)
