"""Reading notes from files: folders of `.txt` with or without brat `.ann`, `.jsonl`, `.csv`, and what other tools
export (`annotator.exchange.tools`). Streams, never holds them.

A file's name is its path below the folder, with `/`; a note's external id is that name without the suffix.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from annotator.core.brat import BratFile, parse_ann
from annotator.core.csv_rows import CsvLayout, guess_layout
from annotator.core.file_kinds import HEAD_BYTES, binary_kind, utf16_kind
from annotator.core.foreign import ForeignNote, RowFault
from annotator.exchange.lines import megabytes, read_lines
from annotator.exchange.tables import count_table_rows, file_head, names_in, read_table
from annotator.exchange.tools import (
    MAX_LINE_BYTES,
    SUFFIX_FORMATS,
    Format,
    count_notes,
    found_format,
    parsed,
    parser_of,
    read_file,
    read_index,
)

MAX_NOTE_BYTES = 2 * 1024 * 1024
MAX_EXTERNAL_ID = 200
TEXT, BRAT, JSONL = ".txt", ".ann", ".jsonl"
TABLES = frozenset({".csv", ".tsv"})
OF_TOOLS = frozenset(SUFFIX_FORMATS) - {JSONL}
NOTES = frozenset({TEXT, JSONL}) | TABLES | OF_TOOLS
SUFFIXES = NOTES | {BRAT}
_SAVE_AS_UTF8 = "save it as UTF-8"
_MAX_SHOWN = 120
_CHUNK = 1024 * 1024


class SourceError(Exception):
    """A path from which no note can be read; the message says what was given and what is wanted."""


def name_in_errors(name: str) -> str:
    """The name as an error tells it: printable, and not endless."""
    shown = "".join(character if character.isprintable() else "▯" for character in name)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: `name` is what people see, `path` where its bytes lie, `format` what it is written as, if any."""

    name: str
    path: Path
    format: Format | None = None

    @property
    def stem(self) -> str:
        return str(PurePosixPath(self.name).with_suffix(""))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_index(self) -> bool:
        return self.format == Format.BRAT_INDEX

    @property
    def where(self) -> str:
        return name_in_errors(self.name)


@dataclass(frozen=True, slots=True)
class Source:
    """Files in a fixed order, those of one note side by side; `n_other_files` counts the ones of no use.

    `layout` says how the rows of its CSV files become notes; where it is None, they are read as they seem to be.
    """

    files: tuple[SourceFile, ...]
    n_other_files: int = 0
    layout: CsvLayout | None = None

    @property
    def tables(self) -> list[SourceFile]:
        return [file for file in self.files if file.suffix in TABLES]


def shown_name(name: str) -> str:
    """A file's name in one spelling (NFC), with bytes that are no text written out."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())


def in_order(
    files: Sequence[SourceFile], *, n_other_files: int = 0, layout: CsvLayout | None = None, format: str = ""
) -> Source:
    """The source of these files; those that can be of `format` are, others of what they hold.

    Beside notes, a JSON or XML file of no known tool is one of no use.
    """
    known = [_with_format(file, format) for file in files]
    kept = [file for file in known if file.suffix not in OF_TOOLS or file.format] or known
    n_other_files += len(known) - len(kept)
    return Source(tuple(sorted(kept, key=lambda file: (file.stem, file.suffix, file.name))), n_other_files, layout)


def _with_format(file: SourceFile, format: str) -> SourceFile:
    possible = SUFFIX_FORMATS.get(file.suffix, ())
    if not possible:
        return file
    if format in possible:
        return replace(file, format=Format(format))
    try:
        return replace(file, format=found_format(file.path, file.suffix))
    except OSError:
        return file


def source_at(path: Path, *, format: str = "") -> Source:
    """The source of a file or of a folder with all below it; hidden files and links to folders are passed over.

    Raises SourceError where there is nothing to read.
    """
    if path.is_file():
        if path.suffix.lower() not in NOTES:
            raise SourceError(f"{path} is neither a folder nor a file of notes ({', '.join(sorted(NOTES))})")
        files = [path]
        beside = path.with_suffix(BRAT)
        if path.suffix.lower() == TEXT and beside.is_file():
            files.append(beside)
        return in_order([SourceFile(shown_name(file.name), file) for file in files], format=format)
    if not path.is_dir():
        raise SourceError(f"there is no file or folder {path}")
    found, n_other_files = [], 0
    for folder, folders, names in os.walk(path, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(folder, name)
            if name.startswith(".") or file.suffix.lower() not in SUFFIXES:
                n_other_files += 1
            else:
                found.append(SourceFile(shown_name(file.relative_to(path).as_posix()), file))
    if not found:
        raise SourceError(f"the folder {path} has no file of notes ({', '.join(sorted(SUFFIXES))})")
    return in_order(found, n_other_files=n_other_files, format=format)


def first_head(source: Source) -> bytes:
    """How the source's first CSV file begins; nothing where there is none, or where it cannot be read."""
    try:
        return file_head(source.tables[0].path) if source.tables else b""
    except OSError:
        return b""


