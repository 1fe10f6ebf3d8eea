from __future__ import annotations

from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotator.annotations.models import APART, AnnotationSet
from annotator.documents.models import Document
from annotator.exchange.terminal import project_given
from annotator.readings.comparing import compare_notes

_PAGE = 1000


class Command(BaseCommand):
    help = (
        "Compare the readings of a project's notes anew. They are compared whenever they change: this is for notes "
        "that were read before that was so. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")

    def handle(self, *args: Any, **options: Any) -> None:
        submitted = AnnotationSet.objects.filter(status=AnnotationSet.Status.SUBMITTED)
        submitted = submitted.exclude(kind__in=APART)
        documents = Document.objects.filter(
            project=project_given(options["project"]), pk__in=submitted.values("document")
        )
        left = documents.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=2000)
        n_notes = 0
        while page := list(islice(left, _PAGE)):
            compare_notes(document_ids=page)
            n_notes += len(page)
        self.stdout.write(f"{n_notes:,} notes compared")
