from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from annotator.exchange import terminal
from annotator.exchange.services import ImportRefused, import_documents


class Command(BaseCommand):
    help = "Bring notes into a project: all that the path holds, or none. Spans are left out (import_annotations)."

    def add_arguments(self, parser: CommandParser) -> None:
        terminal.add_source_arguments(parser, has_tables=True)
        terminal.add_table_arguments(parser)
        parser.add_argument("--no-prelabel", action="store_true", help="do not have a model read the new notes now")

    def handle(self, *args: Any, **options: Any) -> None:
        project = terminal.project_given(options["project"])
        source = terminal.source_given(options["path"], options)
        terminal.write_layout(self.stdout, source)
        try:
            report = import_documents(
                project=project,
                source=source,
                actor=None,
                now=timezone.now(),
                is_prelabelled=not options["no_prelabel"],
                progress=terminal.progress_on(self.stdout),
            )
        except ImportRefused as refusal:
            raise terminal.refused(refusal) from refusal
        terminal.write_summary(self.stdout, report)
