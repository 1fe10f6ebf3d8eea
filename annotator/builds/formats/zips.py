"""Zip files for formats that have a file for each note: read without unpacking, and never too many notes in one.

Nothing in them tells when or where they were written, and nothing is compressed, so that the same notes give the same
bytes with every version of every library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from annotator.builds.formats.lines import compact_json, end_file, new_binary_file

# A zip's directory is kept until it is closed, and so is the index.
NOTES_A_FILE = 5000
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class PartZips:
    """`PART.SUFFIX` in `folder`, then `PART-2.SUFFIX` and so on.

    What `shared` gives when a file ends stands in it too, by name; `index` names the member that has a row for each
    note.
    """

    def __init__(self, *, folder: Path, suffix: str, shared: Callable[[], Mapping[str, str]], index: str = "") -> None:
        self._folder = folder
        self._suffix = suffix
        self._shared = shared
        self._index = index
        self._open: dict[str, _NoteZip] = {}
        self._n_files: dict[str, int] = {}
        self._n_rows: dict[str, int | None] = {}

    def add(self, *, part: str, members: Mapping[str, str], row: Mapping[str, Any] | None = None) -> None:
        if part in self._open and self._open[part].n_notes >= NOTES_A_FILE:
            self._end(part)
        if part not in self._open:
            self._n_files[part] = number = self._n_files.get(part, 0) + 1
            name = f"{part}.{self._suffix}" if number == 1 else f"{part}-{number}.{self._suffix}"
            self._open[part] = _NoteZip(self._folder / name)
        self._open[part].add(members, row)

    def close(self) -> dict[str, int | None]:
        for part in list(self._open):
            self._end(part)
        return self._n_rows

    def _end(self, part: str) -> None:
        ended = self._open.pop(part)
        ended.close(self._shared(), self._index)
        self._n_rows[ended.name] = ended.n_notes


class _NoteZip:
    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.n_notes = 0
        self._file: BinaryIO = new_binary_file(path)
        self._zip = ZipFile(self._file, "w", ZIP_STORED)
        self._rows: list[str] = []

    def add(self, members: Mapping[str, str], row: Mapping[str, Any] | None) -> None:
        for name, content in members.items():
            self._write(name, content)
        if row is not None:
            self._rows.append(compact_json(row) + "\n")
        self.n_notes += 1

    def close(self, shared: Mapping[str, str], index: str) -> None:
        for name, content in shared.items():
            self._write(name, content)
        if index:
            self._write(index, "".join(self._rows))
        self._zip.close()
        end_file(self._file)

    def _write(self, name: str, content: str) -> None:
        info = ZipInfo(name, _NO_TIME)
        info.create_system = 3  # Unix, whatever this machine is
        info.external_attr = 0o100600 << 16
        self._zip.writestr(info, content.encode())
