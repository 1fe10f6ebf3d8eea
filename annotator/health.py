"""Whether the installation can do its work now: the answers of /healthz and /readyz."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotator.jobs.bell import LABEL_QUEUE, MAIN_QUEUE, ROUTE_QUEUE, TRAIN_QUEUE
from annotator.jobs.models import Job
from annotator.jobs.selectors import worker_health

LONGEST_WAIT = timedelta(hours=1)
LEAST_FREE_BYTES = 1024**3
# The broker answers at once or is not well: a probe has no more than seconds.
_BROKER = {"max_retries": 0, "socket_connect_timeout": 2, "socket_timeout": 2}


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Says that the web process answers; asks nothing of the database."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 where everything is there that the work needs, else 503 and a line for each thing that is missing."""
    missing = what_is_missing(now=timezone.now())
    lines = missing or ["ready"]
    return HttpResponse("\n".join([*lines, ""]), content_type="text/plain", status=503 if missing else 200)


def what_is_missing(*, now: datetime) -> list[str]:
    """What keeps the installation from working, in words without a name of anything. Six queries."""
    database = database_trouble()
    if database:
        return [database, *broker_troubles(), *folder_troubles()]
    unapplied = [f"{n} migrations are not applied"] if (n := n_unapplied_migrations()) else []
    if unapplied:
        return [*unapplied, *broker_troubles(), *folder_troubles()]
    return [*broker_troubles(), *worker_troubles(now=now), *_queue_troubles(now), *folder_troubles()]


def database_trouble() -> str:
    """Why the database cannot be worked with; "" where it answers and takes a write. Nothing is written.

    A database that is busy with another's long write is well, so SQLite is not waited for.
    """
    try:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_setting('transaction_read_only')")
                row = cursor.fetchone()
            return "the database is read-only" if row == ("on",) else ""
        return _sqlite_trouble()
    except DatabaseError as error:
        connection.close()
        return f"the database does not answer ({type(error).__name__})"


def _sqlite_trouble() -> str:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = name WHERE id = -1")
    except DatabaseError as error:
        if "locked" not in str(error):
            return f"the database takes no write ({type(error).__name__})"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {1000 * int(connection.settings_dict['OPTIONS']['timeout'])}")
    return ""


def n_unapplied_migrations() -> int:
    """How many migrations of this version the database has not had. One query."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def broker_troubles() -> list[str]:
    """Why no bell can be rung, if so. The first thing that a new channel does is PING."""
    try:
        with current_app.connection_for_write(transport_options=_BROKER) as broker, broker.channel():
            return []
    except Exception as error:  # whatever its client raises
        return [f"the broker does not answer ({type(error).__name__})"]


def worker_troubles(*, now: datetime) -> list[str]:
    """The queues that nobody serves; that of trainings where one waits. Two queries."""
    served = {
        queue for worker in worker_health(now=now) if worker.state == "healthy" for queue in worker.queues.split(",")
    }
    wanted = [MAIN_QUEUE, LABEL_QUEUE, ROUTE_QUEUE]
    if Job.objects.filter(kind=Job.Kind.TRAINING, status=Job.Status.QUEUED).exists():
        wanted.append(TRAIN_QUEUE)
    return [f"no worker serves the queue {queue}" for queue in wanted if queue not in served]


def _queue_troubles(now: datetime) -> Iterator[str]:
    """A training may well wait for hours for the one before it."""
    waiting = Job.objects.filter(status=Job.Status.QUEUED).exclude(kind=Job.Kind.TRAINING)
    since = waiting.aggregate(since=Min("created_at"))["since"]
    if since is not None and now - since > LONGEST_WAIT:
        yield f"a job has waited for {int((now - since).total_seconds() // 60)} minutes"


def folder_troubles() -> Iterator[str]:
    """What is wrong with the data folder, if anything."""
    try:
        with tempfile.TemporaryFile(dir=settings.DATA_DIR):
            free = shutil.disk_usage(settings.DATA_DIR).free
    except OSError as error:
        yield f"the data folder takes no file ({error.strerror})"
    else:
        if free < LEAST_FREE_BYTES:
            yield f"the data folder's disk has {free // 1024**2} MB left, {LEAST_FREE_BYTES // 1024**2} are wanted"
