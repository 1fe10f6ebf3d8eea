"""Notes from `.csv` and `.tsv` files, row by row; a layout (`annotator.core.csv_rows`) says what the columns are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.core.csv_rows import ENCODINGS, HEAD_BYTES, MAX_COLUMNS, CsvLayout, column_names, note_of, sample_rows
from annotator.core.file_kinds import binary_kind, utf16_kind
from annotator.core.foreign import ForeignNote, RowError, RowFault
from annotator.exchange.lines import Line, megabytes, read_lines

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Row:
    """One row as it stands in the file; `is_last` where what follows a fault cannot be trusted."""

    where: str
    number: int
    cells: list[str]
    fault: str = ""
    is_last: bool = False


class _Fault(Exception):
    """Why a row ends before its end; the message is for people."""


class _Feed:
    """Hands the csv module the lines of one row after the other, and notes where they stand.

    The module reads on in search of a closing quote as long as there is a line: this is what stops it.
    """

    def __init__(self, lines: Iterator[Line], max_chars: int) -> None:
        self._lines, self._max_chars = lines, max_chars
        self.first = self.last = self._n_chars = 0
        self.wrong_byte: int | None = None
        self.is_at_end = False

    def begin_row(self) -> None:
        self.first, self._n_chars, self.wrong_byte = self.last + 1, 0, None

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.is_at_end = True
            raise StopIteration
        self.last = line.number
        self._n_chars += len(line.text)
        if line.fault:
            raise _Fault(line.fault)
        if self._n_chars > self._max_chars:
            raise _Fault(f"a double quote is opened in this row and not closed within {megabytes(self._max_chars)}")
        if self.wrong_byte is None:
            self.wrong_byte = line.wrong_byte
        return line.text


def file_head(path: Path) -> bytes:
    """How the file begins, as far as its layout is guessed from it. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def names_in(path: Path, layout: CsvLayout) -> tuple[str, ...]:
    """The names of the file's columns; none where it has no row. Raises OSError."""
    rows = sample_rows(file_head(path), layout)
    return column_names(rows[0], layout) if rows else ()


def read_table(
    path: Path, *, name: str, stem: str, prefix: str, layout: CsvLayout, names: Sequence[str], max_chars: int
) -> Iterator[ForeignNote | RowFault]:
    """Every note of the file, or why a row is none. `names` are the columns that the layout is for.

    Rows are counted from 1, the header too, as a spreadsheet does; blank ones are passed over. Raises OSError.
    """
    fault = _file_fault(path, layout, names)
    if fault:
        yield RowFault(name, fault)
        return
    for row in _rows(path, prefix=prefix, layout=layout, max_chars=max_chars):
        if row.fault:
            further = "; the rows after it cannot be told apart and were not read" if row.is_last else ""
            yield RowFault(row.where, row.fault + further)
        elif any(cell.strip() for cell in row.cells):
            try:
                numbered = f"{stem}-{row.number}"
                yield note_of(row.cells, where=row.where, layout=layout, names=names, numbered=numbered)
            except RowError as error:
                yield RowFault(row.where, str(error))


def count_table_rows(path: Path, layout: CsvLayout) -> int:
    """About how many notes the file has: line ends outside of quotes."""
    n_rows, is_quoted, last = 0, False, b"\n"
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                parts = chunk.split(b'"')
                n_rows += sum(part.count(b"\n") for part in parts[is_quoted::2])
                is_quoted ^= len(parts) % 2 == 0
                last = chunk[-1:]
    except OSError:
        return 0
    return max(n_rows + (last not in b"\n\0") - layout.has_header, 0)


def _file_fault(path: Path, layout: CsvLayout, names: Sequence[str]) -> str:
    """What is wrong with the file as a whole."""
    head = file_head(path)
    kind = utf16_kind(head)
    if binary := binary_kind(head):
        return binary
    if kind and not layout.encoding.startswith("utf-16"):
        return f"this looks like {ENCODINGS[kind]}: choose that as its encoding, or save it as UTF-8"
    own = sample_rows(head, layout)
    if own and len(own[0]) > MAX_COLUMNS:
        return f"it has {len(own[0])} columns, at most {MAX_COLUMNS} are read"
    if own and column_names(own[0], layout) != tuple(names):
        return "its columns are not those of the first CSV file: import it by itself"
    if own and layout.text is None:
        return "no column is chosen as the text"
    return ""


def _rows(path: Path, *, prefix: str, layout: CsvLayout, max_chars: int) -> Iterator[_Row]:
    """The rows of the file but its header, as the csv module reads them."""
    feed = _Feed(read_lines(path, encoding=layout.encoding, max_chars=max_chars), max_chars)
    reader = csv.reader(feed, delimiter=layout.delimiter, strict=True)
    number, is_header = 0, layout.has_header
    while True:
        number += 1
        feed.begin_row()
        cells: list[str] = []
        fault = ""
        try:
            cells = next(reader)
            if feed.wrong_byte is not None:
                fault = (
                    f"not {ENCODINGS[layout.encoding]} (at byte {feed.wrong_byte} of the file): choose the encoding "
                    "that it was saved in, often Windows-1252, or save it as UTF-8"
                )
        except StopIteration:
            return
        except _Fault as error:
            fault = str(error)
        except csv.Error:
            fault = "a double quote is opened in this row and never closed"
            if not feed.is_at_end:
                fault = "a closing double quote has text behind it: a quote inside a quoted cell is written twice"
        if is_header:
            # Blank lines may stand before the header.
            is_header = not (fault or any(cell.strip() for cell in cells))
            if not fault:
                continue
        where = f"{prefix}row {number}" + (f" (line {feed.first})" if feed.first != number else "")
        is_last = bool(fault) and not cells and feed.last > feed.first
        yield _Row(where, number, cells, fault, is_last)
        if is_last:
            return
