"""What a model on disk is called exactly: names made of the sha256 of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path

# Weights, configuration, tokenizer and chat template; what llm_labeler.fetch brings.
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")
ADAPTER_WEIGHTS, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"


def file_digest(path: Path) -> str:
    """sha256 of the file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(folder: Path) -> str:
    """sha256, in hex, over the `MODEL_FILES` of a model's folder, by name."""
    return _digest_of(sorted(path for pattern in MODEL_FILES for path in folder.glob(pattern)))


def adapter_digest(folder: Path) -> str:
    """sha256, in hex, over weights and configuration of an adapter's folder."""
    return _digest_of([folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS])


def folder_digest(folder: Path) -> str:
    """sha256, in hex, over all files of a folder and their names in it."""
    digest = hashlib.sha256()
    for name, path in sorted(
        (path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()
    ):
        digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def revision_with(weights: str, adapter: str | None) -> str:
    """The revision of a model with an adapter: both, shortened to the 64 characters that a revision may have."""
    return f"{weights[:40]}+{adapter[:16]}" if adapter else weights


def _digest_of(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {file_digest(path)}\n".encode())
    return digest.hexdigest()
