from __future__ import annotations

import pytest

from annotator.core.id_lists import IdListError, read_ids, rows_named


@pytest.mark.parametrize(
    ("name", "content", "ids", "rows"),
    [
        ("ids.txt", "a-1\n\n  b,2 \r\nc", ["a-1", "b,2", "c"], [1, 3, 4]),
        ("ids.txt", "note_id\na", ["a"], [2]),
        ("ids.csv", "\ufeffnote_id,type\na,Letter\n\nb,Letter\n", ["a", "b"], [2, 4]),
        ("ids.csv", 'a;"x;\ny"\nb;z\n', ["a", "b"], [1, 2]),
        ("ids.csv", '"a, the first"\n"b"\n', ["a, the first", "b"], [1, 2]),
        ("IDS.TSV", "a,1\tx\nb\ty", ["a,1", "b"], [1, 2]),
    ],
)
def test_ids_come_with_their_rows(name: str, content: str, ids: list[str], rows: list[int]) -> None:
    found = read_ids(content.encode(), name=name, most=9)
    assert (list(found.ids), list(found.rows)) == (ids, rows)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("ids.csv", b"a,1\n,2\nb,3\n,4\n", "no id of 1 to 200 characters stands in rows 2, 4"),
        ("ids.txt", b"secret-1\n" + b"x" * 201, "stands in row 2"),
        ("ids.txt", b"secret-1\nsec\0ret", "stands in row 2"),
        ("ids.txt", b"secret-1\n\nsecr\xe9t", "row 3 is not UTF-8"),
        ("ids.csv", b'secret-1\n"secret', "row 2 has a double quote that is not closed"),
        ("ids.csv", b"id,type\n\n", "no id"),
        ("ids.txt", b"secret\n" * 10, "more than 9 ids"),
    ],
)
def test_a_file_that_is_no_list_is_refused_by_its_rows(name: str, content: bytes, why: str) -> None:
    with pytest.raises(IdListError, match=why) as refusal:
        read_ids(content, name=name, most=9)
    assert "secret" not in str(refusal.value)


def test_ten_places_are_named() -> None:
    assert rows_named(list(range(1, 13))) == "rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"
    assert rows_named([1000], "entry", "entries") == "entry 1,000"
