"""What a new installation begins with, made once for all processes of these tests: a database with its tables, and
the static files. It takes seconds of a processor to make, and next to none to copy.

That an empty data folder comes to the same is what tests/test_up.py and tests/docker are about.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from django.conf import settings

FOLDER = "MARGINALIA_PREPARED"
DATABASE = "db.sqlite3"
STATIC = ("shell", "-v", "0", "-c", "from annotator.programs import collect_static; collect_static()")
MIGRATE = ("migrate", "-v", "0", "--skip-checks")


def begin() -> None:
    """Name the place, for this process and those that it starts, where none is named; it goes with this process."""
    if not os.environ.get(FOLDER):
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="marginalia-prepared-")
        atexit.register(_end)


def give_files(folder: Path) -> None:
    """Put into a data folder what a first start makes there; the database as well, where it is SQLite's."""
    made = _with(STATIC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(made / "static", folder / "static", dirs_exist_ok=True)
    shutil.copy(made / "static.sha256", folder)
    if not os.environ.get("DATABASE_URL"):
        give_database(folder / DATABASE)


def give_database(file: Path) -> None:
    """A database of SQLite with all tables and no row of ours."""
    shutil.copy(_with(MIGRATE) / DATABASE, file)


def template() -> str:
    """The name of such a database in the server of DATABASE_URL, a TEMPLATE for others: nothing connects to it."""
    _with(MIGRATE)
    return _name()


def on_server(url: str, statement: str) -> None:
    """Run one statement on a PostgreSQL server, outside a transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _with(command: tuple[str, ...]) -> Path:
    """The data folder in which `manage.py COMMAND …` was run, by whoever came first."""
    folder = _folder()
    done = folder / command[0]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            ours = {"MARGINALIA_DATA": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "annotator.settings"}
            if (server := os.environ.get("DATABASE_URL")) and command is MIGRATE:
                on_server(server, f'CREATE DATABASE "{_name()}"')
                ours["DATABASE_URL"] = urlsplit(server)._replace(path=f"/{_name()}").geturl()
            manage = [sys.executable, "manage.py", *command]
            subprocess.run(manage, cwd=settings.BASE_DIR, env=os.environ | ours, check=True)
            done.touch()
    return folder / "data"


def _folder() -> Path:
    begin()
    return Path(os.environ[FOLDER])


def _name() -> str:
    return _folder().name.replace("-", "_")


def _end() -> None:
    server = os.environ.get("DATABASE_URL")
    if server and (_folder() / MIGRATE[0]).exists():
        on_server(server, f'DROP DATABASE "{_name()}" WITH (FORCE)')
    shutil.rmtree(_folder())
