"""How an adapter is trained: the numbers, and what a run is known by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from llm_labeler.finetune import FinetuneError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Numbers of a run; the defaults are those that Google gives for MedGemma, but for the batch and the length.

    `max_length` is in tokens of a prompt with its answer; what is longer is left out. `batch_size` rows make a step,
    `device_batch` of them go through the model at once. The learning rate rises over 3 % of the steps and falls in a
    straight line. The development part is looked at `n_looks` times an epoch; after `patience` looks without a gain
    training ends, and the best is kept. With patience 0 it is not looked at. Raises FinetuneError.
    """

    rank: int = 16
    alpha: int = 16
    dropout: float = 0.05
    learning_rate: float = 2e-4
    epochs: float = 1.0
    max_length: int = 2048
    batch_size: int = 16
    device_batch: int = 2
    n_looks: int = 5
    patience: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rank", "alpha", "max_length", "batch_size", "device_batch", "n_looks"):
            if getattr(self, name) < 1:
                raise FinetuneError(f"{name} is {getattr(self, name)}: at least 1 is wanted")
        for name in ("learning_rate", "epochs"):
            if not getattr(self, name) > 0:
                raise FinetuneError(f"{name} is {getattr(self, name)}: more than 0 is wanted")
        if not 0 <= self.dropout < 1:
            raise FinetuneError(f"dropout is {self.dropout}: from 0 to less than 1 is wanted")
        if self.patience < 0 or self.seed < 0:
            raise FinetuneError("patience and seed are at least 0")
        if self.batch_size % self.device_batch:
            raise FinetuneError(f"batch_size {self.batch_size} is no multiple of device_batch {self.device_batch}")

    @property
    def n_accumulated(self) -> int:
        """Passes through the model that make a step."""
        return self.batch_size // self.device_batch

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
