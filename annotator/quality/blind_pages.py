"""What the page of blind notes says: recall and effort in words, and the places that were missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from annotator.core.effort import Arm, Effort
from annotator.core.intervals import Estimate
from annotator.core.recall import AIM, LabelRecall, Recall
from annotator.core.schema import Schema
from annotator.core.wording import counted, sentence, work_words
from annotator.documents.models import Document
from annotator.projects.models import Membership
from annotator.quality.recall import MissedSpan

# Fewer than the command draws: pages are waited for.
N_RESAMPLES = 200
BEFORE_CHARS, AFTER_CHARS = 32, 48
NONE = "–"


@dataclass(frozen=True, slots=True)
class RecallRow:
    """One line of the table of recall; `colour` is empty for all labels together."""

    name: str
    colour: str
    n_gold: int
    strict: str
    strict_interval: str
    overlap: str
    overlap_interval: str


@dataclass(frozen=True, slots=True)
class EffortRow:
    """A figure of both arms, each with its interval."""

    name: str
    assisted: str
    assisted_interval: str
    control: str
    control_interval: str


@dataclass(frozen=True, slots=True)
class MissedRow:
    """A place that was missed, in its line, and where it is opened."""

    before: str
    surface: str
    after: str
    label: str
    colour: str
    suggested: str
    note: str
    url: str


def figures_context(recall: Recall, effort: Effort, schema: Schema) -> dict[str, Any]:
    """What quality/recall.html and quality/effort.html are drawn from."""
    return {
        "recall": recall,
        "recall_rows": recall_rows(recall, schema),
        "recall_words": recall_words(recall),
        "effort": effort,
        "effort_rows": effort_rows(effort),
        "effort_words": effort_words(effort),
        "effort_notes": effort_notes(effort),
    }


def recall_rows(recall: Recall, schema: Schema) -> list[RecallRow]:
    colours = {label.name: label.colour for label in schema.labels}
    rows = [(recall.overall, "All labels", ""), *((each, each.label, colours[each.label]) for each in recall.labels)]
    return [_recall_row(found, name, colour) for found, name, colour in rows]


def recall_words(recall: Recall) -> str:
    """What is known, in a sentence or two."""
    waiting = (
        f" {counted(recall.n_waiting, 'note was', 'notes were')} read blind and not gone through yet."
        if recall.n_waiting
        else ""
    )
    if recall.caveat:
        return f"{sentence(recall.caveat)}{waiting}"
    strict = recall.overall.strict
    found = f"The labeler had {_percent(strict.value)} of {counted(recall.overall.n_gold, 'span')}"
    interval = f" (95 %: {_interval(strict, _percent)})" if strict.interval else ""
    notes = f" in {counted(recall.n_notes, 'note')} of {counted(recall.n_patients, 'patient')}."
    return f"{found}{interval}{notes}{_more_words(recall.n_more)}{waiting}"


def effort_words(effort: Effort) -> str:
    """What suggestions save, in a sentence or two."""
    ratio, saved = effort.ratio, effort.saved
    if ratio.value is None or saved.value is None:
        return sentence(ratio.caveat)
    much = "less" if saved.value >= 0 else "more"
    interval = f" (95 %: {_interval(saved, _percent)} saved)" if saved.interval else ""
    words = f"With suggestions 1,000 characters take {_percent(abs(saved.value))} {much} time{interval}."
    if effort.is_chosen:
        words += (
            " What was read with suggestions so far was chosen by the policy, so it may be harder or easier than the"
            " notes drawn for blind reading; once all is read, or by the random policy, the two are alike."
        )
    return words


def effort_notes(effort: Effort) -> list[str]:
    """What is left out, and why."""
    notes = []
    if effort.n_untimed:
        were = counted(effort.n_untimed, "note is", "notes are")
        notes.append(f"{were} left out: something in it was decided without a page that measures time.")
    if effort.n_unread:
        notes.append(
            f"{counted(effort.n_unread, 'note was', 'notes were')} done without a reader, and took nobody's time."
        )
    return notes


def effort_rows(effort: Effort) -> list[EffortRow]:
    def row(name: str, of: Callable[[Arm], Estimate], write: Callable[[float | None], str]) -> EffortRow:
        arms = of(effort.assisted), of(effort.control)
        cells = [cell for found in arms for cell in (write(found.value), _interval(found, write))]
        return EffortRow(name, *cells)

    return [
        row("Time a note, mean", lambda arm: arm.per_note, _time),
        row("Time a note, median", lambda arm: arm.per_note_median, _time),
        row("Time for 1,000 characters, mean", lambda arm: arm.per_chars, _time),
        row("Time for 1,000 characters, median", lambda arm: arm.per_chars_median, _time),
        row("Time a span, mean", lambda arm: arm.per_span, _time),
        row("Time a span, median", lambda arm: arm.per_span_median, _time),
        row("Actions a span", lambda arm: arm.actions_per_span, _number),
    ]


def missed_rows(
    missed: Sequence[MissedSpan],
    *,
    notes: dict[int, Document],
    own_items: dict[int, str],
    schema: Schema,
    membership: Membership,
) -> list[MissedRow]:
    """The places in their lines. A reader is led into their own note (`own_items`), others to the list of notes."""
    colours = {label.name: label.colour for label in schema.labels}
    return [_missed_row(each, notes[each.document_id], own_items, colours, membership) for each in missed]


def _missed_row(
    missed: MissedSpan, note: Document, own_items: dict[int, str], colours: dict[str, str], membership: Membership
) -> MissedRow:
    span, project_id = missed.span, membership.project.public_id
    own = own_items.get(note.pk) if missed.reader_id == membership.user_id else None
    return MissedRow(
        before=note.text[max(span.start - BEFORE_CHARS, 0) : span.start],
        surface=span.surface(note.text),
        after=note.text[span.end : span.end + AFTER_CHARS],
        label=missed.label,
        colour=colours.get(missed.label, ""),
        suggested=missed.suggested,
        note=note.external_id,
        url=reverse("review:note", args=[project_id, own])
        if own
        else f"{reverse('browse:documents', args=[project_id])}?note={note.public_id}",
    )


def _recall_row(found: LabelRecall, name: str, colour: str) -> RecallRow:
    return RecallRow(
        name=name,
        colour=colour,
        n_gold=found.n_gold,
        strict=_percent(found.strict.value),
        strict_interval=_interval(found.strict, _percent),
        overlap=_percent(found.overlap.value),
        overlap_interval=_interval(found.overlap, _percent),
    )


def _more_words(n_more: int | None) -> str:
    if n_more is None:
        return ""
    points = f"{100 * AIM:.0f} points"
    if not n_more:
        return f" That is known to {points} either way."
    return (
        f" About {counted(n_more, 'more blind note', 'more blind notes')} would make it known to {points} either way."
    )


def _interval(found: Estimate, write: Callable[[float | None], str]) -> str:
    if found.interval is None:
        return NONE
    low, high = map(write, found.interval)
    return f"{low.removesuffix(' %')} to {high}"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"


def _time(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.1f} s" if value < 60 else work_words(value)


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
