"""Chat rows for fine-tuning: the labeler's own prompt for each window of a note, with the right answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from annotator.builds.formats.lines import LineFiles
from annotator.builds.records import BuildContext, FormatError, NoteRecord, SpanRecord
from annotator.core import prompting
from annotator.core.chunks import Chunk, chunks
from annotator.core.schema import SchemaError

NAME = "messages"
TITLE = "Chat messages"
HINT = "prompt and answer for each window of a note, for fine-tuning"
LEAVES_OUT = ("provenance", "offsets", "patient and note type", "metadata")
KEEPS_PIECES = True


class MessagesWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._context = context
        self._lines = LineFiles(folder=folder, suffix="messages.jsonl")
        try:
            prompting.render_messages(context.schema, "")
        except prompting.PromptError as error:
            raise FormatError(str(error)) from error

    def add(self, *, note: NoteRecord, part: str) -> None:
        schema, losses = self._context.schema, self._context.losses
        windows = [
            window
            for window in chunks(note.text, self._context.options.window, self._context.options.overlap)
            if note.text[window.start : window.end].strip()
        ]
        answers: dict[Chunk, list[prompting.Item]] = {window: [] for window in windows}
        for found in self._expressible(note):
            holders = [w for w in windows if w.start <= found.span.start and found.span.end <= w.end]
            if not holders:
                losses["spans across the edges of all windows"] += 1
            item = prompting.item_of(text=note.text, span=found.span, label=found.label, attributes=found.attributes)
            for window in holders:
                answers[window].append(item)
        for window, items in answers.items():
            if len(items) > prompting.MAX_ITEMS:
                losses[f"windows with more than {prompting.MAX_ITEMS} spans"] += 1
                continue
            prompt = prompting.render_messages(schema, note.text[window.start : window.end])
            answer = {"role": "assistant", "content": prompting.render_answer(items, schema=schema)}
            self._lines.write(
                part=part,
                row={"messages": [*prompt, answer], "id": note.id, "window": [window.start, window.end]},
            )

    def close(self) -> dict[str, int]:
        return self._lines.close()

    def _expressible(self, note: NoteRecord) -> Iterator[SpanRecord]:
        """The spans that an answer can hold, in the order of their starts."""
        for found in note.spans:
            try:
                self._context.schema.label(found.label)
                self._context.schema.checked_attributes(label=found.label, given=found.attributes)
            except SchemaError:
                self._context.losses["spans whose label or attributes the schema no longer has"] += 1
                continue
            if len(found.span.fragments) > prompting.MAX_FRAGMENTS:
                self._context.losses[f"spans of more than {prompting.MAX_FRAGMENTS} pieces"] += 1
                continue
            yield found


open_writer = MessagesWriter
