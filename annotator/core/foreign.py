"""A note and its spans as another tool wrote them, before anything is checked against a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.core.spans import Span

MAX_LABEL = 100


@dataclass(frozen=True, slots=True)
class ForeignSpan:
    """A labelled span; offsets count code points of the raw text, with its own line endings.

    `where` says where it was read ("line 12", "'spans[2]'"); `surface` and `score` are None where none was given.
    """

    where: str
    span: Span
    label: str
    surface: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    score: float | None = None


@dataclass(frozen=True, slots=True)
class ForeignNote:
    """A note; `text` is None where only spans came, `spans` is None where none were asked for or given.

    `where` is the row or file it was read from, `spans_where` the file of the spans where that is another one;
    `n_ignored` counts the keys or lines that have no meaning here.
    """

    where: str
    external_id: str
    text: str | None = None
    patient_id: str = ""
    note_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    spans: tuple[ForeignSpan, ...] | None = None
    spans_where: str = ""
    n_ignored: int = 0
