"""Trains a spaCy pipeline from a dataset: `python -m llm_labeler train-spacy BUILD --out FOLDER`.

It learns in minutes on a processor, and reads a note in a fraction of a second. It gives spans and labels; attributes
stay at their defaults, but for the assertion, which the labeler's own rules read from the words around. Rows of the
part `test` are never opened.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from llm_labeler.finetune import FinetuneError
from llm_labeler.finetune.datasets import unpacked
from llm_labeler.finetune.ending import STOPPED, add_while_stdin, ended
from llm_labeler.finetune.spacy_recipe import SpacyRecipe

_COMMAND = "train-spacy"
_EXAMPLES = """
    python -m llm_labeler train-spacy dataset-3/ --out runs/1
    python -m llm_labeler evaluate --gold notes/ --labeler spacy --model runs/1/pipeline
"""


def main(arguments: Sequence[str]) -> int:
    return ended(_COMMAND, parser().parse_args(arguments), run)


def run(given: argparse.Namespace) -> int:
    """Train. Raises FinetuneError."""
    recipe = SpacyRecipe(**{name.name: getattr(given, name.name) for name in fields(SpacyRecipe)})
    dataset = unpacked(given.build)
    try:
        from llm_labeler.finetune.spacy_training import SpacyRun
    except ImportError as error:
        raise FinetuneError(f"{error.name} is not installed: install requirements.lock") from error
    training = SpacyRun(dataset=dataset, recipe=recipe, out=given.out)
    trained = training.go(is_resumed=given.resume, tell=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    if trained.is_stopped:
        print(f"stopped after step {trained.n_steps}: --resume begins again", file=sys.stderr)  # noqa: T201
        return STOPPED
    print(json.dumps(trained.facts))  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m llm_labeler {_COMMAND}",
        description=(__doc__ or "") + _EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("build", type=Path, metavar="BUILD", help="folder of a dataset with the format spacy or jsonl")
    made.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="of the run; new, or with --resume as it was left"
    )
    made.add_argument("--resume", action="store_true", help="begin a run that was stopped again")
    add_while_stdin(made)
    for option in fields(SpacyRecipe):
        name = "--" + option.name.replace("_", "-")
        made.add_argument(
            name, dest=option.name, type=type(option.default), default=option.default, help="(default: %(default)s)"
        )
    return made
