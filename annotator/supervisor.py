"""Keeps the programs of an installation running, and leaves none behind when it stops or dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from annotator import reaper

GRACE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 30.0
SETTLED_SECONDS = 60.0
LOG_BYTES = 10 * 1024 * 1024


class FolderInUse(Exception):
    """Another supervisor works on the data folder."""


@dataclass(frozen=True, slots=True)
class Child:
    """A program to keep running in `folder`. Those with the lowest `stop_order` are stopped first."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    stop_order: int = 0


@dataclass(slots=True)
class _Post:
    """The place of a child: its process, and when to start the next one where that has ended (monotonic seconds)."""

    child: Child
    process: subprocess.Popen[bytes]
    started_at: float
    wait_seconds: float = 1.0
    restart_at: float | None = None


@contextlib.contextmanager
def only_supervisor(folder: Path) -> Iterator[None]:
    """Holds the data folder for this process. Raises FolderInUse where another has it."""
    descriptor = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode() or "unknown"
            raise FolderInUse(
                f"the data folder {folder} is in use by process {pid}: stop that one, or use make run DATA=..."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def end_leftovers(record: Path) -> int:
    """Ends what a supervisor that was killed together with its reaper left; the number of programs ended."""
    try:
        rows = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    groups = {row["group"]: row["stop_order"] for row in rows if row["birth"] == reaper.birth(row["group"])}
    reaper.end_groups(groups, grace_seconds=reaper.GRACE_SECONDS)
    record.unlink()
    return len(groups)


class Supervisor:
    """Starts children, starts them again when they die, and ends them all on leaving the `with` block.

    Each child has a session and so a process group of its own: Ctrl-C in a terminal reaches this process only, and
    a child ends with all that it has started. Output goes to `logs`/NAME.log, or without `logs` where this process's
    goes. `record` names the groups that run.
    """

    def __init__(
        self, *, logs: Path | None, record: Path, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._logs = logs
        self._record = record
        self._environment = dict(environment)
        self._say = say
        self._posts: list[_Post] = []
        self._reaper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._logs is not None:
            self._logs.mkdir(mode=0o700, exist_ok=True)
        self._start_reaper()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, child: Child) -> None:
        """Start a child and keep it running from now on."""
        if self._logs is not None:
            _rotate(self._logs / _log_name(child))
        self._posts.append(_Post(child=child, process=self._spawn(child), started_at=time.monotonic()))
        self._write_record()

    def check(self) -> None:
        """Notice children that have died, and start again those whose wait is over. To be called often."""
        if self._reaper is None or self._reaper.poll() is not None:
            self._start_reaper()
        for post in self._posts:
            now = time.monotonic()
            if post.restart_at is None and post.process.poll() is not None:
                self._bury(post, now)
            elif post.restart_at is not None and now >= post.restart_at:
                post.process, post.started_at, post.restart_at = self._spawn(post.child), now, None
                self._write_record()

    def stop(self) -> None:
        """End all children, in their order, and then the reaper, which finds nothing left to do."""
        groups = {post.process.pid: post.child.stop_order for post in self._posts if post.restart_at is None}
        reaper.end_groups(groups, grace_seconds=GRACE_SECONDS, collect=self._collect)
        self._collect()
        self._posts.clear()
        for group in groups:
            self._tell(f"end {group}")
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None
        self._record.unlink(missing_ok=True)

    def _bury(self, post: _Post, now: float) -> None:
        """Clear away what is left of a dead child and set the time of the next start: after 1, 2, 4 ... 30 s."""
        reaper.send(post.process.pid, signal.SIGKILL)
        self._tell(f"end {post.process.pid}")
        if now - post.started_at > SETTLED_SECONDS:
            post.wait_seconds = 1.0
        post.restart_at = now + post.wait_seconds
        code = post.process.returncode
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        self._say(
            f"{post.child.name} stopped ({how}), starting it again in {post.wait_seconds:.0f} s"
            + (f"; see {self._logs / _log_name(post.child)}" if self._logs is not None else "")
        )
        post.wait_seconds = min(post.wait_seconds * 2, LONGEST_WAIT_SECONDS)

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        def tell_reaper() -> None:
            # In the child, before its program runs: the reaper knows of it whenever this process dies.
            self._tell(f"start {os.getpid()} {child.stop_order}")

        log = None
        if self._logs is not None:
            log = os.open(self._logs / _log_name(child), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                child.argv,
                cwd=child.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tell_reaper,
            )
        finally:
            if log is not None:
                os.close(log)

    def _start_reaper(self) -> None:
        self._reaper = subprocess.Popen(
            (sys.executable, "-m", "annotator.reaper"),
            cwd=Path(__file__).resolve().parent.parent,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for post in self._posts:
            if post.restart_at is None:
                self._tell(f"start {post.process.pid} {post.child.stop_order}")

    def _tell(self, line: str) -> None:
        """One unbuffered write, so that a line is whole or not there."""
        if self._reaper is not None and self._reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # killed: `check` starts another, which hears of all
                os.write(self._reaper.stdin.fileno(), f"{line}\n".encode())

    def _collect(self) -> None:
        for post in self._posts:
            post.process.poll()

    def _write_record(self) -> None:
        running = [post for post in self._posts if post.restart_at is None]
        rows = [
            {
                "group": post.process.pid,
                "stop_order": post.child.stop_order,
                "birth": reaper.birth(post.process.pid),
            }
            for post in running
        ]
        self._record.write_text(json.dumps(rows))


def _log_name(child: Child) -> str:
    return f"{child.name}.log"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
