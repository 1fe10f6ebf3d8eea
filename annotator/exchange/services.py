"""Notes and spans come in from files: everything is checked, then everything is written, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError, create_user
from annotator.annotations.services import (
    AnnotationRow,
    NewAnnotation,
    RelationRow,
    SetExists,
    SetRows,
    ValueRow,
    annotation_row,
    import_sets,
    relation_row,
    value_row,
)
from annotator.audit.services import record_event
from annotator.documents.selectors import document_ids
from annotator.documents.services import NewDocument, add_documents
from annotator.exchange.checks import CheckedSpan, LabelMapError, SpanRules
from annotator.exchange.passes import CheckedRow, Plan, Progress, checked_batches, silent
from annotator.exchange.prepared import PreparedNote, PreparedPages
from annotator.exchange.reports import ImportReport
from annotator.exchange.sources import Source
from annotator.jobs.services import JobRefused
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.projects.services import lock_projects, set_member
from annotator.readings.services import notes_read
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import Suggestion
from annotator.suggestions.recording import NewSuggestion, SuggestionRow, suggestion_row
from annotator.suggestions.services import LabelerSpec, RunRefused, labeler_for, start_run, unread_documents
from annotator.suggestions.services import import_run as add_run

CHECKING, WRITING = "checking", "writing"
_COUNTS = (
    *("n_rows", "n_added", "n_known", "n_repeated", "n_annotated", "n_spans", "n_spans_left_out"),
    *("n_relations", "n_document_labels"),
)


class ImportRefused(JobRefused):
    """An import that was not made; the message is one line, `report` lists the rows that are at fault."""

    def __init__(self, message: str, report: ImportReport | None = None) -> None:
        super().__init__(message)
        self.report = report or ImportReport()


@dataclass(frozen=True, slots=True)
class SpanTarget:
    """What foreign spans become: annotations of the user `annotator`, or suggestions of the labeler `labeler`."""

    annotator: str = ""
    labeler: str = ""
    label_map: Mapping[str, str] = field(default_factory=dict)


def import_documents(
    *,
    project: Project,
    source: Source,
    actor: User | None,
    now: datetime,
    target: SpanTarget | None = None,
    is_prelabelled: bool = False,
    object_id: str = "",
    progress: Progress = silent,
    finish: Callable[[ImportReport], None] = lambda report: None,
) -> ImportReport:
    """Bring the notes of `source` into the project, with `target` their spans too; all or nothing.

    A note whose id and text the project has is skipped. `object_id` names the import in the audit event; `finish` is
    called in the transaction that writes. Raises ImportRefused, and what `progress` raises to stop.
    """
    return _import(
        verb="documents.import",
        project=project,
        source=source,
        is_adding=True,
        target=target,
        is_prelabelled=is_prelabelled,
        actor=actor,
        object_id=object_id,
        now=now,
        progress=progress,
        finish=finish,
    )


def import_annotations(
    *,
    project: Project,
    source: Source,
    annotator: str,
    label_map: Mapping[str, str],
    actor: User | None,
    now: datetime,
    progress: Progress = silent,
) -> ImportReport:
    """Make the spans of `source` annotations of the user `annotator` on the project's notes; all or nothing.

    A user who does not exist is made, without a way to sign in. Raises ImportRefused.
    """
    target = SpanTarget(annotator=annotator, label_map=label_map)
    return _import_spans("annotations.import", project, source, target, actor, now, progress)


def import_suggestions(
    *,
    project: Project,
    source: Source,
    labeler: str,
    label_map: Mapping[str, str],
    actor: User | None,
    now: datetime,
    progress: Progress = silent,
) -> ImportReport:
    """Make the spans of `source` suggestions of the labeler `labeler`, in a run of their own; all or nothing.

    Raises ImportRefused.
    """
    target = SpanTarget(labeler=labeler, label_map=label_map)
    return _import_spans("suggestions.import", project, source, target, actor, now, progress)


def _import_spans(
    verb: str,
    project: Project,
    source: Source,
    target: SpanTarget,
    actor: User | None,
    now: datetime,
    progress: Progress,
) -> ImportReport:
    return _import(
        verb=verb,
        project=project,
        source=source,
        is_adding=False,
        target=target,
        is_prelabelled=False,
        actor=actor,
        object_id="",
        now=now,
        progress=progress,
        finish=lambda report: None,
    )


def _import(
    *,
    verb: str,
    project: Project,
    source: Source,
    is_adding: bool,
    target: SpanTarget | None,
    is_prelabelled: bool,
    actor: User | None,
    object_id: str,
    now: datetime,
    progress: Progress,
    finish: Callable[[ImportReport], None],
) -> ImportReport:
    schema_version = current_schema(project)
    plan = _plan(project, is_adding, target, schema_version)
    with PreparedPages() as pages:
        report = _check(plan, source, pages, progress)
        progress(WRITING, 0, report.n_rows)
        with transaction.atomic():
            written = _write(project, pages, report, now, progress)
            if target is None or not report.n_annotated:
                for _ in written:
                    pass
            elif target.labeler:
                _add_suggestions(written, project, target.labeler, schema_version, actor, now)
            else:
                _add_annotations(written, project, target.annotator, schema_version, actor, report, now)
            if is_prelabelled and report.n_added:
                report.run_number = _start_prelabelling(project, actor, now)
            record_event(
                project=project.public_id,
                actor=actor,
                verb=verb,
                object_id=object_id or project.public_id,
                now=now,
                detail={name: getattr(report, name) for name in _COUNTS},
            )
            finish(report)
    return report


def _plan(project: Project, is_adding: bool, target: SpanTarget | None, schema_version: SchemaVersion) -> Plan:
    if target is None:
        return Plan(project=project, is_adding=is_adding)
    try:
        rules = SpanRules(schema=schema_version.schema, label_map=target.label_map)
    except LabelMapError as error:
        raise ImportRefused(str(error)) from error
    annotator = user_named(target.annotator) if target.annotator else None
    if annotator is not None and annotator.is_active and not _is_member(project, annotator):
        raise ImportRefused(f"{target.annotator!r} has an account, but is not a member of the project")
    return Plan(
        project=project,
        is_adding=is_adding,
        rules=rules,
        is_annotating=bool(target.annotator),
        annotator=annotator,
    )


def _check(plan: Plan, source: Source, pages: PreparedPages, progress: Progress) -> ImportReport:
    """What the source has, after checking every row; `pages` has what is to be written of it.

    Raises ImportRefused with all faults.
    """
    report = ImportReport()
    for rows in checked_batches(plan=plan, source=source, report=report, phase=CHECKING, progress=progress):
        if not report.n_errors:
            pages.add(n_rows=report.n_rows, notes=[_prepared(row, plan) for row in rows])
    if not report.n_rows:
        report.fault("source", "there is no note in it")
    elif not plan.is_adding and not (report.n_errors or report.n_annotated or report.n_sets_known):
        report.fault("source", "there are no spans in it")
    if report.n_errors:
        raise ImportRefused(report.refusal(), report)
    return report


def _prepared(row: CheckedRow, plan: Plan) -> PreparedNote:
    fields = {
        "text": row.text,
        "patient_id": row.patient_id,
        "note_type": row.note_type,
        "metadata": row.metadata,
    }
    note = PreparedNote(external_id=row.external_id, fields=fields if row.is_new else None, rows=None)
    if row.said is None:
        return note
    rows = [_row(span, row.text, plan) for span in row.said.spans]
    return note._replace(
        rows=rows,
        relations=[
            relation_row(type, head=rows[head].public_id, tail=rows[tail].public_id)
            for type, head, tail in row.said.relations
        ],
        values=[value_row(name, value) for name, value in row.said.document_labels.items()],
    )


def _row(span: CheckedSpan, text: str, plan: Plan) -> AnnotationRow | SuggestionRow:
    """The span as the table wants it that it goes to."""
    if plan.rules is not None and plan.is_annotating:
        new = NewAnnotation(span=span.span, label=span.label, attributes=span.attributes)
        return annotation_row(text=text, schema=plan.rules.schema, new=new)
    return suggestion_row(
        NewSuggestion(
            span=span.span,
            surface=span.surface,
            label=span.label,
            attributes=span.attributes,
            alignment=Suggestion.Alignment.EXACT,
            score=span.score,
        )
    )


# A note's key, and what is to be written of its spans.
_Written = Iterator[tuple[int, PreparedNote]]


def _write(project: Project, pages: PreparedPages, report: ImportReport, now: datetime, progress: Progress) -> _Written:
    """Store new notes page by page, and give each note with spans to the caller to store those.

    Raises ImportRefused where what was checked is no longer so. Two or three queries a page, besides what is inserted.
    """
    for page in pages:
        new = [NewDocument(external_id=note.external_id, **note.fields) for note in page.notes if note.fields]
        if document_ids(project=project, external_ids=[one.external_id for one in new]):
            raise _changed(report)
        add_documents(project=project, documents=new, now=now)
        said = {note.external_id: note for note in page.notes if note.rows is not None}
        ids = document_ids(project=project, external_ids=said) if said else {}
        if len(ids) < len(said):
            raise _changed(report)
        yield from ((ids[external_id], note) for external_id, note in said.items())
        progress(WRITING, page.n_rows, report.n_rows)


def _changed(report: ImportReport) -> ImportRefused:
    """The refusal where somebody else changed the project between the check and the write."""
    refused = ImportReport(n_rows=report.n_rows)
    refused.fault("project", "its notes or annotations have changed since this source was checked: import it again")
    return ImportRefused(refused.refusal(), refused)


def _add_annotations(
    written: _Written,
    project: Project,
    username: str,
    schema_version: SchemaVersion,
    actor: User | None,
    report: ImportReport,
    now: datetime,
) -> None:
    annotator = _annotator(project, username, actor, now)
    read: list[int] = []

    def sets() -> Iterator[tuple[int, SetRows]]:
        for document_id, note in written:
            read.append(document_id)
            yield (
                document_id,
                SetRows(
                    annotations=[AnnotationRow(*row) for row in note.rows or ()],
                    relations=[RelationRow(*row) for row in note.relations],
                    values=[ValueRow(*row) for row in note.values],
                ),
            )

    try:
        import_sets(annotator=annotator, schema_version=schema_version, sets=sets(), now=now)
    except SetExists as error:
        raise _changed(report) from error
    # They wait until `review.queue.fill_slots`, which comes next, has seen which of them have all their readers.
    notes_read(document_ids=read, waiting=read)


def _add_suggestions(
    written: _Written,
    project: Project,
    name: str,
    schema_version: SchemaVersion,
    actor: User | None,
    now: datetime,
) -> None:
    labeler = labeler_for(
        project=project,
        schema_version=schema_version,
        spec=LabelerSpec(name=name, backend="import", model_id=name, revision=""),
        now=now,
    )
    suggestions = ((document_id, [SuggestionRow(*row) for row in note.rows or ()]) for document_id, note in written)
    add_run(project=project, labeler=labeler, suggestions=suggestions, actor=actor, now=now)


def _annotator(project: Project, username: str, actor: User | None, now: datetime) -> User:
    """The user of that name as a member; a new one cannot sign in, since nobody does by importing."""
    lock_projects(project)
    user = user_named(username)
    if user is None:
        try:
            user = create_user(username=username, actor=actor, now=now)
        except AccountError as error:
            raise ImportRefused(str(error)) from error
        user.is_active = False
        user.save(update_fields=["is_active"])
    if not _is_member(project, user):
        set_member(project=project, user=user, role=Membership.Role.ANNOTATOR, actor=actor, now=now)
    return user


def _is_member(project: Project, user: User) -> bool:
    return Membership.objects.filter(project=project, user=user).exists()


def _start_prelabelling(project: Project, actor: User | None, now: datetime) -> int | None:
    """The number of the run that reads what the installation's labeler has not read; None where there is nothing."""
    labeler = default_labeler(project=project, now=now)
    documents = unread_documents(project=project, labeler=labeler)
    try:
        return start_run(project=project, labeler=labeler, documents=documents, actor=actor, now=now).number
    except RunRefused:
        return None
