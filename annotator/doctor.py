"""What is wrong with an installation, and what to do about it: the checks of `manage.py doctor`.

Nothing is changed, and nothing is told but counts, versions and paths.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import connection

from annotator import health, runtime
from annotator.accounts.models import User
from annotator.accounts.two_factor import two_factor_of
from annotator.audit.heads import HeadFileError, read_heads
from annotator.audit.models import AuditEvent
from annotator.core.wording import counted
from annotator.jobs.bell import LABEL_QUEUE
from annotator.jobs.selectors import worker_health
from annotator.projects.models import Invitation

LOCKS = ("requirements.lock", "web.lock", "worker.lock")
OLDEST_POSTGRESQL = 140000
HEADS_AFTER = timedelta(days=2)
BACKUP_AFTER = timedelta(days=7)
CLOCK_SECONDS = 5.0
MOST_NAMED = 3


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says; `remedy` is empty where all is well."""

    level: Level
    subject: str
    said: str
    remedy: str = ""


def examine(*, now: datetime) -> list[Finding]:
    """Everything that was found, check by check. Without a database that answers, what needs none."""
    found = [*_versions(), *_key(), *_files(), *_static(), *_addresses(), *_disk()]
    trouble = health.database_trouble()
    if trouble:
        remedy = "see that the server runs, and that DATABASE_URL names it"
        return [*found, Finding(Level.BROKEN, "database", trouble, remedy), *_broker()]
    found += [*_database(), *_broker()]
    if n := health.n_unapplied_migrations():
        return [
            *found,
            Finding(Level.BROKEN, "migrations", f"{n} wait", "start this version once, or manage.py migrate"),
        ]
    found.append(Finding(Level.OK, "migrations", "all applied"))
    return [*found, *_workers(now), *_clock(now), *_people(now), *_heads(now), *_backups(now)]


def _versions() -> Iterator[Finding]:
    python = platform.python_version()
    lock = next((path for name in LOCKS if (path := Path(settings.BASE_DIR) / name).exists()), None)
    if lock is None:
        yield Finding(
            Level.WARNING, "packages", "no lock file to compare them with", "run it from a checkout or an image"
        )
        return
    pins: dict[str, set[str]] = {}
    conditional: set[str] = set()
    for name, version, marker in re.findall(r"^([a-z0-9._-]+)==(\S+)( ;)?", lock.read_text(), re.MULTILINE):
        pins.setdefault(name, set()).add(version)
        conditional |= {name} if marker else set()
    installed = {
        re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in importlib.metadata.distributions()
    }
    other = [name for name, versions in pins.items() if name in installed and installed[name] not in versions]
    other += [name for name in pins if name not in installed and name not in conditional]
    if other:
        said = f"Python {python}; {len(other)} of {len(pins)} are not as {lock.name} says: {_some(other)}"
        yield Finding(Level.WARNING, "packages", said, f"install {lock.name} again: rm -r .venv; make run")
    else:
        yield Finding(Level.OK, "packages", f"Python {python}, {len(pins)} packages as {lock.name} says")


def _key() -> Iterator[Finding]:
    where = "given by the environment" if runtime.secret("SECRET_KEY") else "in the data folder"
    if len(settings.SECRET_KEY) < 50:
        remedy = "give SECRET_KEY 50 characters at least: python -c 'import secrets; print(secrets.token_urlsafe(64))'"
        yield Finding(Level.BROKEN, "key", f"{where}, and too short", remedy)
    else:
        yield Finding(Level.OK, "key", where)


def _files() -> Iterator[Finding]:
    wide = []
    for folder, folders, files in os.walk(settings.DATA_DIR):
        folders[:] = [name for name in folders if Path(folder, name) != Path(settings.STATIC_ROOT)]  # no secret in it
        for path in (Path(folder), *(Path(folder) / file for file in files)):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                wide.append(str(path.relative_to(settings.DATA_DIR)))
    if wide:
        said = f"others can read {len(wide)} files or folders: {_some(wide)}"
        yield Finding(Level.BROKEN, "data folder", said, f"chmod -R go= {settings.DATA_DIR}")
    else:
        yield Finding(Level.OK, "data folder", f"{settings.DATA_DIR}, private")


def _static() -> Iterator[Finding]:
    if (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        yield Finding(Level.OK, "static files", "collected")
    else:
        yield Finding(Level.BROKEN, "static files", "not collected: pages have no style", "manage.py collectstatic")


def _addresses() -> Iterator[Finding]:
    local = {"127.0.0.1", "localhost", "[::1]"}
    if set(settings.ALLOWED_HOSTS) - local and not settings.HTTPS:
        said = "other machines are let in without TLS"
        yield Finding(Level.WARNING, "addresses", said, "put a TLS proxy in front and set HTTPS=1")
    else:
        yield Finding(Level.OK, "addresses", "behind TLS" if settings.HTTPS else "this machine only")


def _disk() -> Iterator[Finding]:
    troubles = list(health.folder_troubles())
    for trouble in troubles:
        yield Finding(Level.BROKEN, "disk", trouble, "free space or give the data folder a larger disk")
    if not troubles:
        yield Finding(Level.OK, "disk", "takes files, and has room")


def _database() -> Iterator[Finding]:
    wanted: dict[str, str]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('server_version'), current_setting('server_version_num')::int")
            version, number = cursor.fetchone() or ("", 0)
            is_old = number < OLDEST_POSTGRESQL
            wanted = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(wanted)])
            found = dict(cursor.fetchall())
        else:
            cursor.execute("SELECT sqlite_version()")
            (version,) = cursor.fetchone() or ("",)
            is_old = False
            wanted = {"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"}
            found = {}
            for name in wanted:
                cursor.execute(f"PRAGMA {name}")
                found[name] = str((cursor.fetchone() or ("",))[0])
    shown = f"{connection.vendor} {version}"
    if is_old:
        yield Finding(
            Level.BROKEN, "database", f"{shown} is too old", "PostgreSQL 14 is the oldest: upgrade the server"
        )
    other = [f"{name} is {found.get(name)}" for name, value in wanted.items() if found.get(name) != value]
    if other:
        said = f"{shown} may lose what it has answered as saved: {', '.join(other)}"
        yield Finding(
            Level.WARNING, "database", said, f"set {', '.join(f'{name} = {wanted[name]}' for name in wanted)}"
        )
    elif not is_old:
        yield Finding(Level.OK, "database", f"{shown}, durable")


