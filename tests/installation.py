"""An installation as a person starts it: real programs on a data folder and a port of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from annotator.runtime import socket_folder

READY = "Marginalia is running at"
OURS = {"MARGINALIA_DATA", "DJANGO_SETTINGS_MODULE", "REDIS_URL", "ALLOWED_HOSTS", "HTTPS", "LABELER", "LABEL_WORKERS"}


class Installation:
    """An installation on a free port, started as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished `manage.py …`."""
        environment = self._environment() | {"MARGINALIA_DATA": str(self.folder)}
        return subprocess.run(
            self._command(*arguments), env=environment, capture_output=True, text=True, timeout=60, check=False
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
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(READY):
                watchdog.cancel()
                return
        pytest.fail(f"up ended: {''.join(lines)}")

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return int(response.status)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this data folder, zombies left out."""
        return [process for process in psutil.process_iter() if works_for(process, self.folder)]

    def end(self) -> None:
        """Kill the supervisor, and whatever its reaper has then not ended: only where a test has failed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(self.processes(), timeout=20)
        for process in alive:
            process.kill()

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments)

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in OURS}


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
def installed_at(folder: Path) -> Iterator[Installation]:
    """An installation on `folder`, not started yet; nothing of it runs or lies in its socket folder afterwards."""
    made = Installation(folder)
    try:
        yield made
    finally:
        made.end()
        sockets = socket_folder(folder)
        for path in sockets.glob("*"):
            path.unlink()
        sockets.rmdir()
