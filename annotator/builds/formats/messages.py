"""Chat rows for fine-tuning: the labeler's own prompt for each window of a note, with the right answer."""

from __future__ import annotations

from pathlib import Path

from annotator.builds.formats.lines import LineFiles
from annotator.builds.records import BuildContext, FormatError, NoteRecord
from annotator.builds.windows import answered_windows
from annotator.core import prompting

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
        schema, options = self._context.schema, self._context.options
        for reason, said in (("relations", note.relations), ("labels of whole notes", note.document_labels)):
            if said:
                self._context.losses[reason] += len(said)
        answered = answered_windows(
            note=note, schema=schema, window=options.window, overlap=options.overlap, losses=self._context.losses
        )
        for window, items in answered:
            prompt = prompting.render_messages(schema, note.text[window.start : window.end])
            answer = {"role": "assistant", "content": prompting.render_answer(items, schema=schema)}
            self._lines.write(
                part=part,
                row={"messages": [*prompt, answer], "id": note.id, "window": [window.start, window.end]},
            )

    def close(self) -> dict[str, int]:
        return self._lines.close()


open_writer = MessagesWriter
