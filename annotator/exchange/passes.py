"""The pass over a source: every row read, checked, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.accounts.models import User
from annotator.core.foreign import NOBODY, ForeignNote, RowFault
from annotator.core.text import NormalText, TextError, normal_text, text_digest
from annotator.documents.models import Document
from annotator.documents.selectors import documents_by_external_id, known_digests
from annotator.exchange.checks import CheckedNote, SpanRules, checked_note
from annotator.exchange.reports import ImportReport
from annotator.exchange.seen import SeenIds
from annotator.exchange.selectors import SetContent, content_of, set_contents
from annotator.exchange.sources import Source, count_rows, read_notes
from annotator.exchange.targets import LEFT_OUT, MAX_VOICES, Becomes, SpanTarget
from annotator.projects.models import Project

BATCH_ROWS = 200
BATCH_CHARS = 4_000_000
Progress = Callable[[str, int, int], None]


def silent(phase: str, n_done: int, n_total: int) -> None:
    """A Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does: bring notes in, or find the project's own (`is_adding`), and with `rules` their spans.

    What they become is the `target`'s to say; `users` are those of its annotators who have an account by now.
    """

    project: Project
    is_adding: bool
    rules: SpanRules | None = None
    target: SpanTarget = field(default_factory=SpanTarget)
    users: Mapping[str, User] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row that may be written. `text` is normal; `said` is None where there is nothing to write of spans, else they
    become what `becomes` says. `note` is what was read.
    """

    external_id: str
    text: str
    is_new: bool
    patient_id: str = ""
    note_type: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    said: CheckedNote | None = None
    becomes: Becomes = LEFT_OUT
    note: ForeignNote | None = None


def checked_batches(
    *, plan: Plan, source: Source, report: ImportReport, phase: str, progress: Progress
) -> Iterator[list[CheckedRow]]:
    """The rows that may be written, in batches of bounded size; all faults are in `report` when it ends.

    Two or three queries a batch. `progress` is called after each batch and may stop the pass by raising.
    """
    total = count_rows(source)
    report.n_other_files = source.n_other_files
    progress(phase, 0, total)
    with SeenIds() as seen:
        for batch in _batches(read_notes(source, has_spans=plan.rules is not None), report):
            if plan.is_adding:
                yield _new_rows(batch, plan, seen, report)
            else:
                yield _rows_of_known_notes(batch, plan, seen, report)
            progress(phase, report.n_rows, max(total, report.n_rows))
    if plan.rules is not None:
        report.fault_unknown_labels(plan.rules.schema.label_names)
        report.fault_unknown_voices()


# What is said already, by user name and external id.
_Contents = dict[tuple[str, str], SetContent]
# A row with its place among the rows of the source, from 1.
_Placed = tuple[int, ForeignNote | RowFault]


def _batches(rows: Iterable[ForeignNote | RowFault], report: ImportReport) -> Iterator[list[_Placed]]:
    batch: list[_Placed] = []
    n_chars = 0
    for row in rows:
        report.n_rows += not (isinstance(row, ForeignNote) and row.is_further)
        batch.append((report.n_rows, row))
        if isinstance(row, ForeignNote):
            report.n_ignored += row.n_ignored
            report.lose(row.losses)
            n_chars += len(row.text or "")
        if len(batch) >= BATCH_ROWS or n_chars >= BATCH_CHARS:
            yield batch
            batch, n_chars = [], 0
    yield batch


def _ids(batch: list[_Placed]) -> list[str]:
    return [row.external_id for _, row in batch if isinstance(row, ForeignNote)]


def _new_rows(batch: list[_Placed], plan: Plan, seen: SeenIds, report: ImportReport) -> list[CheckedRow]:
    """Rows of an import of notes: new ones, and spans of notes that the project has already."""
    known = known_digests(project=plan.project, external_ids=_ids(batch))
    contents = _set_contents(plan, batch, list(known))
    rows = []
    for position, note in batch:
        if isinstance(note, RowFault):
            report.fault(note.where, *note.messages)
            continue
        if note.text is None:
            _fault_missing_text(note, report)
            continue
        try:
            normal = normal_text(note.text)
        except TextError as error:
            report.fault(note.where, str(error))
            continue
        digest = text_digest(normal.text)
        standing = _standing(position, note, digest, plan, seen, report)
        if standing == _SKIPPED:
            continue
        if known.get(note.external_id, digest) != digest:
            report.fault(note.where, "the project has another text under this id")
            continue
        is_new = standing == _FIRST and note.external_id not in known
        if is_new:
            report.n_added += 1
        elif standing == _FIRST:
            report.n_known += 1
        rows.append(
            CheckedRow(
                external_id=note.external_id,
                text=normal.text,
                is_new=is_new,
                patient_id=note.patient_id,
                note_type=note.note_type,
                metadata=dict(note.metadata),
                said=_said(note, normal.text, normal, plan, contents, report),
                becomes=plan.target.of(note.voice) or LEFT_OUT,
                note=note,
            )
        )
    return rows


def _fault_missing_text(note: ForeignNote, report: ImportReport) -> None:
    if not note.spans_where:
        report.fault(note.where, "'text' is missing")
    elif note.spans is not None:
        report.fault(note.where, "there is no .txt file of this name")
    else:
        report.n_other_files += 1


