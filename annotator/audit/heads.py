"""The heads of all chains, written down outside the database once a day.

Who can write to the database can make a whole chain anew, and it would hold in itself. These files tell: they belong on
storage that the database's user cannot write to.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from annotator.audit.models import AuditChain, AuditEvent

NO_PROJECT = "-"
_PAGE = 500


class HeadFileError(Exception):
    """A line of a head file that is none; the message says where."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a chain was at the end of a day (UTC, ISO): its number of events, and the hash of the last one."""

    day: str
    project: str
    n_events: int
    sha256: str


def write_heads(*, now: datetime) -> int:
    """Append the heads of all chains to this year's file, where that was not done today; how many. Two processes at
    once write them once.
    """
    day = now.astimezone(UTC).date().isoformat()
    file = Path(settings.AUDIT_HEADS_DIR) / f"{day[:4]}.txt"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _last_line(descriptor).startswith(day):
            return 0
        chains = AuditChain.objects.filter(n_events__gt=0).order_by("project")
        lines = [
            f"{day} {chain.project or NO_PROJECT} {chain.n_events} {chain.head_sha256}\n" for chain in chains.iterator()
        ]
        _append_whole(descriptor, "".join(lines).encode())
    finally:
        os.close(descriptor)
    return len(lines)


def _append_whole(descriptor: int, content: bytes) -> None:
    """All of it or nothing: a line that a full disk has cut would make the file unreadable."""
    n_before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, "the heads of the audit chains were not written whole")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, n_before)
        raise


def read_heads() -> dict[str, list[Head]]:
    """All that was written down, by project, oldest first. Raises HeadFileError."""
    heads: dict[str, list[Head]] = defaultdict(list)
    for file in sorted(Path(settings.AUDIT_HEADS_DIR).glob("*.txt")):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            try:
                day, project, n_events, sha256 = line.split(" ")
                head = Head(day, "" if project == NO_PROJECT else project, int(n_events), sha256)
            except ValueError as error:
                raise HeadFileError(f"{file}, line {number}: day, project, number and hash are wanted") from error
            heads[head.project].append(head)
    return heads


def first_broken_head(*, project: str, heads: list[Head]) -> Head | None:
    """The first of the project's heads, oldest first, that its chain has no event for; None where it has them all."""
    for first in range(0, len(heads), _PAGE):
        page = heads[first : first + _PAGE]
        events = AuditEvent.objects.filter(chain__project=project, number__in={head.n_events for head in page})
        known = dict(events.order_by("number").values_list("number", "sha256"))
        for head in page:
            if known.get(head.n_events) != head.sha256:
                return head
    return None


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 200, max(size - 200, 0)).decode()
    return tail.rstrip("\n").rpartition("\n")[2]
