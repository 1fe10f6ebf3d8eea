from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.builds.models import DatasetBuild
from annotator.builds.services import verify_build
from annotator.builds.verifying import ManifestError, Verified, verify_folder
from annotator.builds.writing import BuildRefused


class Command(BaseCommand):
    help = "Read all files of a dataset again and compare them with its manifest: missing, altered, extra."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("build", help="the dataset's id, or with --folder a folder that build_dataset wrote")
        parser.add_argument("--folder", action="store_true", help="BUILD is a folder")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = self._verified(options["build"], is_folder=options["folder"])
        except (BuildRefused, ManifestError) as error:
            raise CommandError(str(error)) from error
        wrong = (("missing", found.missing), ("altered", found.altered), ("extra", found.extra))
        for what, names in wrong:
            for name in names:
                self.stdout.write(f"{what}: {name}")
        self.stdout.write(f"{found.n_right} files are as they were written")
        if not found.is_right:
            raise CommandError("this is not the dataset that was built")

    def _verified(self, given: str, *, is_folder: bool) -> Verified:
        if is_folder:
            return verify_folder(Path(given))
        build = DatasetBuild.objects.select_related("project").filter(public_id=given).first()
        if build is None:
            raise CommandError(f"there is no dataset {given!r}")
        return verify_build(build=build, actor=None, now=timezone.now())
