"""Trainings, their points, and the datasets that a model can be trained from."""

from __future__ import annotations

from django.db.models import QuerySet

from annotator.builds.models import DatasetBuild
from annotator.builds.selectors import builds_of
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.training.models import TrainingPoint, TrainingRun


def trainings_of(project: Project) -> QuerySet[TrainingRun]:
    """The project's trainings, newest first, with job, dataset, author and labeler. One query."""
    found = TrainingRun.objects.filter(project=project)
    return found.select_related("job", "build", "created_by", "labeler__schema_version").order_by("-number")


def points_of(run: TrainingRun) -> list[TrainingPoint]:
    """What the training told, step by step. One query."""
    return list(run.points.order_by("step"))


def trainable_builds(project: Project) -> QuerySet[DatasetBuild]:
    """The datasets that are written and have their files, newest first. One query."""
    return builds_of(project).filter(job__status=Job.Status.DONE, files_removed_at=None)
