"""What chat formats have in common: the labeler's own prompt for each window of a note, and the right answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotator.builds.records import BuildContext, FormatError, NoteRecord
from annotator.builds.windows import answered_windows
from annotator.core import prompting
from annotator.core.identifiers import LABEL, without_identifiers
from annotator.core.schema import Schema

LEAVES_OUT = ("provenance", "offsets", "patient and note type", "metadata", "comments")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt with its answer; `facts` say of which note and which of its characters it is."""

    prompt: list[prompting.Message]
    answer: prompting.Message
    facts: dict[str, Any]


def _asked(context: BuildContext) -> Schema:
    """What labelers of findings are asked for."""
    return without_identifiers(context.schema)


def check_schema(context: BuildContext) -> None:
    """Raises FormatError where no prompt can be written for the schema."""
    if not _asked(context).labels:
        raise FormatError("the dataset has identifiers alone, which no labeler of findings is asked for")
    try:
        prompting.render_messages(_asked(context), "", template=context.options.template)
    except prompting.PromptError as error:
        raise FormatError(str(error)) from error


def exchanges(*, note: NoteRecord, context: BuildContext) -> Iterator[Exchange]:
    """One for each window that holds text, in order; a window in which nothing is has the answer `[]`.

    What they cannot hold is counted.
    """
    schema, options = _asked(context), context.options
    for reason, said in (("relations", note.relations), ("labels of whole notes", note.document_labels)):
        if said:
            context.losses[reason] += len(said)
    findings = note.only({found.label for found in note.spans} - {LABEL})
    if n_identifiers := len(note.spans) - len(findings.spans):
        context.losses["identifiers, which no labeler of findings is asked for"] += n_identifiers
    answered = answered_windows(
        note=findings, schema=schema, window=options.window, overlap=options.overlap, losses=context.losses
    )
    for window, items in answered:
        yield Exchange(
            prompt=prompting.render_messages(schema, note.text[window.start : window.end], template=options.template),
            answer={"role": "assistant", "content": prompting.render_answer(items, schema=schema)},
            facts={"id": note.id, "window": [window.start, window.end]},
        )
