"""The labeler's windows of a finished note, each with the answer that is right for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from annotator.builds.records import NoteRecord, SpanRecord
from annotator.core import prompting
from annotator.core.chunks import Chunk, chunks
from annotator.core.schema import Schema, SchemaError


def answered_windows(
    *, note: NoteRecord, schema: Schema, window: int, overlap: int, losses: Counter[str]
) -> Iterator[tuple[Chunk, list[prompting.Item]]]:
    """Windows that hold text, in order, with their items by start; a span stands in every window that holds all of it.

    What an answer cannot hold is counted in `losses`.
    """
    windows = [found for found in chunks(note.text, window, overlap) if note.text[found.start : found.end].strip()]
    answers: dict[Chunk, list[prompting.Item]] = {found: [] for found in windows}
    for span in _expressible(note, schema, losses):
        holders = [w for w in windows if w.start <= span.span.start and span.span.end <= w.end]
        if not holders:
            losses["spans across the edges of all windows"] += 1
        item = prompting.item_of(text=note.text, span=span.span, label=span.label, attributes=span.attributes)
        for holder in holders:
            answers[holder].append(item)
    for found, items in answers.items():
        if len(items) > prompting.MAX_ITEMS:
            losses[f"windows with more than {prompting.MAX_ITEMS} spans"] += 1
            continue
        yield found, items


def _expressible(note: NoteRecord, schema: Schema, losses: Counter[str]) -> Iterator[SpanRecord]:
    """The spans that an answer can hold, in the order of their starts."""
    for found in note.spans:
        try:
            schema.label(found.label)
            schema.checked_attributes(label=found.label, given=found.attributes)
        except SchemaError:
            losses["spans whose label or attributes the schema no longer has"] += 1
            continue
        if len(found.span.fragments) > prompting.MAX_FRAGMENTS:
            losses[f"spans of more than {prompting.MAX_FRAGMENTS} pieces"] += 1
            continue
        yield found
