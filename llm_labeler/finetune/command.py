"""`python -m llm_labeler finetune BUILD --base BASE --out FOLDER`: the options, and what is said."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from annotator.core.prompting import COMPACT, FULL, template_digest
from llm_labeler import finetune, gemma
from llm_labeler.finetune import FinetuneError
from llm_labeler.finetune.ending import STOPPED, add_while_stdin, ended
from llm_labeler.finetune.recipe import Recipe
from llm_labeler.finetune.rows import Build, open_build

GEMMA = "gemma"
_COMMAND = "finetune"
_EXAMPLES = """
    python -m llm_labeler finetune dataset-3/ --base gemma --out runs/1 --dry-run
    python -m llm_labeler finetune dataset-3/ --base google/medgemma-4b-it --out runs/1 --quantization 4bit
"""


def main(arguments: Sequence[str]) -> int:
    return ended(_COMMAND, parser().parse_args(arguments), run)


def run(given: argparse.Namespace) -> int:
    """Train, or say what it would take. Raises FinetuneError, BackendError."""
    recipe = Recipe(**{name.name: getattr(given, name.name) for name in fields(Recipe)})
    build = open_build(given.build)
    _refuse_other_template(build, given.base)
    try:
        import torch

        from llm_labeler.backends.weights import adapter_folder_of, load_base
        from llm_labeler.finetune.training import Run
    except ImportError as error:
        raise FinetuneError(
            f"{error.name} is not installed: make .venv/torch.stamp brings what trains models"
        ) from error
    if given.threads:
        torch.set_num_threads(given.threads)
    is_small = given.base == GEMMA
    start = given.start or (str(gemma.ADAPTER) if is_small else None)
    base = load_base(
        model=gemma.BASE_ID if is_small else given.base,
        revision=given.revision,
        device=given.device,
        dtype=given.dtype,
        quantization=given.quantization,
    )
    folder = adapter_folder_of(start) if start and start != "none" else None
    training = Run(
        build=build,
        base=base,
        start=folder,
        recipe=recipe,
        out=given.out,
        asked={"base": given.base, "commit": given.revision, "quantization": given.quantization},
    )
    if given.dry_run:
        outlook = training.outlook()
        print(  # noqa: T201
            f"{outlook.n_rows} rows ({outlook.n_too_long} more have over {recipe.max_length} tokens), "
            f"{outlook.n_tokens:,} tokens, {outlook.n_steps} steps; {outlook.n_trained:,} of {outlook.n_weights:,} "
            f"weights are trained.\nAbout {outlook.seconds / 60:.0f} min and {outlook.peak_bytes / 1e9:.1f} GB on "
            f"{base.model.device}, measured with the longest rows ({outlook.longest} tokens)."
        )
        print(json.dumps(asdict(outlook)))  # noqa: T201
        return 0
    trained = training.go(is_resumed=given.resume, tell=lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    if trained.is_stopped:
        print(f"stopped after step {trained.n_steps}: --resume goes on from there", file=sys.stderr)  # noqa: T201
        return STOPPED
    print(json.dumps(trained.facts))  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m llm_labeler {_COMMAND}",
        description=finetune.__doc__ + _EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("build", type=Path, metavar="BUILD", help="folder of a dataset with the format messages")
    made.add_argument(
        "--base", required=True, help="gemma: the small model with its adapter; else an id of the hub or a folder"
    )
    made.add_argument("--revision", help="commit of the hub")
    made.add_argument(
        "--start", metavar="ADAPTER", help="adapter to go on from (default: of gemma its own; none: begin anew)"
    )
    made.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="of the run; new, or with --resume as it was left"
    )
    made.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    add_while_stdin(made)
    made.add_argument("--dry-run", action="store_true", help="measure memory and time, train nothing")
    made.add_argument("--quantization", choices=["4bit"], help="QLoRA, by bitsandbytes on an NVIDIA GPU")
    made.add_argument("--device", help="cuda, cuda:1, mps or cpu (default: the best there is)")
    made.add_argument("--dtype", choices=["bfloat16", "float32"])
    made.add_argument("--threads", type=int, help="of the processor")
    for option in fields(Recipe):
        name = "--" + option.name.replace("_", "-")
        made.add_argument(
            name, dest=option.name, type=type(option.default), default=option.default, help="(default: %(default)s)"
        )
    return made


def _refuse_other_template(build: Build, base: str) -> None:
    """A model is trained on what it will be asked: the small one on the compact prompt, others on the full one."""
    wanted = COMPACT if base == GEMMA else FULL
    if build.template_digest != template_digest(wanted):
        raise FinetuneError(
            f"the dataset's prompts are not those that {base} is asked ({wanted}): build it with that template"
        )
