"""The programs of an installation on one machine: their command lines, and what must be true before they start."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import sys
import time
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection

from annotator import alive, labelers, runtime, valkey
from annotator.supervisor import Child

HOST = "127.0.0.1"
SQLITE_PATH_BYTES = 500
BROKER_SECONDS = 20.0
MOST_LABEL_WORKERS = 64
MOST_TRAIN_WORKERS = 8
MOST_WEB_PROCESSES = 32


class CannotStart(Exception):
    """Something that must be put right first; one line that says what and how."""


def read_port(given: str) -> int:
    """The port as a number. Raises CannotStart where it is none."""
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 65535:
        raise CannotStart(f"the port must be a number from 1 to 65535, not {given!r}")
    return int(given)


def refuse_taken_port(port: int) -> None:
    """Raises CannotStart where another program listens on the port, or where it cannot be had."""
    reason = _why_not(port)
    if reason == errno.EADDRINUSE:
        free = next((other for other in range(port + 1, min(port + 100, 65536)) if _why_not(other) is None), None)
        raise CannotStart(f"port {port} is taken: stop the program that has it, or use make run PORT={free or '...'}")
    if reason is not None:
        raise CannotStart(f"port {port} cannot be used ({os.strerror(reason)}): use make run PORT=8000")


def refuse_long_path() -> None:
    """Raises CannotStart where the database's path is longer than SQLite opens."""
    database = str(connection.settings_dict["NAME"])
    length = len(os.fsencode(database))
    if connection.vendor == "sqlite" and length > SQLITE_PATH_BYTES:
        raise CannotStart(
            f"the path of the data folder is too long for SQLite: {database} has {length} bytes, "
            f"{SQLITE_PATH_BYTES} are the most"
        )


def broker() -> Child | None:
    """The bundled Valkey; None where REDIS_URL names another. Raises valkey.NoValkey."""
    if runtime.secret("REDIS_URL"):
        return None
    folder = settings.DATA_DIR / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    argv = valkey.server_argv(socket_path=settings.BROKER_SOCKET)
    return Child(name="valkey", argv=argv, folder=folder, stop_order=1)


def wait_for_broker() -> None:
    """Return once the bundled Valkey answers. Raises CannotStart where it does not."""
    deadline = time.monotonic() + BROKER_SECONDS
    while not valkey.answers(settings.BROKER_SOCKET):
        if time.monotonic() > deadline:
            raise CannotStart(f"the broker does not start: see {settings.DATA_DIR / 'logs' / 'valkey.log'}")
        time.sleep(0.02)


def web(port: int, *, host: str = HOST) -> Child:
    """Gunicorn: WEB_PROCESSES (2) processes of four threads each.

    A page is mostly Python, of which a process runs one line at a time: two keep two cores busy. SQLite's writers wait
    for each other in one process as in several.
    """
    options = {
        "bind": f"{host}:{port}",
        "worker-class": "gthread",
        "workers": str(_number_of("WEB_PROCESSES", default="2", least=1, most=MOST_WEB_PROCESSES)),
        "threads": "4",
        "timeout": "120",
        "graceful-timeout": "5",
        "worker-tmp-dir": str(settings.SOCKET_DIR),
        "log-level": "warning",
        "logger-class": "annotator.web.logs.GunicornLogger",
    }
    pairs = (part for name, value in options.items() for part in (f"--{name}", value))
    # No access log: an address may name a note. Preloaded: its processes share one import of the application.
    flags = ("--preload", "--no-control-socket")
    argv = (sys.executable, "-m", "gunicorn", "annotator.wsgi:application", *pairs, *flags)
    return Child(name="web", argv=argv, folder=settings.BASE_DIR)


def model_server() -> Child | None:
    """The small model's server, which label workers ask; None where LABELER is another.

    It answers whoever can reach its socket, in a folder that is this user's alone.
    """
    if settings.LABELER != "gemma":
        return None
    argv = (sys.executable, "-m", "llm_labeler.server", "--socket", str(settings.SOCKET_DIR / labelers.MODEL_SOCKET))
    return Child(name="model", argv=argv, folder=settings.BASE_DIR, stop_order=1)


def workers() -> list[Child]:
    """One worker for imports and builds, and LABEL_WORKERS (1) that run the labeler; all of these route, so that a note
    that is labelled does not wait for an import. TRAIN_WORKERS (1) do nothing but watch a training, for hours.

    Solo pools: a model is loaded once a process, and CUDA does not survive a fork.
    """
    n_label_workers = _number_of("LABEL_WORKERS", default="1", least=0, most=MOST_LABEL_WORKERS)
    n_train_workers = _number_of("TRAIN_WORKERS", default="1", least=0, most=MOST_TRAIN_WORKERS)
    return [
        main_worker(),
        *(label_worker(number) for number in range(1, n_label_workers + 1)),
        *(train_worker(number) for number in range(1, n_train_workers + 1)),
    ]


def main_worker() -> Child:
    return _worker("main", "main,route")


def label_worker(number: int) -> Child:
    return _worker(f"label-{number}", "label,route", "--include", "llm_labeler.tasks")


def train_worker(number: int) -> Child:
    return _worker(f"train-{number}", "train", "--include", "llm_labeler.tasks")


def environment() -> dict[str, str]:
    """The environment of every program: this one's, with the data folder in it."""
    return os.environ | {"MARGINALIA_DATA": str(settings.DATA_DIR), "PYTHONUNBUFFERED": "1"}


def collect_static() -> None:
    """Copy and compress the static files where one has changed since the last time."""
    stamp = settings.DATA_DIR / "static.sha256"
    digest = _static_digest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(digest)


def is_web_up(port: int) -> bool:
    """Whether the web server answers /healthz with 200."""
    return alive.answers(port=port, allowed_hosts=settings.ALLOWED_HOSTS)


def _worker(name: str, queues: str, *options: str) -> Child:
    argv = (
        # Without Django's checks, which would import every page and take as long as the start.
        *(sys.executable, "-m", "celery", "-q", "--skip-checks", "-A", "annotator", "worker"),
        *("-n", f"{name}@%h", "-Q", queues, "-P", "solo", "-c", "1", "-l", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", *options),
    )
    return Child(name=name, argv=argv, folder=settings.BASE_DIR)


def _number_of(name: str, *, default: str, least: int, most: int) -> int:
    """The number that the variable `name` holds. Raises CannotStart where it is none from `least` to `most`."""
    given = os.environ.get(name) or default
    if not given.isascii() or not given.isdigit() or not least <= int(given) <= most:
        raise CannotStart(f"{name} must be a number from {least} to {most}, not {given!r}")
    return int(given)


def _why_not(port: int) -> int | None:
    """The error number with which the port refuses a listener; None where it is free."""
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex((HOST, port)) == 0:
            return errno.EADDRINUSE
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            return error.errno
    return None


def _static_digest() -> str:
    """Changes when a static file does, by name, size or time, and when what is made of it does."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list(ignore_patterns=[]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    for name in ("joining.py", "static_files.py"):
        digest.update((settings.BASE_DIR / "annotator" / "web" / name).read_bytes())
    digest.update(f"{settings.STORAGES['staticfiles']}".encode())
    return digest.hexdigest()


def write_address(address: str) -> None:
    """Keep where the web server answers, for commands that print links."""
    (settings.DATA_DIR / "address").write_text(address)


def read_address() -> str:
    """Where the web server answered when it was last started."""
    file = settings.DATA_DIR / "address"
    return file.read_text() if file.exists() else f"http://{HOST}:8000"
