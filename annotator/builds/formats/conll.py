"""CoNLL-2003 columns with IOB2 tags: a token a line, an empty line behind a sentence, `-DOCSTART-` before a note.

The tokens are those of the tokenizer "marginalia-1", which holds no white space; a sentence does not end inside a span.
"""

from __future__ import annotations

from pathlib import Path

from annotator.builds.formats.flat import token_spans_of, without_overlaps
from annotator.builds.formats.lines import PartFiles
from annotator.builds.formats.names import PlainNames
from annotator.builds.formats.sources import count_unsaid
from annotator.builds.records import BuildContext, NoteRecord
from annotator.core.chunks import sentences
from annotator.core.tokens import token_spans

NAME = "conll"
TITLE = "CoNLL (IOB2)"
GROUP = "For training"
HINT = "a token and its tag a line, for taggers and spaCy's convert command"
OFFSETS = "none; white space is not kept"
READ = "spacy convert train.conll . --converter conll"
NEEDS = ""
LEAVES_OUT = ("provenance", "ids and metadata of notes", "offsets and white space", "labels of whole notes", "comments")
KEEPS_PIECES = False
_DOCUMENT = "-DOCSTART- -X- O O\n\n"


class ConllWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._context = context
        self._labels = PlainNames(context.schema.label_names)
        self._files = PartFiles(folder=folder, suffix="conll")

    def add(self, *, note: NoteRecord, part: str) -> None:
        losses = self._context.losses
        count_unsaid(note, self._context.schema, losses)
        tokens = token_spans(note.text)
        pieces = token_spans_of(spans=note.spans, tokens=tokens, losses=losses)
        kept = without_overlaps(pieces)
        if len(kept) < len(pieces):
            losses["spans or pieces that share a token with a longer one"] += len(pieces) - len(kept)
        tags = ["O"] * len(tokens)
        joined: set[int] = set()  # tokens that the one before them is in one span with
        for found in kept:
            label = self._labels.of(found.label)
            tags[found.start : found.end] = [f"B-{label}", *[f"I-{label}"] * (found.end - found.start - 1)]
            joined.update(range(found.start + 1, found.end))
        breaks = {chunk.start for chunk in sentences(note.text)}
        lines = [_DOCUMENT]
        for place, ((start, end), tag) in enumerate(zip(tokens, tags, strict=True)):
            if place and start in breaks and place not in joined:
                lines.append("\n")
            lines.append(f"{note.text[start:end]} -X- _ {tag}\n")
        self._files.write(part=part, text="".join([*lines, "\n"]))

    def close(self) -> dict[str, int | None]:
        return self._files.close()


open_writer = ConllWriter
