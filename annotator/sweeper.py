"""Rings again for all work that the database knows of and nobody holds."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import close_old_connections
from django.utils import timezone

from annotator.accounts.lockout import sweep_failures
from annotator.accounts.sessions import sweep_sessions
from annotator.audit.heads import write_heads
from annotator.builds.services import sweep_builds
from annotator.exchange.uploads import sweep_spool
from annotator.jobs import services as jobs
from annotator.purges import services as purges
from annotator.suggestions import services as suggestions

EVERY_SECONDS = 30
logger = logging.getLogger(__name__)


def sweep(*, now: datetime) -> int:
    """The number of bells rung, first of all: what goes wrong behind it must not keep work from being done.

    Safe to run anywhere, at any time, by several processes.
    """
    n_rung = jobs.ring_again(now=now) + suggestions.ring_again(now=now)
    sweep_spool(now=now)
    sweep_builds()
    sweep_failures(now=now)
    sweep_sessions(now=now)
    purges.start_due_purges(now=now)
    purges.take_up_purges(now=now)
    write_heads(now=now)
    return n_rung


def sweep_or_log() -> bool:
    """Sweep now; what goes wrong is logged, since it must not end who sweeps. Whether all went well."""
    close_old_connections()
    try:
        sweep(now=timezone.now())
    except Exception:
        logger.exception("sweep failed")
        return False
    return True
