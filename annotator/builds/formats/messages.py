"""Chat rows for fine-tuning: the labeler's own prompt for each window of a note, with the right answer."""

from __future__ import annotations

from pathlib import Path

from annotator.builds.formats import chat
from annotator.builds.formats.lines import LineFiles
from annotator.builds.records import BuildContext, NoteRecord

NAME = "messages"
TITLE = "Chat messages"
GROUP = "For training"
HINT = "prompt and answer as one conversation, for each window of a note"
OFFSETS = "none; `window` counts code points"
READ = 'datasets.load_dataset("json", data_files={"train": "train.messages.jsonl"})'
NEEDS = ""
LEAVES_OUT = chat.LEAVES_OUT
KEEPS_PIECES = True


class MessagesWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        chat.check_schema(context)
        self._context = context
        self._lines = LineFiles(folder=folder, suffix="messages.jsonl")

    def add(self, *, note: NoteRecord, part: str) -> None:
        for found in chat.exchanges(note=note, context=self._context):
            self._lines.write(part=part, row={"messages": [*found.prompt, found.answer], **found.facts})

    def close(self) -> dict[str, int | None]:
        return self._lines.close()


open_writer = MessagesWriter
