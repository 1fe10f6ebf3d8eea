from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.projects.selectors import project_named
from annotator.purges.services import purge_project


class Command(BaseCommand):
    help = "Delete a project with everything in it. What stays is its audit chain, which holds ids and counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--yes", metavar="SLUG", required=True, help="the short name again: nothing brings it back")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        if options["yes"] != project.slug:
            raise CommandError("--yes must give the short name once more")
        n_notes = project.documents.count()
        tombstone = purge_project(project=project, actor=None, now=timezone.now())
        self.stdout.write(
            f"nobody can open {options['project']} any more; a worker deletes its {n_notes} notes and all else "
            f"(purge {tombstone.public_id}, chain {tombstone.project})"
        )
