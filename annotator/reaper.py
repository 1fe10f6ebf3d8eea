"""Ends process groups: for a supervisor that stops, and as a program for one that has died, however it died.

`python -m annotator.reaper` reads lines `start GROUP STOP_ORDER` and `end GROUP` from a pipe whose other end the
supervisor alone holds. The pipe ends when the supervisor does, by kill -9 too; what still runs is then ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

GRACE_SECONDS = 3.0
_POLL_SECONDS = 0.05


def end_groups(
    groups: Mapping[int, int], *, grace_seconds: float, collect: Callable[[], object] = lambda: None
) -> None:
    """Ends the process groups in their stop order (group -> order): SIGTERM, and SIGKILL after the grace.

    Groups of one order end together. `collect` is called between looks; a parent collects its ended children there.
    """
    for order in sorted(set(groups.values())):
        alive = [group for group, its_order in groups.items() if its_order == order and send(group, signal.SIGTERM)]
        deadline = time.monotonic() + grace_seconds
        while alive and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            collect()
            alive = [group for group in alive if is_running(group)]
        for group in alive:
            send(group, signal.SIGKILL)
            collect()


def send(group: int, number: int) -> bool:
    """Sends a signal to a process group; whether the group is there (0 only asks)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM where only zombies are left
        return False
    return True


def is_running(group: int) -> bool:
    """Whether the group has a process that has not ended; one that only waits to be collected has."""
    if not send(group, 0):
        return False
    states = [state for process in Path("/proc").glob("[0-9]*") for state in _states(process, group)]
    return not states or set(states) != {"Z"}  # none found: a system without /proc, where `send` tells all


def _states(process: Path, group: int) -> list[str]:
    try:
        state, _, its_group = _status(process)[:3]
    except OSError:
        return []
    return [state] if int(its_group) == group else []


def _status(process: Path) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, group ... (a name may hold spaces)."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def running_groups(lines: Iterable[str]) -> dict[int, int]:
    """The groups that were started and have not ended, with their stop order, once `lines` is through."""
    groups: dict[int, int] = {}
    for line in lines:
        word, group, *order = line.split()
        if word == "start":
            groups[int(group)] = int(order[0])
        else:
            groups.pop(int(group), None)
    return groups


def birth(pid: int) -> str:
    """What tells a process from a later one with the same number: its start time; "" where there is none."""
    if Path("/proc/self/stat").exists():
        try:
            return _status(Path(f"/proc/{pid}"))[19]
        except OSError:
            return ""
    listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.strip()


def main() -> None:
    """Wait for the supervisor to end, then end what it has left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_groups(running_groups(sys.stdin), grace_seconds=GRACE_SECONDS)


if __name__ == "__main__":
    main()
