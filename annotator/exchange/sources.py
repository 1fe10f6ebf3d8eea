"""Reading notes from files: folders of `.txt` with or without brat `.ann`, and `.jsonl`. Streams, never holds them.

A file's name is its path below the folder, with `/`; a note's external id is that name without the suffix.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from annotator.core.brat import BratError, parse_ann
from annotator.core.foreign import ForeignNote, ForeignSpan
from annotator.core.jsonl import JsonlError, parse_row

MAX_NOTE_BYTES = 2 * 1024 * 1024
MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_EXTERNAL_ID = 200
TEXT, BRAT, JSONL = ".txt", ".ann", ".jsonl"
SUFFIXES = frozenset({TEXT, BRAT, JSONL})
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1024 * 1024


class SourceError(Exception):
    """A path from which no note can be read; the message says what was given and what is wanted."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: `name` is what people see, `path` where its bytes lie."""

    name: str
    path: Path

    @property
    def stem(self) -> str:
        return str(PurePosixPath(self.name).with_suffix(""))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()


@dataclass(frozen=True, slots=True)
class Source:
    """Files in a fixed order, those of one note side by side; `n_other_files` counts the ones of no use."""

    files: tuple[SourceFile, ...]
    n_other_files: int = 0


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that is no note: where it stands, and why; never note text."""

    where: str
    message: str


def shown_name(name: str) -> str:
    """A file's name in one spelling (NFC), with bytes that are no text written out."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())


def in_order(files: Sequence[SourceFile], *, n_other_files: int = 0) -> Source:
    """The source of these files."""
    return Source(tuple(sorted(files, key=lambda file: (file.stem, file.suffix, file.name))), n_other_files)


def source_at(path: Path) -> Source:
    """The source of a file or of a folder with all below it; hidden files and links to folders are passed over.

    Raises SourceError where there is nothing to read.
    """
    if path.is_file():
        if path.suffix.lower() not in {TEXT, JSONL}:
            raise SourceError(f"{path} is neither a folder nor a .txt or .jsonl file")
        files = [path]
        beside = path.with_suffix(BRAT)
        if path.suffix.lower() == TEXT and beside.is_file():
            files.append(beside)
        return in_order([SourceFile(shown_name(file.name), file) for file in files])
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
        raise SourceError(f"the folder {path} has no .txt, .ann or .jsonl file")
    return in_order(found, n_other_files=n_other_files)


def count_rows(source: Source) -> int:
    """About how many notes the source has, for progress: blank lines count. Reads `.jsonl` files once."""
    stems = {file.stem for file in source.files if file.suffix != JSONL}
    return len(stems) + sum(_count_lines(file.path) for file in source.files if file.suffix == JSONL)


def read_notes(source: Source, *, has_spans: bool) -> Iterator[ForeignNote | RowFault]:
    """Every note of the source, or why it is none. With `has_spans`, their spans too."""
    is_single = len(source.files) == 1
    for stem, group in groupby(source.files, key=lambda file: file.stem):
        files = list(group)
        for file in files:
            if file.suffix == JSONL:
                yield from _read_jsonl(file, has_spans=has_spans, prefix="" if is_single else f"{file.name} ")
        pair = [file for file in files if file.suffix != JSONL]
        if pair:
            yield _read_pair(stem, pair, has_spans=has_spans)


def _read_pair(stem: str, files: Sequence[SourceFile], *, has_spans: bool) -> ForeignNote | RowFault:
    """The note of a `.txt`, an `.ann`, or both."""
    by_suffix = {file.suffix: file for file in files}
    if len(by_suffix) < len(files):
        return RowFault(files[0].name, "there are two files of this name")
    text, ann = by_suffix.get(TEXT), by_suffix.get(BRAT)
    where = (text or files[0]).name
    if len(stem) > MAX_EXTERNAL_ID or not stem.isprintable():
        return RowFault(where, f"the name must be at most {MAX_EXTERNAL_ID} printable characters: it becomes the id")
    content: str | None = None
    spans: tuple[ForeignSpan, ...] | None = None
    n_ignored = 0
    try:
        if text is not None:
            content = _file_text(text, MAX_NOTE_BYTES)
        if ann is not None and has_spans:
            where = ann.name
            parsed = parse_ann(_file_text(ann, MAX_LINE_BYTES))
            spans, n_ignored = parsed.spans, parsed.n_ignored
    except (BratError, _Unreadable) as error:
        return RowFault(where, str(error))
    return ForeignNote(
        where=(text or files[0]).name,
        external_id=stem,
        text=content,
        spans=spans,
        spans_where=where,
        n_ignored=n_ignored,
    )


def _read_jsonl(file: SourceFile, *, has_spans: bool, prefix: str) -> Iterator[ForeignNote | RowFault]:
    number = 0
    try:
        with file.path.open("rb") as stream:
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                where = f"{prefix}row {number}"
                if len(line) > MAX_LINE_BYTES:
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(_CHUNK)
                    yield RowFault(where, f"the line is longer than {_megabytes(MAX_LINE_BYTES)}")
                    continue
                if number == 1:
                    line = line.removeprefix(_BOM)
                if line.strip():
                    yield _row(line, where=where, has_spans=has_spans)
    except OSError as error:
        yield RowFault(file.name, f"cannot be read: {error.strerror}")


def _row(line: bytes, *, where: str, has_spans: bool) -> ForeignNote | RowFault:
    try:
        note = parse_row(_decoded(line), where=where, has_spans=has_spans)
    except (JsonlError, _Unreadable) as error:
        return RowFault(where, str(error))
    if note.text and len(note.text.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES:
        return RowFault(where, f"'text' is longer than {_megabytes(MAX_NOTE_BYTES)}")
    return note


class _Unreadable(Exception):
    """A file or line whose bytes are no text of a bounded length."""


def _file_text(file: SourceFile, limit: int) -> str:
    """The text of a small file, without the byte order mark, its line endings untouched."""
    try:
        with file.path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    if len(content) > limit:
        raise _Unreadable(f"the file is longer than {_megabytes(limit)}")
    return _decoded(content)


def _decoded(content: bytes) -> str:
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        # The error's own message and context hold the bytes.
        raise _Unreadable(f"not UTF-8 (at byte {error.start})") from None


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


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes // (1024 * 1024)} MB"


def _refuse(error: OSError) -> None:
    raise SourceError(f"the folder {error.filename} cannot be read: {error.strerror}") from error
