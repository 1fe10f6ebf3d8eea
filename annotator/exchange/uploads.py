"""An upload's life: spooled, looked at, started, run by a job, cancelled or discarded; its files end with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.csv_rows import CsvLayout
from annotator.exchange.models import Import
from annotator.exchange.previews import look_at
from annotator.exchange.reports import ImportReport
from annotator.exchange.services import WRITING, ImportRefused, import_documents
from annotator.exchange.sources import Source, likely_layout
from annotator.exchange.spool import entries_older_than, remove_folder, spooled_source, write_manifest
from annotator.exchange.targets import Becomes, SpanTarget
from annotator.jobs.models import Job
from annotator.jobs.services import (
    JobCancelled,
    JobRefused,
    advance_job,
    cancel_job,
    create_job,
    finish_job,
    start_job,
)
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.models import Project

FORGOTTEN_AFTER = timedelta(days=1)
_LEFT_ALONE = timedelta(hours=1)
SpansAs = Import.SpansAs


class ImportConflict(Exception):
    """The import is not in the state that the action is for; the message says so."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the person chose on the preview page; `spans_by` is a user name or a labeler's name.

    `csv_layout` says how rows of CSV files become notes; where it is None, they do as was looked at. `voices` says what
    becomes of the spans of those who have a name in the files.
    """

    spans_as: str
    spans_by: str
    label_map: dict[str, str]
    is_prelabelled: bool
    csv_layout: CsvLayout | None = None
    voices: Mapping[str, Becomes] = field(default_factory=dict)
    new_labels: tuple[str, ...] = ()


def create_import(
    *,
    project: Project,
    public_id: str,
    names: Sequence[tuple[str, str]],
    n_other_files: int,
    actor: User,
    now: datetime,
    csv_layout: CsvLayout | None = None,
) -> Import:
    """An import of the files in the spool folder `public_id`, looked at; `names` are pairs (file, given name).

    Without `csv_layout` the rows of CSV files are read as they seem to be.
    """
    write_manifest(public_id, names=names, n_other_files=n_other_files)
    source = spooled_source(public_id)
    if source is None:
        raise FileNotFoundError(public_id)
    layout = (csv_layout or likely_layout(source)) if source.tables else None
    look = look_at(replace(source, layout=layout))
    with transaction.atomic():
        item = Import.objects.create(
            project=project,
            public_id=public_id,
            created_by=actor,
            created_at=now,
            is_prelabelled=False,
            csv_layout=layout.to_json() if layout else {},
            result={"look": look},
        )
        _record("upload", item, actor, now, {name: look[name] for name in ("n_files", "n_rows", "n_spans", "n_errors")})
    return item


def layout_of(item: Import) -> CsvLayout | None:
    """How the rows of the import's CSV files become notes; None where it has no such file."""
    return CsvLayout.from_json(item.csv_layout) if item.csv_layout else None


def source_of(item: Import) -> Source | None:
    """The import's files, to be read by its layout and format; None where they are gone."""
    return spooled_source(item.public_id, layout=layout_of(item), format=item.source_format)


def look_again(*, item: Import, layout: CsvLayout | None = None, source_format: str | None = None) -> None:
    """Read the upload's files by another layout, or as another format, and keep it. Raises ImportConflict."""
    if layout is not None:
        item.csv_layout = layout.to_json()
    if source_format is not None:
        item.source_format = source_format
    source = source_of(item)
    if source is None:
        raise ImportConflict("the uploaded files are gone")
    item.result = item.result | {"look": look_at(source)}
    waiting = Import.objects.filter(pk=item.pk, status=Import.Status.PREVIEW)
    if not waiting.update(csv_layout=item.csv_layout, source_format=item.source_format, result=item.result):
        raise ImportConflict("this import was started already")


@transaction.atomic
def start_import(*, item: Import, options: ImportOptions, actor: User, now: datetime) -> Job:
    """Queue the import. Raises ImportConflict where it was started before."""
    job = create_job(
        kind=Job.Kind.IMPORT, asked_by=actor, project=item.project.public_id, subject=item.public_id, now=now
    )
    layout = options.csv_layout
    started = Import.objects.filter(pk=item.pk, status=Import.Status.PREVIEW).update(
        status=Import.Status.STARTED,
        job=job,
        spans_as=options.spans_as,
        spans_by=options.spans_by,
        label_map=options.label_map,
        voice_map={key: becomes.to_json() for key, becomes in options.voices.items()},
        new_labels=list(options.new_labels),
        is_prelabelled=options.is_prelabelled,
        **({"csv_layout": layout.to_json()} if layout else {}),
    )
    if not started:
        raise ImportConflict("this import was started already")
    chosen = {"spans_as": options.spans_as, "is_prelabelled": options.is_prelabelled}
    several = {"n_voices": len(options.voices), "n_new_labels": len(options.new_labels)}
    chosen |= {name: n for name, n in several.items() if n}
    _record("start", item, actor, now, chosen)
    start_job(job)
    return job


