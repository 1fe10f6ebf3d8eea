"""A training as a child process that is watched: started, its numbers told as they come, stopped when it should.

The child runs one of this package's two commands in a session of its own, so that no signal that is meant for others
reaches it, and stops by itself when this process dies: it holds the other end of a pipe. Two of them are never in one
folder: the log is locked by whoever writes to it.
"""

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
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from llm_labeler.finetune.ending import REFUSED, STOPPED, USAGE
from llm_labeler.finetune.folder import DONE, LOG, PROGRESS, RUN
from llm_labeler.finetune.progress import Point, read_points
from llm_labeler.finetune.recipe import Recipe
from llm_labeler.finetune.spacy_recipe import SpacyRecipe

__all__ = ["Outcome", "Point", "run_command"]

LORA, SPACY = "lora", "spacy"
COMMANDS = {LORA: "finetune", SPACY: "train-spacy"}
LOOK_SECONDS = 1.0
GRACE_SECONDS = 60.0
# What a recipe may say beside the numbers of the command: what the base is, and where it computes.
_MORE = {LORA: ("revision", "quantization", "device", "dtype", "threads"), SPACY: ()}
_NICE = 10
# The log is what the command says of the training: no bars of its libraries, and none of what they are about to rename.
_QUIET = {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    done: `facts` are its training.json. stopped: a resume goes on with it. refused: `message` says what to do.
    failed: `message` says what is known. A message never holds note text.
    """

    status: Literal["done", "stopped", "refused", "failed"]
    facts: dict[str, Any]
    message: str


def run_command(
    *,
    kind: str,
    build: Path,
    out: Path,
    base: str,
    recipe: Mapping[str, Any],
    is_resumed: bool,
    on_point: Callable[[Point], None],
    may_go_on: Callable[[], bool],
) -> Outcome:
    """Train on the dataset in `build` and leave what was learnt in `out`; returns once the child has ended.

    `recipe`: options of the command that differ from its own, by name. `on_point` gets each new line of numbers; the
    steps of a run that is resumed come again from where it goes on. `may_go_on` is asked every second; where it says
    no, or either raises, the child is told to end, and is killed where it has not after GRACE_SECONDS. What they raise
    is raised once it has ended. `is_resumed`: the log is gone on with. A run that was begun in `out` is resumed in any
    case, since a worker may have died over it, and one that was done meanwhile is done without a child.
    """
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    points = _Points(out / PROGRESS)
    with _own_log(out / LOG, may_go_on=may_go_on) as log:
        if log is None:
            return Outcome("stopped", {}, "")
        if (out / DONE).exists():
            points.tell(on_point)
            return Outcome("done", _facts(out), "")
        is_begun = (out / RUN).exists()
        try:
            argv = _argv(kind, build=build, out=out, base=base, recipe=recipe, is_resumed=is_begun)
        except ValueError as refusal:
            return Outcome("refused", {}, str(refusal))
        if not (is_resumed or is_begun):
            os.ftruncate(log, 0)
        begins_at = os.fstat(log).st_size
        with _running(argv, log) as child:
            is_stopped = False
            while not is_stopped and child.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(LOOK_SECONDS)
                points.tell(on_point)
                is_stopped = child.poll() is None and not may_go_on()
        code = child.returncode
        points.tell(on_point)
    return _outcome(COMMANDS[kind], out, code=code, is_stopped=is_stopped, begins_at=begins_at)


def _argv(
    kind: str, *, build: Path, out: Path, base: str, recipe: Mapping[str, Any], is_resumed: bool
) -> tuple[str, ...]:
    """The command's line. Raises ValueError for an option that it has not."""
    if kind not in COMMANDS:
        raise ValueError(f"nothing is trained as {kind!r}: one of {', '.join(COMMANDS)} is wanted")
    numbers = fields(Recipe) if kind == LORA else fields(SpacyRecipe)
    known = {*(one.name for one in numbers), *_MORE[kind]}
    if unknown := sorted(recipe.keys() - known):
        raise ValueError(f"{COMMANDS[kind]} has no option {', '.join(unknown)}")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in recipe.items() if value is not None]
    return (
        *(sys.executable, "-m", "llm_labeler", COMMANDS[kind], str(build.absolute())),
        *("--out", str(out.absolute()), "--while-stdin"),
        *((f"--base={base}",) if kind == LORA else ()),
        *(("--resume",) if is_resumed else ()),
        *options,
    )


@contextlib.contextmanager
def _own_log(path: Path, *, may_go_on: Callable[[], bool]) -> Iterator[int | None]:
    """The log, locked until the block and the child have ended; None where it may not be waited for.

    The child of a worker that was killed may still write its last checkpoint.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while not _is_locked(descriptor):
            if not may_go_on():
                yield None
                return
            time.sleep(LOOK_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _running(argv: tuple[str, ...], log: int) -> Iterator[subprocess.Popen[bytes]]:
    """The child, for the time of the block, with which it ends."""
    child = subprocess.Popen(
        ("nice", "-n", str(_NICE), *argv),
        cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=log,
        env=os.environ | _QUIET,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        for number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
            if child.poll() is None:
                child.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(seconds)
        if child.stdin is not None:
            child.stdin.close()


class _Points:
    """The lines of a file that grows, each told once; told anew where the file was begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._n_told = 0
        self._size = 0

    def tell(self, on_point: Callable[[Point], None]) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._size:
            self._n_told = 0
        if size == self._size:
            return
        self._size = size
        for point in read_points(self._path)[self._n_told :]:
            on_point(point)
            self._n_told += 1


def _facts(out: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((out / DONE).read_text(encoding="utf-8"))
    return facts


def _outcome(command: str, out: Path, *, code: int, is_stopped: bool, begins_at: int) -> Outcome:
    if code == 0:
        return Outcome("done", _facts(out), "")
    if code == STOPPED or (is_stopped and code in (-signal.SIGTERM, -signal.SIGKILL)):
        return Outcome("stopped", {}, "")
    with (out / LOG).open("rb") as log:
        log.seek(begins_at)
        lines = log.read().decode(errors="replace").splitlines()
    last = lines[-1] if lines else ""
    if code == REFUSED and last.startswith(f"{command}: "):
        return Outcome("refused", {}, last.removeprefix(f"{command}: "))
    if code == USAGE:
        return Outcome("refused", {}, f"the recipe cannot be used: {last.partition('error: ')[2]}")
    if code == -signal.SIGKILL:
        return Outcome("failed", {}, "the training was killed: the machine may not have enough memory for it")
    how = last.removeprefix(f"{command}: ") if last.startswith(f"{command}: failed (") else f"exit code {code}"
    return Outcome("failed", {}, f"the training ended with an error ({how}): see {LOG} in its folder")
