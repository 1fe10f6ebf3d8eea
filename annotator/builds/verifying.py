"""Whether the files of a dataset are still those that were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.builds.writing import MANIFEST


@dataclass(frozen=True, slots=True)
class Verified:
    """Names of files that are missing, whose bytes are not those of the manifest, and that it does not name; and how
    many are as they were.
    """

    n_right: int
    missing: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        return not (self.missing or self.altered or self.extra)

    def to_json(self) -> dict[str, Any]:
        return {
            "n_right": self.n_right,
            "missing": list(self.missing),
            "altered": list(self.altered),
            "extra": list(self.extra),
        }


class ManifestError(ValueError):
    """A folder that is no dataset: its manifest is missing or cannot be read."""


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> Verified:
    """Reads every file of the manifest; its own file must say what `manifest` says."""
    wanted = {file["name"]: file["sha256"] for file in manifest["files"]}
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = sorted({*wanted, MANIFEST} - present)
    altered = [name for name in sorted(wanted.keys() & present) if _digest(folder / name) != wanted[name]]
    if MANIFEST in present and _said(folder / MANIFEST) != manifest:
        altered.append(MANIFEST)
    return Verified(
        n_right=len(wanted) + 1 - len(missing) - len(altered),
        missing=tuple(missing),
        altered=tuple(altered),
        extra=tuple(sorted(present - wanted.keys() - {MANIFEST})),
    )


def verify_folder(folder: Path) -> Verified:
    """The same for a dataset that was written, or taken, to a folder, by its own manifest. Raises ManifestError."""
    manifest = _said(folder / MANIFEST)
    if not isinstance(manifest, dict) or not _names_files(manifest.get("files")):
        raise ManifestError(f"{folder} has no {MANIFEST} that names files")
    return verify_files(folder, manifest)


def _names_files(found: Any) -> bool:
    """Whether it is a list of files in one folder, with their digests."""
    if not isinstance(found, list) or not all(isinstance(file, dict) for file in found):
        return False
    names = [file.get("name") for file in found if "sha256" in file]
    return len(names) == len(found) and all(isinstance(name, str) and Path(name).name == name for name in names)


def _digest(path: Path) -> str:
    if not path.is_file() or path.is_symlink():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _said(path: Path) -> Any:
    """What the JSON file says; None where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
