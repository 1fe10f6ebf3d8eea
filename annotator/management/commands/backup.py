from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator import backups, copying
from annotator.audit.services import record_event


class Command(BaseCommand):
    help = "Write a backup into a folder, while everything runs. It holds notes and the key: encrypt it, keep it apart."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="where backups lie; each gets a folder of its own in it")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        record_event(project="", actor=None, verb="installation.backup", object_id="installation", now=now)
        try:
            made = backups.write_backup(folder=options["folder"], now=now)
        except copying.DatabaseUnfit as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"cannot write to {options['folder']}: {error.strerror}") from error
        manifest = backups.read_manifest(made)
        n_bytes = sum(file["n_bytes"] for file in manifest["files"])
        n_rows = sum(manifest["counts"].values())
        self.stdout.write(f"{made}: {n_rows} rows, {len(manifest['files'])} files, {n_bytes / 1024**2:.1f} MB")
        self.stdout.write("try it with: manage.py restore --verify " + str(made))
