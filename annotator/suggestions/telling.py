"""What whoever started a run is told of it: that it has ended, and that it stands still."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q

from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.suggestions.models import LabelJob, LabelRun


def tell_of_end(run: LabelRun, *, now: datetime) -> None:
    """Tell how many notes were read, and how many failed, if any; in the transaction that ends the run."""
    done, failed = (Count("pk", filter=Q(status=status)) for status in (LabelJob.Status.DONE, LabelJob.Status.FAILED))
    counts = run.jobs.aggregate(n_done=done, n_failed=failed)
    _tell(run, Kind.RUN_FAILED if counts["n_failed"] else Kind.RUN_DONE, counts, now)


@transaction.atomic
def hold_up(*, runs: Collection[int], trouble: str, now: datetime) -> None:
    """Keep what the runs wait for. Who started one is told when it begins to wait."""
    moving = LabelRun.objects.select_for_update().filter(pk__in=runs, trouble="").order_by("pk")
    stopped = list(moving)
    LabelRun.objects.filter(pk__in=runs).update(trouble=trouble)
    for run in stopped:
        _tell(run, Kind.RUN_WAITS, {}, now)


def _tell(run: LabelRun, kind: Kind, counts: Mapping[str, int], now: datetime) -> None:
    notify(
        users=[run.created_by_id],
        kind=kind,
        project=run.project.public_id,
        subject=run.public_id,
        detail={"number": run.number, **counts},
        actor=None,
        now=now,
    )
