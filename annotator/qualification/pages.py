"""What the pages of the qualification say: who is how far, and what a try shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotator.accounts.models import User
from annotator.core.agreement import ALL_LABELS
from annotator.core.differences import Difference, DifferenceKind, differences
from annotator.core.guidance import Passage, passage_about
from annotator.core.qualification import Figure
from annotator.core.readings import Reading, ReadSpan
from annotator.core.schema import Label, Schema
from annotator.core.wording import counted
from annotator.projects.models import Guideline
from annotator.qualification.models import Admission, Qualification, Trial
from annotator.qualification.selectors import Progress, TriedNote
from annotator.web.pills import Pill

AROUND_CHARS = 60
_WORDS = {
    DifferenceKind.LABEL: "Other label",
    DifferenceKind.EDGES: "Other edges",
    DifferenceKind.LABEL_AND_EDGES: "Other label and edges",
    DifferenceKind.ATTRIBUTES: "Other attributes",
}
_REASONS = {
    Admission.Reason.PASSED: Pill("Passed", "ok", "check"),
    Admission.Reason.LEAD: Pill("Let in", "ok", "check"),
    Admission.Reason.MEMBER: Pill("Was here before", "", "minus"),
}
PASSED, FAILED = Pill("Passed", "ok", "check"), Pill("Not passed", "bad", "x")
_READS = Pill("Qualifying", "accent", "clock")
_STUCK = Pill("Your call", "warn", "alert")


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One label of a try; what has no number is a dash."""

    label: str
    n_reference: int
    n_said: int
    n_right: int
    f1: str
    wanted: str
    pill: Pill


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One annotator: how far they are, and their newest finished try."""

    user: User
    pill: Pill
    trials: Sequence[Trial]
    figures: Sequence[FigureRow]
    may_be_let_in: bool
    may_be_taken_back: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What one of the two says in a place: label, words, and attributes by value."""

    label: Label
    words: str
    attributes: str


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One place where reader and reference differ: its words with what stands around them; who says nothing is None."""

    before: str
    words: str
    after: str
    what: str
    reference: Said | None
    said: Said | None


@dataclass(frozen=True, slots=True)
class NoteRows:
    """What differs in one note of a try."""

    title: str
    rows: Sequence[DifferenceRow]


def person_row(found: Progress, current: Qualification | None) -> PersonRow:
    """Without a version that is on nobody is asked."""
    is_on = current is not None and current.status == Qualification.Status.ON
    finished = [trial for trial in found.trials if trial.status != Trial.Status.OPEN]
    reason = found.admission.reason if found.admission else None
    if reason is not None:
        pill = _REASONS[Admission.Reason(reason)]
    elif current is None or not is_on:
        pill = Pill("Not asked", "", "minus")
    elif len(finished) < len(found.trials) or (len(finished) < current.n_tries and found.n_free >= current.n_notes):
        pill = _READS
    else:
        pill = _STUCK
    return PersonRow(
        user=found.user,
        pill=pill,
        trials=finished,
        figures=[row for row in figure_rows(finished[-1]) if row.wanted] if finished else [],
        may_be_let_in=is_on and reason is None,
        may_be_taken_back=reason == Admission.Reason.LEAD,
    )


def figure_rows(trial: Trial) -> list[FigureRow]:
    """The labels of a try that either has a span of, those judged first; all together where they are judged so."""
    figures = [Figure(**figure) for figure in trial.figures]
    shown = [figure for figure in figures if figure.wanted is not None]
    shown += [figure for figure in figures if figure.wanted is None and figure.label and figure.f1 is not None]
    return [
        FigureRow(
            label="All labels" if figure.label == ALL_LABELS else figure.label,
            n_reference=figure.n_reference,
            n_said=figure.n_said,
            n_right=figure.n_right,
            f1=_share(figure.f1),
            wanted=_share(figure.wanted),
            pill=_pill(figure),
        )
        for figure in shown
    ]


def label_rows(current: Qualification, counts: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Each label of the reference notes with its spans and its threshold, most spans first."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [(label, n, _share(current.standard.wanted_of(label))) for label, n in ordered]


def note_rows(notes: Iterable[TriedNote], schema: Schema) -> list[NoteRows]:
    labels = {label.name: label for label in schema.labels}
    found = []
    for number, note in enumerate(notes, 1):
        differing = differences(Reading(note.reference), Reading(note.said))
        rows = [_difference_row(each, note, labels) for each in differing]
        title = note.document.metadata.get("title") or f"Note {number}"
        found.append(NoteRows(title=title, rows=rows))
    return found


def passages(notes: Sequence[NoteRows], guideline: Guideline | None) -> list[tuple[Label, Passage]]:
    """What the guideline says of the labels of all that differs, in the order in which they come."""
    if guideline is None:
        return []
    both = (said for note in notes for row in note.rows for said in (row.reference, row.said) if said)
    labels = dict.fromkeys(each.label for each in both)
    found = ((label, passage_about(label.name, guideline.text)) for label in labels)
    return [(label, passage) for label, passage in found if passage is not None]


def trial_lead(trial: Trial, rows: Sequence[FigureRow]) -> tuple[str, str]:
    """The sentence under the title: its bold beginning and the rest."""
    judged = [row for row in rows if row.wanted]
    n_low = sum(row.pill == FAILED for row in judged)
    if trial.status == Trial.Status.PASSED:
        return "Passed.", f" {counted(len(judged), 'label')} judged, and each reaches its threshold."
    return "Not passed.", f" {n_low} of {counted(len(judged), 'judged label')} stayed below the threshold."


def _difference_row(each: Difference, note: TriedNote, labels: Mapping[str, Label]) -> DifferenceRow:
    text = note.document.text
    before, after = _around(text, each.start, each.end)
    return DifferenceRow(
        before=before,
        words=text[each.start : each.end],
        after=after,
        what=_WORDS.get(each.kind) or ("Missed" if each.label_a else "Not in the reference"),
        reference=_said(note.reference, each, labels.get(each.label_a), text),
        said=_said(note.said, each, labels.get(each.label_b), text),
    )


def _around(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after a place, AROUND_CHARS at most, in whole words."""
    before, after = text[max(start - AROUND_CHARS, 0) : start], text[end : end + AROUND_CHARS]
    return (
        (before if start <= AROUND_CHARS else before.partition(" ")[2]).lstrip(),
        (after if end + AROUND_CHARS >= len(text) else after.rpartition(" ")[0]).rstrip(),
    )


def _said(spans: Sequence[ReadSpan], each: Difference, label: Label | None, text: str) -> Said | None:
    """The span of that label in the place that differs, the longest of several."""
    inside = [said for said in spans if label and said.label == label.name]
    inside = [said for said in inside if each.start <= said.span.start and said.span.end <= each.end]
    if label is None or not inside:
        return None
    said = max(inside, key=lambda said: said.span.end - said.span.start)
    return Said(label, said.span.surface(text), ", ".join(value for _, value in sorted(said.attributes.items())))


def _pill(figure: Figure) -> Pill:
    if figure.wanted is None:
        return Pill("Not judged", "", "minus")
    return PASSED if figure.is_enough else FAILED


def _share(share: float | None) -> str:
    """.83 as the figures of the quality page are written; empty for None."""
    return "" if share is None else f"{share:.2f}".removeprefix("0")
