"""A spaCy pipeline from a dataset: what is learnt, what is told, what goes on and what is refused."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin, Span

from annotator.core.schema import schema_from_json
from llm_labeler.__main__ import main
from llm_labeler.backends import load_backend
from llm_labeler.backends.digests import file_digest, folder_digest
from llm_labeler.pipeline import label_note
from tests.llm_labeler.datasets import NAME, SCHEMA, note, notes, write_dataset, write_files

QUICK = ("--steps", "40", "--look-every", "20", "--batch-words", "80")
TEXT = "Miller complains of chest pain since Monday.\nTakes metformin every day."


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "build", {"train": notes(30), "dev": notes(4, seed=1), "test": notes(4, seed=2)})


def train(build: Path, out: Path, *more: str) -> int:
    return main(["train-spacy", str(build), "--out", str(out), *QUICK, *more])


def found_by(pipeline: Path, text: str = TEXT) -> list[tuple[str, str]]:
    backend = load_backend("spacy", pipeline=str(pipeline))
    result = label_note(text=text, schema=schema_from_json(SCHEMA), backend=backend)
    return [(one.span.surface(text), one.label) for one in result.spans]


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()]


def test_a_pipeline_learns_the_labels_and_reads_notes_that_it_never_saw(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train(build, out) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((out / "training.json").read_text())
    assert (told["kind"], told["base"], told["n_rows"]) == ("spacy", "", 30)
    assert told["dataset"] == file_digest(build / "manifest.json")
    assert told["revision"] == folder_digest(out / "pipeline")
    assert told["labels"] == ["Problem", "Medication"]
    assert told["labels_without_spans"] == ["Test"], "identifiers are not its task"
    assert told["best"]["dev_f1"] > 0.8
    assert found_by(out / "pipeline") == [("chest pain", "Problem"), ("metformin", "Medication")]
    points = lines(out)
    assert [point["step"] for point in points] == [0, 20, 40]
    assert points[-1]["loss"] < points[0]["loss"]
    assert set(points[0]) == {"step", "n_steps", "epoch", "loss", "dev_loss", "dev_f1", "seconds", "seconds_left"}
    assert max(point["dev_f1"] for point in points) == told["best"]["dev_f1"]
    assert sorted(path.name for path in out.iterdir()) == ["pipeline", "progress.jsonl", "run.json", "training.json"]
    assert out.stat().st_mode & 0o777 == 0o700


def test_what_is_left_holds_no_word_of_a_note_and_no_path(build: Path, tmp_path: Path) -> None:
    assert train(build, tmp_path / "run") == 0
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert NAME.encode() not in data, path.name
            assert b"metformin" not in data, path.name
            assert str(tmp_path).encode() not in data, path.name


def test_a_docbin_is_read_before_jsonl(build: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    docbins = []
    for medication in ("aspirin", "warfarin"):
        docbin = DocBin(store_user_data=True)
        for _ in range(20):
            doc = nlp.make_doc(f"She takes {medication} daily.")
            doc.spans["sc"] = [Span(doc, 2, 3, label="Medication")]
            docbin.add(doc)
        docbins.append(docbin.to_bytes())
    files = {"train.spacy": docbins[0], "train-2.spacy": docbins[1], "train.jsonl": b"never opened"}
    assert train(write_files(tmp_path / "binary", files), tmp_path / "run") == 0
    told = json.loads((tmp_path / "run" / "training.json").read_text())
    assert (told["notes"], told["best"]) == ({"train": 40, "dev": 0}, None)
    assert {point["dev_f1"] for point in lines(tmp_path / "run")} == {None}, "nothing to look at, nothing to say"
    assert found_by(tmp_path / "run" / "pipeline", "She takes warfarin daily.") == [("warfarin", "Medication")]


def test_entities_are_learnt_where_they_are_asked_for(build: Path, tmp_path: Path) -> None:
    assert train(build, tmp_path / "run", "--component", "ner", "--steps", "60") == 0
    assert spacy.load(tmp_path / "run" / "pipeline").pipe_names == ["ner"]
    assert ("metformin", "Medication") in found_by(tmp_path / "run" / "pipeline")


def test_what_a_pipeline_cannot_give_is_counted(tmp_path: Path) -> None:
    apart = note("Rash on arm and leg.", (["Rash", "on", "leg"][0], "Problem"))
    apart["spans"][0]["fragments"] = [[0, 4], [16, 19]]
    within = note("No painless day.", ("pain", "Problem"))
    rows = [*notes(30), apart, within]
    assert train(write_dataset(tmp_path / "build", {"train": rows}), tmp_path / "run", "--longest", "2") == 0
    told = json.loads((tmp_path / "run" / "training.json").read_text())
    n_long = sum("severe knee pain" in row["text"] for row in rows)
    assert told["left_out"] == {
        "spans in pieces": 1,
        "spans that begin or end within a token": 1,
        "spans of more than 2 tokens": n_long,
    }
    assert told["not_given"] == ["attributes", "relations", "labels of whole notes"]


def test_training_ends_where_the_development_part_gains_nothing(build: Path, tmp_path: Path) -> None:
    assert train(build, tmp_path / "run", "--steps", "4000", "--patience", "2", "--look-every", "10") == 0
    told = json.loads((tmp_path / "run" / "training.json").read_text())
    assert told["steps"] < 4000
    assert told["best"]["step"] == told["steps"] - 20


def test_a_run_that_is_stopped_begins_again_and_says_so(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llm_labeler.finetune import spacy_training

    def stop(path: Path, point: Any) -> None:
        added(path, point)
        if point.step == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    added = spacy_training.add_point
    with monkeypatch.context() as patched:
        patched.setattr(spacy_training, "add_point", stop)
        assert train(build, tmp_path / "run") == 130
    assert "--resume" in capsys.readouterr().err
    assert not (tmp_path / "run" / "training.json").exists()
    assert train(build, tmp_path / "run") == 1, "not into a folder that holds a run"
    assert train(build, tmp_path / "run", "--resume", "--seed", "5") == 1, "not with another recipe"
    assert "recipe" in capsys.readouterr().err
    assert train(build, tmp_path / "run", "--resume") == 0
    assert "begins again" in capsys.readouterr().err
    assert [point["step"] for point in lines(tmp_path / "run")] == [0, 20, 40]
    assert train(build, tmp_path / "run", "--resume") == 1, "done is done"
    assert train(build, tmp_path / "same") == 0
    assert train(build, tmp_path / "other", "--seed", "1") == 0
    again, same, other = (folder_digest(tmp_path / name / "pipeline") for name in ("run", "same", "other"))
    assert again == same != other, "the seed decides"


@pytest.mark.parametrize(
    ("spoil", "more", "said"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), (), "manifest.json cannot be read"),
        (lambda folder: (folder / "train.jsonl").write_text("{}"), (), "its sha256 differs"),
        (lambda folder: None, ("--component", "parser"), "one of spancat, ner is wanted"),
        (lambda folder: None, ("--steps", "0"), "at least 1 is wanted"),
        (lambda folder: None, ("--threshold", "1"), "between 0 and 1 is wanted"),
        (lambda folder: None, ("--resume",), "holds no run to go on with"),
    ],
)
def test_what_cannot_be_trained_says_why(
    build: Path, tmp_path: Path, spoil: Callable[[Path], object], more: tuple[str, ...], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    spoil(build)
    assert train(build, tmp_path / "run", *more) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.messages.jsonl": b"{}"}, "neither train.spacy nor train.jsonl"),
        ({"train.jsonl": b'{"text": "Zebrowska"}\n'}, "train.jsonl, line 1: no note with spans"),
        ({"train.jsonl": json.dumps(note("Well.")).encode()}, "has no span of any of the schema's labels"),
    ],
)
def test_a_dataset_that_teaches_nothing_is_refused_without_its_words(
    files: dict[str, bytes], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(write_files(tmp_path / "other", files), tmp_path / "run") == 1
    told = capsys.readouterr().err
    assert said in told
    assert NAME not in told


def test_an_error_is_told_by_its_class_and_places_alone(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llm_labeler.finetune import spacy_training

    def fail(*_: object) -> None:
        raise ValueError(NAME)

    monkeypatch.setattr(spacy_training, "add_point", fail)
    assert train(build, tmp_path / "run") == 70
    told = capsys.readouterr().err
    assert "train-spacy: failed (ValueError)" in told
    assert NAME not in told
