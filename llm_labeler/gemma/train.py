"""A LoRA adapter for a Gemma 3 causal LM, trained on prompts with answers; made to be bearable on a CPU.

The loss is on the answer only. Its softmax runs over the tokens that the batch holds and a random sample of the others,
weighted for the whole vocabulary (importance sampling; Jean et al. 2015, arXiv:1412.2007): over all 262,144 tokens it
would cost more than the model itself. The sample is drawn anew for every batch, so that no token stays untrained.

    python -m llm_labeler.gemma.train --base FOLDER --rows 2000 --seed 1 --out adapter/
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from llm_labeler.finetune.rows import Example, encode
from llm_labeler.gemma import BASE_ID
from llm_labeler.synthetic.notes import TrainingRow, notes, rows
from llm_labeler.synthetic.rules import load_grammar

RANK, ALPHA = 16, 16
LEARNING_RATE = 1e-3
WARMUP, COOLDOWN = 0.03, 0.4  # shares of the steps; constant in between
BATCH_TOKENS = 2048
N_SAMPLED = 12_288
MAX_TOKENS = 640
_SHARD = 64  # batches whose rows are sorted by length together


def batches(encoded: Iterable[Example], chance: random.Random) -> Iterator[list[Example]]:
    """Batches of about BATCH_TOKENS tokens of rows of like length, in random order."""
    source = iter(encoded)
    while shard := list(islice(source, _SHARD * 8)):
        found: list[list[Example]] = [[]]
        for row in sorted(shard, key=lambda row: len(row.ids)):
            if found[-1] and (len(found[-1]) + 1) * len(row.ids) > BATCH_TOKENS:
                found.append([])
            found[-1].append(row)
        chance.shuffle(found)
        yield from found


def answer_loss(model: Any, batch: Sequence[Example], generator: torch.Generator) -> torch.Tensor:
    """Mean negative log-likelihood of the answers' tokens."""
    longest = max(len(row.ids) for row in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    is_there = torch.zeros_like(ids)
    is_learnt = torch.zeros((len(batch), longest), dtype=torch.bool)
    for number, row in enumerate(batch):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        is_there[number, : len(row.ids)] = 1
        is_learnt[number, row.n_prompt : len(row.ids)] = True
    causal = model.base_model.model
    hidden = causal.model(input_ids=ids, attention_mask=is_there, use_cache=False).last_hidden_state
    states = hidden[:, :-1][is_learnt[:, 1:]]
    targets = ids[:, 1:][is_learnt[:, 1:]]
    weight = causal.lm_head.weight
    held = torch.unique(ids)
    drawn = torch.randint(weight.shape[0], (N_SAMPLED,), generator=generator)
    drawn = drawn[~torch.isin(drawn, held)]
    logits = states @ weight[torch.cat([held, drawn])].T
    logits[:, len(held) :] += math.log((weight.shape[0] - len(held)) / len(drawn))
    return cross_entropy(logits, torch.searchsorted(held, targets))


def _messages(row: TrainingRow) -> list[dict[str, str]]:
    return [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.answer}]


def learning_rate(progress: float) -> float:
    """The factor at `progress` in [0, 1]: up, constant, down in a straight line."""
    if progress < WARMUP:
        return progress / WARMUP
    return min(1.0, max((1.0 - progress) / COOLDOWN, 0.02))


def train(
    *, base: Path, found: Sequence[TrainingRow], seed: int, out: Path, start: Path | None = None, is_bf16: bool = False
) -> None:
    """Train on `found` once, from the adapter in `start` on where one is given, and save the adapter to `out`.

    With `is_bf16` matrices are multiplied in bfloat16; the adapter and its optimizer stay in float32.
    """
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    if start:
        model = PeftModel.from_pretrained(model, start, is_trainable=True)
        model = model.to(torch.float32)
    else:
        config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(model, config)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0)
    encoded = [row for row in (encode(_messages(row), tokenizer) for row in found) if len(row.ids) <= MAX_TOKENS]
    plan = list(batches(encoded, random.Random(seed)))  # noqa: S311
    generator = torch.Generator().manual_seed(seed)
    began = time.monotonic()
    running = 0.0
    for step, batch in enumerate(plan):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * learning_rate((step + 1) / len(plan))
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            loss = answer_loss(model, batch, generator)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running = loss.item() if step == 0 else 0.95 * running + 0.05 * loss.item()
        if step % 10 == 9 or step == len(plan) - 1:
            seconds = time.monotonic() - began
            left = seconds / (step + 1) * (len(plan) - step - 1)
            sys.stderr.write(f"step {step + 1}/{len(plan)} loss {running:.4f}, {seconds:.0f} s, {left:.0f} s left\n")
            save(model, out)
    save(model, out)


def save(model: Any, out: Path) -> None:
    """The adapter in bfloat16; it names its base by id, not by where it lay here."""
    model.peft_config["default"].base_model_name_or_path = BASE_ID
    state = {name: value for name, value in model.state_dict().items() if "lora_" in name}
    model.save_pretrained(out, state_dict={name: value.to(torch.bfloat16) for name, value in state.items()})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_labeler.gemma.train", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="folder of the base model, as safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder for the adapter")
    parser.add_argument("--start", type=Path, help="folder of an adapter to go on from")
    parser.add_argument("--rows", type=int, default=2000, help="synthetic training rows (default: 2000)")
    parser.add_argument("--data", type=Path, help="rows as JSON lines (prompt, answer) instead of synthetic ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="half the time where the processor has AVX512-BF16 or AMX")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.data:
        lines = given.data.read_text(encoding="utf-8").splitlines()
        found = [TrainingRow(row["prompt"], row["answer"]) for row in map(json.loads, lines)]
    else:
        found = list(islice(rows(notes(load_grammar(), given.seed), given.seed), given.rows))
    train(base=given.base, found=found, seed=given.seed, out=given.out, start=given.start, is_bf16=given.bf16)
    return 0


if __name__ == "__main__":
    sys.exit(main())
