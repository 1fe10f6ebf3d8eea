"""Takes an upload's files straight to the spool, one open at a time, bounded in total.

Django's own handler keeps every file of a request open until the end, which ten thousand notes would not survive.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload
from django.http import HttpRequest

from annotator.exchange.archives import ARCHIVE
from annotator.exchange.sources import SUFFIXES
from annotator.exchange.spool import safe_name

FOLDER_FIELD = "folder"


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """One file as it came: its form field, base name, and the file in the spool, "" where it is of no use."""

    field: str
    name: str
    file: str


class SpoolUploadHandler(FileUploadHandler):
    """Writes files of notes, and archives of these, into `folder` under numbers; others are skipped."""

    def __init__(self, request: HttpRequest, *, folder: Path, max_bytes: int) -> None:
        super().__init__(request)
        self.received: list[ReceivedFile] = []
        self.is_too_large = False
        self._folder = folder
        self._bytes_left = max_bytes
        self._open: BinaryIO | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        name = PurePosixPath(safe_name(self.file_name or "")).name
        is_wanted = PurePosixPath(name).suffix.lower() in {*SUFFIXES, ARCHIVE} and not name.startswith(".")
        file = f"{len(self.received):06}" if is_wanted else ""
        self.received.append(ReceivedFile(field=self.field_name or "", name=name, file=file))
        if not is_wanted:
            raise SkipFile
        descriptor = os.open(self._folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._open = os.fdopen(descriptor, "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._bytes_left -= len(raw_data)
        if self._bytes_left < 0:
            self.is_too_large = True
            self._close()
            raise StopUpload
        if self._open is not None:
            self._open.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        self._close()

    def upload_interrupted(self) -> None:
        self._close()

    def named_files(self, paths: str) -> list[tuple[str, str]]:
        """The spooled files with their names: (file, name).

        `paths` is what the page's script says of a chosen folder: a JSON list with the path of each file, the folder's
        own name first, in the order of the files. Browsers send base names only, which stand where it does not fit.
        """
        in_folder = [received for received in self.received if received.field == FOLDER_FIELD]
        names = dict(zip(map(id, in_folder), _relative_names(paths, in_folder), strict=True))
        return [(one.file, names.get(id(one), one.name)) for one in self.received if one.file]

    @property
    def n_other_files(self) -> int:
        return sum(1 for received in self.received if not received.file)

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _relative_names(paths: str, files: list[ReceivedFile]) -> list[str]:
    """Path of each file below the chosen folder; its base name where `paths` is not about these files."""
    base_names = [file.name for file in files]
    try:
        given = json.loads(paths) if paths else []
    except ValueError:
        return base_names
    if not isinstance(given, list) or not all(isinstance(path, str) for path in given):
        return base_names
    parts = [PurePosixPath(safe_name(path)).parts for path in given]
    if [part[-1:] for part in parts] != [(name,) for name in base_names]:
        return base_names
    return [str(PurePosixPath(*part[1:])) if len(part) > 1 else part[0] for part in parts]
