from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotator.core.agreement import measure_agreement
from annotator.core.intervals import N_RESAMPLES
from annotator.exchange.terminal import project_given
from annotator.projects.selectors import current_schema
from annotator.quality.agreement import read_notes
from annotator.quality.reports import agreement_json, agreement_lines


class Command(BaseCommand):
    help = (
        "Tell how far annotators, labelers and gold agree on submitted notes. What each figure is: docs/agreement.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--json", action="store_true", help="all figures, each note's too")
        parser.add_argument("--label", action="append", metavar="LABEL", help="this label only; repeatable")
        parser.add_argument("--seed", type=int, default=0, help="of the intervals (default: %(default)s)")
        parser.add_argument(
            "--resamples", type=int, default=N_RESAMPLES, help="for each interval, 0 for none (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_given(options["project"])
        known = current_schema(project).schema.label_names
        labels = list(dict.fromkeys(options["label"] or known))
        for label in labels:
            if label not in known:
                raise CommandError(f"there is no label {label!r}: {', '.join(known)}")
        if options["resamples"] < 0:
            raise CommandError("--resamples is 0 or more")
        agreement = measure_agreement(
            read_notes(project), labels, seed=options["seed"], n_resamples=options["resamples"]
        )
        if options["json"]:
            self.stdout.write(json.dumps(agreement_json(agreement), indent=2))
        else:
            self.stdout.write("\n".join(agreement_lines(agreement)))
