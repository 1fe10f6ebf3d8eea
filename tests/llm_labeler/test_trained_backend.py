"""Models that this installation has trained: read by the labelling task, and refused where they are not the same."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy

from annotator.core.prompting import answer_schema, render_messages
from annotator.core.schema import schema_from_json
from annotator.projects.models import Project
from annotator.suggestions.labelers import default_spec
from annotator.suggestions.models import Labeler, LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import labeler_for, start_run, unread_documents
from llm_labeler import tasks
from llm_labeler.__main__ import main
from llm_labeler.backends import BackendError, Request, load_backend
from llm_labeler.backends.trained import Shelf, TrainedModel
from tests.cast import NOW, Bells, make_document
from tests.llm_labeler.datasets import SCHEMA, notes, write_dataset

RUN = "abcdefgh23456789"
TEXT = "Miller complains of chest pain since Monday."


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all models, with that of one training."""
    folder = tmp_path_factory.mktemp("trained")
    build = write_dataset(folder / "build", {"train": notes(30)})
    quick = ("--steps", "60", "--look-every", "60", "--batch-words", "80")
    assert main(["train-spacy", str(build), "--out", str(folder / "models" / RUN), *quick]) == 0
    return folder / "models"


@pytest.fixture
def facts(models: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((models / RUN / "training.json").read_text())
    return found


def load(models: Path, revision: str, **changed: Any) -> Any:
    return load_backend(
        "trained", **{"models": models, "kind": "spacy", "run": RUN, "base": "", "revision": revision} | changed
    )


def test_a_pipeline_answers_with_its_own_probabilities(models: Path, facts: dict[str, Any]) -> None:
    backend = load(models, facts["revision"])
    assert (backend.model_id, backend.revision) == (f"spacy+{RUN}", facts["revision"])
    schema = schema_from_json(SCHEMA)
    request = Request(
        messages=render_messages(schema, "No complains of cough since Monday."), schema=answer_schema(schema)
    )
    (answer,) = backend.generate([request])[0]
    (item,) = json.loads(answer.text)
    assert (item["text"], item["label"], item["assertion"]) == ("cough", "Problem", "absent"), "rules read the rest"
    (score,) = [math.exp(token.logprob) for token in answer.tokens if token.logprob]
    assert 0.5 <= score < 1


def test_of_spans_of_one_label_that_overlap_the_likeliest_is_told(tmp_path: Path) -> None:
    from spacy.tokens import Doc, Span, SpanGroup

    from llm_labeler.backends.spacy import _matches_of

    doc = Doc(spacy.blank("en").vocab, words=["severe", "chest", "pain"])
    spans = [Span(doc, 0, 3, "Problem"), Span(doc, 1, 3, "Problem"), Span(doc, 1, 2, "Anatomy")]
    doc.spans["sc"] = SpanGroup(doc, name="sc", attrs={"scores": [0.6, 0.9, 0.7]}, spans=spans)
    found = [(match.start, match.end, match.label, score) for match, score in _matches_of(doc)]
    assert found == [(7, 17, "Problem", 0.9), (7, 12, "Anatomy", 0.7)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": "gone"}, "the weights of training gone are not on this machine any more"),
        ({"run": "../" + RUN}, "a training's public id is wanted"),
        ({"kind": "tree"}, "nothing is trained as 'tree'"),
        ({"revision": "0" * 64}, "are not those that training"),
    ],
)
def test_a_model_that_is_not_the_one_is_refused(
    models: Path, facts: dict[str, Any], changed: dict[str, str], said: str
) -> None:
    with pytest.raises(BackendError, match=said):
        load(models, **{"revision": facts["revision"]} | changed)


def test_weights_that_were_changed_are_not_loaded(models: Path, facts: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(models, tmp_path / "models")
    (tmp_path / "models" / RUN / "pipeline" / "config.cfg").open("a").write("\n")
    with pytest.raises(BackendError, match="put them back from a backup"):
        load(tmp_path / "models", facts["revision"])


def test_two_models_are_held_and_the_one_that_was_longest_not_asked_for_goes() -> None:
    one, two, three = (TrainedModel("spacy", name, "", "r") for name in ("one", "two", "three"))
    loaded: list[str] = []

    def load(model: TrainedModel) -> Any:
        assert len(shelf._held) < 2, "room is made before another comes"
        loaded.append(model.run)
        return model.run

    shelf = Shelf(load)
    for model in (one, two, one, three, one, two):
        assert shelf.get(model) == model.run
    assert loaded == ["one", "two", "three", "two"]
    shelf.drop(two)
    assert shelf.get(two) == "two" and loaded[-1] == "two" and len(loaded) == 5


# The labelling task


@pytest.fixture
def labeler(models: Path, facts: dict[str, Any], project: Project, settings: Any) -> Iterator[Labeler]:
    settings.MODELS_DIR = models
    default = default_spec()
    spec = type(default)(
        name="spaCy pipeline, training 1",
        backend="trained",
        model_id=f"spacy+{RUN}",
        revision=facts["revision"],
        prompt_digest=default.prompt_digest,
        decoding={**default.decoding, "config": {"kind": "spacy", "run": RUN, "base": ""}},
    )
    tasks._shelf._held.clear()  # what other tests of this process have left
    yield labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)
    tasks._shelf._held.clear()


def label(labeler: Labeler, *names: str) -> LabelRun:
    for name in names:
        make_document(labeler.project, external_id=name, text=TEXT)
    documents = unread_documents(project=labeler.project, labeler=labeler)
    run = start_run(project=labeler.project, labeler=labeler, documents=documents, actor=None, now=NOW)
    tasks.label_run.apply(args=[run.pk], throw=True)
    return run


@pytest.mark.django_db(transaction=True)
def test_a_run_of_a_trained_labeler_is_read_with_its_weights(labeler: Labeler, bells: Bells) -> None:
    run = label(labeler, "one")
    assert run.jobs.get().status == LabelJob.Status.DONE
    found = Suggestion.objects.get()
    assert (found.surface, found.label, found.alignment) == ("chest pain", "Problem", "exact")
    assert len(tasks._shelf._held) == 1


@pytest.mark.django_db(transaction=True)
def test_a_labeler_whose_files_were_taken_away_is_used_no_more(
    labeler: Labeler, bells: Bells, settings: Any, tmp_path: Path
) -> None:
    label(labeler, "one")
    settings.MODELS_DIR = tmp_path
    failed = label(labeler, "two").jobs.get()
    assert failed.status == LabelJob.Status.FAILED
    assert failed.error == f"the weights of training {RUN} are not on this machine any more: use another labeler"
    assert not tasks._shelf._held


def test_a_pipeline_can_be_evaluated_by_the_command(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "one.txt").write_text(TEXT)
    (tmp_path / "gold" / "one.ann").write_text("T1\tProblem 20 30\tchest pain\n")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    asked = ["evaluate", "--gold", str(tmp_path / "gold"), "--labeler", "spacy", "--json"]
    asked += ["--model", str(models / RUN / "pipeline"), "--schema", str(tmp_path / "schema.json")]
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["conditions"]["model"].endswith("pipeline")
    assert (told["strict"]["n_right"], told["strict"]["n_gold"]) == (1, 1)
