"""The supervisor and the reaper, with small programs in place of the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from annotator import reaper
from annotator.supervisor import Child, FolderInUse, Supervisor, end_leftovers, only_supervisor
from tests.patience import PATIENCE_SECONDS

# Prints READY, and DONE when SIGTERM ends it.
POLITE = "import signal,sys,time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('DONE', time.time_ns())))"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WAIT = "print('READY', flush=True); signal.pause()"


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("annotator.supervisor.time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(
        logs=tmp_path / "logs", record=tmp_path / "children.json", environment=os.environ, say=said.append
    ) as running:
        yield running


def python(program: str, tmp_path: Path, name: str = "child", stop_order: int = 0) -> Child:
    return Child(name=name, argv=(sys.executable, "-c", program), folder=tmp_path, stop_order=stop_order)


def until(condition: Callable[[], object], step: Callable[[], object] = lambda: None) -> None:
    """Take steps until the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        step()
        time.sleep(0.01)


def groups(tmp_path: Path) -> list[int]:
    return [row["group"] for row in json.loads((tmp_path / "children.json").read_text())]


def started(program: str) -> subprocess.Popen[str]:
    """A program in a group of its own that has got as far as READY, and is collected as soon as it ends."""
    process = subprocess.Popen(
        (sys.executable, "-c", f"{program}; {WAIT}"), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "READY\n"
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def test_a_child_that_dies_is_started_again(supervisor: Supervisor, tmp_path: Path, said: list[str], clock: Clock):
    supervisor.start(python("import signal; signal.pause()", tmp_path))
    (first,) = groups(tmp_path)
    os.killpg(first, signal.SIGKILL)
    until(lambda: said, supervisor.check)
    assert said == [f"child stopped (killed by signal 9), starting it again in 1 s; see {tmp_path}/logs/child.log"]
    clock.now += 1
    supervisor.check()
    (second,) = groups(tmp_path)
    assert second != first
    assert reaper.send(second, 0)


def test_the_wait_doubles_up_to_thirty_seconds(supervisor: Supervisor, tmp_path: Path, said: list[str], clock: Clock):
    supervisor.start(python("raise SystemExit(3)", tmp_path))
    for n_deaths in range(1, 8):
        until(lambda n=n_deaths: len(said) == n, supervisor.check)  # type: ignore[misc]
        clock.now += 30
    assert [line.split(" in ")[1].split(" s")[0] for line in said] == ["1", "2", "4", "8", "16", "30", "30"]


def test_a_child_that_ran_a_while_is_started_again_soon(
    supervisor: Supervisor, tmp_path: Path, said: list[str], clock: Clock
):
    supervisor.start(python("import signal; signal.pause()", tmp_path))
    for n_deaths in range(1, 4):
        clock.now += 61
        os.killpg(groups(tmp_path)[0], signal.SIGKILL)
        until(lambda n=n_deaths: len(said) == n, supervisor.check)  # type: ignore[misc]
        clock.now += 1
        supervisor.check()
    assert all("in 1 s" in line for line in said)


def test_stop_ends_children_in_their_order(tmp_path: Path, said: list[str]):
    with Supervisor(
        logs=tmp_path / "logs", record=tmp_path / "children.json", environment=os.environ, say=said.append
    ) as supervisor:
        for name, stop_order in (("broker", 1), ("web", 0)):
            supervisor.start(python(f"{POLITE}; {WAIT}", tmp_path, name, stop_order))
        logs = {name: tmp_path / "logs" / f"{name}.log" for name in ("web", "broker")}
        until(lambda: all("READY" in log.read_text() for log in logs.values()))
        pids = groups(tmp_path)
    ended_at = {name: int(log.read_text().split()[-1]) for name, log in logs.items()}
    assert ended_at["web"] < ended_at["broker"]
    assert not any(reaper.send(pid, 0) for pid in pids)
    assert not (tmp_path / "children.json").exists()


def test_a_reaper_that_is_killed_is_replaced(supervisor: Supervisor, tmp_path: Path):
    supervisor.start(python("import signal; signal.pause()", tmp_path))
    before = supervisor._reaper
    assert before is not None
    before.kill()
    before.wait()
    supervisor.check()
    assert supervisor._reaper is not None
    assert supervisor._reaper.poll() is None


def test_output_goes_to_a_private_log(supervisor: Supervisor, tmp_path: Path):
    log = tmp_path / "logs" / "child.log"
    supervisor.start(python("print('hello')", tmp_path))
    until(lambda: log.read_text() == "hello\n")
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_long_log_is_set_aside_at_the_start(supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("annotator.supervisor.LOG_BYTES", 10)
    log = tmp_path / "logs" / "child.log"
    log.write_text("more than ten bytes")
    supervisor.start(python("", tmp_path))
    assert (tmp_path / "logs" / "child.log.1").read_text() == "more than ten bytes"
    assert log.read_text() == ""


def test_a_group_that_ignores_sigterm_is_killed():
    process = started(STUBBORN)
    reaper.end_groups({process.pid: 0}, grace_seconds=0.1)
    assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_a_process_that_only_waits_to_be_collected_does_not_run():
    process = subprocess.Popen(("true",), start_new_session=True)
    until(lambda: not reaper.is_running(process.pid))
    assert process.returncode is None
    process.wait()


def test_the_reaper_ends_what_runs_when_its_pipe_does():
    kept, ended = started(POLITE), started(POLITE)
    lines = f"start {kept.pid} 0\nstart {ended.pid} 0\nend {kept.pid}\n"
    subprocess.run(
        (sys.executable, "-m", "annotator.reaper"), input=lines, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    assert ended.wait(PATIENCE_SECONDS) == 0
    assert kept.poll() is None
    kept.kill()
    kept.wait()


def test_leftovers_of_an_earlier_start_are_ended(tmp_path: Path):
    process = started(POLITE)
    record = tmp_path / "children.json"
    record.write_text(json.dumps([{"group": process.pid, "stop_order": 0, "birth": reaper.birth(process.pid)}]))
    assert end_leftovers(record) == 1
    assert process.wait(PATIENCE_SECONDS) == 0
    assert not record.exists()


def test_a_process_that_only_has_the_number_of_a_leftover_is_left_alone(tmp_path: Path):
    process = started(POLITE)
    record = tmp_path / "children.json"
    record.write_text(json.dumps([{"group": process.pid, "stop_order": 0, "birth": "another time"}]))
    assert end_leftovers(record) == 0
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_folder_has_one_supervisor(tmp_path: Path):
    refused = pytest.raises(FolderInUse, match=f"in use by process {os.getpid()}")
    with only_supervisor(tmp_path), refused, only_supervisor(tmp_path):
        pass
    with only_supervisor(tmp_path):
        pass


def test_without_a_folder_for_logs_a_childs_output_goes_where_its_supervisors_does(tmp_path: Path):
    script = (
        "import os, sys; from pathlib import Path; from annotator.supervisor import Child, Supervisor\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "child = Child(name='child', argv=(sys.executable, '-c', 'print(\"READ\" + \"Y\")'), folder=folder)\n"
        "with Supervisor(logs=None, record=folder / 'children', environment=os.environ, say=print) as running:\n"
        "    running.start(child)\n"
        "    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\n"
        "    running.check()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert "READY" in done.stdout
    assert "child stopped (exit code 0), starting it again in 1 s\n" in done.stdout
