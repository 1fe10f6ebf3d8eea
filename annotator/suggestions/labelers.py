"""The labeler that new runs of a project use, which was promoted or is the installation's; and others of its model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core import prompting
from annotator.core.identifiers import FINDER
from annotator.core.scoring import SCORE_VERSION, SIGNALS_VERSION
from annotator.documents.models import Document
from annotator.projects.models import Guideline, Project, SchemaVersion
from annotator.projects.selectors import schema_for
from annotator.projects.services import lock_projects
from annotator.suggestions.models import ExamplePool, Labeler, LabelRun, Promotion
from annotator.suggestions.prompts import PoolIncomplete, refuse_incomplete
from annotator.suggestions.selectors import Model, newest_promotion, removed_models
from annotator.suggestions.services import (
    LabelerSpec,
    RunRefused,
    labeler_for,
    new_labeler,
    start_run,
    unread_documents,
)

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

# What of it an installation or a version of this program decides.
_OF_PROGRAM = ("signals", "score", "config")
# The backend of what the project trained itself: the weights are a TrainingRun's, whatever the installation has.
TRAINED = "trained"
# That of what came in with notes from outside: nothing here reads with it.
IMPORTED = "import"
WAY_OUT = "a lead promotes another labeler on the page of models"


class LabelerRefused(Exception):
    """A labeler that cannot be made as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Current:
    """What new runs of a project use, in the schema that counts for it: what `promotion` says; without one, the
    installation's.

    `cannot` says why it reads no note now; "" where it can.
    """

    spec: LabelerSpec
    promotion: Promotion | None
    schema_version: SchemaVersion
    cannot: str

    def is_current(self, labeler: Labeler) -> bool:
        """Whether the labeler is this one, in whichever schema."""
        return labeler.digest == self.spec.digest


def installed_spec(name: str) -> LabelerSpec | None:
    """What `settings.LABELERS` has by that name; None where this installation has no such labeler."""
    chosen = settings.LABELERS.get(name)
    if chosen is None:
        return None
    return LabelerSpec(
        name=chosen["name"],
        backend=name,
        model_id=chosen["model_id"],
        revision=chosen["revision"],
        prompt_digest=prompting.template_digest(chosen["template"]),
        decoding={name: chosen[name] for name in _DECODING if name in chosen}
        | {"signals": SIGNALS_VERSION, "score": SCORE_VERSION},
    )


def default_spec() -> LabelerSpec:
    """What `settings.LABELER` names."""
    found = installed_spec(settings.LABELER)
    if found is None:
        raise ImproperlyConfigured(f"LABELER {settings.LABELER!r} is not one of LABELERS")
    return found


def finder_spec() -> LabelerSpec:
    """What looks for identifiers. Every installation has it."""
    found = installed_spec(FINDER)
    if found is None:
        raise ImproperlyConfigured(f"LABELERS has no {FINDER!r}")
    return found


def current_spec(project: Project) -> LabelerSpec:
    """What new runs of the project use. One query."""
    promotion = newest_promotion(project)
    return spec_of(promotion.labeler) if promotion else default_spec()


def current_of(project: Project) -> Current:
    """The same, with where it comes from and whether it can read notes here. Two queries, a third where it was
    trained, and one where its prompts show examples.
    """
    promotion = newest_promotion(project)
    spec = spec_of(promotion.labeler) if promotion else default_spec()
    version = schema_for(project, backend=spec.backend)
    if promotion is None:
        return Current(spec=spec, promotion=None, schema_version=version, cannot="")
    labeler = promotion.labeler
    cannot = why_not(labeler, removed=removed_models(project) if labeler.backend == TRAINED else ())
    if not cannot and labeler.pool is not None:
        cannot = _pool_trouble(labeler, labeler.pool, version)
    return Current(spec=spec, promotion=promotion, schema_version=version, cannot=cannot)


def spec_of(labeler: Labeler) -> LabelerSpec:
    """What makes the same labeler, in whichever schema; its guideline and pool are read where they were not."""
    return LabelerSpec(**{field.name: getattr(labeler, field.name) for field in fields(LabelerSpec)})


