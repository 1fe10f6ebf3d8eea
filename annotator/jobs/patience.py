"""Writes that must not get lost while the database is away for a moment: restarted, cut off, or locked too long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

Result = TypeVar("Result")
PATIENCE_SECONDS = 300.0
PAUSE_SECONDS = 1.0
logger = logging.getLogger(__name__)


def patiently(write: Callable[[], Result]) -> Result:
    """What `write` returns; it is called again, on a fresh connection, until the database takes it.

    A commit whose answer got lost may have been made, so `write` must be safe to repeat, as everything behind a fence
    is. For background work, which has nothing else to do: after PATIENCE_SECONDS the error is raised. So it is inside
    a transaction, which cannot go on.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            logger.warning("database away, trying again reason=%s", type(error).__name__)
            connection.close()
            time.sleep(PAUSE_SECONDS)
