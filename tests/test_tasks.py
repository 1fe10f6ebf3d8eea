"""Every bell that is rung has a task that answers it."""

from __future__ import annotations

import importlib

from annotator.celery import app
from annotator.certificates.bell import TRUST_TASK
from annotator.jobs.services import TASKS
from annotator.routing.confidence import APPLY_TASK
from annotator.routing.fitting import FIT_TASK
from annotator.suggestions.services import LABEL_TASK, ROUTE_TASK


def test_every_task_that_is_rung_is_registered() -> None:
    importlib.import_module("annotator.tasks")
    importlib.import_module("llm_labeler.tasks")
    assert {*TASKS.values(), LABEL_TASK, ROUTE_TASK, TRUST_TASK, APPLY_TASK, FIT_TASK} <= set(app.tasks)


def test_the_broker_loses_no_message() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.result_backend is None
