"""`manage.py serve PROGRAM`: one program of an installation in the foreground, for containers and service managers."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotator import alive, metrics, programs, sweeper
from annotator.supervisor import Child, Supervisor, end_leftovers

PROGRAMS = ("migrate", "web", "worker", "label-worker", "train-worker", "sweeper")
TICK_SECONDS = 0.2
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run one program in the foreground until SIGTERM: what `up` runs together, each by itself."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "program", choices=PROGRAMS, help="migrate prepares the database and ends; it comes before the others"
        )
        parser.add_argument("--host", default="127.0.0.1", help="web: address to listen on (default: this machine)")
        parser.add_argument(
            "--port", default=os.environ.get("PORT") or str(alive.PORT), help="web: port (default: PORT, else 8000)"
        )

    def handle(self, *, program: str, host: str, port: str, **_: Any) -> None:
        try:
            if program == "migrate":
                call_command("migrate", verbosity=1, interactive=False, stdout=self.stdout)
            elif program == "sweeper":
                _keep_sweeping()
            elif program == "web":
                metrics.clear(settings.METRICS_DIR)
                if not os.environ.get("STATIC_ROOT"):
                    programs.collect_static()
                _become(programs.web(programs.read_port(port), host=host))
            elif program == "label-worker" and (model := programs.model_server()):
                _keep_running(model, programs.label_worker(1))
            elif program == "train-worker":
                _become(programs.train_worker(1))
            else:
                _become(programs.main_worker() if program == "worker" else programs.label_worker(1))
        except programs.CannotStart as error:
            raise CommandError(str(error)) from error


def _become(child: Child) -> NoReturn:
    """Go on as the child's program, in this process: it gets the signals itself."""
    os.chdir(child.folder)
    os.execve(child.argv[0], child.argv, programs.environment())  # noqa: S606  no shell is wanted


def _keep_running(*children: Child) -> None:
    """The children side by side, each started again when it dies. What they write goes where this process's does."""
    is_stopping = _stopped_by_signal()
    record = settings.SOCKET_DIR / "label-children.json"
    end_leftovers(record)
    with Supervisor(logs=None, record=record, environment=programs.environment(), say=logger.warning) as supervisor:
        for child in children:
            supervisor.start(child)
        while not is_stopping.wait(TICK_SECONDS):
            supervisor.check()


def _keep_sweeping() -> None:
    is_stopping = _stopped_by_signal()
    while not is_stopping.is_set():
        if sweeper.sweep_or_log():
            (settings.SOCKET_DIR / alive.SWEPT).touch()
        is_stopping.wait(sweeper.EVERY_SECONDS)


def _stopped_by_signal() -> threading.Event:
    """Set once this process is asked to end."""
    is_stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_stopping.set())
    return is_stopping
