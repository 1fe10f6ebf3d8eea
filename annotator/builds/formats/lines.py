"""Files of one JSON value a line, one file for each part that has rows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any


class LineFiles:
    """`PART.SUFFIX` in `folder`, opened at the first row, readable by this user only."""

    def __init__(self, *, folder: Path, suffix: str) -> None:
        self._folder = folder
        self._suffix = suffix
        self._files: dict[str, IO[str]] = {}
        self._n_rows: dict[str, int] = {}

    def write(self, *, part: str, row: Mapping[str, Any]) -> None:
        name = f"{part}.{self._suffix}"
        if name not in self._files:
            self._files[name] = new_file(self._folder / name)
        self._files[name].write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._n_rows[name] = self._n_rows.get(name, 0) + 1

    def close(self) -> dict[str, int]:
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        return self._n_rows


def new_file(path: Path) -> IO[str]:
    """A new text file with mode 0600 and LF line ends."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return open(descriptor, "w", encoding="utf-8", newline="\n")
