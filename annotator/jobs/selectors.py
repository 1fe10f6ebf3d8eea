"""Whether workers are alive, for the pages that wait for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from annotator.jobs.models import WorkerBeat

SILENT_AFTER = timedelta(seconds=35)
FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """One worker as the pages show it; `state` is healthy, silent (no sign of life) or stopped."""

    name: str
    queues: str
    device: str
    model_id: str
    memory_bytes: int
    seen_at: datetime
    silent_seconds: int
    state: str


def worker_health(*, now: datetime) -> list[WorkerHealth]:
    """The workers seen in the last day, by name. One query."""
    beats = WorkerBeat.objects.filter(seen_at__gt=now - FORGOTTEN_AFTER).order_by("name")
    return [
        WorkerHealth(
            name=beat.name,
            queues=beat.queues,
            device=beat.device,
            model_id=beat.model_id,
            memory_bytes=beat.memory_bytes,
            seen_at=beat.seen_at,
            silent_seconds=int((now - beat.seen_at).total_seconds()),
            state="stopped" if beat.stopped_at else "silent" if now - beat.seen_at > SILENT_AFTER else "healthy",
        )
        for beat in beats
    ]


def has_worker(*, queue: str, now: datetime) -> bool:
    """Whether a healthy worker listens to `queue`. One query."""
    return WorkerBeat.objects.filter(queues__contains=queue, seen_at__gt=now - SILENT_AFTER, stopped_at=None).exists()
