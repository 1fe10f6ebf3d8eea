from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from annotator.annotations.models import AnnotationSet
from annotator.exchange import terminal
from annotator.exchange.services import ImportRefused, import_annotations
from annotator.review.queue import fill_slots


class Command(BaseCommand):
    help = "Read spans onto the project's notes as annotations of a person: all that the path holds, or none."

    def add_arguments(self, parser: CommandParser) -> None:
        terminal.add_source_arguments(parser)
        parser.add_argument("--annotator", required=True, metavar="NAME", help="user name; made if it is new")
        terminal.add_voice_arguments(parser)
        terminal.add_map_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        project = terminal.project_given(options["project"])
        try:
            with terminal.source_given(options["path"], options) as source:
                report = import_annotations(
                    project=project,
                    source=source,
                    annotator=options["annotator"],
                    label_map=terminal.label_map_given(options["map"]),
                    voices=terminal.voices_given(options),
                    actor=None,
                    now=timezone.now(),
                    progress=terminal.progress_on(self.stdout),
                )
        except ImportRefused as refusal:
            raise terminal.refused(refusal) from refusal
        fill_slots(sets=AnnotationSet.objects.filter(document__project=project))
        terminal.write_summary(self.stdout, report)
