"""What the pages of example pools show of a wish and of an example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.core.prompting import LABEL_KEY, TEXT_KEY
from annotator.documents.selectors import in_context
from annotator.suggestions.models import PoolWish, PromptExample

BEFORE_CHARS, AFTER_CHARS = 40, 60


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """An example, and its answer's items as (quote, label, attributes)."""

    example: PromptExample
    items: tuple[tuple[str, str, str], ...]


def wish_rows(wishes: Sequence[PoolWish]) -> list[PoolWish]:
    """The wishes in their order, with note and who asked, and what stands there as `before`, `surface`, `after`. One
    query.
    """
    keys = [wish.pk for wish in wishes]
    rows = PoolWish.objects.filter(pk__in=keys).select_related("document", "asked_by")
    rows = in_context(rows, before=BEFORE_CHARS, after=AFTER_CHARS)
    return sorted(rows, key=lambda row: keys.index(row.pk))


def example_rows(examples: Sequence[PromptExample]) -> list[ExampleRow]:
    return [ExampleRow(example, tuple(_items(example.items))) for example in examples]


def _items(items: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        quote = item[TEXT_KEY]
        attributes = ", ".join(str(value) for key, value in item.items() if key not in (TEXT_KEY, LABEL_KEY))
        yield quote if isinstance(quote, str) else " … ".join(quote), item[LABEL_KEY], attributes
