"""A training as a job: what a worker does with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from annotator.jobs.models import Job
from annotator.jobs.services import JobRefused


def run_training(*, job: Job, clock: Callable[[], datetime], train: Callable[..., Any]) -> None:
    """Raises JobRefused: no page starts a training yet."""
    raise JobRefused("nothing starts a training yet")
