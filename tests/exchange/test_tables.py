"""CSV: how rows become notes, and which rows do not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.csv_rows import CsvLayout
from annotator.core.foreign import ForeignNote, RowFault
from annotator.documents.models import Document
from annotator.exchange import sources
from annotator.exchange.services import ImportRefused
from annotator.exchange.sources import count_rows, read_notes, source_at
from annotator.projects.models import Project
from tests.exchange.files import write_files
from tests.exchange.scene import add, errors_of

TEXT_OPENED = "a double quote is opened in this row and"
UNREAD = "; the rows after it cannot be told apart and were not read"


def read(tmp_path: Path, content: str | bytes, **layout: Any) -> list[ForeignNote | RowFault]:
    source = source_at(write_files(tmp_path, {"n.csv": content}) / "n.csv")
    return list(read_notes(replace(source, layout=CsvLayout(**layout)) if layout else source, has_spans=True))


def notes(rows: list[ForeignNote | RowFault]) -> list[tuple[str, str | None]]:
    assert not [row for row in rows if isinstance(row, RowFault)]
    return [(row.external_id, row.text) for row in rows]


def faults(rows: list[ForeignNote | RowFault]) -> list[tuple[str, str]]:
    return [(row.where, row.message) for row in rows if isinstance(row, RowFault)]


def test_quoted_cells_hold_line_ends_delimiters_and_quotes(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,text\r\n1,"a,b\r\n""c"""\r\n\r\n,\r\n2," d "\r\n')
    assert notes(rows) == [("1", 'a,b\r\n"c"'), ("2", " d ")]
    assert [row.where for row in rows] == ["row 2", "row 5 (line 6)"]


