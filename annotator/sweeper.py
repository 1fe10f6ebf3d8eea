"""Rings again for all work that the database knows of and nobody holds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import close_old_connections
from django.utils import timezone

from annotator.accounts.lockout import sweep_failures
from annotator.accounts.sessions import sweep_sessions
from annotator.audit.heads import write_heads
from annotator.builds.services import sweep_builds
from annotator.exchange.uploads import sweep_spool
from annotator.jobs import services as jobs
from annotator.notices.services import sweep_notices
from annotator.progress.services import count_projects
from annotator.purges import services as purges
from annotator.readings.comparing import compare_older
from annotator.review.telling import tell_due
from annotator.routing import steps as routing
from annotator.routing.confidence import ring_unapplied
from annotator.routing.fitting import fit_due, ring_wished
from annotator.suggestions import services as suggestions
from annotator.training.services import sweep_models

EVERY_SECONDS = 30
logger = logging.getLogger(__name__)
_STEPS: tuple[Callable[[datetime], object], ...] = (
    lambda now: sweep_spool(now=now),
    lambda now: sweep_builds(),
    lambda now: sweep_models(),
    lambda now: sweep_failures(now=now),
    lambda now: sweep_sessions(now=now),
    lambda now: tell_due(now=now),
    lambda now: sweep_notices(),
    lambda now: purges.start_due_purges(now=now),
    lambda now: purges.take_up_purges(now=now),
    lambda now: write_heads(now=now),
    lambda now: count_projects(now=now),
    lambda now: compare_older(),
    lambda now: fit_due(),
    lambda now: ring_wished(now=now),
    lambda now: ring_unapplied(),
)


def sweep(*, now: datetime) -> int:
    """The number of bells rung, first of all; a step behind it that fails keeps no other from being done, and its error
    is raised in the end.

    Safe to run anywhere, at any time, by several processes.
    """
    n_rung = jobs.ring_again(now=now) + suggestions.ring_again(now=now) + routing.ring_again(now=now)
    failed = []
    for step in _STEPS:
        try:
            step(now)
        except Exception as error:
            failed.append(error)
    if failed:
        raise failed[0]
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
