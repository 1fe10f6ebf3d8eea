"""The demo project of a fresh installation: our own synthetic notes, being pre-labelled."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from django.db import transaction

from annotator.accounts.models import User
from annotator.core.schema import Schema, schema_from_json
from annotator.core.text import normal_text
from annotator.documents.services import NewDocument, add_documents
from annotator.projects.models import Project
from annotator.projects.services import create_project
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import LabelRun
from annotator.suggestions.services import start_run, unread_documents

FOLDER = Path(__file__).parent
NOTES = FOLDER / "notes"


def demo_schema() -> Schema:
    """The schema that new projects start from."""
    return schema_from_json(json.loads((FOLDER / "schema.json").read_text()))


def demo_documents() -> list[NewDocument]:
    """The demo notes, in the order of their index."""
    rows = [json.loads(line) for line in (NOTES / "index.jsonl").read_text().splitlines()]
    return [
        NewDocument(
            external_id=row["id"],
            text=normal_text((NOTES / row["file"]).read_bytes().decode()).text,
            patient_id=row["patient_id"],
            note_type=row["note_type"],
            metadata={"title": row["title"]},
        )
        for row in rows
    ]


@transaction.atomic
def ensure_demo(*, now: datetime) -> LabelRun | None:
    """Make the demo project, led by the first user, and start its pre-labelling; None where there is a project."""
    if Project.objects.exists():
        return None
    project = create_project(name="Demo notes", schema=demo_schema(), lead=User.objects.order_by("pk").first(), now=now)
    add_documents(project=project, documents=demo_documents(), now=now)
    labeler = default_labeler(project=project, now=now)
    return start_run(
        project=project,
        labeler=labeler,
        documents=unread_documents(project=project, labeler=labeler),
        actor=None,
        now=now,
    )
