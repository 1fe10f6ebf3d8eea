"""Notes and spans come in from files: everything is checked, then everything is written, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError, create_user
from annotator.annotations.models import AnnotationSet
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
from annotator.core.schema import Schema, SchemaError, with_labels
from annotator.documents.selectors import document_ids
from annotator.documents.services import NewDocument, add_documents
from annotator.exchange.checks import CheckedSpan, LabelMapError, SpanRules
from annotator.exchange.models import ImportedReading
from annotator.exchange.passes import CheckedRow, Plan, Progress, checked_batches, silent
from annotator.exchange.prepared import PreparedImport, PreparedNote, PreparedPages
from annotator.exchange.reports import ImportReport
from annotator.exchange.sources import Source
from annotator.exchange.targets import Becomes, SpanTarget
from annotator.jobs.services import JobRefused
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.projects.services import add_schema_version, lock_projects, set_member
from annotator.readings.services import notes_read
from annotator.suggestions.labelers import start_current_run
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.recording import NewSuggestion, SuggestionRow, suggestion_row
from annotator.suggestions.services import LabelerSpec, RunRefused, labeler_for
from annotator.suggestions.services import import_run as add_run

CHECKING, WRITING = "checking", "writing"
_COUNTS = (
    *("n_rows", "n_added", "n_known", "n_repeated", "n_annotated", "n_spans", "n_spans_left_out"),
    *("n_relations", "n_document_labels", "n_readings_left_out"),
)


class ImportRefused(JobRefused):
    """An import that was not made; the message is one line, `report` lists the rows that are at fault."""

    def __init__(self, message: str, report: ImportReport | None = None) -> None:
        super().__init__(message)
        self.report = report or ImportReport()


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
    voices: Mapping[str, Becomes] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Make the spans of `source` annotations of the user `annotator` on the project's notes; all or nothing.

    A user who does not exist is made, without a way to sign in. `voices` says what becomes of spans of those who have a
    name in the files. Raises ImportRefused.
    """
    target = SpanTarget(annotator=annotator, label_map=label_map, voices=voices or {})
    return _import_spans("annotations.import", project, source, target, actor, now, progress)


