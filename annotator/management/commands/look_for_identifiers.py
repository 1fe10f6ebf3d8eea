from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.exchange.terminal import project_given
from annotator.suggestions.finding import look_for_identifiers
from annotator.suggestions.services import RunRefused


class Command(BaseCommand):
    help = "Look for identifiers in the notes that were not looked through yet: docs/deidentification.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_given(options["project"])
        try:
            run = look_for_identifiers(project=project, actor=None, now=timezone.now())
        except RunRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"run {run.number}: {run.jobs.count():,} notes are looked through")
