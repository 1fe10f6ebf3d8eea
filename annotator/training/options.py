"""What a training is asked for: the options of each kind, as its command has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotator.core.prompting import COMPACT, FULL
from annotator.training.models import TrainingRun

Kind = TrainingRun.Kind

GEMMA = "gemma"
# An id of the Hugging Face hub; never a path, and never what a command would take for an option.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,80}/[A-Za-z0-9][\w.-]{0,80}")


class OptionRefused(ValueError):
    """An option that a training cannot be asked for; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Option:
    """A number of the command, from `least` to `most`, whole where its default is; `default` is what the form shows."""

    name: str
    label: str
    default: int | float
    least: float
    most: float
    help: str


_SEED = Option("seed", "Seed", 0, 0, 2**31 - 1, "Equal seeds, datasets and options make equal models.")
OPTIONS: dict[str, tuple[Option, ...]] = {
    Kind.SPACY: (
        Option("steps", "Steps", 4000, 1, 1_000_000, "At most: it ends earlier where it no longer gets better."),
        Option("look_every", "Steps between looks", 200, 1, 100_000, "At the part dev, to see how good it is."),
        Option("patience", "Patience", 5, 0, 1000, "Looks without a gain after which it ends; 0: it never looks."),
        Option("learning_rate", "Learning rate", 0.001, 1e-7, 1, "How far a step goes."),
        _SEED,
    ),
    Kind.LORA: (
        Option("epochs", "Epochs", 1.0, 0.01, 100, "How often it sees each row."),
        Option("learning_rate", "Learning rate", 2e-4, 1e-7, 1, "2e-4 is what Google gives for MedGemma."),
        Option("rank", "Rank", 16, 1, 512, "How much the adapter can hold."),
        Option("batch_size", "Rows a step", 16, 2, 1024, "An even number: two go through the model at once."),
        Option("max_length", "Longest row", 2048, 64, 32_768, "In tokens; longer rows are left out, and counted."),
        Option("patience", "Patience", 3, 0, 1000, "Looks without a gain after which it ends; 0: it never looks."),
        _SEED,
    ),
}


def checked_recipe(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, each a number of its kind within its bounds. Raises OptionRefused."""
    known = {option.name: option for option in OPTIONS[kind]}
    if unknown := sorted(set(given) - set(known)):
        raise OptionRefused(f"there is no option {', '.join(unknown)}: {', '.join(known)} are known")
    recipe: dict[str, Any] = {}
    for name, value in given.items():
        option = known[name]
        is_whole = isinstance(option.default, int)
        if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
            raise OptionRefused(f"{name} is a {'whole ' if is_whole else ''}number")
        if not option.least <= value <= option.most:
            raise OptionRefused(f"{name} is {_words(value)}: {_words(option.least)} to {_words(option.most)} is wanted")
        recipe[name] = value
    if recipe.get("batch_size", 0) % 2:
        raise OptionRefused("batch_size is an even number: two rows go through the model at once")
    return recipe


def _words(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def checked_base(kind: str, base: str) -> str:
    """What a LoRA adapter is for; empty for a pipeline, which has no base. Raises OptionRefused."""
    if kind == Kind.SPACY:
        if base:
            raise OptionRefused("a spaCy pipeline has no base: it learns from the dataset alone")
        return ""
    if base != GEMMA and not _HUB_ID.fullmatch(base):
        raise OptionRefused(f"the base is {GEMMA}, the small model, or an id of the hub like google/medgemma-4b-it")
    return base


def template_for(base: str) -> str:
    """The prompt that a base is asked: the dataset has to ask the same."""
    return COMPACT if base == GEMMA else FULL
