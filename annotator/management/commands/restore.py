from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.utils import timezone

from annotator import backups, copying
from annotator.audit.services import record_event
from annotator.jobs.selectors import worker_health
from annotator.supervisor import FolderInUse, only_supervisor


class Command(BaseCommand):
    help = "Bring a backup back into an empty installation; with --verify, only try whether it could be brought back."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, help="the folder that `backup` has made")
        parser.add_argument("--verify", action="store_true", help="restore into a scratch database, check it, go")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["verify"]:
                self._verify(options["backup"])
            else:
                with only_supervisor(settings.DATA_DIR):
                    self._restore(options["backup"], timezone.now())
        except (backups.BackupBroken, copying.DatabaseUnfit, FolderInUse) as error:
            raise CommandError(str(error)) from error

    def _verify(self, backup: Path) -> None:
        manifest = backups.read_manifest(backup)
        with backups.scratch_copy(backup, manifest) as alias:
            _refuse_troubles(alias)
        self._say_what(manifest)
        self.stdout.write("the backup holds: files, counts, audit chains, notes and spans")

    def _restore(self, backup: Path, now: datetime) -> None:
        manifest = backups.read_manifest(backup)
        _refuse_used(now)
        with backups.scratch_copy(backup, manifest) as alias:
            _refuse_troubles(alias)
            by_hand = backups.restore_files(backup)  # before the rows: an installation with rows is not restored into
            if connection.vendor == "postgresql":
                _fill(alias)
            else:
                _put_in_place(alias)
        Session.objects.all().delete()
        record_event(project="", actor=None, verb="installation.restore", object_id="installation", now=now)
        self._say_what(manifest)
        self.stdout.write(f"restored into {settings.DATA_DIR}; everybody signs in again, as of {manifest['made_at']}")
        if by_hand:
            self.stdout.write(by_hand)

    def _say_what(self, manifest: dict[str, Any]) -> None:
        counts = manifest["counts"]
        told = ", ".join(f"{counts[f'annotator_{name}']} {name}s" for name in ("document", "suggestion", "annotation"))
        self.stdout.write(f"made {manifest['made_at']}: {told}, {len(manifest['chains'])} audit chains")


def _refuse_troubles(alias: str) -> None:
    found = copying.troubles(alias)
    if found:
        raise backups.BackupBroken("; ".join(found))


def _refuse_used(now: datetime) -> None:
    """Raises DatabaseUnfit unless the installation is empty and nothing works on it."""
    if not copying.is_empty(DEFAULT_DB_ALIAS):
        raise copying.DatabaseUnfit(
            "this installation is not empty: restore into a new data folder (MARGINALIA_DATA) or a new database"
        )
    try:
        running = [worker.name for worker in worker_health(now=now) if worker.state == "healthy"]
    except DatabaseError:  # no table yet
        running = []
        connection.close()
    if running:
        raise copying.DatabaseUnfit(f"{len(running)} workers run on this installation: stop everything first")


def _fill(alias: str) -> None:
    copying.migrate(DEFAULT_DB_ALIAS)
    with copying.opened("target", connection.settings_dict) as target:
        copying.copy_rows(source=alias, target=target, is_checked=False)


def _put_in_place(alias: str) -> None:
    """The scratch database becomes the installation's."""
    connection.close()
    connections[alias].close()  # the last one that closes writes what stands beside the file into it
    place = Path(connection.settings_dict["NAME"])
    for beside in ("-wal", "-shm"):
        place.with_name(place.name + beside).unlink(missing_ok=True)
    os.replace(connections[alias].settings_dict["NAME"], place)