def _rows_of_known_notes(batch: list[_Placed], plan: Plan, seen: SeenIds, report: ImportReport) -> list[CheckedRow]:
    """Rows of an import of spans onto the project's notes."""
    documents = documents_by_external_id(project=plan.project, external_ids=_ids(batch))
    contents = _set_contents(plan, batch, list(documents))
    rows = []
    for position, note in batch:
        if isinstance(note, RowFault):
            report.fault(note.where, *note.messages)
            continue
        if note.spans is None:
            continue
        document = documents.get(note.external_id)
        if document is None:
            report.fault(note.where, "the project has no note of this id")
            continue
        raw = _own_text(note, document, report)
        if raw is None and note.text is not None:
            continue
        if _standing(position, note, document.sha256, plan, seen, report) == _SKIPPED:
            continue
        rows.append(
            CheckedRow(
                external_id=note.external_id,
                text=document.text,
                is_new=False,
                said=_said(note, document.text, raw, plan, contents, report),
                becomes=plan.target.of(note.voice) or LEFT_OUT,
                note=note,
            )
        )
    return rows


def _own_text(note: ForeignNote, document: Document, report: ImportReport) -> NormalText | None:
    """The text that came with the spans, which must be the stored one; None where none came or it is not."""
    if note.text is None:
        return None
    try:
        raw = normal_text(note.text)
    except TextError as error:
        report.fault(note.where, str(error))
        return None
    if text_digest(raw.text) != document.sha256:
        report.fault(note.where, "the text is not that of the project's note of this id")
        return None
    return raw


# How a row stands to those before it: the first of its id, a further voice on one, or nothing to write.
_FIRST, _FURTHER, _SKIPPED = "first", "further", "skipped"


def _standing(position: int, note: ForeignNote, digest: str, plan: Plan, seen: SeenIds, report: ImportReport) -> str:
    """A row whose id was given before is further where another voice speaks, skipped where it may and does say the
    same, and else a fault.
    """
    becomes = plan.target.of(note.voice)
    speaker = (becomes.words if becomes else "") or note.voice.key
    earlier = seen.earlier(external_id=note.external_id, digest=digest, position=position)
    is_speaking = note.spans is not None and (note.voice != NOBODY or note.is_further)
    before = None
    if is_speaking and (earlier is None or earlier.is_same_text):
        before = seen.earlier(external_id=f"{note.external_id}\n{speaker}", digest="", position=position)
    if earlier is None:
        return _FIRST
    if earlier.is_same_text and is_speaking and before is None:
        return _FURTHER
    if earlier.is_same_text and note.spans is None and note.may_repeat:
        report.n_repeated += 1
    elif before is not None:
        report.fault(
            note.where,
            f"the spans of the note were given before, by note {before.position} of this source, for {speaker}: "
            "keep one of them, or name another person",
        )
    else:
        with_same = "with the same text" if note.spans is None else "with spans"
        what = with_same if earlier.is_same_text else "with another text"
        report.fault(note.where, f"the id was given before ({what}), by note {earlier.position} of this source")
    return _SKIPPED


def _said(
    note: ForeignNote,
    text: str,
    raw: NormalText | None,
    plan: Plan,
    contents: _Contents,
    report: ImportReport,
) -> CheckedNote | None:
    """What is to be written; None where no spans came, or where the annotator's set says the same already."""
    if plan.rules is None or note.spans is None:
        return None
    becomes = plan.target.of(note.voice)
    if becomes is None:
        report.count_unknown_voice(note.voice.name)
        return None
    if not becomes.words:
        report.n_readings_left_out += 1
        return None
    n_faults = report.n_errors
    said = checked_note(
        note=note, text=text, raw=raw, rules=plan.rules, is_annotating=bool(becomes.annotator), report=report
    )
    before = contents.get((becomes.annotator, note.external_id))
    if before is None or report.n_errors > n_faults:
        report.n_annotated += 1
        if plan.target.voices or note.voice != NOBODY:
            report.count_for(becomes.words, n_spans=len(said.spans))
        if len(report.targets) > MAX_VOICES:
            report.fault(note.where, f"more than {MAX_VOICES} people and models speak: leave some out")
        return said
    if before == content_of(said):
        report.n_sets_known += 1
        report.n_spans -= len(said.spans)
        report.n_relations -= len(said.relations)
        report.n_document_labels -= len(said.document_labels)
        return None
    report.fault(note.spans_where or note.where, "this person has other annotations on the note already")
    return None


def _set_contents(plan: Plan, batch: list[_Placed], external_ids: list[str]) -> _Contents:
    """What the annotators of the batch have said of these notes already. Four queries for each of them."""
    found: _Contents = {}
    voices = {note.voice for _, note in batch if isinstance(note, ForeignNote) and note.spans is not None}
    names = {becomes.annotator for becomes in map(plan.target.of, voices) if becomes is not None}
    for name in sorted(names & plan.users.keys()) if external_ids else ():
        said = set_contents(project=plan.project, annotator=plan.users[name], external_ids=external_ids)
        found |= {(name, external_id): content for external_id, content in said.items()}
    return found
