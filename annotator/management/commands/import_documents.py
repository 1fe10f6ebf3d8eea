from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.annotations.models import AnnotationSet
from annotator.exchange import terminal
from annotator.exchange.services import ImportRefused, import_documents
from annotator.exchange.targets import SpanTarget
from annotator.review.queue import fill_slots


class Command(BaseCommand):
    help = "Bring notes into a project, with --spans what was said of them too: all that the path holds, or none."

    def add_arguments(self, parser: CommandParser) -> None:
        terminal.add_source_arguments(parser, has_tables=True)
        terminal.add_table_arguments(parser)
        parser.add_argument("--no-prelabel", action="store_true", help="do not have a model read the new notes now")
        parser.add_argument("--look", action="store_true", help="tell what is there and what would be lost, and stop")
        spans = parser.add_argument_group("spans", "Without --spans they are left out.")
        spans.add_argument("--spans", action="store_true", help="bring spans in, as the following say")
        spans.add_argument("--annotator", default="", metavar="USER", help="whose they are where the files do not tell")
        spans.add_argument("--labeler", default="", metavar="LABELER", help="or: which labeler's suggestions they are")
        terminal.add_voice_arguments(parser)
        terminal.add_map_argument(parser)
        spans.add_argument(
            "--new-label", nargs="+", action="extend", default=[], metavar="LABEL", help="add it to the schema"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = terminal.project_given(options["project"])
        target = _target(options)
        with terminal.source_given(options["path"], options) as source:
            terminal.write_layout(self.stdout, source)
            if options["look"]:
                terminal.write_look(self.stdout, source)
                return
            try:
                report = import_documents(
                    project=project,
                    source=source,
                    actor=None,
                    now=timezone.now(),
                    target=target,
                    is_prelabelled=not options["no_prelabel"],
                    progress=terminal.progress_on(self.stdout),
                )
            except ImportRefused as refusal:
                raise terminal.refused(refusal) from refusal
        if target is not None:
            fill_slots(sets=AnnotationSet.objects.filter(document__project=project))
        terminal.write_summary(self.stdout, report)


def _target(options: dict[str, Any]) -> SpanTarget | None:
    said = ("annotator", "labeler", "person", "suggestions", "map", "new_label")
    if not options["spans"]:
        if any(options[name] for name in said):
            raise CommandError("what becomes of spans goes with --spans")
        return None
    if options["annotator"] and options["labeler"]:
        raise CommandError("--annotator or --labeler, not both")
    return SpanTarget(
        annotator=options["annotator"],
        labeler=options["labeler"],
        label_map=terminal.label_map_given(options["map"]),
        voices=terminal.voices_given(options),
        new_labels=tuple(options["new_label"]),
    )
