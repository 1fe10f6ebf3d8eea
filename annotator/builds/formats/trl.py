"""Prompt and completion apart, as TRL's SFTTrainer takes them: the loss is then of the answer alone."""

from __future__ import annotations

from pathlib import Path

from annotator.builds.formats import chat
from annotator.builds.formats.lines import LineFiles
from annotator.builds.records import BuildContext, NoteRecord

NAME = "trl"
TITLE = "TRL prompt and completion"
GROUP = "For training"
HINT = "prompt and answer apart, as TRL trains on the answer alone"
OFFSETS = "none; `window` counts code points"
READ = 'datasets.load_dataset("json", data_files={"train": "train.trl.jsonl"})'
NEEDS = ""
LEAVES_OUT = chat.LEAVES_OUT
KEEPS_PIECES = True


class TrlWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        chat.check_schema(context)
        self._context = context
        self._lines = LineFiles(folder=folder, suffix="trl.jsonl")

    def add(self, *, note: NoteRecord, part: str) -> None:
        for found in chat.exchanges(note=note, context=self._context):
            self._lines.write(part=part, row={"prompt": found.prompt, "completion": [found.answer], **found.facts})

    def close(self) -> dict[str, int | None]:
        return self._lines.close()


open_writer = TrlWriter
