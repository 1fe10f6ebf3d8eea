"""The `trained` backend: what this installation has trained itself, a spaCy pipeline or an adapter for a base.

A model lies in the folder of its training. Its weights are read before it is loaded: it is used only where they are
those that the training left.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_labeler import gemma
from llm_labeler.backends import Backend, BackendError
from llm_labeler.backends.digests import adapter_digest, folder_digest, revision_with

LORA, SPACY = "lora", "spacy"
# As the commands that train name them: llm_labeler.finetune.
_FACTS, _ADAPTER, _PIPELINE = "training.json", "adapter", "pipeline"
_GEMMA = "gemma"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Which one: its training's public id, its kind and base, and the revision that its weights must have."""

    kind: str
    run: str
    base: str
    revision: str

    @property
    def model_id(self) -> str:
        return f"{self.base or SPACY}+{self.run}"


@dataclass(slots=True)
class Shelf:
    """The trained models that a process holds, at most `most`: the one that was longest not asked for makes room."""

    load: Callable[[TrainedModel], Backend]
    most: int = 2
    _held: OrderedDict[TrainedModel, Backend] = field(default_factory=OrderedDict)

    def get(self, model: TrainedModel) -> Backend:
        if model not in self._held:
            while len(self._held) >= self.most:
                self._held.popitem(last=False)
            self._held[model] = self.load(model)
        self._held.move_to_end(model)
        return self._held[model]

    def drop(self, model: TrainedModel) -> None:
        self._held.pop(model, None)


def is_there(model: TrainedModel, models: Path) -> bool:
    """Whether its files still are: a purge of a patient takes them away."""
    return _folder(model, models).is_dir()


def load(
    *, models: str | Path, kind: str, run: str, base: str, revision: str, runtime: Mapping[str, Any] | None = None
) -> Backend:
    """The model of a training from the folder `models`. `runtime`: device, batch_size and max_batch_tokens of a LoRA.

    Raises BackendError.
    """
    model = TrainedModel(kind=kind, run=run, base=base, revision=revision)
    if not is_there(model, Path(models)):
        raise BackendError(f"the weights of training {run} are not on this machine any more: use another labeler")
    folder = _folder(model, Path(models))
    if kind == SPACY:
        return _spacy(model, folder)
    if kind == LORA:
        return _lora(model, folder, dict(runtime or {}))
    raise BackendError(f"nothing is trained as {kind!r}: {LORA} or {SPACY} is wanted")


def _spacy(model: TrainedModel, folder: Path) -> Backend:
    from llm_labeler.backends.spacy import pipeline_backend

    pipeline = folder / _PIPELINE
    _refuse_other(model, folder_digest(pipeline))
    return pipeline_backend(pipeline, model_id=model.model_id, revision=model.revision)


def _lora(model: TrainedModel, folder: Path, runtime: Mapping[str, Any]) -> Backend:
    try:
        from llm_labeler.backends.transformers import TransformersBackend
        from llm_labeler.backends.weights import load_weights
    except ImportError as error:
        raise BackendError(f"{error.name} is not installed: make .venv/torch.stamp brings what reads it") from error
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        adapter = adapter_digest(folder / _ADAPTER)
    except (OSError, ValueError):
        raise BackendError(f"the files of training {model.run} are not whole: train it again") from None
    # The base is looked at when it is loaded, which takes long: the adapter first.
    _refuse_other(model, revision_with(model.revision.partition("+")[0], adapter))
    weights = load_weights(
        model=gemma.BASE_ID if model.base == _GEMMA else model.base,
        revision=facts.get("commit"),
        adapter=str(folder / _ADAPTER),
        device=runtime.get("device"),
        dtype=None,
        quantization=facts.get("quantization"),
    )
    _refuse_other(model, weights.revision)
    return TransformersBackend(
        replace(weights, model_id=model.model_id),
        batch_size=runtime.get("batch_size"),
        max_batch_tokens=runtime.get("max_batch_tokens"),
    )


def _refuse_other(model: TrainedModel, revision: str) -> None:
    if revision != model.revision:
        raise BackendError(
            f"the weights on this machine are not those that training {model.run} left: train it again, or put them "
            "back from a backup"
        )


def _folder(model: TrainedModel, models: Path) -> Path:
    """Raises BackendError for what is no public id."""
    if not model.run.isascii() or not model.run.isalnum():
        raise BackendError("a training's public id is wanted")
    return models / model.run
