from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.utils import timezone

from annotator.annotations.models import Annotation
from annotator.management.schema_file import read_schema
from annotator.projects.selectors import project_named
from annotator.projects.services import add_schema_version


class Command(BaseCommand):
    help = "Give a project a new version of its schema. Labels that are in use must stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("schema", type=Path, help="JSON file")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        schema = read_schema(options["schema"])
        live = Annotation.objects.filter(set__document__project=project, status=Annotation.Status.LIVE)
        in_use = (
            live.exclude(label__in=schema.label_names).values_list("label").annotate(n=Count("pk")).order_by("label")
        )
        if in_use:
            lost = ", ".join(f"{label} ({n} spans)" for label, n in in_use)
            raise CommandError(f"the schema lacks labels that are in use: {lost}")
        version = add_schema_version(project=project, schema=schema, actor=None, now=timezone.now())
        self.stdout.write(f"{project.slug} has schema version {version.number}: {', '.join(schema.label_names)}")
