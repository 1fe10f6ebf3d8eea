"""The doorbell: tells a worker by name of a task that the database has work for it."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

MAIN_QUEUE = "main"
LABEL_QUEUE = "label"


def ring(task: str, *ids: int, queue: str = MAIN_QUEUE) -> None:
    """Send `task` with `ids` once the transaction has committed.

    A broker that is down is logged and no more: the work stands in the database, and the sweeper rings again.
    """
    transaction.on_commit(lambda: _send(task, ids, queue))


def _send(task: str, ids: tuple[int, ...], queue: str) -> None:
    try:
        current_app.send_task(task, args=list(ids), queue=queue, retry=False)
    except OperationalError as error:
        logger.warning("bell not rung task=%s ids=%s reason=%s", task, ids, type(error).__name__)
