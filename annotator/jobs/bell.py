"""The doorbell: tells a worker by name of a task that the database has work for it."""

from __future__ import annotations

import logging
import time

from celery import current_app
from django.db import transaction
from kombu import pools
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

MAIN_QUEUE = "main"
LABEL_QUEUE = "label"
ROUTE_QUEUE = "route"
TRAIN_QUEUE = "train"

# A person waits while a bell is rung, so bells have connections of their own, which give up soon. Those that workers
# listen on keep trying. One more attempt, at once: the pool may hold a connection to a broker that was restarted.
_CONNECTION = {"max_retries": 1, "interval_start": 0, "socket_connect_timeout": 0.5, "socket_timeout": 1}
_SENDING = {"max_retries": 1, "interval_start": 0}
SILENT_SECONDS = 5.0
# Until when no bell is rung, after one could not be (monotonic seconds).
_silent_until = 0.0


def ring(task: str, *ids: int, queue: str = MAIN_QUEUE) -> None:
    """Send `task` with `ids` once the transaction has committed.

    A broker that is down is logged and no more, and no other bell of the next SILENT_SECONDS is tried: the work stands
    in the database, and the sweeper rings again.
    """
    transaction.on_commit(lambda: _send(task, ids, queue))


def _send(task: str, ids: tuple[int, ...], queue: str) -> None:
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    connection = current_app.connection_for_write(transport_options=_CONNECTION)
    try:
        with pools.producers[connection].acquire(block=True) as producer:
            current_app.send_task(
                task, args=list(ids), queue=queue, producer=producer, retry=True, retry_policy=_SENDING
            )
    except OperationalError as error:
        _silent_until = time.monotonic() + SILENT_SECONDS
        logger.warning("bell not rung task=%s ids=%s reason=%s", task, ids, type(error).__name__)
