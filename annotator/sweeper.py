"""Rings again for all work that the database knows of and nobody holds."""

from __future__ import annotations

from datetime import datetime

from annotator.exchange.uploads import sweep_spool
from annotator.jobs import services as jobs
from annotator.suggestions import services as suggestions

EVERY_SECONDS = 30


def sweep(*, now: datetime) -> int:
    """The number of bells rung. Safe to run anywhere, at any time, by several processes."""
    sweep_spool(now=now)
    return jobs.ring_again(now=now) + suggestions.ring_again(now=now)
