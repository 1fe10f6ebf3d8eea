"""Where uploaded files lie until their import has ended: one private folder each, named by the import's public id.

Files are numbered; the names that people gave them stand in `manifest.json`, so that no name from outside is a path.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath

from django.conf import settings

from annotator.core.csv_rows import CsvLayout
from annotator.exchange.sources import Source, SourceFile, in_order, shown_name

_MANIFEST = "manifest.json"
_MAX_NAME = 400


def folder_of(public_id: str) -> Path:
    return Path(settings.SPOOL_DIR) / public_id


def make_folder(public_id: str) -> Path:
    folder = folder_of(public_id)
    folder.mkdir(mode=0o700)
    return folder


def remove_folder(public_id: str) -> None:
    """Remove the folder, if it is there."""
    shutil.rmtree(folder_of(public_id), ignore_errors=True)


def safe_name(name: str) -> str:
    """A name from outside as a relative path to show: no parent steps, no control characters, bounded."""
    parts = [part.strip() for part in shown_name(name).replace("\\", "/").split("/")]
    kept = ("".join(c if c.isprintable() else "_" for c in part) for part in parts if part not in {"", ".", ".."})
    return str(PurePosixPath(*kept))[-_MAX_NAME:]


def write_manifest(public_id: str, *, names: Iterable[tuple[str, str]], n_other_files: int) -> None:
    """Note the given name of each spooled file; `names` are pairs (file in the folder, given name)."""
    content = {"files": list(names), "n_other_files": n_other_files}
    descriptor = os.open(folder_of(public_id) / _MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream)


def spooled_source(public_id: str, *, layout: CsvLayout | None = None, format: str = "") -> Source | None:
    """The uploaded files under their given names, read as `format` where they can be; None where they are gone."""
    folder = folder_of(public_id)
    try:
        content = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    files = [SourceFile(name=name, path=folder / file) for file, name in content["files"]]
    return in_order(files, n_other_files=content["n_other_files"], layout=layout, format=format)


def entries_older_than(moment: datetime) -> list[Path]:
    """What lies in the spool and was last touched before `moment`."""
    root = Path(settings.SPOOL_DIR)
    return [entry for entry in root.iterdir() if entry.lstat().st_mtime < moment.timestamp()]