def likely_layout(source: Source, **given: Any) -> CsvLayout | None:
    """The layout that the source's CSV files seem to have, with what is `given`; None where there is no such file."""
    if not source.tables:
        return None
    return guess_layout(first_head(source), is_tab_first=source.tables[0].suffix == ".tsv", **given)


def count_rows(source: Source) -> int:
    """About how many notes the source has, for progress: blank lines count. Reads files of many notes once."""
    n_notes = len({file.stem for file in source.files if file.suffix in {TEXT, BRAT}})
    n_lines = sum(_count_lines(file.path) for file in source.files if file.suffix == JSONL and not file.is_index)
    layout = source.layout or likely_layout(source)
    n_rows = sum(count_table_rows(file.path, layout) for file in source.tables) if layout else 0
    return n_notes + n_lines + n_rows + sum(_count_of_tool(file) for file in source.files if file.suffix in OF_TOOLS)


def _count_of_tool(file: SourceFile) -> int:
    try:
        return count_notes(file.path, file.format) if file.format else 0
    except OSError:
        return 0


def read_notes(source: Source, *, has_spans: bool) -> Iterator[ForeignNote | RowFault]:
    """Every note of the source, or why it is none. With `has_spans`, their spans too."""
    is_single = len(source.files) == 1
    index = _index(source)
    layout = source.layout or likely_layout(source)
    for stem, group in groupby(source.files, key=lambda file: file.stem):
        files = list(group)
        for file in files:
            prefix = "" if is_single else f"{file.where} "
            if file.is_index:
                continue
            if file.suffix == JSONL:
                yield from _of_file(file, _read_jsonl(file, has_spans=has_spans, prefix=prefix))
            elif file.suffix in OF_TOOLS:
                yield from _of_file(file, _read_of_tool(file, has_spans=has_spans, prefix=prefix))
            elif file.suffix in TABLES and layout:
                yield from _read_table(file, source.tables[0], layout=layout, prefix=prefix)
        pair = [file for file in files if file.suffix in {TEXT, BRAT}]
        if pair:
            note = _read_pair(stem, pair, has_spans=has_spans)
            yield _known(note, index[stem]) if stem in index and isinstance(note, ForeignNote) else note


def _index(source: Source) -> dict[str, ForeignNote]:
    """What the source's indexes say of its files, by their names without suffix."""
    found: dict[str, ForeignNote] = {}
    for file in source.files:
        try:
            rows = read_index(file.path) if file.is_index else {}
        except OSError:
            continue
        folder = PurePosixPath(file.name).parent
        found |= {str(folder / name): row for name, row in rows.items()}
    return found


def _known(note: ForeignNote, row: ForeignNote) -> ForeignNote:
    """The note with what an index says of it."""
    return replace(
        note,
        external_id=row.external_id,
        patient_id=row.patient_id,
        note_type=row.note_type,
        metadata=row.metadata,
        document_labels=row.document_labels if note.spans is not None else {},
        is_loose=True,
    )


def _of_file(file: SourceFile, rows: Iterator[ForeignNote | RowFault]) -> Iterator[ForeignNote | RowFault]:
    """The rows, each bounded and with the file's hash where it says anything beyond the text."""
    digest = ""
    for row in rows:
        if isinstance(row, ForeignNote) and row.spans is not None:
            digest = digest or _sha256(file.path)
            yield _bounded(replace(row, file_sha256=digest))
        else:
            yield row if isinstance(row, RowFault) else _bounded(row)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _read_of_tool(file: SourceFile, *, has_spans: bool, prefix: str) -> Iterator[ForeignNote | RowFault]:
    if file.format is None:
        yield RowFault(file.where, _binary_fault(file) or "this is a file of no tool that is known here")
        return
    try:
        yield from read_file(file.path, name=file.name, format=file.format, has_spans=has_spans, prefix=prefix)
    except OSError as error:
        yield RowFault(file.where, f"cannot be read: {error.strerror}")


