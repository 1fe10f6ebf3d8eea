from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotator.core.intervals import N_RESAMPLES
from annotator.exchange.terminal import project_given
from annotator.projects.selectors import current_schema
from annotator.quality import blind_pages as pages
from annotator.quality.effort import effort_of
from annotator.quality.recall import recall_of


class Command(BaseCommand):
    help = "Tell what labelers miss and what they save, by the notes that were read blind: docs/streams.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--json", action="store_true", help="all figures")
        parser.add_argument(
            "--resamples", type=int, default=N_RESAMPLES, help="for each interval (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_given(options["project"])
        recall = recall_of(project, n_resamples=options["resamples"])
        effort = effort_of(project, n_resamples=options["resamples"])
        if options["json"]:
            self.stdout.write(json.dumps({"recall": recall.to_json(), "effort": effort.to_json()}, indent=2))
            return
        self.stdout.write(pages.recall_words(recall))
        if not recall.caveat:
            for row in pages.recall_rows(recall, current_schema(project).schema):
                self.stdout.write(f"  {row.name}: {row.strict} ({row.strict_interval}) of {row.n_gold:,} spans")
        self.stdout.write(pages.effort_words(effort))
        for line in pages.effort_rows(effort):
            self.stdout.write(
                f"  {line.name}: {line.assisted} ({line.assisted_interval}) with suggestions, "
                f"{line.control} ({line.control_interval}) without"
            )
        for words in pages.effort_notes(effort):
            self.stdout.write(words)
