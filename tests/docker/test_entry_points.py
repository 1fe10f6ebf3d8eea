"""The commands of docker/compose.yaml, run as they stand there: migration, a note that is labelled, the end."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.containers import DEADLINE_SECONDS, ROOT, Containers, compose, free_port, in_order
from tests.postgres import empty_database

SERVICES = [name for name in in_order(compose()["services"]) if name not in {"postgres", "proxy"}]
LOGGING = ("web", "worker-main", "worker-label", "worker-train", "sweeper")
CELERYS_OWN = {"", "worker: Warm shutdown (MainProcess)"}  # said past the log, from the handler of a signal
NOTE = {"id": "n1", "patient_id": "P1", "text": "No fever. Type 2 diabetes, on metformin 500 mg bd."}


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with empty_database("containers") as url:
        yield url


@pytest.fixture
def containers(database: str) -> Iterator[Containers]:
    folder = Path(tempfile.mkdtemp(prefix="m-", dir="/tmp"))  # short: sockets lie below it
    subprocess.run([sys.executable, ROOT / "docker" / "make-secrets", folder / "secrets"], check=True)
    made = Containers(folder=folder, web_port=free_port(), valkey_port=free_port(), has_postgres=True)
    redis_url = folder / "secrets" / "redis_url"
    replace_secret(redis_url, redis_url.read_text().replace("valkey:6379", f"127.0.0.1:{made.valkey_port}"))
    replace_secret(folder / "secrets" / "database_url", database)
    environment = {"MARGINALIA_DATA": str(folder / "build"), "STATIC_ROOT": str(folder / "static")}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True, capture_output=True)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder)


def replace_secret(file: Path, content: str) -> None:
    file.unlink()
    file.write_text(content)


def get(containers: Containers, path: str, **headers: str) -> tuple[int, str]:
    caller = http.client.HTTPConnection("127.0.0.1", containers.web_port, timeout=30)
    caller.request("GET", path, headers={"Host": "localhost", **headers})
    answer = caller.getresponse()
    return answer.status, answer.read().decode()


def lines_of(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if line not in CELERYS_OWN]


def is_structured(line: str) -> bool:
    return line.startswith("{") and {"time", "level", "logger", "message"} <= set(json.loads(line))


def manage(containers: Containers, *arguments: str) -> str:
    done = containers.run("web", "python", "manage.py", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.postgresql  # as compose.yaml has it
@pytest.mark.slow
def test_the_services_label_a_note_and_end_when_told_to(containers: Containers) -> None:
    for name in SERVICES:
        containers.start(name)
    for name in SERVICES:
        if name != "migrate":
            containers.wait_until_healthy(name)
    assert get(containers, "/readyz") == (200, "ready\n")

    notes = containers.folder / "notes.jsonl"
    notes.write_text(json.dumps(NOTE) + "\n")
    manage(containers, "create_project", "Letters")
    manage(containers, "import_documents", "letters", str(notes))
    token = (containers.folder / "secrets" / "metrics_token").read_text().strip()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        status, figures = get(containers, "/metrics", Authorization=f"Bearer {token}")
        assert status == 200
        if 'marginalia_label_jobs{status="done"} 1.0' in figures and "marginalia_unrouted 0.0" in figures:
            break
        assert time.monotonic() < deadline, figures
        time.sleep(0.2)
    assert 'marginalia_open_items{stream="uncertain",unit="span"}' in figures
    assert get(containers, "/metrics")[0] == 404

    codes = {name: containers.stop(name) for name in reversed(SERVICES) if name != "migrate"}
    assert set(codes.values()) == {0}, codes
    assert [line for name in LOGGING for line in lines_of(containers.log(name)) if not is_structured(line)] == []
    outside = [
        f"{name}: {path}"
        for name, path in containers.written()
        if not any(path.is_relative_to(place) for place in [*containers.places(name), Path("/dev/null")])
    ]
    assert outside == []
    assert list(containers.written())
