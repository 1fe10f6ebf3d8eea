"""The labeler that new runs use, as the installation is set up, and others of its model."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core import prompting
from annotator.core.identifiers import FINDER
from annotator.core.scoring import SCORE_VERSION, SIGNALS_VERSION
from annotator.documents.models import Document
from annotator.projects.models import Guideline, Project
from annotator.projects.selectors import schema_for
from annotator.projects.services import lock_projects
from annotator.suggestions.models import ExamplePool, Labeler
from annotator.suggestions.prompts import PoolIncomplete, refuse_incomplete
from annotator.suggestions.services import LabelerSpec, labeler_for, unread_documents

# How an answer can be held to the format; `llm_labeler.backends.Constraint` does it.
CONSTRAINTS = {
    "copy": "Format, and quotes from the note only",
    "json": "Format only",
    "none": "Free",
}

# What of an entry of `settings.LABELERS` decides how its model is asked.
_DECODING = (
    "window", "overlap", "template", "constraint", "n_passes", "temperature", "seed", "max_tokens", "is_rechecked",
    "second", "config",
)  # fmt: skip


class LabelerRefused(Exception):
    """A labeler that cannot be made as asked; the message says why."""


def default_spec() -> LabelerSpec:
    """What `settings.LABELER` names."""
    return spec_named(settings.LABELER)


def spec_named(name: str) -> LabelerSpec:
    """What the installation has under that name: a key of `settings.LABELERS`."""
    chosen = settings.LABELERS[name]
    return LabelerSpec(
        name=chosen["name"],
        backend=name,
        model_id=chosen["model_id"],
        revision=chosen["revision"],
        prompt_digest=prompting.template_digest(chosen["template"]),
        decoding={name: chosen[name] for name in _DECODING if name in chosen}
        | {"signals": SIGNALS_VERSION, "score": SCORE_VERSION},
    )


def default_labeler(*, project: Project, now: datetime) -> Labeler:
    """The Labeler of `settings.LABELER` with the schema that counts for it, made if it is new. Two queries."""
    spec = default_spec()
    version = schema_for(project, backend=spec.backend)
    return labeler_for(project=project, schema_version=version, spec=spec, now=now)


def identifier_labeler(*, project: Project, now: datetime) -> Labeler:
    """The Labeler that looks for identifiers, with the schema that counts for it, made if it is new. Two queries."""
    version = schema_for(project, backend=FINDER)
    return labeler_for(project=project, schema_version=version, spec=spec_named(FINDER), now=now)


@transaction.atomic
def make_labeler(
    *,
    project: Project,
    template: str,
    guideline: Guideline | None,
    pool: ExamplePool | None,
    n_examples: int,
    constraint: str,
    n_passes: int,
    actor: User,
    now: datetime,
) -> Labeler:
    """The installation's model with other prompts or another way of asking, in the schema that counts for it.

    Of equal ones there is one. `n_examples` counts with a pool only. Raises LabelerRefused.
    """
    lock_projects(project)
    default = default_spec()
    version = schema_for(project, backend=default.backend)
    if template == prompting.COMPACT and (guideline or pool):
        raise LabelerRefused("the compact prompt has neither guideline nor examples: take the full one")
    if pool is not None and pool.schema_version_id != version.pk:
        raise LabelerRefused(f"example pool {pool.number} was frozen in an older schema: freeze a new one")
    spec = replace(
        default,
        prompt_digest=prompting.template_digest(template),
        decoding={**default.decoding, "template": template, "constraint": constraint, "n_passes": n_passes},
        guideline=guideline,
        pool=pool,
        n_examples=n_examples if pool else 0,
    )
    is_known = Labeler.objects.filter(project=project, schema_version=version, digest=spec.digest).exists()
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=now)
    try:
        refuse_incomplete(labeler)
    except PoolIncomplete as lost:
        raise LabelerRefused(str(lost)) from lost
    if not is_known:
        record_event(
            project=project.public_id,
            actor=actor,
            verb="labeler.make",
            object_id=project.public_id,
            now=now,
            detail={"labeler": labeler.pk, "digest": labeler.digest},
        )
    return labeler


def new_documents(*, project: Project) -> QuerySet[Document]:
    """The notes that the default labeler has not read, nor is going to. Makes no Labeler. Two queries, and
    one for what is returned."""
    return _unread_by(default_spec(), project)


def notes_without_identifiers_sought(*, project: Project) -> QuerySet[Document]:
    """The notes that the finder of identifiers has not read, nor is going to. As `new_documents`."""
    return _unread_by(spec_named(FINDER), project)


def _unread_by(spec: LabelerSpec, project: Project) -> QuerySet[Document]:
    labeler = Labeler.objects.filter(
        project=project, schema_version=schema_for(project, backend=spec.backend), digest=spec.digest
    ).first()
    return unread_documents(project=project, labeler=labeler) if labeler else project.documents.all()
