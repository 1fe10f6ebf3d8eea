from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from annotator.exchange import terminal
from annotator.exchange.services import ImportRefused, import_suggestions


class Command(BaseCommand):
    help = "Read spans onto the project's notes as suggestions of a model: all that the path holds, or none."

    def add_arguments(self, parser: CommandParser) -> None:
        terminal.add_source_arguments(parser)
        parser.add_argument("--labeler", required=True, metavar="NAME", help="the model or tool that made the spans")
        terminal.add_voice_arguments(parser)
        terminal.add_map_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = terminal.project_given(options["project"])
        try:
            with terminal.source_given(options["path"], options) as source:
                report = import_suggestions(
                    project=project,
                    source=source,
                    labeler=options["labeler"],
                    label_map=terminal.label_map_given(options["map"]),
                    voices=terminal.voices_given(options),
                    actor=None,
                    now=timezone.now(),
                    progress=terminal.progress_on(self.stdout),
                )
        except ImportRefused as refusal:
            raise terminal.refused(refusal) from refusal
        terminal.write_summary(self.stdout, report)