def why_not(labeler: Labeler, *, removed: Collection[Model]) -> str:
    """Why this installation reads no note with the labeler, whatever its schema and examples; "" where it does.

    `removed` are models whose weights are gone: see `removed_models`.
    """
    model = (labeler.backend, labeler.model_id, labeler.revision)
    if labeler.backend == IMPORTED:
        return "Its suggestions were imported"
    if labeler.backend == TRAINED:
        is_gone = model[1:] in removed
        return "Its weights were removed, with a patient whose notes they were trained on" if is_gone else ""
    installed = installed_spec(labeler.backend)
    if installed is None:
        return "This installation does not have its model"
    if model != (installed.backend, installed.model_id, installed.revision):
        return "Its model is not the one that runs here now"
    decoding, template = labeler.decoding, labeler.decoding.get("template", prompting.FULL)
    is_ours = template in prompting.TEMPLATES and labeler.prompt_digest == prompting.template_digest(template)
    if not is_ours or any(decoding.get(name) != installed.decoding.get(name) for name in _OF_PROGRAM):
        return "It was made by another version or setup of this program"
    return ""


def default_labeler(*, project: Project, now: datetime) -> Labeler:
    """The Labeler that new runs of the project use, with the schema that counts for it, made if it is new. Three
    queries.
    """
    spec = current_spec(project)
    version = schema_for(project, backend=spec.backend)
    return labeler_for(project=project, schema_version=version, spec=spec, now=now)


def current_labeler(project: Project) -> Labeler:
    """The same, unsaved where it is new. Three queries."""
    spec = current_spec(project)
    version = schema_for(project, backend=spec.backend)
    known = Labeler.objects.filter(project=project, schema_version=version, digest=spec.digest).first()
    return known or new_labeler(project=project, schema_version=version, spec=spec)


def saved_labeler(labeler: Labeler, *, now: datetime) -> Labeler:
    """The labeler itself, or its row, made if it is new, where it is unsaved. No query, or one."""
    if not labeler._state.adding:
        return labeler
    version = labeler.schema_version
    return labeler_for(project=labeler.project, schema_version=version, spec=spec_of(labeler), now=now)


def identifier_labeler(*, project: Project, now: datetime) -> Labeler:
    """The Labeler that looks for identifiers, with the schema that counts for it, made if it is new. Two queries."""
    version = schema_for(project, backend=FINDER)
    return labeler_for(project=project, schema_version=version, spec=finder_spec(), now=now)


def start_current_run(
    *, project: Project, actor: User | None, now: datetime, came_at: datetime | None = None
) -> LabelRun:
    """A run of the project's labeler over the notes that it has not read; of these over those that came in at
    `came_at`, where it is given. Raises RunRefused.
    """
    current = current_of(project)
    if current.cannot:
        raise RunRefused(f"{current.cannot[:1].lower()}{current.cannot[1:]}: {WAY_OUT}")
    labeler = labeler_for(project=project, schema_version=current.schema_version, spec=current.spec, now=now)
    documents = unread_documents(project=project, labeler=labeler)
    if came_at is not None:
        documents = documents.filter(created_at=came_at)
    return start_run(project=project, labeler=labeler, documents=documents, actor=actor, now=now)


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
    """The model that the project uses with other prompts or another way of asking, in the schema that counts for it.

    Of equal ones there is one. `n_examples` counts with a pool only. Raises LabelerRefused.
    """
    lock_projects(project)
    default = current_spec(project)
    if default.decoding.get("config", {}).get("kind") == "spacy":
        raise LabelerRefused("the project's labeler is a trained pipeline: it reads without a prompt")
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


def new_documents(*, project: Project, current: Current | None = None) -> QuerySet[Document]:
    """The notes that the project's labeler has not read, nor is going to. Makes no Labeler. Three queries, one where
    `current_of` was asked before, and one for what is returned.
    """
    spec = current.spec if current else current_spec(project)
    version = current.schema_version if current else schema_for(project, backend=spec.backend)
    return _unread_by(spec, version)


def notes_without_identifiers_sought(*, project: Project) -> QuerySet[Document]:
    """The notes that the finder of identifiers has not read, nor is going to. As `new_documents`."""
    return _unread_by(finder_spec(), schema_for(project, backend=FINDER))


def _unread_by(spec: LabelerSpec, version: SchemaVersion) -> QuerySet[Document]:
    project = version.project
    labeler = Labeler.objects.filter(project=project, schema_version=version, digest=spec.digest).first()
    return unread_documents(project=project, labeler=labeler) if labeler else project.documents.all()


def _pool_trouble(labeler: Labeler, pool: ExamplePool, version: SchemaVersion) -> str:
    if pool.schema_version_id != version.pk:
        return f"Example pool {pool.number} of its prompts was frozen in an older schema"
    try:
        refuse_incomplete(labeler)
    except PoolIncomplete:
        return f"Pool {pool.number} has lost examples to a purge"
    return ""
