from __future__ import annotations

from django.db.models import Model

from annotator import models as tables
from annotator.adjudication.models import RuleRun
from annotator.builds.models import DatasetBuild
from annotator.exchange.models import Import
from annotator.projects.models import Project
from annotator.purges import deletion
from annotator.quality.models import AgreementReport
from annotator.review.models import RoundJob
from annotator.training.models import LabelerComparison, TrainingPoint, TrainingRun


def test_every_table_that_points_at_notes_or_projects_has_its_place() -> None:
    """A new one is deleted before what it points at, or is known to go by itself."""
    handled: list[type[Model]] = [table for table, _, _ in deletion.OF_NOTES]
    handled += [
        Import,
        RuleRun,
        LabelerComparison,
        TrainingPoint,  # goes with its training
        TrainingRun,
        DatasetBuild,
        AgreementReport,
        RoundJob,
        LabelerComparison,
        *(each[0] for each in deletion.OF_PROJECTS),
        Project,
    ]
    for table in (getattr(tables, name) for name in tables.__all__):
        for field in table._meta.get_fields():
            if not (field.many_to_one or field.one_to_one) or not field.concrete or field.related_model not in handled:
                continue
            assert table in handled, f"{table.__name__}.{field.name} points at what a purge deletes"
            assert handled.index(table) <= handled.index(field.related_model), f"{table.__name__} is deleted too late"