def import_suggestions(
    *,
    project: Project,
    source: Source,
    labeler: str,
    label_map: Mapping[str, str],
    actor: User | None,
    now: datetime,
    voices: Mapping[str, Becomes] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Make the spans of `source` suggestions of the labeler `labeler`, in a run of their own; all or nothing.

    `voices` says what becomes of spans of those who have a name in the files. Raises ImportRefused.
    """
    target = SpanTarget(labeler=labeler, label_map=label_map, voices=voices or {})
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
    with PreparedImport() as prepared:
        report = _check(plan, source, prepared, progress)
        progress(WRITING, 0, report.n_rows)
        with transaction.atomic():
            _add_documents(project, prepared.documents, report, now, progress)
            if target is not None and target.new_labels and plan.rules is not None:
                schema_version = _add_labels(project, plan.rules.schema, schema_version, actor, report, now)
            read: list[int] = []
            for becomes, pages in prepared.said.items():
                writer = _Writer(project, pages, becomes, schema_version, actor, object_id, report, now, progress)
                read += writer.add_annotations() if becomes.annotator else writer.add_suggestions()
            if read:
                # They wait until `review.queue.fill_slots`, which comes next, has seen which have all their readers.
                notes_read(document_ids=sorted(set(read)), waiting=read)
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
        schema = with_labels(schema_version.schema, target.new_labels) if target.new_labels else schema_version.schema
        rules = SpanRules(schema=schema, label_map=target.label_map)
    except (LabelMapError, SchemaError) as error:
        raise ImportRefused(str(error)) from error
    users = {name: user for name in target.annotators if (user := user_named(name)) is not None}
    for name, user in users.items():
        if user.is_active and not _is_member(project, user):
            raise ImportRefused(f"{name!r} has an account, but is not a member of the project")
    return Plan(project=project, is_adding=is_adding, rules=rules, target=target, users=users)


def _check(plan: Plan, source: Source, prepared: PreparedImport, progress: Progress) -> ImportReport:
    """What the source has, after checking every row; `prepared` has what is to be written of it.

    Raises ImportRefused with all faults.
    """
    report = ImportReport()
    for rows in checked_batches(plan=plan, source=source, report=report, phase=CHECKING, progress=progress):
        if not report.n_errors:
            notes = [(row.becomes, _prepared(row, plan)) for row in rows]
            prepared.add(n_rows=report.n_rows, notes=notes)
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
    rows = [_row(span, row, plan) for span in row.said.spans]
    if row.note is not None:
        note = note._replace(where=row.note.where, file_sha256=row.note.file_sha256, voice=row.note.voice.key)
    return note._replace(
        rows=rows,
        relations=[
            relation_row(type, head=rows[head].public_id, tail=rows[tail].public_id)
            for type, head, tail in row.said.relations
        ],
        values=[value_row(name, value) for name, value in row.said.document_labels.items()],
    )


def _row(span: CheckedSpan, row: CheckedRow, plan: Plan) -> AnnotationRow | SuggestionRow:
    """The span as the table wants it that it goes to."""
    if plan.rules is not None and row.becomes.annotator:
        new = NewAnnotation(span=span.span, label=span.label, attributes=span.attributes)
        return annotation_row(text=row.text, schema=plan.rules.schema, new=new)
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


def _add_documents(
    project: Project, pages: PreparedPages, report: ImportReport, now: datetime, progress: Progress
) -> None:
    """Store new notes page by page. Raises ImportRefused where one has come in since. Two or three queries a page,
    besides what is inserted.
    """
    for page in pages:
        new = [NewDocument(external_id=note.external_id, **(note.fields or {})) for note in page.notes]
        if document_ids(project=project, external_ids=[one.external_id for one in new]):
            raise _changed(report)
        add_documents(project=project, documents=new, now=now)
        progress(WRITING, page.n_rows, report.n_rows)


def _add_labels(
    project: Project,
    schema: Schema,
    checked: SchemaVersion,
    actor: User | None,
    report: ImportReport,
    now: datetime,
) -> SchemaVersion:
    """The new version of the schema. Raises ImportRefused where another came in since the source was `checked`."""
    lock_projects(project)
    if current_schema(project).pk != checked.pk:
        raise _changed(report)
    version = add_schema_version(project=project, schema=schema, actor=actor, now=now)
    report.schema_number = version.number
    return version


def _changed(report: ImportReport) -> ImportRefused:
    """The refusal where somebody else changed the project between the check and the write."""
    refused = ImportReport(n_rows=report.n_rows)
    refused.fault("project", "its notes or annotations have changed since this source was checked: import it again")
    return ImportRefused(refused.refusal(), refused)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes what one voice, or several who become one, says of notes."""

    project: Project
    pages: PreparedPages
    becomes: Becomes
    schema_version: SchemaVersion
    actor: User | None
    import_id: str
    report: ImportReport
    now: datetime
    progress: Progress

    def add_annotations(self) -> list[int]:
        """As annotations; the keys of the notes that they are of."""
        annotator = _annotator(self.project, self.becomes.annotator, self.actor, self.now)
        sets = (
            (
                document_id,
                SetRows(
                    annotations=[AnnotationRow(*row) for row in note.rows or ()],
                    relations=[RelationRow(*row) for row in note.relations],
                    values=[ValueRow(*row) for row in note.values],
                ),
            )
            for page in self._pages()
            for document_id, note in page
        )
        try:
            import_sets(annotator=annotator, schema_version=self.schema_version, sets=sets, now=self.now)
        except SetExists as error:
            raise _changed(self.report) from error
        read: list[int] = []
        for page in self._pages():
            found = AnnotationSet.objects.filter(
                annotator=annotator, kind=AnnotationSet.Kind.READING, document__in=[each for each, _ in page]
            )
            set_ids = dict(found.values_list("document_id", "pk"))
            ImportedReading.objects.bulk_create(
                self._origin(document_id, note, annotation_set_id=set_ids[document_id]) for document_id, note in page
            )
            read += set_ids
        return read

    def add_suggestions(self) -> list[int]:
        """As suggestions, in a run of their own; nobody has read a note by that."""
        labeler = labeler_for(
            project=self.project,
            schema_version=self.schema_version,
            spec=LabelerSpec(name=self.becomes.labeler, backend="import", model_id=self.becomes.labeler, revision=""),
            now=self.now,
        )
        suggestions = (
            (document_id, [SuggestionRow(*row) for row in note.rows or ()])
            for page in self._pages()
            for document_id, note in page
        )
        run = add_run(project=self.project, labeler=labeler, suggestions=suggestions, actor=self.actor, now=self.now)
        for page in self._pages():
            found = LabelJob.objects.filter(run=run, document__in=[each for each, _ in page])
            job_ids = dict(found.values_list("document_id", "pk"))
            ImportedReading.objects.bulk_create(
                self._origin(document_id, note, label_job_id=job_ids[document_id]) for document_id, note in page
            )
        return []

    def _pages(self) -> Iterator[list[tuple[int, PreparedNote]]]:
        """The notes page by page, each with the key of its document. One query a page.

        Raises ImportRefused where one has gone since it was checked.
        """
        for page in self.pages:
            ids = document_ids(project=self.project, external_ids=[note.external_id for note in page.notes])
            if len(ids) < len(page.notes):
                raise _changed(self.report)
            yield [(ids[note.external_id], note) for note in page.notes]
            self.progress(WRITING, self.report.n_rows, self.report.n_rows)

    def _origin(self, document_id: int, note: PreparedNote, **of: int) -> ImportedReading:
        return ImportedReading(
            document_id=document_id,
            import_id=self.import_id,
            file_sha256=note.file_sha256,
            where=note.where[:200],
            voice=note.voice[:130],
            imported_at=self.now,
            **of,
        )


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
    """The number of the run over what has come in at `now`, and over nothing else: notes that wait may have been left
    to people, or a run over them cancelled. None where the project's labeler cannot read.
    """
    try:
        return start_current_run(project=project, actor=actor, now=now, came_at=now).number
    except RunRefused:
        return None
