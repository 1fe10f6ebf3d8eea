from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count
from django.utils import timezone

from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.core.schema import Schema
from annotator.management.schema_file import read_schema
from annotator.projects.models import Project
from annotator.projects.selectors import project_named
from annotator.projects.services import add_schema_version


class Command(BaseCommand):
    help = "Give a project a new version of its schema. What is in use must stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("schema", type=Path, help="JSON file")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        schema = read_schema(options["schema"])
        if lost := list(_lost(project, schema)):
            raise CommandError(f"the schema lacks what is in use: {', '.join(lost)}")
        version = add_schema_version(project=project, schema=schema, actor=None, now=timezone.now())
        self.stdout.write(f"{project.slug} has schema version {version.number}: {', '.join(schema.label_names)}")


def _lost(project: Project, schema: Schema) -> Iterator[str]:
    """What of the project's annotations the schema has no word for, with how often it is there. Three queries."""
    known_values = {(asked.name, value) for asked in schema.document_labels for value in asked.values}
    for model, columns, known, what in (
        (Annotation, ("label",), {(name,) for name in schema.label_names}, "spans"),
        (Relation, ("type",), {(relation.name,) for relation in schema.relations}, "relations"),
        (DocumentValue, ("name", "value"), known_values, "notes"),
    ):
        live = model.objects.filter(set__document__project=project, status=Annotation.Status.LIVE)
        for *said, n in live.values_list(*columns).annotate(n=Count("pk")).order_by(*columns):
            if tuple(said) not in known:
                yield f"{': '.join(said)} ({n} {what})"
