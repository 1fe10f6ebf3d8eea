"""The folder of a run, which both commands that train write alike.

`run.json`, what was asked for; `progress.jsonl`, a line of numbers every few steps; `checkpoints/`, until it is done;
`adapter/` or `pipeline/`, what was learnt; `training.json`, from what and how well, once it is done. `log.txt` is
whoever's who started the command, with what it said. No file holds a note.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_labeler.finetune import FinetuneError

RUN, PROGRESS, CHECKPOINTS, DONE, LOG = "run.json", "progress.jsonl", "checkpoints", "training.json", "log.txt"
ADAPTER, PIPELINE = "adapter", "pipeline"


def begin(out: Path, facts: Mapping[str, Any]) -> None:
    """Make the folder of a new run. Raises FinetuneError where it holds anything."""
    if out.exists() and any(path.name != LOG for path in out.iterdir()):
        raise FinetuneError(f"{out} is not empty: --resume goes on with a run, a new one wants a new folder")
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)
    write(out / RUN, facts)


def go_on(out: Path, facts: Mapping[str, Any]) -> None:
    """Raises FinetuneError where the folder holds no run, a run that is done, or one that was begun otherwise."""
    try:
        known = json.loads((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise FinetuneError(f"{out} holds no run to go on with: leave --resume out") from None
    if (out / DONE).exists():
        raise FinetuneError(f"the run in {out} is done: choose another folder for a new one")
    if changed := sorted(name for name, value in facts.items() if known.get(name) != value):
        raise FinetuneError(f"the run in {out} was begun otherwise ({', '.join(changed)}): begin a new one")


def write(path: Path, facts: Mapping[str, Any]) -> None:
    """The facts as JSON, whole or not there, readable by this user alone."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")
    new.replace(path)
