"""Files that grow note by note, one for each part that has any, readable by this user only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO


class PartFiles:
    """`PART.SUFFIX` in `folder`, opened at the first thing that is written there.

    `head` stands at its beginning, `tail` at its end, `between` between two things.
    """

    def __init__(self, *, folder: Path, suffix: str, head: str = "", between: str = "", tail: str = "") -> None:
        self._folder = folder
        self._suffix = suffix
        self._head, self._between, self._tail = head, between, tail
        self._files: dict[str, IO[str]] = {}
        self._n_rows: dict[str, int] = {}

    def write(self, *, part: str, text: str, n_rows: int = 1) -> None:
        name = f"{part}.{self._suffix}"
        if name in self._files:
            text = self._between + text
        else:
            self._files[name] = new_file(self._folder / name)
            text = self._head + text
        self._files[name].write(text)
        self._n_rows[name] = self._n_rows.get(name, 0) + n_rows

    def close(self) -> dict[str, int | None]:
        for file in self._files.values():
            file.write(self._tail)
            end_file(file)
        return dict(self._n_rows)


class LineFiles:
    """`PART.SUFFIX` in `folder`, with one JSON value a line."""

    def __init__(self, *, folder: Path, suffix: str) -> None:
        self._files = PartFiles(folder=folder, suffix=suffix)

    def write(self, *, part: str, row: Mapping[str, Any]) -> None:
        self._files.write(part=part, text=compact_json(row) + "\n")

    def close(self) -> dict[str, int | None]:
        return self._files.close()


def compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sorted_json(value: Any) -> Any:
    """The same value with the keys of objects in order: a database may hand them out in any."""
    return json.loads(json.dumps(value, sort_keys=True))


def new_file(path: Path) -> IO[str]:
    """A new text file with mode 0600 and LF line ends."""
    return open(_private(path), "w", encoding="utf-8", newline="\n")


def new_binary_file(path: Path) -> BinaryIO:
    """A new file with mode 0600."""
    return open(_private(path), "wb")


def end_file(file: IO[Any]) -> None:
    """Close it, once the disk has it."""
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
