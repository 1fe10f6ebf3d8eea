"""A Celery worker's signs of life, written to the database so that every page can say whether work will be done."""

from __future__ import annotations

import logging
import resource
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

EVERY_SECONDS = 10
THREAD = "heartbeat"
logger = logging.getLogger(__name__)
_is_stopping = threading.Event()
_reader: dict[str, str] = {}


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Take back what a worker of this name held when it died, then beat until the process ends."""
    from annotator.jobs import services as jobs
    from annotator.jobs.patience import patiently
    from annotator.suggestions import services as suggestions

    queues = ",".join(sender.app.amqp.queues.consume_from)
    for release_worker in (suggestions.release_worker, jobs.release_worker):
        release = partial(release_worker, worker=sender.hostname, now=timezone.now())
        _guarded(partial(patiently, release))
    thread = threading.Thread(target=_beat, args=(sender.hostname, queues, timezone.now()), name=THREAD, daemon=True)
    thread.start()


@worker_shutdown.connect
def end(sender: Any, **_: Any) -> None:
    from annotator.jobs.services import record_stop

    _is_stopping.set()
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(EVERY_SECONDS)  # a beat that is on its way would say that the worker lives
    _guarded(lambda: record_stop(name=sender.hostname, now=timezone.now()))


def reads_with(*, model_id: str, device: str) -> None:
    """What this process reads notes with from now on, and where that computes: the next beats tell."""
    _reader.update(model_id=model_id, device=device)


def _beat(name: str, queues: str, started_at: datetime) -> None:
    from annotator.jobs.services import record_beat

    # Before it has read a note: what the installation is set to read with, which no device has yet.
    model_id = settings.LABELERS[settings.LABELER]["model_id"] if "label" in queues else ""
    while not _is_stopping.is_set():
        _guarded(
            lambda: record_beat(
                name=name,
                queues=queues,
                model_id=_reader.get("model_id", model_id),
                device=_reader.get("device", ""),
                memory_bytes=_memory_bytes(),
                started_at=started_at,
                now=timezone.now(),
            )
        )
        _is_stopping.wait(EVERY_SECONDS)


def _guarded(write: Callable[[], object]) -> None:
    """A worker whose database is away for a moment goes on working; the next beat tells."""
    try:
        connection.close_if_unusable_or_obsolete()  # as Django does before a request
        write()
    except Error as error:
        logger.warning("heartbeat not written reason=%s", type(error).__name__)
        connection.close()


def _memory_bytes() -> int:
    """The most memory that this process has used."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
