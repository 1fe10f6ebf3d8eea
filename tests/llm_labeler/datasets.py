"""Small datasets as they are unpacked, for tests that train on them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCHEMA = {
    "labels": [
        {"name": "Problem", "definition": "what ails"},
        {"name": "Medication", "definition": "what is taken"},
        {"name": "Test", "definition": "what is measured"},
        {"name": "Identifier", "definition": "who it is"},
    ],
    "attributes": [{"name": "assertion", "values": ["present", "absent"], "labels": ["Problem"]}],
}
PROBLEMS = ("rash", "chest pain", "fever", "severe knee pain", "cough")
MEDICATIONS = ("aspirin", "metformin", "warfarin sodium")
NAME = "Zebrowska"


def note(text: str, *marked: tuple[str, str]) -> dict[str, Any]:
    """A row of JSONL: the first place of each quoted text has the label."""
    spans = [(text.index(quote), text.index(quote) + len(quote), label) for quote, label in marked]
    return {
        "id": "n",
        "text": text,
        "spans": [
            {"start": start, "end": end, "fragments": [[start, end]], "label": label} for start, end, label in spans
        ],
    }


def notes(n: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Notes of one pattern, which a pipeline learns in a few steps."""
    chance = random.Random(seed)
    found = []
    for _ in range(n):
        problem, medication = chance.choice(PROBLEMS), chance.choice(MEDICATIONS)
        text = f"{NAME} complains of {problem} since Monday.\nTakes {medication} every day."
        found.append(note(text, (NAME, "Identifier"), (problem, "Problem"), (medication, "Medication")))
    return found


def write_dataset(
    folder: Path, parts: Mapping[str, Sequence[Mapping[str, Any]]], *, schema: Mapping[str, Any] = SCHEMA
) -> Path:
    """With the format jsonl."""
    files = {f"{part}.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode() for part, rows in parts.items()}
    return write_files(folder, files, schema=schema)


def write_files(folder: Path, files: Mapping[str, bytes], *, schema: Mapping[str, Any] = SCHEMA) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    manifest = {
        "form": "marginalia-dataset-1",
        "name": "Notes",
        "schema": {"number": 1, "definition": schema},
        "template_sha256": "",
        "files": [{"name": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
