"""What uploads keep of notes: spooled files, and row-level errors that name them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from annotator.core.foreign import ForeignNote
from annotator.exchange.models import Import
from annotator.exchange.sources import read_notes
from annotator.exchange.spool import remove_folder, spooled_source
from annotator.jobs.models import Job
from annotator.jobs.services import cancel_job

_OPEN = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.CANCELLING)


def forget_notes(*, project_id: str, external_ids: Collection[str], patient_id: str, now: datetime) -> None:
    """End the unfinished imports of the project whose files hold one of the notes, and take their names out of the
    errors of all its imports. Safe to repeat while `external_ids` names the notes that are left.
    """
    names = {*external_ids, *([patient_id] if patient_id else [])}
    for item in Import.objects.filter(project__public_id=project_id).select_related("job").order_by("pk"):
        is_open = item.job is None or item.job.status in _OPEN
        if is_open and _holds(item, external_ids, patient_id):
            _end(item, now)
        _forget(item, names)


def _holds(item: Import, external_ids: Collection[str], patient_id: str) -> bool:
    source = spooled_source(item.public_id)
    if source is None:
        return False
    try:
        return any(
            row.external_id in external_ids or (patient_id != "" and row.patient_id == patient_id)
            for row in read_notes(source, has_spans=False)
            if isinstance(row, ForeignNote)
        )
    except FileNotFoundError:  # the import has just ended
        return False


def _end(item: Import, now: datetime) -> None:
    """Remove the files; an upload that was not started goes as a whole, one that was is cancelled.

    Who is writing it at this moment is waited for: it has come in then, or notices at its next page.
    """
    remove_folder(item.public_id)
    with transaction.atomic():
        if item.job is None:
            Import.objects.filter(pk=item.pk, status=Import.Status.PREVIEW).delete()
        else:
            cancel_job(job=Job.objects.select_for_update().get(pk=item.job.pk), now=now)


def _forget(item: Import, names: Collection[str]) -> None:
    result, is_changed = dict(item.result), False
    for part in ("look", "report"):
        errors = result.get(part, {}).get("errors", [])
        kept = [error for error in errors if not any(name in error["where"] + error["message"] for name in names)]
        if len(kept) < len(errors):
            result[part], is_changed = {**result[part], "errors": kept}, True
    if is_changed:
        Import.objects.filter(pk=item.pk).update(result=result)