def test_crlf_in_a_cell_becomes_lf_as_elsewhere(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": 'id,text,patient_id,type\r\n1,"a\r\nb\rc",p-1,ED\r\n'})
    assert add(project, tmp_path).n_added == 1
    stored = Document.objects.get()
    assert (stored.text, stored.patient_id, stored.note_type) == ("a\nb\nc", "p-1", "ED")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_end_as_they_like_in_any_unicode(tmp_path: Path, line_end: str, encoding: str) -> None:
    content = line_end.join(["id;text", "1;é 😀", "2;b", ""]).encode(encoding)
    assert notes(read(tmp_path, content)) == [("1", "é 😀"), ("2", "b")]


def test_another_encoding_is_read_where_it_is_said(tmp_path: Path) -> None:
    content = "id,text\n1,€ é\n".encode("cp1252")
    assert notes(read(tmp_path, content, text=1, external_id=0, encoding="cp1252")) == [("1", "€ é")]
    assert faults(read(tmp_path, content)) == [
        (
            "row 2",
            "not UTF-8 (at byte 10 of the file): choose the encoding that it was saved in, often Windows-1252, "
            "or save it as UTF-8",
        )
    ]
    assert "not Windows-1252 (at byte 10" in faults(read(tmp_path, b"id,text\n1,\x81", text=1, encoding="cp1252"))[0][1]


def test_rows_around_wrong_bytes_are_read(tmp_path: Path) -> None:
    rows = read(tmp_path, '\ufeffid,text\n1,µ\n2,"a\n'.encode() + b'\xff"\n3,c\n')
    assert [(row.where, getattr(row, "text", None)) for row in rows] == [
        ("row 2", "µ"),
        ("row 3", None),
        ("row 4 (line 5)", "c"),
    ]
    assert "(at byte 21 of the file)" in faults(rows)[0][1]


def test_utf_16_without_its_mark_is_named_and_can_be_chosen(tmp_path: Path) -> None:
    content = "id,text\n1,note\n".encode("utf-16-le")
    (fault,) = faults(read(tmp_path, content))
    assert fault[1].startswith("this looks like UTF-16, little endian without mark: choose that as its encoding")
    assert notes(read(tmp_path, content, text=1, external_id=0, encoding="utf-16-le")) == [("1", "note")]
    cut = faults(read(tmp_path, content[:-1], text=1, external_id=0, encoding="utf-16-le"))
    assert cut == [("row 2", "the file ends in the middle of a character of UTF-16")]


def test_a_ragged_row_says_how_many_cells_are_wanted(tmp_path: Path) -> None:
    rows = read(tmp_path, "id,text\n1\n2,a,b\n3,c\n")
    assert [(where, message.partition(" as in")[0]) for where, message in faults(rows)] == [
        ("row 2", "1 cell, where 2 are wanted"),
        ("row 3", "3 cells, where 2 are wanted"),
    ]
    assert len(rows) == 3


def test_an_empty_text_is_a_row_error(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": 'id,text\n1," "\n,b\n'})
    with pytest.raises(ImportRefused, match="2 errors in 2 rows") as caught:
        add(project, tmp_path)
    assert errors_of(caught) == [("row 2", "'text' is empty"), ("row 3", "'id' is missing")]


def test_an_id_that_comes_twice_is_a_row_error(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "id,text\n1,a\n1,a\n", "b.csv": "id,text\n1,b\n"})
    with pytest.raises(ImportRefused) as caught:
        add(project, tmp_path)
    assert errors_of(caught) == [
        ("a.csv row 3", "the id was given before (with the same text), by note 1 of this source"),
        ("b.csv row 2", "the id was given before (with another text), by note 1 of this source"),
    ]


def test_a_file_imported_again_is_skipped(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": "id,text\n1,a\n"})
    assert add(project, tmp_path).n_added == 1
    assert add(project, tmp_path).n_known == 1


def test_rows_are_numbered_by_file_where_no_column_is_the_id(tmp_path: Path) -> None:
    write_files(tmp_path, {"w/a.csv": "text\nA\n\nB\n", "b.tsv": "text\nC\n"})
    assert notes(list(read_notes(source_at(tmp_path), has_spans=False))) == [
        ("b-2", "C"),
        ("w/a-2", "A"),
        ("w/a-4", "B"),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('id,text\n1,a\n2,"b\n3,c\n', ("row 3", f"{TEXT_OPENED} never closed{UNREAD}")),
        ('id,text\n1,a\n2,"b', ("row 3", f"{TEXT_OPENED} never closed")),
        (
            'id,text\n1,"a" b\n',
            ("row 2", "a closing double quote has text behind it: a quote inside a quoted cell is written twice"),
        ),
    ],
)
def test_a_quote_that_is_not_closed_is_named_by_its_row(
    tmp_path: Path, content: str, expected: tuple[str, str]
) -> None:
    assert faults(read(tmp_path, content)) == [expected]


def test_an_endless_quote_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_LINE_BYTES", 1024 * 1024)
    content = "id,text\n1,a\n2,b\n" + '3,"c\n' + "4,d\n" * 300_000
    rows = read(tmp_path, content)
    assert faults(rows) == [("row 4", f"{TEXT_OPENED} not closed within 1 MB{UNREAD}")]
    assert len(rows) == 3


def test_an_endless_line_spoils_its_own_row_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_LINE_BYTES", 2 * 1024 * 1024)
    monkeypatch.setattr(sources, "MAX_NOTE_BYTES", 1024 * 1024)
    long = "x" * 5_000_000
    rows = read(tmp_path, f'id,text\n1,{long}\n2,b\n3,{"y" * 1_200_000}\n4,d\n5,"e\n{long}"\n6,f\n')
    assert faults(rows) == [
        ("row 2", "the line is longer than 2 MB"),
        ("row 4", "'text' is longer than 1 MB"),
        ("row 6", f"the line is longer than 2 MB{UNREAD}"),
    ]
    assert [row.external_id for row in rows if isinstance(row, ForeignNote)] == ["2", "4"]


def test_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "id,text\n1,a\n", "b.csv": "text,id\nb,2\n", "c.csv": ""})
    rows = list(read_notes(source_at(tmp_path), has_spans=False))
    assert faults(rows) == [("b.csv", "its columns are not those of the first CSV file: import it by itself")]
    assert len(rows) == 2


def test_a_file_without_a_text_column_or_with_too_many_is_one_fault(tmp_path: Path) -> None:
    assert faults(read(tmp_path, "id,text\n1,a\n2,b\n", external_id=0)) == [
        ("n.csv", "no column is chosen as the text")
    ]
    wide = ",".join(["text", *(f"c{number}" for number in range(300))])
    assert faults(read(tmp_path, f"{wide}\n")) == [("n.csv", "it has 301 columns, at most 200 are read")]


def test_rows_are_counted_outside_of_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.exchange.tables._CHUNK", 3)
    write_files(tmp_path, {"n.csv": 'id,text\n1,"a\n\n""b"""\n2,c'})
    assert count_rows(source_at(tmp_path)) == 2


def test_what_is_in_a_header_is_never_in_an_error(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "Zebrafever was found\n", "b.csv": "Zebrafever again,and again\n"})
    with pytest.raises(ImportRefused) as caught:
        add(project, tmp_path)
    assert "Zebrafever" not in str(errors_of(caught))


CELLS = st.text(alphabet=st.sampled_from('ab é😀,;\t|"\r\n'), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS.filter(str.strip)), min_size=1, max_size=5), st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("more", "text"), *rows])
    content = stream.getvalue().encode()
    found = read(tmp_path_factory.mktemp("n"), content, text=1, metadata=(0,), delimiter=delimiter)
    assert [(note.metadata["more"], note.text) for note in found if isinstance(note, ForeignNote)] == rows
