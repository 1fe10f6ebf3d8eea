"""How a spaCy pipeline is trained: the numbers, and what a run is known by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from llm_labeler.finetune import FinetuneError

SPANCAT, NER = "spancat", "ner"
COMPONENTS = (SPANCAT, NER)
MOST_TOKENS = 12


@dataclass(frozen=True, slots=True)
class SpacyRecipe:
    """Numbers of a run; they were chosen before anything was measured.

    spancat judges every run of up to `longest` tokens and lets spans overlap; ner does not. With longest 0 it is as
    long as all but one in a hundred of the spans that are learnt, and no more than MOST_TOKENS. A step takes about
    `batch_words` tokens. The development part is looked at every `look_every` steps; after `patience` looks without a
    gain training ends, and the best is kept. With patience 0 it is not looked at. `threshold`: the probability from
    which spancat names a span. Raises FinetuneError.
    """

    component: str = SPANCAT
    steps: int = 4000
    look_every: int = 200
    patience: int = 5
    batch_words: int = 400
    learning_rate: float = 0.001
    dropout: float = 0.2
    longest: int = 0
    threshold: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.component not in COMPONENTS:
            raise FinetuneError(f"component is {self.component!r}: one of {', '.join(COMPONENTS)} is wanted")
        for name in ("steps", "look_every", "batch_words"):
            if getattr(self, name) < 1:
                raise FinetuneError(f"{name} is {getattr(self, name)}: at least 1 is wanted")
        if not self.learning_rate > 0:
            raise FinetuneError(f"learning_rate is {self.learning_rate}: more than 0 is wanted")
        if not 0 <= self.dropout < 1:
            raise FinetuneError(f"dropout is {self.dropout}: from 0 to less than 1 is wanted")
        if not 0 < self.threshold < 1:
            raise FinetuneError(f"threshold is {self.threshold}: between 0 and 1 is wanted")
        if not 0 <= self.longest <= MOST_TOKENS:
            raise FinetuneError(f"longest is {self.longest}: from 0 to {MOST_TOKENS} is wanted")
        if self.patience < 0 or self.seed < 0:
            raise FinetuneError("patience and seed are at least 0")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
