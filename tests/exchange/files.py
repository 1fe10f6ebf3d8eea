"""Files to import, written by the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """`folder` with these files in it; texts are written as they are, line endings too."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_rows(file: Path, *rows: Mapping[str, Any] | str) -> Path:
    """A JSONL file of these rows; a row that is a text is written as it is."""
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return file
