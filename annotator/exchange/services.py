"""Notes and spans come in from files: everything is checked, then everything is written, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError, create_user
from annotator.annotations.services import NewAnnotation, import_set
from annotator.audit.services import record_event
from annotator.documents.models import Document
from annotator.documents.selectors import documents_by_external_id
from annotator.documents.services import NewDocument, add_documents
from annotator.exchange.checks import CheckedSpan, LabelMapError, SpanRules
from annotator.exchange.passes import Plan, Progress, checked_batches, silent
from annotator.exchange.reports import ImportReport
from annotator.exchange.sources import Source
from annotator.jobs.services import JobRefused
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.projects.services import set_member
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import Suggestion
from annotator.suggestions.services import (
    LabelerSpec,
    NewSuggestion,
    RunRefused,
    labeler_for,
    start_run,
    unread_documents,
)
from annotator.suggestions.services import import_run as add_run

CHECKING, WRITING = "checking", "writing"
_COUNTS = ("n_rows", "n_added", "n_known", "n_repeated", "n_annotated", "n_spans", "n_spans_left_out")


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
    checked = _check(plan, source, progress)
    progress(WRITING, 0, checked.n_rows)
    with transaction.atomic():
        report = ImportReport()
        written = _write(plan, source, report, now, progress, checked.n_rows)
        if target is None or not checked.n_annotated:
            for _ in written:
                pass
        elif target.labeler:
            _add_suggestions(written, project, target.labeler, schema_version, actor, now, report)
        else:
            _add_annotations(written, project, target.annotator, schema_version, actor, now)
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
    return Plan(project=project, is_adding=is_adding, rules=rules, annotator=annotator)


def _check(plan: Plan, source: Source, progress: Progress) -> ImportReport:
    """What the source has, after checking every row. Raises ImportRefused with all faults."""
    report = ImportReport()
    for _ in checked_batches(plan=plan, source=source, report=report, phase=CHECKING, progress=progress):
        pass
    if not report.n_rows:
        report.fault("source", "there is no note in it")
    elif not plan.is_adding and not (report.n_errors or report.n_annotated or report.n_sets_known):
        report.fault("source", "there are no spans in it")
    if report.n_errors:
        raise ImportRefused(report.refusal(), report)
    return report


def _write(
    plan: Plan, source: Source, report: ImportReport, now: datetime, progress: Progress, n_rows: int
) -> Iterator[tuple[Document, tuple[CheckedSpan, ...]]]:
    """Store new notes batch by batch, and give each note with spans to the caller to store those.

    Everything is checked once more on the way. Raises ImportRefused where the source or the project has changed.
    """
    for rows in checked_batches(
        plan=plan, source=source, report=report, phase=WRITING, progress=progress, n_total=n_rows
    ):
        if report.n_errors:
            raise ImportRefused(report.refusal(), report)
        new = (
            NewDocument(
                external_id=row.external_id,
                text=row.text,
                patient_id=row.patient_id,
                note_type=row.note_type,
                metadata=row.metadata,
            )
            for row in rows
            if row.is_new
        )
        add_documents(project=plan.project, documents=new, now=now)
        spans = {row.external_id: row.spans for row in rows if row.spans is not None}
        if spans:
            documents = documents_by_external_id(project=plan.project, external_ids=spans)
            yield from ((documents[external_id], found) for external_id, found in spans.items())
    if report.n_errors:
        raise ImportRefused(report.refusal(), report)


def _add_annotations(
    written: Iterator[tuple[Document, tuple[CheckedSpan, ...]]],
    project: Project,
    username: str,
    schema_version: SchemaVersion,
    actor: User | None,
    now: datetime,
) -> None:
    annotator = _annotator(project, username, actor, now)
    for document, spans in written:
        import_set(
            document=document,
            annotator=annotator,
            schema_version=schema_version,
            annotations=[NewAnnotation(span=s.span, label=s.label, attributes=s.attributes) for s in spans],
            now=now,
        )


def _add_suggestions(
    written: Iterator[tuple[Document, tuple[CheckedSpan, ...]]],
    project: Project,
    name: str,
    schema_version: SchemaVersion,
    actor: User | None,
    now: datetime,
    report: ImportReport,
) -> None:
    labeler = labeler_for(
        project=project,
        schema_version=schema_version,
        spec=LabelerSpec(name=name, backend="import", model_id=name, revision=""),
        now=now,
    )
    pairs = (
        (
            document.pk,
            [
                NewSuggestion(
                    span=s.span,
                    surface=s.surface,
                    label=s.label,
                    attributes=s.attributes,
                    alignment=Suggestion.Alignment.EXACT,
                    score=s.score,
                )
                for s in spans
            ],
        )
        for document, spans in written
    )
    add_run(project=project, labeler=labeler, suggestions=pairs, actor=actor, now=now)


def _annotator(project: Project, username: str, actor: User | None, now: datetime) -> User:
    """The user of that name as a member; a new one cannot sign in, since nobody does by importing."""
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
