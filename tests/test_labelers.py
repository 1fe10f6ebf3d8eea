from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator import labelers
from llm_labeler import gemma
from llm_labeler.backends.digests import adapter_digest, revision_with

FIELDS = {"name", "backend", "model_id", "revision", "template", "window", "overlap", "constraint", "n_passes"}
VARIABLES = ("LABELER", "MODEL", "ADAPTER", "URL", "DIALECT", "REVISION", "API_KEY", "CONCURRENCY", "BATCH", "DTYPE")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name if name == "LABELER" else f"LABELER_{name}", raising=False)
    monkeypatch.setenv("MARGINALIA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def choose(**environment: str) -> dict[str, Any]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        name = labelers.chosen_name()
        return labelers.labelers(name, data=tmp_path, sockets=tmp_path)[name]

    return choose


def test_the_small_model_is_the_default_where_it_has_been_fetched(chosen: Any, tmp_path: Path):
    assert chosen()["backend"] == "spacy"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / gemma.BASE_FILE).write_bytes(b"GGUF")
    assert chosen()["model_id"] == gemma.MODEL_ID


def test_the_small_models_names_are_the_librarys():
    assert (labelers.GEMMA_ID, labelers.GEMMA_FILE) == (gemma.MODEL_ID, gemma.BASE_FILE)
    assert revision_with(gemma.BASE_SHA256, adapter_digest(gemma.ADAPTER)) == labelers.GEMMA_REVISION


def test_both_runtimes_of_the_small_model_ask_it_alike(chosen: Any):
    by_server, by_torch = chosen(LABELER="gemma"), chosen(LABELER="transformers")
    asked = ("model_id", "revision", "template", "window", "overlap", "constraint", "n_passes", "max_tokens")
    assert [by_server[name] for name in asked] == [by_torch[name] for name in asked]


def test_a_model_alone_means_torch(chosen: Any, tmp_path: Path):
    found = {"model": "google/medgemma-1.5-4b-it", "adapter": "", "model_id": "google/medgemma-1.5-4b-it"}
    (tmp_path / "model.json").write_text(json.dumps(found | {"revision": "c0ffee", "commit": "c0ffee"}))
    labeler = chosen(LABELER_MODEL="google/medgemma-1.5-4b-it", LABELER_DTYPE="bfloat16", LABELER_BATCH="4")
    assert (labeler["backend"], labeler["model_id"], labeler["revision"]) == ("transformers", found["model"], "c0ffee")
    assert labeler["config"] == {"dtype": "bfloat16"}
    assert labeler["runtime"] == {"batch_size": 4, "model": found["model"], "revision": "c0ffee"}


def test_a_model_that_was_not_fetched_stops_the_start_and_says_how_to(chosen: Any):
    with pytest.raises(ValueError, match=r"python -m llm_labeler\.fetch google/medgemma-1\.5-4b-it"):
        chosen(LABELER_MODEL="google/medgemma-1.5-4b-it")


def test_a_server_is_no_part_of_what_a_labeler_is(chosen: Any):
    labeler = chosen(
        LABELER="openai", LABELER_URL="https://models.example.org", LABELER_MODEL="medgemma", LABELER_API_KEY="k-1"
    )
    assert labeler["constraint"] == "json"
    assert labeler["config"] == {"dialect": "openai"}
    assert labeler["runtime"]["api_key"] == "k-1"


def test_a_server_that_can_hold_an_answer_to_copying_does(chosen: Any):
    given = {"LABELER": "openai", "LABELER_URL": "http://127.0.0.1:8000", "LABELER_MODEL": "medgemma"}
    assert chosen(**given, LABELER_DIALECT="vllm")["constraint"] == "copy"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LABELER": "bert"}, "LABELER must be one of gemma, transformers, openai, spacy"),
        ({"LABELER": "spacy", "LABELER_MODEL": "x"}, "unset LABELER_MODEL"),
        ({"LABELER": "openai"}, "needs LABELER_URL and LABELER_MODEL"),
        ({"LABELER": "openai", "LABELER_URL": "http://far.org", "LABELER_MODEL": "x"}, "by https only"),
        ({"LABELER": "transformers", "LABELER_ADAPTER": "x"}, "needs the LABELER_MODEL"),
        (
            {"LABELER": "openai", "LABELER_URL": "https://a.org", "LABELER_MODEL": "x", "LABELER_REVISION": "r" * 65},
            "its revision has more than 64 characters",
        ),
        ({"LABELER": "transformers", "LABELER_BATCH": "0"}, "LABELER_BATCH must be a number from 1"),
    ],
)
def test_a_wrong_setting_stops_the_start(chosen: Any, environment: dict[str, str], says: str):
    with pytest.raises(ValueError, match=says):
        chosen(**environment)


def test_every_labeler_says_all_that_a_run_needs(tmp_path: Path):
    for labeler in labelers.labelers("transformers", data=tmp_path, sockets=tmp_path).values():
        assert labeler.keys() >= FIELDS | {"config", "runtime"}
