"""What a labeler's prompts hold beside labels and note: its guideline, and examples out of its frozen pool.

Which examples stand in a prompt follows from the pool, the window, the note and its patient alone, so that every prompt
can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import F, QuerySet

from annotator.core.prompting import LABEL_KEY, TEXT_KEY, Example, Item
from annotator.core.similarity import TextIndex
from annotator.suggestions.models import ExamplePool, Labeler, PromptExample


class PoolIncomplete(Exception):
    """A labeler whose pool has lost examples; the message says so and what to do, and is shown."""


@dataclass(frozen=True, slots=True)
class PoolExample:
    """An example, and whose it is."""

    document_id: int
    patient_id: str
    example: Example


@dataclass(frozen=True)
class LabelerPrompt:
    """The guideline's text, "" for none, and what examples are chosen from."""

    guideline: str
    n_examples: int
    pool: Sequence[PoolExample]

    def nearest(self, window_text: str, *, patient_id: str, document_id: int) -> list[Example]:
        """The `n_examples` nearest to the window by `core.similarity`, the nearest last, next to the note.

        Never one from the note itself, nor from another note of its patient.
        """

        def is_another_patients(position: int) -> bool:
            found = self.pool[position]
            return found.document_id != document_id and not (patient_id and found.patient_id == patient_id)

        if not self.n_examples:
            return []
        chosen = self._index.nearest(window_text, n=self.n_examples, is_allowed=is_another_patients)
        return [self.pool[position].example for position in reversed(chosen)]

    @cached_property
    def _index(self) -> TextIndex:
        return TextIndex([found.example.text for found in self.pool])


def prompt_of(labeler: Labeler) -> LabelerPrompt:
    """The labeler's prompt. Raises PoolIncomplete. Three queries at most."""
    examples: list[PromptExample] = []
    if labeler.pool is not None:
        examples = list(_left(labeler.pool).order_by("position"))
        _refuse_loss(labeler.pool, n_left=len(examples))
    return LabelerPrompt(
        guideline=labeler.guideline.text if labeler.guideline else "",
        n_examples=labeler.n_examples,
        pool=[
            PoolExample(
                document_id=found.document_id,
                patient_id=found.patient_id,
                example=Example(text=found.text, items=tuple(_item(item) for item in found.items)),
            )
            for found in examples
        ],
    )


def refuse_incomplete(labeler: Labeler) -> None:
    """Raises PoolIncomplete where the labeler's prompts could not be made any more. One query, none without a pool."""
    if labeler.pool is not None:
        _refuse_loss(labeler.pool, n_left=_left(labeler.pool).count())


def _left(pool: ExamplePool) -> QuerySet[PromptExample]:
    """The examples of notes that are not purged, nor about to be."""
    return PromptExample.objects.filter(pool=pool, document__project=F("pool__project"))


def _refuse_loss(pool: ExamplePool, *, n_left: int) -> None:
    if n_left < pool.n_examples:
        raise PoolIncomplete(
            f"example pool {pool.number} has lost {pool.n_examples - n_left} of its {pool.n_examples} examples "
            "to a purge: make a new labeler with a new pool"
        )


def _item(data: Mapping[str, Any]) -> Item:
    quote = data[TEXT_KEY]
    return Item(
        text=quote if isinstance(quote, str) else tuple(quote),
        label=data[LABEL_KEY],
        attributes={name: value for name, value in data.items() if name not in (TEXT_KEY, LABEL_KEY)},
    )
