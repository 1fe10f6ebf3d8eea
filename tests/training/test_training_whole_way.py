"""From finished notes to a labeler that reads another one, by the real trainer in the real task."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.suggestions.models import LabelJob, Suggestion
from annotator.suggestions.services import start_run, unread_documents
from annotator.training.models import TrainingRun
from annotator.training.options import OPTIONS
from llm_labeler import tasks
from llm_labeler.finetune.recipe import Recipe
from llm_labeler.finetune.spacy_recipe import SpacyRecipe
from tests.cast import NOW, Bells, make_document
from tests.training.scene import begin


def test_a_dataset_becomes_a_labeler_that_reads_a_note(
    build: DatasetBuild, dana: User, alice: User, bells: Bells, models_dir: Path
) -> None:
    run = begin(build, dana, recipe={"steps": 60, "look_every": 30, "patience": 3, "seed": 0})
    tasks.train.apply(args=[run.job.pk], throw=True)
    done = TrainingRun.objects.select_related("job", "labeler__schema_version").get(pk=run.pk)
    assert (done.job.status, done.job.error) == ("done", "")
    assert [point.step for point in done.points.order_by("step")][-1] == done.job.n_done
    labeler = done.labeler
    assert labeler is not None
    assert labeler.revision == done.facts["revision"]
    assert (models_dir / run.public_id).stat().st_mode & 0o077 == 0

    note = make_document(
        build.project, text="Diabetes, on metformin 500 mg twice daily.\nPlan: continue metformin.", external_id="new"
    )
    documents = unread_documents(project=build.project, labeler=labeler).filter(pk=note.pk)
    reading = start_run(project=build.project, labeler=labeler, documents=documents, actor=alice, now=NOW)
    tasks.label_run.apply(args=[reading.pk], throw=True)
    job = LabelJob.objects.get(run=reading)
    assert (job.status, job.error) == ("done", "")
    assert {(found.surface, found.label) for found in Suggestion.objects.filter(job=job)} == {
        ("metformin", "Medication")
    }


@pytest.mark.parametrize(("kind", "recipe"), [("spacy", SpacyRecipe()), ("lora", Recipe())])
def test_the_form_shows_the_numbers_that_the_command_has(kind: str, recipe: Recipe | SpacyRecipe) -> None:
    shown = {option.name: option.default for option in OPTIONS[kind]}
    assert shown == {name: value for name, value in recipe.to_json().items() if name in shown}
