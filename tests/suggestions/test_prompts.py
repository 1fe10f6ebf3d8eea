"""What stands in a labeler's prompts: never the note itself, never its patient, always the same."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.builds.pools import freeze_pool
from annotator.core.prompting import Item
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.services import add_guideline
from annotator.suggestions.models import ExamplePool, Labeler
from annotator.suggestions.prompts import PoolIncomplete, prompt_of, refuse_incomplete
from annotator.suggestions.services import LabelerSpec, RunRefused, labeler_for, start_run
from tests.builds.scene import annotate
from tests.cast import NOW, make_document

TEXTS = {
    ("a-1", "p1"): "Metformin for diabetes.",
    ("a-2", "p1"): "Metformin was stopped.",
    ("b-1", "p2"): "Metformin 500 mg again.",
    ("c-1", ""): "Aspirin and metformin.",
    ("d-1", ""): "No new drug.",
}


@pytest.fixture
def notes(project: Project, bob: User) -> dict[str, Document]:
    made = {}
    for (name, patient), text in TEXTS.items():
        made[name] = make_document(project, text=text, external_id=name, patient_id=patient)
        spans = [(word, "Medication") for word in ("Metformin", "Aspirin") if word in text]
        annotate(made[name], bob, *spans)
    return made


@pytest.fixture
def pool(notes: dict[str, Document], project: Project) -> ExamplePool:
    return freeze_pool(project=project, actor=None, now=NOW)


def labeler(project: Project, pool: ExamplePool | None, *, n_examples: int = 3, text: str = "Mark drugs.") -> Labeler:
    guideline = add_guideline(project=project, text=text, actor=None, now=NOW)
    spec = LabelerSpec("Model", "spacy", "m", "1", guideline=guideline, pool=pool, n_examples=n_examples)
    return labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)


def shown(found: Labeler, document: Document, n: int | None = None) -> list[str]:
    nearest = prompt_of(found).nearest(document.text, patient_id=document.patient_id, document_id=document.pk)
    return [example.text for example in nearest]


def test_the_nearest_come_last_and_none_is_of_the_note_or_its_patient(
    project: Project, pool: ExamplePool, notes: dict[str, Document]
) -> None:
    found = labeler(project, pool, n_examples=8)
    assert prompt_of(found).guideline == "Mark drugs."
    assert set(shown(found, notes["a-1"])) == {TEXTS[key] for key in TEXTS if key[1] != "p1"}
    assert set(shown(found, notes["c-1"])) == {text for text in TEXTS.values() if text != TEXTS["c-1", ""]}
    assert shown(labeler(project, pool, n_examples=2), notes["a-2"])[-1] in (TEXTS["b-1", "p2"], TEXTS["c-1", ""])


def test_the_choice_is_made_again_alike(project: Project, pool: ExamplePool, notes: dict[str, Document]) -> None:
    found = labeler(project, pool)
    again = Labeler.objects.get(pk=found.pk)
    assert [shown(found, note) for note in notes.values()] == [shown(again, note) for note in notes.values()]


def test_the_answers_come_back_as_they_were(project: Project, pool: ExamplePool, notes: dict[str, Document]) -> None:
    prompt = prompt_of(labeler(project, pool, n_examples=8))
    nearest = prompt.nearest("x", patient_id="", document_id=0)
    assert {example.text: example.items for example in nearest}["Metformin 500 mg again."] == (
        Item("Metformin", "Medication"),
    )


def test_a_labeler_without_a_pool_shows_nothing(
    project: Project, notes: dict[str, Document], django_assert_num_queries: Any
) -> None:
    found = labeler(project, None)
    with django_assert_num_queries(0):
        assert shown(found, notes["a-1"]) == []
        refuse_incomplete(found)


def test_guideline_and_pool_are_part_of_what_names_a_labeler(project: Project, pool: ExamplePool) -> None:
    made = [
        labeler(project, pool),
        labeler(project, pool, n_examples=2),
        labeler(project, None),
        labeler(project, pool, text="Mark all drugs."),
    ]
    assert len({found.digest for found in made}) == 4
    assert labeler(project, pool, text="Mark all drugs.") == made[3]


def test_a_spec_without_them_has_the_digest_that_it_always_had() -> None:
    assert LabelerSpec("Imported", "import", "Imported", "").digest == (
        "906674c281d23bceb34974819824d888318d17e13fd98c98977f32a4cb133900"
    )


def test_a_pool_that_lost_an_example_is_used_no_more(
    project: Project, other_project: Project, pool: ExamplePool, notes: dict[str, Document]
) -> None:
    found = labeler(project, pool)
    project.documents.filter(pk=notes["b-1"].pk).update(project=other_project)  # as a purge does at once
    with pytest.raises(PoolIncomplete, match="example pool 1 has lost 1 of its 5 examples"):
        prompt_of(found)
    with pytest.raises(RunRefused, match="make a new labeler"):
        start_run(project=project, labeler=found, documents=project.documents.all(), actor=None, now=NOW)
    assert not project.label_runs.exists()
