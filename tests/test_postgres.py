"""The PostgreSQL server of the tests: what is there while it runs, and that nothing is left of it."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import psycopg2
import pytest

from tests import postgres
from tests.patience import PATIENCE_SECONDS

TELL_AND_WAIT = "import os, sys; print(os.environ['DATABASE_URL'], flush=True); sys.stdin.read()"


def folder_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).netloc.partition("@")[2]))


def works_for(folder: Path) -> list[psutil.Process]:
    """The server of that folder, with its children, and who tidies up after it."""
    named = [
        process for process in psutil.process_iter(["cmdline"]) if str(folder) in "".join(process.info["cmdline"] or ())
    ]
    return named + [child for process in named for child in process.children(recursive=True)]


@pytest.mark.slow
def test_the_server_of_the_wheel_leaves_no_process_folder_or_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path)
    monkeypatch.setattr(postgres, "_which", lambda name: None)
    users = pwd.getpwall()
    with postgres.postgres_server() as url:
        folder = folder_of(url)
        server = next(process for process in works_for(folder) if process.name() == "postgres")
        assert server.username() == ("nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
        assert "pginstall" in server.cmdline()[0]
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            running = works_for(folder)
    assert pwd.getpwall() == users
    assert not folder.exists()
    assert not [process for process in running if process.is_running()]


def test_a_command_whose_server_was_started_for_it_may_be_killed() -> None:
    program = [sys.executable, "tests/postgres.py", sys.executable, "-c", TELL_AND_WAIT]
    started = subprocess.Popen(
        program, cwd=postgres.REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdin is not None
    assert started.stdout is not None
    url = started.stdout.readline().strip()
    folder = folder_of(url)
    with closing(psycopg2.connect(url)):  # a client does not hold the end up
        running = works_for(folder)
        started.kill()
        started.wait()
        _, alive = psutil.wait_procs(running, timeout=PATIENCE_SECONDS)
    assert alive == []
    assert not folder.exists()
    started.stdin.close()  # which ends the command
    started.stdout.read()
