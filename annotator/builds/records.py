"""Notes and spans as they go into a dataset: what every format is written from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from annotator.builds.options import BuildOptions
from annotator.core.schema import Schema
from annotator.core.spans import Span


class FormatError(ValueError):
    """A schema or note that a format cannot express at all; the message says why, never with note text."""


@dataclass(frozen=True, slots=True, order=True)
class LabelerRecord:
    """The model that suggested a span, as its Labeler row names it."""

    name: str
    backend: str
    model_id: str
    revision: str
    prompt_digest: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The suggestion that a span came from; `is_edited` where the person changed its place, label or attributes."""

    labeler: LabelerRecord
    score: float
    is_edited: bool


@dataclass(frozen=True, slots=True, order=True)
class CertificateRecord:
    """The certificate that a span was accepted under, without review: the share of such spans that is right is at
    least `target`, with a probability of at least 1 - `delta`.
    """

    number: int
    public_id: str
    target: float
    delta: float


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span with its label, and who decided it. `annotator` is a public id; where nobody did it is empty, and there is
    a `certificate`.
    """

    span: Span
    surface: str
    label: str
    attributes: Mapping[str, str]
    annotator: str
    stage: str
    origin: Origin | None
    decided_at: datetime
    certificate: CertificateRecord | None = None


@dataclass(frozen=True, slots=True, order=True)
class RelationRecord:
    """A tie from one span of a note to another, by their places in the note's `spans`, and who decided it."""

    type: str
    head: int
    tail: int
    annotator: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, order=True)
class ValueRecord:
    """What is said of a note as a whole, and who decided it."""

    name: str
    value: str
    annotator: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class CommentRecord:
    """What a reader said about a span as it stands now, which may be none of the note's, or about the note.

    `author` is a public id.
    """

    kind: str
    body: str
    span: Span | None
    label: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """A note with its spans, in the order of their places, what is said beyond them, sorted, and comments, in the order
    in which they were made.

    `public_id` names it in errors, `id` is the user's own.
    """

    id: str
    public_id: str
    patient_id: str
    note_type: str
    text: str
    sha256: str
    metadata: Mapping[str, Any]
    spans: tuple[SpanRecord, ...]
    relations: tuple[RelationRecord, ...]
    document_labels: tuple[ValueRecord, ...]
    comments: tuple[CommentRecord, ...] = ()

    def only(self, labels: Collection[str]) -> NoteRecord:
        """The note with the spans of these labels, and the relations between them."""
        kept = [place for place, found in enumerate(self.spans) if found.label in labels]
        places = {old: new for new, old in enumerate(kept)}
        return replace(
            self,
            spans=tuple(self.spans[place] for place in kept),
            relations=tuple(
                sorted(
                    replace(found, head=places[found.head], tail=places[found.tail])
                    for found in self.relations
                    if found.head in places and found.tail in places
                )
            ),
        )


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a format's writer may know of the dataset, and where it counts what it cannot hold."""

    schema: Schema
    options: BuildOptions
    losses: Counter[str] = field(default_factory=Counter)