def _binary_fault(file: SourceFile) -> str:
    try:
        return _kind_fault(file_head(file.path))
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _read_pair(stem: str, files: Sequence[SourceFile], *, has_spans: bool) -> ForeignNote | RowFault:
    """The note of a `.txt`, an `.ann`, or both."""
    by_suffix = {file.suffix: file for file in files}
    if len(by_suffix) < len(files):
        return RowFault(files[0].where, "there are two files of this name")
    text, ann = by_suffix.get(TEXT), by_suffix.get(BRAT)
    where = (text or files[0]).where
    if len(stem) > MAX_EXTERNAL_ID or not stem.isprintable():
        return RowFault(where, f"the name must be at most {MAX_EXTERNAL_ID} printable characters: it becomes the id")
    content: str | None = None
    found = BratFile()
    try:
        if text is not None:
            content = _file_text(text, MAX_NOTE_BYTES)
        if ann is not None and has_spans:
            where = ann.where
            found = parse_ann(_file_text(ann, MAX_LINE_BYTES))
            if found.faults:
                return RowFault(where, found.faults[0], found.faults[1:])
    except _Unreadable as error:
        return RowFault(where, str(error))
    return ForeignNote(
        where=(text or files[0]).where,
        external_id=stem,
        text=content,
        spans=found.spans if ann is not None and has_spans else None,
        relations=found.relations,
        spans_where=where,
        losses=found.losses,
        file_sha256=_sha256(ann.path) if ann is not None and has_spans else "",
    )


def _read_jsonl(file: SourceFile, *, has_spans: bool, prefix: str) -> Iterator[ForeignNote | RowFault]:
    try:
        fault = _jsonl_fault(file_head(file.path))
        if fault:
            yield RowFault(file.where, fault)
            return
        parse = parser_of(file.format or Format.JSONL, name=file.name, has_spans=has_spans)
        for line in read_lines(file.path, encoding="utf-8", max_chars=MAX_LINE_BYTES):
            where = f"{prefix}row {line.number}"
            if line.fault:
                yield RowFault(where, line.fault)
            elif line.wrong_byte is not None:
                yield RowFault(where, f"not UTF-8 (at byte {line.wrong_byte} of the file): {_SAVE_AS_UTF8}")
            elif line.text.strip():
                yield from parsed(where, partial(parse, line.text, where))
    except OSError as error:
        yield RowFault(file.where, f"cannot be read: {error.strerror}")


def _jsonl_fault(head: bytes) -> str:
    """What is wrong with a `.jsonl` file as a whole."""
    first_line = head.removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0].strip()
    if first_line.startswith(b"["):
        return "this is a JSON list, where JSONL has one object a line: write each of its objects on a line of its own"
    if first_line == b"{":
        return "its first object goes over several lines, where JSONL has one object a line: write each on one"
    return _kind_fault(head)


def _read_table(
    file: SourceFile, first: SourceFile, *, layout: CsvLayout, prefix: str
) -> Iterator[ForeignNote | RowFault]:
    try:
        rows = read_table(
            file.path,
            name=file.where,
            stem=file.stem,
            prefix=prefix,
            layout=layout,
            names=names_in(first.path, layout),
            max_chars=MAX_LINE_BYTES,
        )
        for row in rows:
            yield row if isinstance(row, RowFault) else _bounded(row)
    except OSError as error:
        yield RowFault(file.where, f"cannot be read: {error.strerror}")


def _bounded(note: ForeignNote) -> ForeignNote | RowFault:
    """The note, where its text is not too long."""
    if note.text and len(note.text.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
        return RowFault(note.where, f"'text' is longer than {megabytes(MAX_NOTE_BYTES)}")
    return note


class _Unreadable(Exception):
    """A file whose bytes are no text of a bounded length."""


def _file_text(file: SourceFile, limit: int) -> str:
    """The text of a small file, without the byte order mark, its line endings untouched."""
    try:
        with file.path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    if fault := _kind_fault(content[:HEAD_BYTES]):
        raise _Unreadable(fault)
    if len(content) > limit:
        raise _Unreadable(f"the file is longer than {megabytes(limit)}")
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        # The error's own message and context hold the bytes.
        if error.reason == "unexpected end of data":
            raise _Unreadable("the file ends in the middle of a character: was it copied whole?") from None
        raise _Unreadable(f"not UTF-8 (at byte {error.start}): {_SAVE_AS_UTF8}") from None


def _kind_fault(head: bytes) -> str:
    """What a file is by its first bytes, where it is not text in UTF-8."""
    if fault := binary_kind(head):
        return fault
    return f"this looks like UTF-16 and not UTF-8: {_SAVE_AS_UTF8}" if utf16_kind(head) else ""


def _count_lines(path: Path) -> int:
    n_lines, last = 0, b"\n"
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                n_lines += chunk.count(b"\n")
                last = chunk[-1:]
    except OSError:
        return 0
    return n_lines + (last != b"\n")


def _refuse(error: OSError) -> None:
    raise SourceError(f"the folder {error.filename} cannot be read: {error.strerror}") from error
