"""What a labeler found in a note, as rows; written by whoever finishes its job, in the same transaction."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from annotator.core.spans import Span, checked_surface
from annotator.suggestions.models import Candidate, LabelJob, Suggestion
from annotator.web.ids import new_public_id
from annotator.web.inserts import insert_rows

MOST_CANDIDATES = 200  # of a note, the best scored: each is a place that a person is asked about


@dataclass(frozen=True, slots=True)
class NewSuggestion:
    """One labelled span as a model gave it; `span` is None where the quote was not found in the note."""

    span: Span | None
    surface: str
    label: str
    attributes: Mapping[str, str]
    alignment: str
    score: float
    signals: Mapping[str, Any] = field(default_factory=dict)


class SuggestionRow(NamedTuple):
    """A suggestion as it is stored: `suggestion_row` makes one. Each field is a column."""

    public_id: str
    label: str
    fragments: str
    start: int | None
    end: int | None
    surface: str
    attributes: dict[str, str]
    alignment: str
    score: float
    signals: dict[str, Any]
    audit_key: float


class CandidateRow(NamedTuple):
    """A candidate as it is stored. Each field is a column."""

    label: str
    fragments: str
    start: int
    end: int
    surface: str
    score: float


def suggestion_row(new: NewSuggestion) -> SuggestionRow:
    """`new` with an id and a place in the order of audits."""
    return SuggestionRow(
        public_id=new_public_id(),
        label=new.label,
        fragments=str(new.span) if new.span else "",
        start=new.span.start if new.span else None,
        end=new.span.end if new.span else None,
        surface=new.surface,
        attributes=dict(new.attributes),
        alignment=new.alignment,
        score=new.score,
        signals=dict(new.signals),
        audit_key=random.SystemRandom().random(),
    )


def candidate_rows(
    *, text: str, found: Iterable[NewSuggestion], suggested: Iterable[SuggestionRow]
) -> list[CandidateRow]:
    """What `found` has beyond `suggested`: no suggestion of its label shares a character with it. Best scored first.

    Raises SpanError where one does not read as its place in the note.
    """
    taken: dict[str, list[Span]] = {}
    for one in suggested:
        if one.fragments:
            taken.setdefault(one.label, []).append(Span.parse(one.fragments))
    kept: dict[tuple[str, str], CandidateRow] = {}
    for new in sorted(found, key=lambda new: -new.score):
        if new.span is None or any(new.span.overlaps(other) for other in taken.get(new.label, ())):
            continue
        surface = checked_surface(text=text, span=new.span, surface=new.surface)
        row = CandidateRow(new.label, str(new.span), new.span.start, new.span.end, surface, new.score)
        kept.setdefault((row.label, row.fragments), row)
    return list(kept.values())[:MOST_CANDIDATES]


def distinct(rows: Iterable[SuggestionRow]) -> list[SuggestionRow]:
    """The rows, of equal spans under one label only the first; quotes without a place all stay."""
    first: dict[tuple[str, ...], SuggestionRow] = {}
    for row in rows:
        first.setdefault((row.label, row.fragments) if row.fragments else (row.public_id,), row)
    return list(first.values())


def count_placed(rows: Sequence[SuggestionRow]) -> tuple[int, int]:
    """How many of them have a place, and how many have none."""
    n_placed = sum(1 for row in rows if row.fragments)
    return n_placed, len(rows) - n_placed


def add_suggestions(*, found: Iterable[tuple[LabelJob, Sequence[SuggestionRow]]]) -> None:
    """The one writer of suggestions, as (job, what it found). A span stands once under one label of a job."""
    insert_rows(
        model=Suggestion,
        columns=("job", "document", *SuggestionRow._fields),
        rows=((job.pk, job.document_id, *row) for job, rows in found for row in rows),
        same={},
    )


def add_candidates(*, job: LabelJob, rows: Iterable[CandidateRow]) -> None:
    """The one writer of candidates."""
    insert_rows(
        model=Candidate, columns=CandidateRow._fields, rows=rows, same={"job": job.pk, "document": job.document_id}
    )
