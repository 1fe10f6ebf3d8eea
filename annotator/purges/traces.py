"""What uploads keep of notes: spooled files, and row-level errors that name them."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from annotator.core.foreign import RowFault
from annotator.exchange.models import Import
from annotator.exchange.sources import name_in_errors, read_notes
from annotator.exchange.spool import remove_folder
from annotator.exchange.uploads import source_of
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
    """Whether one of the notes is in the files. What cannot be read may be one, and the import would be refused."""
    source = source_of(item)
    if source is None:
        return False
    try:
        return any(
            isinstance(row, RowFault)
            or row.external_id in external_ids
            or (patient_id != "" and row.patient_id == patient_id)
            for row in read_notes(source, has_spans=False)
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
    """Take out the errors that name one of `names`, as errors show them; the import's job may be writing its report."""
    told = [re.escape(name_in_errors(name)) for name in names if name]
    if not told:
        return
    naming = re.compile(rf"(?<!\w)(?:{'|'.join(told)})(?!\w)")
    with transaction.atomic():
        found = Import.objects.select_for_update().filter(pk=item.pk).first()
        if found is None:
            return
        result = dict(found.result)
        for part in ("look", "report"):
            if errors := result.get(part, {}).get("errors"):
                kept = [error for error in errors if not naming.search(f"{error['where']}\n{error['message']}")]
                result[part] = {**result[part], "errors": kept}
        if result != found.result:
            Import.objects.filter(pk=item.pk).update(result=result)
