"""The labeler that new runs use, as the installation is set up."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from annotator.core import prompting
from annotator.core.chunks import OVERLAP, WINDOW
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.suggestions.models import Labeler
from annotator.suggestions.services import LabelerSpec, labeler_for, unread_documents


def default_spec() -> LabelerSpec:
    """What `settings.LABELER` names."""
    chosen = settings.LABELERS[settings.LABELER]
    return LabelerSpec(
        name=chosen["name"],
        backend=settings.LABELER,
        model_id=chosen["model_id"],
        revision=chosen["revision"],
        prompt_digest=prompting.template_digest(),
        decoding={"window": WINDOW, "overlap": OVERLAP, "config": chosen.get("config", {})},
    )


def default_labeler(*, project: Project, now: datetime) -> Labeler:
    """The Labeler of `settings.LABELER` with the project's newest schema, made if it is new. Two queries."""
    return labeler_for(project=project, schema_version=current_schema(project), spec=default_spec(), now=now)


def new_documents(*, project: Project) -> QuerySet[Document]:
    """The notes that the default labeler has not read, nor is going to. Makes no Labeler. Two queries, and
    one for what is returned."""
    labeler = Labeler.objects.filter(
        project=project, schema_version=current_schema(project), digest=default_spec().digest
    ).first()
    return unread_documents(project=project, labeler=labeler) if labeler else project.documents.all()
