"""What chat formats have in common: the labeler's own prompt for each window of a note, and the right answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotator.builds.records import BuildContext, FormatError, NoteRecord
from annotator.builds.windows import answered_windows
from annotator.core import prompting

LEAVES_OUT = ("provenance", "offsets", "patient and note type", "metadata", "comments")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt with its answer; `facts` say of which note and which of its characters it is."""

    prompt: list[prompting.Message]
    answer: prompting.Message
    facts: dict[str, Any]


def check_schema(context: BuildContext) -> None:
    """Raises FormatError where no prompt can be written for the schema."""
    try:
        prompting.render_messages(context.schema, "", template=context.options.template)
    except prompting.PromptError as error:
        raise FormatError(str(error)) from error


def exchanges(*, note: NoteRecord, context: BuildContext) -> Iterator[Exchange]:
    """One for each window that holds text, in order; a window in which nothing is has the answer `[]`.

    What they cannot hold is counted.
    """
    schema, options = context.schema, context.options
    for reason, said in (("relations", note.relations), ("labels of whole notes", note.document_labels)):
        if said:
            context.losses[reason] += len(said)
    answered = answered_windows(
        note=note, schema=schema, window=options.window, overlap=options.overlap, losses=context.losses
    )
    for window, items in answered:
        yield Exchange(
            prompt=prompting.render_messages(schema, note.text[window.start : window.end], template=options.template),
            answer={"role": "assistant", "content": prompting.render_answer(items, schema=schema)},
            facts={"id": note.id, "window": [window.start, window.end]},
        )
