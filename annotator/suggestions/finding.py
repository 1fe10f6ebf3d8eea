"""Looking for identifiers: the label that they have, and the run of the labeler that looks for nothing else."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.core.identifiers import has_identifiers, with_identifiers
from annotator.core.schema import SchemaError
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.projects.services import add_schema_version, lock_projects
from annotator.suggestions.labelers import identifier_labeler
from annotator.suggestions.models import LabelRun
from annotator.suggestions.services import RunRefused, start_run, unread_documents


@transaction.atomic
def look_for_identifiers(*, project: Project, actor: User | None, now: datetime) -> LabelRun:
    """A run of the labeler of identifiers over the notes that it has not read, and before it, where the schema lacks
    the label, a version that has it. Labelers of findings keep theirs: see `projects.selectors.schema_for`.

    Raises RunRefused, and then nothing is changed.
    """
    lock_projects(project)
    newest = current_schema(project)
    if not has_identifiers(newest.schema):
        try:
            schema = with_identifiers(newest.schema)
        except SchemaError as error:
            raise RunRefused(f"the schema has no room for the label of identifiers: {error}") from error
        add_schema_version(project=project, schema=schema, actor=actor, now=now)
    labeler = identifier_labeler(project=project, now=now)
    documents = unread_documents(project=project, labeler=labeler)
    return start_run(project=project, labeler=labeler, documents=documents, actor=actor, now=now)
