"""A run: a base and a dataset become an adapter, in steps that can be stopped and gone on with."""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from llm_labeler.finetune.datasets import DEV, TRAIN
from llm_labeler.finetune.ending import Stop
from llm_labeler.finetune.folder import ADAPTER, CHECKPOINTS, DONE, PROGRESS, begin, go_on, write
from llm_labeler.finetune.progress import Point, add_point, keep_until
from llm_labeler.finetune.recipe import Recipe
from llm_labeler.finetune.rows import Build, Examples, examples

KIND = "lora"
# Towers that see images learn nothing from notes.
_NOT_TEXT = r".*(vision_tower|multi_modal_projector).*"
_WARMUP = 0.03
_LOOK = "eval_loss"
_FEWEST_LINES = 50  # of numbers, where a run has as many steps


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
    """One base, one dataset, one recipe. Raises FinetuneError for what cannot be trained on.

    `asked`: how the base was named, the commit of the hub and the quantization, with which the adapter is read.
    """

    def __init__(
        self,
        *,
        build: Build,
        base: Weights,
        start: Path | None,
        recipe: Recipe,
        out: Path,
        asked: Mapping[str, str | None],
    ) -> None:
        self.build, self.base, self.recipe, self.out, self.asked = build, base, recipe, out, asked
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
            "kind": KIND,
            "dataset": self.build.digest,
            "dataset_name": self.build.name,
            "template_sha256": self.build.template_digest,
            **self.asked,
            "begun_from": {"model_id": self.base.model_id, "revision": revision_with(self.base.revision, start)},
            "recipe": self.recipe.to_json(),
            "n_rows": len(self.train.found),
            "rows": {TRAIN: len(self.train.found), DEV: len(self.dev.found)},
            "too_long": {TRAIN: self.train.n_too_long, DEV: self.dev.n_too_long},
        }

    def go(self, *, is_resumed: bool, tell: Callable[[str], None]) -> Trained:
        """Train to the end, or until SIGTERM or SIGINT; `tell` gets a line every few steps. Raises FinetuneError."""
        last = self._prepared(is_resumed=is_resumed)
        stop = Stop()
        progress = _Progress(self.out / PROGRESS, tell)
        trainer = self._trainer(self.train, self.out / CHECKPOINTS, callbacks=[_StopCallback(stop), progress])
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
            "best": (
                {"step": trainer.state.best_global_step, "dev_loss": trainer.state.best_metric, "dev_f1": None}
                if self._is_looked_at
                else None
            ),
            "revision": revision_with(self.base.revision, adapter_digest(self.out / ADAPTER)),
        }
        write(self.out / DONE, facts)
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
        if not is_resumed:
            begin(self.out, self.facts)
            return None
        go_on(self.out, self.facts)
        checkpoints = self.out / CHECKPOINTS
        found: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
        return found

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
            logging_steps=max(1, min(10, every, self._n_steps // _FEWEST_LINES)),
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


class _StopCallback(TrainerCallback):
    """Ends training at the next step once it is asked to, with a checkpoint."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._stop.is_asked:
            control.should_training_stop = control.should_save = True


class _Progress(TrainerCallback):
    """Writes a line of numbers for each step of which the trainer has some, and tells it in words.

    The trainer tells the loss of a step and the look at it one after the other: the line waits for the next step.
    """

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell
        self._began, self._first_step, self._before = time.monotonic(), 0, 0.0
        self._waiting: Point | None = None
        self.loss: float | None = None

    @property
    def seconds(self) -> float:
        """Of all parts of a run that was stopped in between."""
        return self._before + time.monotonic() - self._began

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step
        self._before = keep_until(self._path, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        loss, dev_loss = (logs or {}).get("loss"), (logs or {}).get(_LOOK)
        if loss is None and dev_loss is None:
            return
        if self._waiting is not None and self._waiting.step != state.global_step:
            self._write()
        self.loss = self.loss if loss is None else loss
        n_done = state.global_step - self._first_step
        since = time.monotonic() - self._began
        found = Point(
            step=state.global_step,
            n_steps=state.max_steps,
            epoch=round(state.epoch or 0.0, 4),
            loss=loss,
            dev_loss=dev_loss,
            dev_f1=None,
            seconds=round(self.seconds, 1),
            seconds_left=round(since / n_done * (state.max_steps - state.global_step), 1) if n_done else None,
        )
        if self._waiting is not None and loss is None:
            found = replace(found, loss=self._waiting.loss)
        self._waiting = found

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._write()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._write()

    def _write(self) -> None:
        if self._waiting is not None:
            add_point(self._path, self._waiting)
            self._tell(self._waiting.words)
            self._waiting = None


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
