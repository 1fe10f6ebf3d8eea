from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from annotator import copying, databases, runtime
from annotator.audit.services import record_event
from annotator.jobs.selectors import worker_health
from annotator.supervisor import FolderInUse, only_supervisor

TARGET = "TARGET_DATABASE_URL"


class Command(BaseCommand):
    help = "Copy this installation's SQLite database into an empty PostgreSQL database, and check the copy."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url",
            nargs="?",
            help=f"postgresql://USER:PASSWORD@HOST:PORT/NAME; better in {TARGET} or {TARGET}_FILE, since who lists "
            "processes reads arguments",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        url = options["url"] or runtime.secret(TARGET)
        if url is None:
            raise CommandError(
                f"where to? Give the address, or put it into {TARGET} or a file that {TARGET}_FILE names"
            )
        if connection.vendor != "sqlite":
            raise CommandError("this installation runs on PostgreSQL already: unset DATABASE_URL to move from SQLite")
        try:
            target = databases.postgresql(url)
            with only_supervisor(settings.DATA_DIR):
                self._move(target)
        except (ValueError, copying.DatabaseUnfit, FolderInUse) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"the target cannot be worked with ({type(error).__name__}): is its address right?"
            ) from None
        self.stdout.write(
            "Everything was copied, and the audit chains hold. Now set DATABASE_URL (or DATABASE_URL_FILE) to that "
            f"address and start again with the same data folder, {settings.DATA_DIR}: datasets, uploads and the key "
            "stay there. Once all is well, remove db.sqlite3 from it: it holds the notes as they were."
        )

    def _move(self, database: dict[str, Any]) -> None:
        if any(worker.state == "healthy" for worker in worker_health(now=timezone.now())):
            raise copying.DatabaseUnfit("workers run on this installation: stop everything first")
        with copying.opened("source", connection.settings_dict) as source, copying.opened("target", database) as target:
            copying.refuse_unmigrated(source)
            copying.migrate(target)
            if not copying.is_empty(target):
                raise copying.DatabaseUnfit("the target is not empty: make a new database for it")
            copying.copy_rows(source=source, target=target, is_checked=True, say=self._tell)
            with copying.as_default(target):
                record_event(
                    project="", actor=None, verb="installation.move", object_id="installation", now=timezone.now()
                )

    def _tell(self, table: str, n_rows: int) -> None:
        if n_rows:
            self.stdout.write(f"  {table:<40} {n_rows:>10}")
