"""A run: a base and a dataset become an adapter, in steps that can be stopped and gone on with.

In the run's folder: `run.json`, what was asked for; `progress.jsonl`, a line every few steps; `checkpoints/`, until
it is done; `adapter/`, what was learnt, as safetensors; `training.json`, from what and how well. No file holds a note.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig, PeftModel
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from llm_labeler.backends.digests import adapter_digest, revision_with
from llm_labeler.backends.weights import Weights
from llm_labeler.finetune import FinetuneError
from llm_labeler.finetune.recipe import Recipe
from llm_labeler.finetune.rows import DEV, TRAIN, Build, Examples, examples

RUN, PROGRESS, CHECKPOINTS, ADAPTER, DONE = "run.json", "progress.jsonl", "checkpoints", "adapter", "training.json"
# Towers that see images learn nothing from notes.
_NOT_TEXT = r".*(vision_tower|multi_modal_projector).*"
_WARMUP = 0.03
_LOOK = "eval_loss"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a run: its steps, and whether somebody stopped it before it was done."""

    n_steps: int
    is_stopped: bool
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would take, as measured with its longest rows; bytes and seconds."""

    n_rows: int
    n_too_long: int
    n_dev_rows: int
    n_tokens: int
    n_steps: int
    n_trained: int
    n_weights: int
    longest: int
    peak_bytes: int
    seconds: float


class Run:
    """One base, one dataset, one recipe. Raises FinetuneError for what cannot be trained on."""

    def __init__(self, *, build: Build, base: Weights, start: Path | None, recipe: Recipe, out: Path) -> None:
        self.build, self.base, self.recipe, self.out = build, base, recipe, out
        self.train = examples(build, TRAIN, base.tokenizer, max_length=recipe.max_length)
        self.dev = examples(build, DEV, base.tokenizer, max_length=recipe.max_length)
        if not self.train.found:
            raise FinetuneError(
                f"no row of {TRAIN} has at most {recipe.max_length} tokens ({self.train.n_too_long} are longer): "
                "build the dataset with a smaller window, or give a larger --max-length"
            )
        self._start = start
        # An adapter that is gone on with keeps the form that it has.
        self._model = _adapted(base.model, start) if start else base.model
        self._lora = None if start else _lora(recipe, base.model)

    @property
    def facts(self) -> dict[str, Any]:
        """What was asked for: another run has others."""
        start = adapter_digest(self._start) if self._start else None
        return {
            "build": {"name": self.build.name, "manifest_sha256": self.build.digest},
            "template_sha256": self.build.template_digest,
            "base": {"model_id": self.base.model_id, "revision": revision_with(self.base.revision, start)},
            "recipe": self.recipe.to_json(),
            "rows": {TRAIN: len(self.train.found), DEV: len(self.dev.found)},
            "too_long": {TRAIN: self.train.n_too_long, DEV: self.dev.n_too_long},
        }

    def go(self, *, is_resumed: bool, tell: Callable[[str], None]) -> Trained:
        """Train to the end, or until SIGTERM or SIGINT; `tell` gets a line every few steps. Raises FinetuneError."""
        last = self._prepared(is_resumed=is_resumed)
        stop = _Stop()
        progress = _Progress(self.out / PROGRESS, tell)
        trainer = self._trainer(self.train, self.out / CHECKPOINTS, callbacks=[stop, progress])
        with stop.on_signal():
            trainer.train(resume_from_checkpoint=last)
        n_steps = trainer.state.global_step
        if stop.is_asked:
            return Trained(n_steps, is_stopped=True, facts=self.facts)
        model: Any = trainer.model
        model.peft_config["default"].base_model_name_or_path = self.base.model_id
        # It trained no embedding; asked, the library would look for the base on the hub.
        model.save_pretrained(str(self.out / ADAPTER), save_embedding_layers=False)
        facts = self.facts | {
            "steps": n_steps,
            "seconds": round(progress.seconds, 1),
            "loss": progress.loss,
            _LOOK: trainer.state.best_metric if self._is_looked_at else None,
            "adapter_sha256": adapter_digest(self.out / ADAPTER),
        }
        _write(self.out / DONE, facts)
        shutil.rmtree(self.out / CHECKPOINTS)
        return Trained(n_steps, is_stopped=False, facts=facts)

    def outlook(self) -> Outlook:
        """What it would take: the longest rows go through the model twice, and nothing is kept."""
        longest = sorted(self.train.found, key=lambda example: -len(example.ids))[: self.recipe.device_batch]
        with tempfile.TemporaryDirectory() as folder:
            trainer = self._trainer(Examples(longest), Path(folder), callbacks=[timer := _Timer()], n_steps=2)
            trainer.train()
        n_looks = self.recipe.n_looks if self._is_looked_at else 0
        n_tokens = self.train.n_tokens + self.dev.n_tokens * n_looks // 3  # a look goes forward only
        per_token = timer.seconds / sum(len(example.ids) for example in longest)
        model: Any = trainer.model
        return Outlook(
            n_rows=len(self.train.found),
            n_too_long=self.train.n_too_long,
            n_dev_rows=len(self.dev.found),
            n_tokens=self.train.n_tokens,
            n_steps=self._n_steps,
            n_trained=model.num_parameters(only_trainable=True),
            n_weights=model.num_parameters(),
            longest=len(longest[0].ids),
            peak_bytes=_peak_bytes(),
            seconds=round(per_token * n_tokens * self.recipe.epochs, 1),
        )

    @property
    def _is_looked_at(self) -> bool:
        return bool(self.dev.found and self.recipe.patience)

    @property
    def _n_steps(self) -> int:
        steps_an_epoch = -(-len(self.train.found) // self.recipe.batch_size)
        return max(1, round(steps_an_epoch * self.recipe.epochs))

    def _prepared(self, *, is_resumed: bool) -> str | None:
        """The checkpoint to go on from; the folder is as new or holds this very run."""
        path = self.out / RUN
        if is_resumed:
            try:
                known = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise FinetuneError(f"{self.out} holds no run to go on with: leave --resume out") from None
            if (self.out / DONE).exists():
                raise FinetuneError(f"the run in {self.out} is done: choose another folder for a new one")
            if changed := sorted(name for name, value in self.facts.items() if known.get(name) != value):
                raise FinetuneError(
                    f"the run in {self.out} was begun otherwise ({', '.join(changed)}): begin a new one"
                )
            folder = self.out / CHECKPOINTS
            found: str | None = get_last_checkpoint(str(folder)) if folder.is_dir() else None
            return found
        if self.out.exists() and any(self.out.iterdir()):
            raise FinetuneError(f"{self.out} is not empty: --resume goes on with a run, a new one wants a new folder")
        self.out.mkdir(parents=True, exist_ok=True)
        self.out.chmod(0o700)
        _write(path, self.facts)
        return None

    def _trainer(
        self, found: Examples, folder: Path, *, callbacks: list[TrainerCallback], n_steps: int | None = None
    ) -> SFTTrainer:
        recipe, is_looked_at = self.recipe, self._is_looked_at and n_steps is None
        every = max(1, self._n_steps // max(1, round(recipe.n_looks * recipe.epochs)))
        disable_progress_bars()
        device = self.base.model.device.type
        # Checkpoints are kept of the last look and the best, or, where nothing is looked at, as often of the last.
        saved: dict[str, Any] = (
            {"save_strategy": "no"}
            if n_steps
            else {"save_strategy": "steps", "save_steps": every, "save_total_limit": 1}
        )
        looked: dict[str, Any] = {
            "eval_strategy": "steps",
            "eval_steps": every,
            "load_best_model_at_end": True,
            "metric_for_best_model": _LOOK,
            "greater_is_better": False,
        }
        options = SFTConfig(
            output_dir=str(folder),
            per_device_train_batch_size=recipe.device_batch,
            per_device_eval_batch_size=recipe.device_batch,
            gradient_accumulation_steps=1 if n_steps else recipe.n_accumulated,
            num_train_epochs=recipe.epochs,
            max_steps=n_steps or -1,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=_WARMUP,
            max_grad_norm=1.0,
            max_length=recipe.max_length,
            completion_only_loss=True,
            dataset_kwargs={"skip_prepare_dataset": True},
            train_sampling_strategy="group_by_length",
            activation_checkpointing=device == "cuda",
            bf16=self.base.model.dtype == torch.bfloat16,
            use_cpu=device == "cpu",
            dataloader_pin_memory=device == "cuda",
            logging_steps=max(1, min(10, every)),
            report_to="none",
            disable_tqdm=True,
            seed=recipe.seed,
            data_seed=recipe.seed,
            **saved,
            **(looked if is_looked_at else {}),
        )
        if is_looked_at:
            callbacks = [*callbacks, EarlyStoppingCallback(early_stopping_patience=recipe.patience)]
        trainer = SFTTrainer(
            model=self._model,
            args=options,
            train_dataset=_dataset(found),
            eval_dataset=_dataset(self.dev) if is_looked_at else None,
            processing_class=self.base.tokenizer,
            peft_config=self._lora,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        return trainer


class _Stop(TrainerCallback):
    """Ends training at the next step once a signal has come, with a checkpoint."""

    def __init__(self) -> None:
        self.is_asked = False

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.is_asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.is_asked:
            control.should_training_stop = control.should_save = True


class _Progress(TrainerCallback):
    """Writes a line of numbers whenever the trainer has some, and tells it in words."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._began, self._first_step = time.monotonic(), 0
        self.loss: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        found = {name: logs[name] for name in ("loss", _LOOK, "learning_rate") if name in logs} if logs else {}
        if not found.keys() & {"loss", _LOOK}:
            return
        self.loss = found.get("loss", self.loss)
        n_done = state.global_step - self._first_step
        left = self.seconds / n_done * (state.max_steps - state.global_step) if n_done else 0.0
        line = {"step": state.global_step, "steps": state.max_steps, **found, "seconds": round(self.seconds, 1)}
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"seconds_left": round(left, 1)}) + "\n")
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        self._tell(f"step {state.global_step}/{state.max_steps}: {told}; {self.seconds:.0f} s, {left:.0f} s left")


class _Timer(TrainerCallback):
    """How long the last step took."""

    def __init__(self) -> None:
        self._began = self.seconds = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.seconds = time.monotonic() - self._began


def _adapted(model: Any, start: Path) -> PeftModel:
    adapted = PeftModel.from_pretrained(model, str(start), is_trainable=True)
    # Where it lies here: by its name the library would look for it on the hub at every checkpoint.
    adapted.peft_config["default"].base_model_name_or_path = model.name_or_path
    return adapted


def _lora(recipe: Recipe, model: Any) -> LoraConfig:
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        exclude_modules=_NOT_TEXT if hasattr(model.config, "vision_config") else None,
        task_type="CAUSAL_LM",
    )


def _dataset(found: Examples) -> Dataset:
    """In memory: the library's own cache on disk would hold the notes."""
    return Dataset.from_dict(
        {"input_ids": [one.ids for one in found.found], "labels": [one.labels for one in found.found]}
    )


def _peak_bytes() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _write(path: Path, facts: Mapping[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")
