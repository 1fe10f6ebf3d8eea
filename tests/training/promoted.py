"""Trainings, promotions and comparisons as rows, where a test asks what the rest makes of them."""

from __future__ import annotations

from typing import Any

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.jobs.models import Job
from annotator.projects.models import Project, SchemaVersion
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import Labeler, Promotion
from annotator.suggestions.services import LabelerSpec, labeler_for
from annotator.training.models import LabelerComparison, TrainingRun
from tests.cast import NOW

TRAINED = "spaCy pipeline, training {}"


def make_trained(
    project: Project, *, number: int = 1, build: DatasetBuild | None = None, schema_version: SchemaVersion | None = None
) -> Labeler:
    """The labeler of a training that has ended."""
    build = build or DatasetBuild.objects.create(project=project, number=100 + number, name="Base", created_at=NOW)
    job = Job.objects.create(kind=Job.Kind.TRAINING, status=Job.Status.DONE, created_at=NOW)
    run = TrainingRun.objects.create(
        project=project, number=number, build=build, kind=TrainingRun.Kind.SPACY, job=job, created_at=NOW
    )
    spec = LabelerSpec(
        name=TRAINED.format(number),
        backend="trained",
        model_id=f"spacy+{run.public_id}",
        revision=f"{number:x}" * 64,
        decoding={"config": {"kind": "spacy", "run": run.public_id, "base": ""}},
    )
    version = schema_version or project.schema_versions.latest("number")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=NOW)
    TrainingRun.objects.filter(pk=run.pk).update(labeler=labeler, revision=spec.revision)
    return labeler


def remove_weights(labeler: Labeler) -> None:
    """As a purge does of a patient whose notes the model was trained on."""
    labeler.trainings.update(files_removed_at=NOW)


def make_promotion(labeler: Labeler, actor: User, previous: Labeler | None = None) -> Promotion:
    """The row alone."""
    project = labeler.project
    return Promotion.objects.create(
        project=project,
        labeler=labeler,
        previous=previous or default_labeler(project=project, now=NOW),
        promoted_by=actor,
        promoted_at=NOW,
    )


def make_comparison(
    candidate: Labeler, current: Labeler, *, number: int = 1, status: str = "done", **fields: Any
) -> LabelerComparison:
    job = Job.objects.create(kind=Job.Kind.COMPARISON, status=status, created_at=NOW)
    return LabelerComparison.objects.create(
        project=candidate.project,
        number=number,
        candidate=candidate,
        current=current,
        job=job,
        created_at=NOW,
        **fields,
    )
