"""What a dataset has to teach: its rows of prompt and answer, checked against its manifest, as a model's tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_labeler.chat import answered_text, prompt_text
from llm_labeler.finetune import FinetuneError
from llm_labeler.finetune.datasets import DEV, TRAIN, unpacked

# What the loss leaves out, as torch has it.
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Build:
    """A dataset's folder with what its manifest says; `files` are the two parts that may be read, by name."""

    folder: Path
    name: str
    digest: str
    template_digest: str
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of a prompt with its answer; of the first `n_prompt` nothing is learnt."""

    ids: list[int]
    n_prompt: int

    @property
    def labels(self) -> list[int]:
        """The ids again, with IGNORED for those of the prompt."""
        return [IGNORED] * self.n_prompt + self.ids[self.n_prompt :]


@dataclass(frozen=True, slots=True)
class Examples:
    """A part's examples; `n_too_long` of its rows are left out, since a cut answer would teach to stop too early."""

    found: Sequence[Example]
    n_too_long: int = 0

    @property
    def n_tokens(self) -> int:
        return sum(len(example.ids) for example in self.found)


def open_build(folder: Path) -> Build:
    """A dataset that is whole: files for training and development are those of its manifest. Raises FinetuneError."""
    dataset = unpacked(folder)
    names = {part: f"{part}.messages.jsonl" for part in (TRAIN, DEV)}
    files = {part: dataset.checked(name) for part, name in names.items() if name in dataset.file_names}
    if TRAIN not in files:
        raise FinetuneError(f"{folder} has no {names[TRAIN]}: build the dataset with the format messages")
    return Build(
        folder=folder,
        name=dataset.name,
        digest=dataset.digest,
        template_digest=dataset.manifest["template_sha256"],
        files=files,
    )


def examples(build: Build, part: str, tokenizer: Any, *, max_length: int) -> Examples:
    """The part's rows as tokens; none where the dataset lacks it. Raises FinetuneError."""
    found, n_too_long = [], 0
    for messages in _rows(build, part):
        example = encode(messages, tokenizer)
        if len(example.ids) <= max_length:
            found.append(example)
        else:
            n_too_long += 1
    return Examples(found, n_too_long)


def encode(messages: Sequence[Mapping[str, str]], tokenizer: Any) -> Example:
    """A prompt as the labeler asks it, then the answer with what ends it. Raises FinetuneError."""
    *asked, answer = messages
    prompt = prompt_text(tokenizer, asked)
    whole = answered_text(tokenizer, asked, answer["content"])
    if not whole.startswith(prompt):
        raise FinetuneError("the chat template of the base writes a prompt in another way once it is answered")
    given = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    learnt = tokenizer(whole.removeprefix(prompt), add_special_tokens=False)["input_ids"]
    return Example([*given, *learnt], len(given))


def _rows(build: Build, part: str) -> Iterator[Sequence[Mapping[str, str]]]:
    if part not in build.files:
        return
    with build.files[part].open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                messages = json.loads(line)["messages"]
                is_answered = messages[-1]["role"] == "assistant"
            except (ValueError, KeyError, TypeError, IndexError):
                is_answered = False
            if not is_answered:
                raise FinetuneError(f"{build.files[part].name}, line {number}: no messages that end with an answer")
            yield messages
