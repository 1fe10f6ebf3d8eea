"""Zip archives of an upload are unpacked beside it: bounded in bytes and files, and no name in them is ever a path."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from annotator.exchange.lines import megabytes
from annotator.exchange.sources import SUFFIXES, Source, SourceFile, name_in_errors
from annotator.exchange.spool import safe_name

ARCHIVE = ".zip"
MAX_MEMBERS = 200_000
_CHUNK = 256 * 1024
_FEW = 1024 * 1024  # bytes below which nothing packs suspiciously well
_MAX_RATIO = 200
# An INCEpTION project; of it only what people said is of use, and that in one of its formats.
_INCEPTION = "exportedproject.json"
_INCEPTION_FOLDERS = ("annotation", "curation")


class ArchiveError(Exception):
    """An archive that is not unpacked; the message says which, why and what to do."""


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVE)


def unpacked(folder: Path, names: Sequence[tuple[str, str]], *, max_bytes: int) -> tuple[list[tuple[str, str]], int]:
    """The files of an upload with what lies in its archives in their place, and how many of that are of no use. Of
    several archives each has a folder of its own.

    `names` are pairs (file in the folder, given name), as those returned. Archives are removed. Raises ArchiveError.
    """
    packer = _Unpacker(folder=folder, n_files=len(names), bytes_left=max_bytes)
    n_archives = sum(is_archive(name) for _, name in names)
    for file, name in names:
        if not is_archive(name):
            packer.names.append((file, name))
            continue
        packer.unpack(folder / file, name, below=str(PurePosixPath(name).with_suffix("")) if n_archives > 1 else "")
        (folder / file).unlink()
    return packer.names, packer.n_other_files


def unpacked_beside(path: Path, folder: Path, *, max_bytes: int) -> Source:
    """What lies in the archive at `path`, unpacked into the empty `folder`. Raises ArchiveError."""
    packer = _Unpacker(folder=folder, n_files=0, bytes_left=max_bytes)
    packer.unpack(path, path.name)
    files = [SourceFile(name, folder / file) for file, name in packer.names]
    return Source(tuple(files), packer.n_other_files)


@dataclass(slots=True)
class _Unpacker:
    folder: Path
    n_files: int
    bytes_left: int
    names: list[tuple[str, str]] = field(default_factory=list)
    n_other_files: int = 0

    def unpack(self, path: Path, name: str, *, below: str = "", is_nested: bool = False) -> None:
        """Unpack one archive; what it holds is called after its place in it, `below` a folder."""
        where = name_in_errors(name)
        try:
            with zipfile.ZipFile(path) as archive:
                for member, member_name in self._members(archive, where):
                    self._take(archive, member, str(PurePosixPath(below, member_name)), where, is_nested=is_nested)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, OSError):
            raise ArchiveError(f"{where} is no zip archive that can be read: was it copied whole?") from None

    def _members(self, archive: zipfile.ZipFile, where: str) -> Iterator[tuple[zipfile.ZipInfo, str]]:
        """The files of use with their names, without a folder that all of them lie in."""
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > MAX_MEMBERS:
            raise ArchiveError(f"{where} has {len(infos):,} files, at most {MAX_MEMBERS:,} are read")
        named = [(info, safe_name(info.filename)) for info in infos]
        parts = [PurePosixPath(name).parts for _, name in named]
        shared = len(parts) > 0 and all(len(each) > 1 and each[0] == parts[0][0] for each in parts)
        if any(each == (_INCEPTION,) for each in parts):
            named = [pair for pair in named if PurePosixPath(pair[1]).parts[:1] in [(f,) for f in _INCEPTION_FOLDERS]]
            if not any(name.lower().endswith((".xmi", ARCHIVE)) for _, name in named):
                raise ArchiveError(
                    f"{where} is an INCEpTION project without XMI: export it with the secondary format UIMA CAS XMI"
                )
            shared = False
        for info, name in named:
            path = PurePosixPath(name)
            is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            if is_hidden or is_link or not path.name or path.suffix.lower() not in {*SUFFIXES, ARCHIVE}:
                self.n_other_files += 1
            else:
                yield info, str(PurePosixPath(*path.parts[1:])) if shared else name

    def _take(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, where: str, *, is_nested: bool
    ) -> None:
        if member.flag_bits & 1:
            raise ArchiveError(f"{where} is locked with a password: pack it without one")
        if is_archive(name) and is_nested:
            self.n_other_files += 1
            return
        file = f"{self.n_files:06}"
        self.n_files += 1
        descriptor = os.open(self.folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream, archive.open(member) as packed:
            self._copy(packed, stream, member, where)
        if is_archive(name):
            # INCEpTION packs what each person said of a document once more.
            self.unpack(self.folder / file, name, below=str(PurePosixPath(name).with_suffix("")), is_nested=True)
            (self.folder / file).unlink()
        else:
            self.names.append((file, name))

    def _copy(self, packed: IO[bytes], stream: IO[bytes], member: zipfile.ZipInfo, where: str) -> None:
        n_bytes = 0
        while chunk := packed.read(_CHUNK):
            n_bytes += len(chunk)
            self.bytes_left -= len(chunk)
            if self.bytes_left < 0:
                raise ArchiveError(f"{where} holds more than an upload may have: use manage.py import_documents")
            if n_bytes > max(_FEW, _MAX_RATIO * member.compress_size):
                raise ArchiveError(
                    f"{where} has a file that unpacks to more than {_MAX_RATIO} times its size "
                    f"({megabytes(n_bytes)} and counting): unpack it yourself, if you trust it"
                )
            stream.write(chunk)
