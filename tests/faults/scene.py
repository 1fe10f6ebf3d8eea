"""An installation to which faults happen, and a project in it whose notes are labelled meanwhile."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from redis import Redis

from annotator import valkey
from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.schema import schema_from_json
from annotator.documents.services import NewDocument, add_documents
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.projects.services import create_project
from annotator.review.models import Decision, ReviewItem
from annotator.runtime import socket_folder
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import start_run
from tests.cast import SCHEMA
from tests.faults.hooks import FOLDER
from tests.installation import SERVER, Installation
from tests.patience import PATIENCE_SECONDS
from tests.prepared import on_server

SUGGESTIONS_A_NOTE = 2
# Points in the database's work, by how their statement begins: an event is the last that most transactions write.
APPENDING_EVENT = f'INSERT INTO "{AuditEvent._meta.db_table}"'
SHOWING_PROGRESS = f'UPDATE "{Job._meta.db_table}" SET "phase"'
Status = LabelJob.Status


def until(condition: Callable[[], object], what: str) -> None:
    """Look until the condition holds; fails after two minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:.0f} s for {what}"
        time.sleep(0.02)


class Scene:
    """What the tests do to the installation and see of it. Its database is Django's, in the test's thread."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.folder = installation.folder

    @property
    def is_postgresql(self) -> bool:
        return bool(self.installation.database_url)

    def is_running(self) -> bool:
        process = self.installation.process
        return process is not None and process.poll() is None

    # The project

    def make_project(self) -> Project:
        name = f"Faults {secrets.token_hex(4)}"
        return create_project(name=name, schema=schema_from_json(SCHEMA), lead=self.lead(), now=timezone.now())

    def lead(self) -> User:
        """Alice, who leads every project here."""
        return User.objects.filter(username="alice").first() or User.objects.create_user("alice")

    def start_run(self, n: int = 12, marks: dict[int, str] | None = None) -> LabelRun:
        """A run over `n` new notes, which are read in their order; `marks` are words of notes that tell the labeler
        what to do, by their place. Nobody rings for the run: the supervisor's sweep finds it.
        """
        project, now = self.make_project(), timezone.now()
        texts = [note_text(place, (marks or {}).get(place, "")) for place in range(n)]
        documents = [NewDocument(external_id=f"note-{place}", text=text) for place, text in enumerate(texts)]
        add_documents(project=project, documents=documents, now=now)
        labeler = default_labeler(project=project, now=now)
        return start_run(project=project, labeler=labeler, documents=project.documents.all(), actor=None, now=now)

    def wait_for(self, run: LabelRun) -> None:
        """Return when the run is done and all that it found is with the reviewers."""

        def is_over() -> bool:
            run.refresh_from_db()
            left = run.jobs.filter(status=Status.DONE, routed_at=None)
            return run.status == LabelRun.Status.DONE and not left.exists()

        until(is_over, "the end of the run")

    def assert_whole(self, run: LabelRun, *, n_failed: int = 0) -> None:
        """Every note is labelled once, but for those that failed; no suggestion or item is doubled, none is missing."""
        statuses = Counter(run.jobs.values_list("status", flat=True))
        n_done = run.jobs.count() - n_failed
        assert statuses == Counter({Status.DONE: n_done, Status.FAILED: n_failed}) - Counter()
        done = run.jobs.filter(status=Status.DONE)
        commits = Counter(line for line in self.journal("commit"))
        assert [commits[str(pk)] for pk in done.values_list("pk", flat=True)] == [1] * n_done
        suggestions = Suggestion.objects.filter(job__run=run)
        assert suggestions.count() == n_done * SUGGESTIONS_A_NOTE
        items = ReviewItem.objects.filter(document__label_jobs__in=done)
        assert items.filter(unit=ReviewItem.Unit.NOTE).count() == n_done
        assert items.filter(unit=ReviewItem.Unit.SPAN).count() == n_done * SUGGESTIONS_A_NOTE
        twice = Counter(Decision.objects.filter(item__in=items).values_list("item", flat=True))
        assert not [item for item, n in twice.items() if n > 1]

    # Faults

    def hold(self, point: str) -> None:
        """Hold every process that gets to `point` (see `hooks`) from now on, until `let_go`."""
        for old in self._hooks().glob("held-*"):
            old.unlink()
        (self._hooks() / "hold").write_text(point)

    def held(self, n: int = 1) -> list[int]:
        """The numbers of the processes that are held, once there are `n`."""
        until(lambda: len(list(self._hooks().glob("held-*"))) >= n, f"{n} processes to be held")
        return [int(file.name.removeprefix("held-")) for file in self._hooks().glob("held-*")]

    def let_go(self) -> None:
        (self._hooks() / "hold").unlink(missing_ok=True)

    @contextmanager
    def everything_thrice(self) -> Iterator[None]:
        """Every message is sent three times."""
        switch = self._hooks() / "thrice"
        switch.touch()
        yield
        switch.unlink()

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """PostgreSQL ends all connections and takes no new one. SQLite has no connection that could end: there,
        another process writes for longer than a writer waits.
        """
        url = self.installation.database_url
        if not url:
            with closing(sqlite3.connect(self.folder / "db.sqlite3", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield  # closing it ends its transaction
            return
        connection.close()
        server, name = os.environ[SERVER], urlsplit(url).path[1:]
        on_server(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        on_server(server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        try:
            yield
        finally:
            on_server(server, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    def kill_broker(self, *, is_all_lost: bool) -> None:
        """Kill the broker with -9 and return when the supervisor has started another, which knows every message or,
        since its file is taken away, none.
        """
        with closing(self._broker()) as broker:
            broker.set("canary", "sings")
            (before,) = self._programs("valkey-server")
            if is_all_lost:
                broker.config_set("appendonly", "no")
                shutil.rmtree(self.folder / "valkey" / "appendonlydir")
        before.kill()
        until(lambda: valkey.answers(self._socket()), "the next broker")
        with closing(self._broker()) as broker:
            assert (broker.get("canary") is None) == is_all_lost

    def kill_supervisor(self, *, with_reaper: bool) -> list[psutil.Process]:
        """Kill the supervisor with -9, and with it its reaper if asked; what ran under them."""
        children = self.installation.processes()
        if with_reaper:
            for reaper in self._programs("annotator.reaper"):
                reaper.kill()
        assert self.installation.process is not None
        self.installation.process.kill()
        self.installation.process.wait()
        return children

    # What is to be seen

    def journal(self, kind: str) -> list[str]:
        """The ids that the journal has of `kind` ("commit" or "task"), in the order of events."""
        return [line[1] for line in self._journal() if line[0] == kind]

    def task_of(self, process: int) -> str:
        """The id of the message that the process is at."""
        return [line[1] for line in self._journal() if line[0] == "task" and line[2] == str(process)][-1]

    def n_logged(self, words: str) -> int:
        """How often the programs have logged these words."""
        return sum(log.read_text().count(words) for log in (self.folder / "logs").glob("*.log"))

    def sign_in(self, user: User) -> dict[str, str]:
        """The cookies of a session."""
        client = Client()
        client.force_login(user)
        return {name: cookie.value for name, cookie in client.cookies.items()} | {settings.CSRF_COOKIE_NAME: "t" * 32}

    def request(self, path: str, cookies: Mapping[str, str], data: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body of the web server's answer; a POST where there are data. Raises what HTTPConnection does."""
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "Content-Type": "application/x-www-form-urlencoded",
            "X-CSRFToken": cookies[settings.CSRF_COOKIE_NAME],
        }
        with closing(HTTPConnection("127.0.0.1", self.installation.port, timeout=PATIENCE_SECONDS)) as caller:
            caller.request("GET" if data is None else "POST", path, body=urlencode(data or {}), headers=headers)
            answer = caller.getresponse()
            return answer.status, answer.read().decode()

    def _journal(self) -> list[list[str]]:
        return [line.split() for line in (self._hooks() / "journal").read_text().splitlines()]

    def _programs(self, word: str) -> list[psutil.Process]:
        return [process for process in self.installation.processes() if word in " ".join(process.cmdline())]

    def _broker(self) -> Redis:
        return Redis(unix_socket_path=str(self._socket()), decode_responses=True)

    def _socket(self) -> Path:
        return socket_folder(self.folder) / "valkey.sock"

    def _hooks(self) -> Path:
        return self.folder / FOLDER


def note_text(place: int, mark: str = "") -> str:
    """A note longer than those before it: a run reads the shortest first."""
    return f"{mark:9} No chest pain. On metformin{place * '.'}"
