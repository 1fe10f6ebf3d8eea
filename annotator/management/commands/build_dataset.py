from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.selectors import user_named
from annotator.builds.formats import FORMATS
from annotator.builds.options import PARTS, BuildOptions, OptionError
from annotator.builds.services import record_export, write_dataset
from annotator.builds.writing import BuildRefused
from annotator.projects.models import Project
from annotator.projects.selectors import project_named


class Command(BaseCommand):
    help = "Write a project's submitted notes as a dataset, split by patient, with a manifest and a card."

    def add_arguments(self, parser: CommandParser) -> None:
        defaults = BuildOptions()
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--format", default="jsonl", help=f"comma-separated: {', '.join(FORMATS)} (default: jsonl)")
        parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
        parser.add_argument("--name", help="of the dataset (default: the project's)")
        parser.add_argument("--seed", type=int, default=defaults.seed, help="of the split (default: %(default)s)")
        parser.add_argument(
            "--shares",
            default="/".join(str(share) for share in defaults.shares),
            help="per cent of the patients for train/dev/test (default: %(default)s)",
        )
        parser.add_argument(
            "--window", type=int, default=defaults.window, help="characters of a chat row (default: %(default)s)"
        )
        parser.add_argument(
            "--annotator", metavar="USERNAME", help="take this person's annotations where several people read a note"
        )
        parser.add_argument(
            "--human-only", action="store_true", help="leave notes out in which certificates have accepted spans"
        )
        parser.add_argument(
            "--comments", action="store_true", help="what readers wrote about notes too, in jsonl and brat"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        try:
            manifest = write_dataset(
                project=project,
                name=options["name"] or project.name,
                formats=[name.strip() for name in options["format"].split(",") if name.strip()],
                options=_build_options(options),
                out=options["out"],
            )
        except (BuildRefused, OptionError) as error:
            raise CommandError(str(error)) from error
        record_export(project=project, manifest=manifest, now=timezone.now())
        self._report(project, manifest, options["out"])

    def _report(self, project: Project, manifest: dict[str, Any], out: Path) -> None:
        parts = ", ".join(f"{part} {manifest['parts'][part]['n_notes']}" for part in PARTS)
        self.stdout.write(f"{manifest['n_notes']} notes of {project.slug}, {manifest['n_spans']} spans ({parts})")
        for reason, count in manifest["left_out"].items():
            if count:
                self.stdout.write(f"left out: {count} {reason}")
        for name, loss in manifest["losses"].items():
            for reason, count in loss["counts"].items():
                self.stdout.write(f"{name}: without {count} {reason}")
        self.stdout.write(f"{out}: {', '.join(file['name'] for file in manifest['files'])}, manifest.json")
        self.stdout.write(f"data sha256 {manifest['data_sha256']}")


def _build_options(options: dict[str, Any]) -> BuildOptions:
    try:
        train, dev, test = (int(share) for share in options["shares"].split("/"))
    except ValueError as error:
        raise CommandError(f"--shares {options['shares']}: three whole numbers like 80/10/10 are wanted") from error
    annotator = ""
    if options["annotator"]:
        user = user_named(options["annotator"])
        if user is None:
            raise CommandError(f"there is no user {options['annotator']!r}")
        annotator = user.public_id
    return BuildOptions(
        seed=options["seed"],
        shares=(train, dev, test),
        window=options["window"],
        annotator=annotator,
        has_comments=options["comments"],
        is_human_only=options["human_only"],
    )
