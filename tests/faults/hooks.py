"""What tests of faults see and steer in an installation's processes, through files in its data folder.

`faults/hold` names a point: a process that gets there makes a file `faults/held-PID`, and waits until the first is
gone. `faults/thrice` has every message sent three times. `faults/journal` has a line for every task that a worker
begins and for every note that is committed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.signals import task_prerun
from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse

FOLDER = "faults"
READING = "a labeler that reads a note"
ANSWERING = "a web server that has saved a decision"


class Hooks(AppConfig):
    """Once in every process."""

    name = "tests.faults"

    def ready(self) -> None:
        from annotator import supervisor, sweeper
        from annotator.jobs import bell
        from annotator.suggestions import services
        from llm_labeler import backends

        _file("").mkdir(mode=0o700, exist_ok=True)
        backends.BACKENDS = {"spacy": "tests.faults.model"}
        sweeper.EVERY_SECONDS = 1
        supervisor.LONGEST_WAIT_SECONDS = 0.2
        services.ROUTING_TIME = timedelta(seconds=2)
        services.commit_job = _noted(services.commit_job)
        bell._send = _maybe_thrice(bell._send)
        connection_created.connect(_watch)
        task_prerun.connect(_note_task)


def hold(point: str) -> None:
    """Wait here while a test holds what gets to `point`."""
    if not _is_held(point):
        return
    _file(f"held-{os.getpid()}").touch()
    while _is_held(point):
        time.sleep(0.01)


def before_the_answer(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware around all others: everything is saved, and nobody knows yet."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path.endswith("/decide/"):
            hold(ANSWERING)
        return response

    return middleware


def _watch(connection: Any, **_: Any) -> None:
    connection.execute_wrappers.append(_execute)


def _execute(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """The beginning of a statement is a point as well: what has run it is held."""
    result = execute(sql, params, many, context)
    point = _held_point()
    if point and sql.startswith(point):
        hold(point)
    return result


def _noted(commit_job: Callable[..., bool]) -> Callable[..., bool]:
    def commit_and_note(*, job: Any, **rest: Any) -> bool:
        is_mine = commit_job(job=job, **rest)
        if is_mine:
            _note(f"commit {job.pk}")
        return is_mine

    return commit_and_note


def _maybe_thrice(send: Callable[..., None]) -> Callable[..., None]:
    def send_again(*message: Any) -> None:
        for _ in range(3 if _file("thrice").exists() else 1):
            send(*message)

    return send_again


def _note_task(task_id: str, **_: Any) -> None:
    _note(f"task {task_id} {os.getpid()}")


def _note(line: str) -> None:
    descriptor = os.open(_file("journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def _is_held(point: str) -> bool:
    return _held_point() == point


def _held_point() -> str:
    try:
        return _file("hold").read_text()
    except FileNotFoundError:
        return ""


def _file(name: str) -> Path:
    return Path(settings.DATA_DIR) / FOLDER / name
