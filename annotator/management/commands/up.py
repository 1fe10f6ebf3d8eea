"""`manage.py up`: the whole installation under one supervisor, until Ctrl-C."""

from __future__ import annotations

import contextlib
import logging
import shlex
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.utils import timezone

from annotator import metrics, programs, sweeper, valkey
from annotator.accounts.models import User
from annotator.accounts.selectors import has_password
from annotator.accounts.services import FIRST_USERNAME, create_user, first_sign_in_link
from annotator.demo.services import ensure_demo
from annotator.suggestions.models import LabelRun
from annotator.suggestions.selectors import run_progress
from annotator.supervisor import FolderInUse, Supervisor, end_leftovers, only_supervisor

START_SECONDS = 60.0
TICK_SECONDS = 0.2
PROGRESS_SECONDS = 2.0
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Start everything: broker, web server, workers; keep it running until Ctrl-C"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", default="8000", help="of the web server on this machine (default: 8000)")
        parser.add_argument("--data", help="data folder (default: MARGINALIA_DATA, else ./data)")
        parser.add_argument("--no-demo", action="store_true", help="make no demo project in an empty installation")

    def handle(self, *, port: str, no_demo: bool, **_: Any) -> None:
        try:
            number = programs.read_port(port)
            programs.refuse_long_path()
            with only_supervisor(settings.DATA_DIR), _stopped_by_signal():
                self._supervise(number, with_demo=not no_demo)
        except (programs.CannotStart, FolderInUse, valkey.NoValkey) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("Stopped; everything is kept.")

    def _supervise(self, port: int, *, with_demo: bool) -> NoReturn:
        record = settings.DATA_DIR / "children.json"
        if end_leftovers(record):
            self._say("Ended what an earlier start had left running.")
        valkey.shut_down(settings.BROKER_SOCKET)
        programs.refuse_taken_port(port)
        supervisor = Supervisor(
            logs=settings.DATA_DIR / "logs", record=record, environment=programs.environment(), say=self._say
        )
        with supervisor:
            try:
                self._start(supervisor, port)
                run = self._ensure_demo() if with_demo else None
                self._tell_address(port)
                self._watch(supervisor, run)
            except KeyboardInterrupt:
                self._say("\nStopping ...")
                raise

    def _start(self, supervisor: Supervisor, port: int) -> None:
        """Start everything, and return once the web server answers."""
        workers = programs.workers()
        broker = programs.broker()
        if broker:
            supervisor.start(broker)
        self._say(f"Preparing the database in {settings.DATA_DIR} ...")
        call_command("migrate", verbosity=0, interactive=False)
        programs.collect_static()
        if broker:
            programs.wait_for_broker()
        metrics.clear(settings.METRICS_DIR)
        reader = settings.LABELERS[settings.LABELER]["name"]
        self._say(f"Starting the web server and {len(workers)} workers; notes are read by: {reader} ...")
        model = programs.model_server()
        for child in (programs.web(port), *([model] if model else []), *workers):
            supervisor.start(child)
        deadline = time.monotonic() + START_SECONDS
        while not programs.is_web_up(port):
            if time.monotonic() > deadline:
                log = settings.DATA_DIR / "logs" / "web.log"
                raise programs.CannotStart(f"the web server does not answer after {START_SECONDS:.0f} s: see {log}")
            supervisor.check()
            time.sleep(TICK_SECONDS / 4)
        sweeper.sweep_or_log()

    def _ensure_demo(self) -> LabelRun | None:
        """The labelling run of a demo project made just now, led by the account that the first link is for."""
        now = timezone.now()
        if not User.objects.exists():
            create_user(username=FIRST_USERNAME, actor=None, now=now, is_administrator=True)
        run = ensure_demo(now=now)
        if run is not None:
            self._say("Made a demo project; the labeler reads its notes now.")
        return run

    def _tell_address(self, port: int) -> None:
        """Say where to go; the first sign-in link is shown on a terminal only, since it would stay in a log."""
        address = f"http://{programs.HOST}:{port}"
        programs.write_address(address)
        self._say(f"\nMarginalia is running at {address}/ (Ctrl-C stops it)")
        if settings.HTTPS:  # no link signs in
            if not has_password():
                self._say(f"For a first password, have a link printed: {_command('reset_link')}")
        elif not self.stdout.isatty():
            self._say(f"For a first sign-in, have a link printed: {_command('sign_in_link')}")
        elif path := first_sign_in_link(now=timezone.now()):
            self._say(f"Sign in for the first time by this link; it works once, for ten minutes:\n  {address}{path}\n")

    def _watch(self, supervisor: Supervisor, run: LabelRun | None) -> NoReturn:
        """Keep everything running, sweep, and tell how far the demo notes are, until a signal ends it."""
        next_sweep = time.monotonic() + sweeper.EVERY_SECONDS
        next_progress = 0.0
        n_told = 0
        while True:
            supervisor.check()
            now = time.monotonic()
            if now >= next_sweep:
                next_sweep = now + sweeper.EVERY_SECONDS
                sweeper.sweep_or_log()
            if run is not None and now >= next_progress:
                next_progress = now + PROGRESS_SECONDS
                n_told, is_finished = self._tell_progress(run, n_told)
                run = None if is_finished else run
            time.sleep(TICK_SECONDS)

    def _tell_progress(self, run: LabelRun, n_told: int) -> tuple[int, bool]:
        """Notes read by now, and whether that is the end; says it where it is more than `n_told`. One query.

        A database that is away must not take the web server down: the next time tells.
        """
        try:
            progress = run_progress(run_id=run.pk)
        except Error as error:
            logger.warning("progress not told reason=%s", type(error).__name__)
            connection.close()
            return n_told, False
        n_read = progress.n_done + progress.n_failed
        if n_read > n_told:
            failed = f", {progress.n_failed} failed" if progress.n_failed else ""
            self._say(f"{progress.n_done} of {progress.n_total} demo notes labelled{failed}")
        return n_read, progress.is_finished

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that has gone must not keep the end from being clean
            self.stdout.write(line)
            self.stdout.flush()


def _command(name: str) -> str:
    """The command line of another command on this installation."""
    return f"MARGINALIA_DATA={shlex.quote(str(settings.DATA_DIR))} {sys.executable} manage.py {name}"


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt, once: the end itself is not interrupted."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)

    def interrupt(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
    yield
