from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.selectors import user_named
from annotator.management.schema_file import read_schema
from annotator.projects.services import ProjectError, create_project

DEMO_SCHEMA = Path(__file__).resolve().parents[2] / "demo" / "schema.json"


class Command(BaseCommand):
    help = "Make a project. Its notes come in with import_documents, its people with add_member."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--schema", type=Path, default=DEMO_SCHEMA, help="JSON file (default: the demo's schema)")
        parser.add_argument("--lead", metavar="USERNAME", help="who leads the project")

    def handle(self, *args: Any, **options: Any) -> None:
        lead = user_named(options["lead"]) if options["lead"] else None
        if options["lead"] and lead is None:
            raise CommandError(f"there is no user {options['lead']!r}")
        schema = read_schema(options["schema"])
        try:
            project = create_project(name=options["name"], schema=schema, lead=lead, now=timezone.now())
        except ProjectError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"project {project.slug} made, labels: {', '.join(schema.label_names)}")
        if lead is None:
            self.stdout.write(f"nobody belongs to it yet: manage.py add_member {project.slug} USERNAME lead")
