"""An installation as a person starts it: real programs on a data folder and a port of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings
from django.db import connections
from django.db.utils import load_backend

from annotator import databases
from annotator.runtime import socket_folder
from tests import prepared
from tests.patience import PATIENCE_SECONDS

READY = "Marginalia is running at"
SERVER = "DATABASE_URL"
OURS = {
    *("MARGINALIA_DATA", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "ALLOWED_HOSTS", "HTTPS", "LABELER", "LABEL_WORKERS"),
    *(SERVER, "REDIS_URL", "DATABASE_URL_FILE", "REDIS_URL_FILE", "SECRET_KEY_FILE"),
}


class Installation:
    """An installation on a free port, started as a person would.

    Its environment is this one's without what is meant for us, and with `environment`; where that says nothing else,
    dictionaries read the notes. `database_url` is that of a database of its own, where the tests run on PostgreSQL.
    """

    def __init__(self, folder: Path, *, database_url: str = "", **environment: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.environment = {"LABELER": "spacy"} | environment | ({SERVER: database_url} if database_url else {})
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished `manage.py …`."""
        environment = self._environment() | {"MARGINALIA_DATA": str(self.folder)}
        return subprocess.run(
            self._command(*arguments),
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        """`manage.py up` where it is refused."""
        return self.run("up", "--no-demo", "--port", str(self.port), "--data", str(self.folder))

    def start(self, *, with_demo: bool = False) -> None:
        """`manage.py up`, until it says that the web server answers."""
        demo = () if with_demo else ("--no-demo",)
        arguments = self._command("up", *demo, "--port", str(self.port), "--data", str(self.folder))
        self.process = subprocess.Popen(
            arguments, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        watchdog.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(READY):
                watchdog.cancel()
                return
        watchdog.cancel()
        pytest.fail(f"up ended: {''.join(lines)}")

    @contextmanager
    def database(self) -> Iterator[None]:
        """Django's models speak with this installation's database, in this thread. To be used where pytest-django lets
        them speak with one.
        """
        given = databases.postgresql(self.database_url) if self.database_url else databases.sqlite(self.folder)
        completed = connections.configure_settings({"default": given})["default"]
        before = connections["default"]
        connections["default"] = load_backend(completed["ENGINE"]).DatabaseWrapper(completed, "default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = before

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_SECONDS) as response:
            return int(response.status)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this data folder, zombies left out."""
        return [process for process in psutil.process_iter() if works_for(process, self.folder)]

    def end(self) -> None:
        """Kill the supervisor, and whatever its reaper has then not ended: only where a test has failed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(self.processes(), timeout=PATIENCE_SECONDS)
        for process in alive:
            process.kill()

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments)

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in OURS} | self.environment


def works_for(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get("MARGINALIA_DATA") == str(folder) or str(folder) in process.cmdline():
            return True
        return Path(process.cwd()).is_relative_to(folder)  # Valkey shows neither
    except psutil.Error:
        return False


@contextmanager
def installed_at(folder: Path, *, is_empty: bool = False, **environment: str) -> Iterator[Installation]:
    """An installation on `folder`, not started yet; nothing of it runs or lies in its socket folder afterwards.

    Where the tests run on PostgreSQL it has a database of its own there, which goes as well. It has its tables and
    static files; with `is_empty` the first start makes them, and the folder.
    """
    if not is_empty:
        prepared.give_files(folder)
    with _own_database(is_empty=is_empty) as database_url:
        made = Installation(folder, database_url=database_url, **environment)
        try:
            yield made
        finally:
            made.end()
            shutil.rmtree(socket_folder(folder))


@contextmanager
def _own_database(*, is_empty: bool) -> Iterator[str]:
    """The address of a new database in the server that DATABASE_URL names, for a time; "" where it names none."""
    server = os.environ.get(SERVER, "")
    if not server:
        yield ""
        return
    name = f"marginalia_{secrets.token_hex(6)}"
    template = "template1" if is_empty else prepared.template()
    prepared.on_server(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        prepared.on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')