def cancel_import(*, item: Import, actor: User, now: datetime) -> None:
    """Ask a started import to stop: nothing of it stays. One that has ended stays as it is.

    Raises ImportConflict where it was not started, and where its notes are being written.
    """
    if item.job is None:
        raise ImportConflict("this import was not started yet: discard it")
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=item.job.pk)
        if job.is_finished:
            return
        if job.status == Job.Status.RUNNING and job.phase == WRITING:
            raise ImportConflict("its notes are being written, which can no longer be stopped")
        cancel_job(job=job, now=now)
        _record("cancel", item, actor, now)
    if job.status == Job.Status.QUEUED:
        remove_folder(item.public_id)


def discard_import(*, item: Import, actor: User | None, now: datetime) -> None:
    """Forget an upload that was not started, and remove its files. Raises ImportConflict."""
    with transaction.atomic():
        n_deleted, _ = Import.objects.filter(pk=item.pk, status=Import.Status.PREVIEW).delete()
        if not n_deleted:
            raise ImportConflict("this import was started already: cancel it")
        _record("discard", item, actor, now)
    remove_folder(item.public_id)


def run_import(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Do the import that `job` stands for, and finish the job in the transaction that writes it.

    The files go when the import has ended; after an unexpected error they stay for the next attempt.
    """
    item = Import.objects.select_related("project", "created_by").get(job=job)
    source = source_of(item)
    if source is None:
        raise JobRefused("the uploaded files are gone: upload them again")

    def finish(report: ImportReport) -> None:
        now = clock()
        _save_report(item, report)
        finish_job(job=job, now=now)
        notify(
            users=[job.asked_by_id],
            kind=Kind.IMPORT_DONE,
            project=item.project.public_id,
            subject=item.public_id,
            detail={"n_added": report.n_added},
            actor=None,
            now=now,
        )

    try:
        import_documents(
            project=item.project,
            source=source,
            actor=item.created_by,
            now=clock(),
            target=_target(item),
            is_prelabelled=item.is_prelabelled,
            object_id=item.public_id,
            progress=lambda phase, n_done, n_total: advance_job(
                job=job, now=clock(), phase=phase, n_done=n_done, n_total=n_total
            ),
            finish=finish,
        )
    except ImportRefused as refusal:
        _save_report(item, refusal.report)
        remove_folder(item.public_id)
        raise
    except JobCancelled:
        remove_folder(item.public_id)
        raise
    remove_folder(item.public_id)


def sweep_spool(*, now: datetime) -> int:
    """Remove what nobody needs any more from the spool; the number of entries removed.

    That is: files of imports that have ended, uploads that were never started within a day (with their row), and what
    a broken connection left behind.
    """
    n_removed = 0
    forgotten = now - FORGOTTEN_AFTER
    for entry in entries_older_than(now - _LEFT_ALONE):
        item = Import.objects.select_related("job", "project").filter(public_id=entry.name).first()
        if item is None:
            is_over = entry.lstat().st_mtime < forgotten.timestamp()
        elif item.job is None:
            is_over = item.created_at < forgotten and _is_discarded(item, now)
        else:
            is_over = item.job.is_finished
        if not is_over:
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
        n_removed += 1
    return n_removed


def _is_discarded(item: Import, now: datetime) -> bool:
    """Whether the upload is gone; False where somebody has just started it."""
    try:
        discard_import(item=item, actor=None, now=now)
    except ImportConflict:
        return False
    return True


def _record(
    verb: str, item: Import, actor: User | None, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    record_event(
        project=item.project.public_id,
        actor=actor,
        verb=f"import.{verb}",
        object_id=item.public_id,
        now=now,
        detail=detail,
    )


def _target(item: Import) -> SpanTarget | None:
    """What the import's spans become; None where all are left out."""
    voices = {key: Becomes(**becomes) for key, becomes in item.voice_map.items()}
    if item.spans_as == SpansAs.NOTHING and not any(becomes.words for becomes in voices.values()):
        return None
    return SpanTarget(
        annotator=item.spans_by if item.spans_as == SpansAs.ANNOTATIONS else "",
        labeler=item.spans_by if item.spans_as == SpansAs.SUGGESTIONS else "",
        label_map=item.label_map,
        voices=voices,
        new_labels=tuple(item.new_labels),
    )


def _save_report(item: Import, report: ImportReport) -> None:
    item.result = item.result | {"report": report.to_json()}
    item.save(update_fields=["result"])
