"""`manage.py up` itself: real programs, on a data folder whose path is longer than any socket's may be."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.db import Error as DatabaseFault
from django.db import InterfaceError, OperationalError
from pytest_django.plugin import DjangoDbBlocker

from annotator import valkey
from annotator.accounts.models import User
from annotator.management.commands import up
from annotator.runtime import socket_folder
from annotator.suggestions.models import LabelJob, LabelRun, Suggestion
from annotator.suggestions.selectors import RunProgress
from tests import prepared
from tests.installation import Installation, installed_at, works_for
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path
    while len(str(folder)) < 300:
        folder /= "a folder with a long name"
    with installed_at(folder, is_empty=True) as made:
        yield made


@pytest.mark.slow
def test_up_stops_by_ctrl_c_and_starts_again_with_its_data(
    installation: Installation, django_db_blocker: DjangoDbBlocker
):
    installation.start()
    assert installation.get("/healthz") == 200
    assert len(installation.processes()) >= 8  # supervisor, reaper, Valkey, web server and its worker, three workers
    assert installation.run("sign_in_link").returncode == 0
    assert installation.process is not None
    installation.process.send_signal(signal.SIGINT)
    assert installation.process.wait(PATIENCE_SECONDS) == 0
    assert installation.processes() == []

    installation.start()
    assert installation.get("/healthz") == 200
    with django_db_blocker.unblock(), installation.database():
        assert User.objects.count() == 1

    second = installation.up()
    assert second.returncode == 1
    assert f"is in use by process {installation.process.pid}" in second.stderr
    assert second.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_killed_supervisor_leaves_nothing_running(installation: Installation):
    prepared.give_files(installation.folder)
    installation.start()
    running = installation.processes()
    assert installation.process is not None
    installation.process.kill()
    _, alive = psutil.wait_procs(running, timeout=PATIENCE_SECONDS)
    assert [process for process in alive if works_for(process, installation.folder)] == []
    assert installation.processes() == []


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A server of the team's, on a port and behind a password."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program, *_ = valkey.server_argv(socket_path=tmp_path / "unused")
    options = {"port": str(port), "bind": "127.0.0.1", "requirepass": "a secret", "save": ""}
    server = subprocess.Popen(
        (program, *(part for name, value in options.items() for part in (f"--{name}", value))),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    yield f"redis://:a%20secret@127.0.0.1:{port}/0"
    server.terminate()
    server.wait()


@pytest.mark.slow
@pytest.mark.postgresql
def test_up_labels_the_demo_by_the_servers_of_a_team(
    tmp_path: Path, redis_url: str, django_db_blocker: DjangoDbBlocker
):
    with installed_at(tmp_path / "data", is_empty=True, REDIS_URL=redis_url) as team:
        team.start(with_demo=True)
        assert not [process for process in team.processes() if "valkey-server" in process.name()]
        assert not (team.folder / "db.sqlite3").exists()
        with django_db_blocker.unblock(), team.database():
            run = LabelRun.objects.get()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while run.status == LabelRun.Status.RUNNING:
                assert time.monotonic() < deadline, "the demo notes are not labelled"
                time.sleep(0.1)
                run.refresh_from_db()
            assert set(run.jobs.values_list("status", flat=True)) == {LabelJob.Status.DONE}
            assert Suggestion.objects.count() > run.jobs.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_does_not_end_the_supervisor(
    monkeypatch: pytest.MonkeyPatch, error: type[DatabaseFault]
):
    def away(**_: object) -> RunProgress:
        raise error

    monkeypatch.setattr(up, "run_progress", away)
    assert up.Command()._tell_progress(LabelRun(pk=1), 3) == (3, False)


def test_a_taken_port_is_one_line(installation: Installation):
    with socket.create_server(("127.0.0.1", installation.port)):
        refused = installation.up()
    assert refused.returncode == 1
    assert f"port {installation.port} is taken: stop the program that has it, or use make run PORT=" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["0", "65536", "eighty", ""])
def test_a_wrong_port_is_one_line(installation: Installation, port: str):
    refused = installation.run("up", "--port", port)
    assert refused.returncode == 1
    assert refused.stderr == f"CommandError: the port must be a number from 1 to 65535, not {port!r}\n"


def test_a_file_in_place_of_the_data_folder_is_one_line(installation: Installation):
    installation.folder.parent.mkdir(parents=True)
    installation.folder.write_text("")
    refused = installation.up()
    installation.folder.unlink()
    assert refused.returncode == 1
    assert refused.stderr == f"error: cannot make the data folder {installation.folder}: File exists\n"


def test_a_path_too_long_for_sqlite_is_one_line(tmp_path: Path):
    too_long = Installation(tmp_path / "/".join(["a" * 100] * 5))
    refused = too_long.up()
    shutil.rmtree(socket_folder(too_long.folder))
    assert refused.returncode == 1
    assert "too long for SQLite" in refused.stderr
    assert refused.stderr.count("\n") == 1
