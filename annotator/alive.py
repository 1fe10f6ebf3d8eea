"""Whether one program of an installation does its work: `python -m annotator.alive web | sweeper | worker NAME`.

For a container's health check: ends with 0 or 1 and says nothing. A worker is asked for in the database; the others are
found without Django, whose start costs a second of a processor each time.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from annotator import runtime

PORT = 8000
SWEPT = "swept"
SWEPT_SECONDS = 100.0


def answers(*, port: int, allowed_hosts: Sequence[str]) -> bool:
    """Whether the web server on this machine answers /healthz with 200, asked under a name that it allows."""
    host = "127.0.0.1" if {"127.0.0.1", "*"} & set(allowed_hosts) else allowed_hosts[0].lstrip(".")
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        caller.request("GET", "/healthz", headers={"Host": host})
        return caller.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        caller.close()


def has_swept(folder: Path) -> bool:
    """Whether the sweeper whose sockets lie in `folder` has swept of late: it touches a file each time."""
    try:
        return time.time() - (folder / SWEPT).stat().st_mtime < SWEPT_SECONDS
    except FileNotFoundError:
        return False


def beats(name: str) -> bool:
    """Whether the worker `name` of this machine has shown a sign of life of late."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")
    django.setup()
    from django.utils import timezone

    from annotator.jobs.selectors import worker_health

    healths = worker_health(now=timezone.now())
    return any(found.name == f"{name}@{socket.gethostname()}" and found.state == "healthy" for found in healths)


def main(arguments: Sequence[str]) -> int:
    os.umask(0o077)
    program, *names = arguments
    if program == "web":
        hosts = os.environ.get("ALLOWED_HOSTS") or "127.0.0.1"
        return 0 if answers(port=int(os.environ.get("PORT") or PORT), allowed_hosts=hosts.split(",")) else 1
    if program == "sweeper":
        return 0 if has_swept(runtime.socket_folder(Path(os.environ["MARGINALIA_DATA"]).absolute())) else 1
    return 0 if beats(*names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
