"""Which labeler new runs of a project use, and what is said where it cannot read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.core.prompting import FULL
from annotator.core.schema import Schema, schema_from_json
from annotator.projects.models import Project
from annotator.projects.services import add_guideline, add_schema_version
from annotator.suggestions.labelers import (
    LabelerRefused,
    current_of,
    current_spec,
    default_labeler,
    default_spec,
    make_labeler,
    new_documents,
    spec_of,
    start_current_run,
)
from annotator.suggestions.models import Labeler, LabelRun
from annotator.suggestions.services import RunRefused, labeler_for
from tests.cast import NOW, body, make_document
from tests.training.promoted import make_promotion, make_trained, remove_weights

pytestmark = pytest.mark.django_db


@pytest.fixture
def promoted(project: Project, alice: User, bells: object) -> Labeler:
    labeler = make_trained(project)
    make_promotion(labeler, alice)
    return labeler


def test_without_a_promotion_it_is_the_installations(project: Project) -> None:
    assert current_spec(project) == default_spec()
    assert current_of(project).promotion is None


def test_a_labeler_makes_itself_again(promoted: Labeler) -> None:
    assert spec_of(promoted).digest == promoted.digest


def test_what_was_promoted_last_reads_new_notes(project: Project, alice: User, promoted: Labeler) -> None:
    make_document(project)
    assert default_labeler(project=project, now=NOW) == promoted
    assert start_current_run(project=project, actor=alice, now=NOW).labeler == promoted
    make_promotion(make_trained(project, number=2), alice, previous=promoted)
    assert current_spec(project).name == "spaCy pipeline, training 2"


def test_a_promotion_counts_in_its_own_project_only(promoted: Labeler, other_project: Project) -> None:
    assert current_spec(other_project) == default_spec()


def test_a_promoted_labeler_goes_on_in_a_newer_schema(project: Project, schema: Schema, promoted: Labeler) -> None:
    changed = schema.to_json()
    changed["labels"][0]["definition"] = "Anything."
    add_schema_version(project=project, schema=schema_from_json(changed), actor=None, now=NOW)
    newer = default_labeler(project=project, now=NOW)
    assert (newer.digest, newer.schema_version.number) == (promoted.digest, 2)
    assert not current_of(project).cannot
    remove_weights(promoted)
    assert "weights were removed" in current_of(project).cannot


def test_notes_are_new_to_the_promoted_labeler(project: Project, alice: User, promoted: Labeler) -> None:
    make_document(project)
    assert new_documents(project=project).count() == 1
    start_current_run(project=project, actor=alice, now=NOW)
    assert not new_documents(project=project).exists()
    assert not new_documents(project=project, current=current_of(project)).exists()


def test_another_labeler_of_a_promoted_one_has_its_model(project: Project, alice: User) -> None:
    add_guideline(project=project, text="Mark drugs.", actor=None, now=NOW)
    guideline = project.guidelines.get()
    spec = replace(default_spec(), name="Ours", guideline=guideline)
    made = labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)
    make_promotion(made, alice)
    another = make_labeler(
        project=project,
        template=FULL,
        guideline=None,
        pool=None,
        n_examples=0,
        constraint="none",
        n_passes=2,
        actor=alice,
        now=NOW,
    )
    assert (another.name, another.model_id, another.decoding["n_passes"]) == ("Ours", made.model_id, 2)


def test_a_trained_pipeline_has_no_other_prompt(project: Project, alice: User, promoted: Labeler) -> None:
    with pytest.raises(LabelerRefused, match="without a prompt"):
        make_labeler(
            project=project,
            template=FULL,
            guideline=None,
            pool=None,
            n_examples=0,
            constraint="none",
            n_passes=0,
            actor=alice,
            now=NOW,
        )


def test_where_the_weights_are_gone_the_runs_page_says_so(
    alice_client: Client, project: Project, promoted: Labeler, alice: User
) -> None:
    make_document(project)
    remove_weights(promoted)
    runs = reverse("suggestions:runs", args=[project.public_id])
    shown = body(alice_client.get(runs))
    assert "Its weights were removed" in shown and "promotes another labeler" in shown
    assert "Pre-label 1 note" not in shown
    refused = alice_client.post(reverse("suggestions:start", args=[project.public_id]))
    assert refused.status_code == 409
    with pytest.raises(RunRefused, match="weights were removed"):
        start_current_run(project=project, actor=alice, now=NOW)
    assert not LabelRun.objects.exists()
    labelers = body(alice_client.get(reverse("browse:labelers", args=[project.public_id])))
    assert "Its weights were removed" in labelers


def test_a_model_that_this_installation_lacks_reads_nothing(project: Project, alice: User) -> None:
    spec = replace(default_spec(), backend="transformers", model_id="medgemma")
    made = labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)
    make_promotion(made, alice)
    assert "does not have its model" in current_of(project).cannot
    Labeler.objects.filter(pk=made.pk).update(backend="spacy")
    assert "not the one that runs here now" in current_of(project).cannot
