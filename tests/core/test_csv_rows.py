from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.csv_rows import (
    CsvLayout,
    LayoutError,
    checked_layout,
    columns_of,
    guess_layout,
    note_of,
    with_named_columns,
)
from annotator.core.foreign import RowError

NOTEEVENTS = (
    '"ROW_ID","SUBJECT_ID","HADM_ID","CHARTDATE","CHARTTIME","STORETIME","CATEGORY","DESCRIPTION","CGID","ISERROR","TEXT"\n'
    '1,22,163,2151-08-04,,,"Discharge summary","Report",,,"Admission Date: none, but chest pain.\n\nNo fever."\n'
    '2,22,163,2151-08-05,,,"Discharge summary","Report",,,"Second ""note"", of commas, and; semicolons"\n'
)


def guessed(text: str, **given_: Any) -> CsvLayout:
    return guess_layout(text.encode(), **given_)


def test_columns_are_guessed_by_their_names() -> None:
    layout = guessed(NOTEEVENTS)
    assert (layout.delimiter, layout.has_header, layout.encoding) == (",", True, "utf-8")
    assert (layout.text, layout.external_id, layout.patient_id, layout.note_type) == (10, 0, 1, 6)
    assert layout.metadata == ()


@pytest.mark.parametrize(
    ("header", "places"),
    [
        ("id,text", (1, 0, None, None)),
        ("note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text", (7, 0, 1, 3)),
        ("Note Text;Note ID;Patient;Category", (0, 1, 2, 3)),
        ("\ufeffid\tcontent", (1, 0, None, None)),
        ("a,b", (None, None, None, None)),
    ],
)
def test_known_names_are_found_in_any_spelling(header: str, places: tuple[int | None, ...]) -> None:
    layout = guessed(header + "\n")
    assert layout.has_header
    assert (layout.text, layout.external_id, layout.patient_id, layout.note_type) == places


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_equal_rows(delimiter: str) -> None:
    rows = [["id", "ward", "text"], ["1", "a", "pain, none; fever"], ["2", "b", "one, two, three"]]
    text = "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in rows)
    assert guessed(text).delimiter == delimiter


def test_without_a_header_the_longest_cells_are_the_text() -> None:
    layout = guessed("1,22,No chest pain today.\n2,22,Aspirin was stopped because of bleeding.\n")
    assert (layout.has_header, layout.text, layout.external_id) == (False, 2, None)
    assert [column.name for column in columns_of(b"1,22,No pain.\n", layout)] == ["column 1", "column 2", "column 3"]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("id,text\n1,é\n".encode("utf-8-sig"), "utf-8"),
        ("id,text\n1,é\n".encode("utf-16"), "utf-16"),
        ("id,text\n1,é\n".encode("utf-16-le"), "utf-8"),
        ("id,text\n1,é\n".encode("cp1252"), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_only_a_mark_makes_another_encoding_than_utf_8(content: bytes, encoding: str) -> None:
    assert guess_layout(content).encoding == encoding


def test_names_of_columns_are_each_another_one() -> None:
    columns = columns_of(b"id,,ward,ward\n1,,,W2\n2,x,W1,\n", CsvLayout())
    assert [(column.name, column.example) for column in columns] == [
        ("id", "1"),
        ("column 2", "x"),
        ("ward", "W1"),
        ("ward (4)", "W2"),
    ]


def note(*cells: str, **layout: Any) -> Any:
    chosen = CsvLayout(**{"text": 1, "external_id": 0, **layout})
    return note_of(cells, where="row 2", layout=chosen, names=["id", "text", "ward", "type"], numbered="n-2")


def test_a_row_becomes_a_note() -> None:
    found = note(" 7 ", ' He said:\r\n"no" ', "W1", "", patient_id=2, note_type=3, metadata=(3,))
    assert (found.external_id, found.text) == ("7", ' He said:\r\n"no" ')
    assert (found.note_type, found.metadata, found.spans, found.may_repeat) == ("", {"type": ""}, None, False)


def test_rows_are_numbered_where_no_column_is_the_id() -> None:
    assert note("7", "text", "", "", external_id=None).external_id == "n-2"


@pytest.mark.parametrize(
    ("cells", "layout", "message"),
    [
        (["secret"], {}, "1 cell, where 4 are wanted as in the first row"),
        (["secret"] * 5, {}, "5 cells, where 4 are wanted as in the first row"),
        (["secret"] * 4, {"text": None}, "no column is chosen as the text"),
        ([" ", "secret", "", ""], {}, "'id' is missing"),
        (["a\nb", "secret", "", ""], {}, "'id' must be 1 to 200 printable characters"),
        (["1", "secret", "", "x" * 101], {"note_type": 3}, "'note_type' must be 1 to 100 printable characters"),
        (["1", "secret", "a\0b", ""], {"metadata": (2,)}, "'metadata' has a NUL character"),
        (["1", "secret", "x" * 70_000, ""], {"metadata": (2,)}, "'metadata' has 70012 characters"),
    ],
)
def test_a_wrong_row_is_explained_and_not_quoted(cells: list[str], layout: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as caught:
        note(*cells, **layout)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


NAMES = ["ROW_ID", "Note text", "ward"]


def test_columns_are_given_by_name_or_number() -> None:
    chosen = {"text": "note_text", "id": "1", "patient": "", "type": ""}
    layout = with_named_columns(CsvLayout(note_type=2), NAMES, chosen, ["ward"])
    assert (layout.text, layout.external_id, layout.note_type, layout.metadata) == (1, 0, 2, (2,))


@pytest.mark.parametrize("column", ["0", "4", "TEXT", "９" * 30])
def test_a_column_that_is_not_there_is_refused(column: str) -> None:
    with pytest.raises(LayoutError, match="none of the 3 columns is"):
        with_named_columns(CsvLayout(), NAMES, {"text": column}, [])


def test_names_are_not_told_where_the_first_row_is_a_note() -> None:
    with pytest.raises(LayoutError) as caught:
        with_named_columns(CsvLayout(has_header=False), ["secret"], {"text": "x"}, [])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "layout",
    [CsvLayout(text=3), CsvLayout(text=-1), CsvLayout(text=1, metadata=(1,)), CsvLayout(encoding="rot13")],
)
def test_a_layout_that_is_none_is_refused(layout: CsvLayout) -> None:
    with pytest.raises(LayoutError):
        checked_layout(layout, 3)


def test_a_layout_comes_back_from_json() -> None:
    layout = CsvLayout(text=3, metadata=(1, 2), delimiter="\t")
    assert CsvLayout.from_json(layout.to_json()) == layout


@given(st.binary(max_size=300) | st.text(alphabet='a1,;\t|"\r\n\0é', max_size=80).map(str.encode))
def test_a_layout_is_guessed_from_any_bytes(head: bytes) -> None:
    layout = guess_layout(head)
    assert checked_layout(layout, len(columns_of(head, layout))) == layout