def _broker() -> Iterator[Finding]:
    troubles = health.broker_troubles()
    for trouble in troubles:
        remedy = "start everything with `make run`, or see that the server of REDIS_URL runs"
        yield Finding(Level.BROKEN, "broker", trouble, remedy)
    if troubles:
        return
    with current_app.connection_for_read() as broker, broker.channel() as channel:
        client = getattr(channel, "client", None)
        is_kept = client is None or client.info("persistence").get("aof_enabled") == 1
    if is_kept:
        yield Finding(Level.OK, "broker", "answers, and keeps its messages")
    else:
        said = "loses its messages when it stops: work waits up to a minute longer then"
        yield Finding(Level.WARNING, "broker", said, "start it with --appendonly yes")


def _workers(now: datetime) -> Iterator[Finding]:
    troubles = health.worker_troubles(now=now)
    for trouble in troubles:
        yield Finding(Level.BROKEN, "workers", trouble, "start everything with `make run`, or that worker's container")
    wanted = settings.LABELERS[settings.LABELER]["model_id"]
    labelers = [found for found in worker_health(now=now) if LABEL_QUEUE in found.queues and found.state == "healthy"]
    other = sorted({found.model_id for found in labelers} - {wanted})
    if other:
        said = f"workers have loaded {', '.join(other)}, new runs ask for {wanted}"
        yield Finding(Level.WARNING, "labeler", said, "give web server and workers the same LABELER")
    elif labelers:
        yield Finding(Level.OK, "labeler", f"{wanted}, by {counted(len(labelers), 'worker')}")
    if not troubles:
        yield Finding(Level.OK, "workers", "one at least for each queue")


def _clock(now: datetime) -> Iterator[Finding]:
    moments = [found.seen_at for found in worker_health(now=now)]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (theirs,) = cursor.fetchone() or (now,)
            if abs((theirs - datetime.now(UTC)).total_seconds()) > CLOCK_SECONDS:
                moments.append(datetime.max.replace(tzinfo=UTC))
    if any((moment - now).total_seconds() > CLOCK_SECONDS for moment in moments):
        said = "this machine's is not that of the database server or of a worker: leases end too early or too late"
        yield Finding(Level.BROKEN, "clock", said, "let all machines keep time by NTP")
    else:
        yield Finding(Level.OK, "clock", f"{now:%Y-%m-%d %H:%M} UTC")


def _people(now: datetime) -> Iterator[Finding]:
    administrators = User.objects.filter(is_staff=True, is_active=True)
    n_bare = administrators.exclude(two_factor_of("pk")).count()
    if n_bare:
        remedy = "each sets one up on the page of their account; REQUIRE_TWO_FACTOR=1 makes everybody"
        yield Finding(Level.WARNING, "administrators", f"{n_bare} have no second factor", remedy)
    else:
        yield Finding(Level.OK, "administrators", f"none of {administrators.count()} without a second factor")
    n_open = Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=now).count()
    if n_open:
        said = f"{n_open} can be followed by whoever has the link"
        yield Finding(
            Level.WARNING, "invitations", said, "revoke on the project's page of members what nobody waits for"
        )
    else:
        yield Finding(Level.OK, "invitations", "none open")


def _heads(now: datetime) -> Iterator[Finding]:
    try:
        last = max((head.day for heads in read_heads().values() for head in heads), default="")
    except HeadFileError as error:
        yield Finding(
            Level.BROKEN, "audit heads", str(error), "look who has written to it; then manage.py verify_audit"
        )
        return
    if last >= (now - HEADS_AFTER).date().isoformat():
        yield Finding(Level.OK, "audit heads", f"written down on {last}")
    elif AuditEvent.objects.exists():
        said = f"last written down on {last}" if last else "never written down"
        yield Finding(Level.WARNING, "audit heads", said, "see that the sweeper runs and may write to AUDIT_HEADS_DIR")


def _backups(now: datetime) -> Iterator[Finding]:
    made = AuditEvent.objects.filter(chain__project="", verb="installation.backup").order_by("-number")
    at = made.values_list("at", flat=True).first()
    if at is None or now - at > BACKUP_AFTER:
        said = f"the last was made {(now - at).days} days ago" if at else "none was made yet"
        yield Finding(Level.WARNING, "backups", said, "manage.py backup FOLDER, every night (docs/operations.md)")
    else:
        yield Finding(Level.OK, "backups", f"the last was made on {at:%Y-%m-%d}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
