"""A list of ids out of a file: one a line, or in the first column of a CSV file. A refusal names rows only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotator.core.csv_rows import is_id_heading
from annotator.core.foreign import NAME_LENGTHS
from annotator.core.wording import counted

TABLE_SUFFIXES = (".csv", ".tsv")
_DELIMITERS = ",;\t|"
_MOST_NAMED = 10


class IdListError(ValueError):
    """A file that is no list of ids; the message says which rows are wrong, and never what they hold."""


@dataclass(frozen=True, slots=True)
class IdList:
    """The ids in their order, and the row of each, counted from 1, blank rows and the heading too."""

    ids: Sequence[str]
    rows: Sequence[int]


def read_ids(content: bytes, *, name: str, most: int) -> IdList:
    """The ids of the file called `name`: all of them, or IdListError.

    A `.csv` or `.tsv` file has them in its first column, any other one a line. A first row that is the heading of such
    a column is passed over, and so are blank rows. UTF-8, with or without a byte order mark.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise IdListError(f"row {row:,} is not UTF-8: save the file as UTF-8") from None
    found, rows, wrong = [], [], []
    try:
        for row, cells in enumerate(_rows(text, name.lower()), start=1):
            cell = cells[0].strip() if cells else ""
            if (row == 1 and is_id_heading(cell)) or not any(each.strip() for each in cells):
                continue
            if not cell or len(cell) > NAME_LENGTHS["id"] or "\0" in cell:
                wrong.append(row)
            found.append(cell)
            rows.append(row)
            if len(found) > most:
                raise IdListError(f"the file has more than {most:,} ids")
    except csv.Error:
        raise IdListError(f"row {(rows[-1] if rows else 0) + 1:,} has a double quote that is not closed") from None
    if wrong:
        raise IdListError(f"no id of 1 to {NAME_LENGTHS['id']} characters stands in {rows_named(wrong)}")
    if not found:
        raise IdListError("the file has no id")
    return IdList(found, rows)


def rows_named(numbers: Sequence[int], what: str = "row", many: str = "rows") -> str:
    """The first ten of these places in words: "row 3", "rows 3, 5 and 8 more"."""
    listed = ", ".join(f"{number:,}" for number in numbers[:_MOST_NAMED])
    more = f" and {counted(len(numbers) - _MOST_NAMED, 'more', 'more')}" if len(numbers) > _MOST_NAMED else ""
    return f"{what if len(numbers) == 1 else many} {listed}{more}"


def _rows(text: str, name: str) -> Iterator[list[str]]:
    if not name.endswith(TABLE_SUFFIXES):
        return ([line] for line in text.splitlines())
    first = text.partition("\n")[0]
    unquoted = "".join(first.split('"')[::2])
    delimiters = "\t" if name.endswith(".tsv") else _DELIMITERS
    delimiter = next((each for each in unquoted if each in delimiters), ",")
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
