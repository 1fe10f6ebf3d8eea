from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.selectors import user_named
from annotator.builds.criteria import STATES, STREAMS, FilterError, Filters
from annotator.builds.formats import FORMATS
from annotator.builds.options import KEEP, OWN, PARTS, REPLACE, SHARED, BuildOptions, OptionError
from annotator.builds.selectors import default_options, locked_test_set
from annotator.builds.services import record_export, write_dataset
from annotator.builds.writing import BuildRefused
from annotator.core.prompting import TEMPLATES
from annotator.documents.selectors import type_key
from annotator.projects.models import Project
from annotator.projects.selectors import project_named
from annotator.quality.evidence import evidence_of


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
            help="per cent of the patients for train/dev/test (default: 80/10/10; 90/10/0 while a test set is locked, "
            "whose patients are in test anyway)",
        )
        parser.add_argument("--no-stratify", action="store_true", help="do not spread labels evenly over the parts")
        parser.add_argument(
            "--keep-twins", action="store_true", help="keep patients whose notes say nearly the same in one part"
        )
        parser.add_argument("--licence", default="", help="what the notes' owner allows, for the card")
        parser.add_argument(
            "--deidentify",
            action="store_true",
            help="replace identifiers by surrogates, and write a report of the risk",
        )
        parser.add_argument(
            "--same-surrogates",
            action="store_true",
            help="with --deidentify: the same as in the project's other datasets, so that they can be joined",
        )
        for name, known in (("state", STATES), ("stream", STREAMS)):
            parser.add_argument(
                f"--{name}", action="append", default=[], choices=list(known), help="only such notes (may be repeated)"
            )
        parser.add_argument("--type", action="append", default=[], help="only notes of this type (may be repeated)")
        parser.add_argument("--label", action="append", default=[], help="only spans of this label (may be repeated)")
        for name, when in (("since", "on that day or later"), ("until", "on that day or before")):
            parser.add_argument(
                f"--{name}", type=date.fromisoformat, metavar="YYYY-MM-DD", help=f"only notes finished {when}"
            )
        parser.add_argument(
            "--min-agreement", type=int, default=0, metavar="PER_CENT", help="strict F1 of a note's readers"
        )
        parser.add_argument(
            "--window", type=int, help="characters of a chat row (default: as many as the project's labeler reads)"
        )
        parser.add_argument(
            "--template",
            choices=TEMPLATES,
            help="in which words chat rows ask (default: the project's labeler's own)",
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
                options=_build_options(project, options),
                out=options["out"],
                evidence=evidence_of(project, timezone.now()),
            )
        except (BuildRefused, OptionError, FilterError) as error:
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


def _build_options(project: Project, options: dict[str, Any]) -> BuildOptions:
    defaults = default_options(project, locked_test_set(project))
    given = options["shares"] or "/".join(str(share) for share in defaults.shares)
    try:
        train, dev, test = (int(share) for share in given.split("/"))
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
        window=defaults.window if options["window"] is None else options["window"],
        template=options["template"] or defaults.template,
        annotator=annotator,
        has_comments=options["comments"],
        is_human_only=options["human_only"],
        is_stratified=not options["no_stratify"],
        keeps_twins=options["keep_twins"],
        licence=" ".join(options["licence"].split()),
        identifiers=REPLACE if options["deidentify"] else KEEP,
        surrogates=SHARED if options["same_surrogates"] else OWN,
        filters=Filters(
            states=tuple(options["state"]),
            streams=tuple(options["stream"]),
            note_types=tuple(type_key(name) for name in options["type"]),
            labels=tuple(options["label"]),
            since=options["since"],
            until=options["until"],
            min_agreement=options["min_agreement"],
        ).normal(),
    )
