"""A dataset's folder as it was unpacked: its manifest, and those of its files that training may read, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_labeler.backends.digests import file_digest
from llm_labeler.finetune import FinetuneError

MANIFEST = "manifest.json"
FORMS = ("marginalia-dataset-1",)
TRAIN, DEV = "train", "dev"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A dataset's folder; `digest` is the sha256 of its manifest, which names it."""

    folder: Path
    digest: str
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        name: str = self.manifest["name"]
        return name

    @property
    def file_names(self) -> list[str]:
        return [entry["name"] for entry in self.manifest["files"]]

    def checked(self, name: str) -> Path:
        """The file, which is the one that the manifest names. Raises FinetuneError."""
        wanted = next(entry["sha256"] for entry in self.manifest["files"] if entry["name"] == name)
        path = self.folder / name
        try:
            found = file_digest(path)
        except OSError as error:
            raise FinetuneError(f"{path} cannot be read ({error.strerror}): unpack the dataset again") from error
        if found != wanted:
            raise FinetuneError(
                f"{path.name} is not the file that the manifest names (its sha256 differs): unpack it again"
            )
        return path


def unpacked(folder: Path) -> Unpacked:
    """The dataset in a folder, its files not looked at yet. Raises FinetuneError."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FinetuneError(
            f"{path} cannot be read ({error.strerror}): the unpacked folder of a dataset is wanted"
        ) from error
    except ValueError as error:
        raise FinetuneError(f"{path} is not JSON: the manifest of a dataset is wanted") from error
    if not isinstance(manifest, dict) or manifest.get("form") not in FORMS:
        raise FinetuneError(f"{path} is no manifest that this version reads: form {' or '.join(FORMS)} is wanted")
    return Unpacked(folder=folder, digest=file_digest(path), manifest=manifest)
