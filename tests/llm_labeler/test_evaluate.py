from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotator.core.prompting import COMPACT, FULL, note_of
from llm_labeler import __main__, evaluate
from llm_labeler.backends import Answer, BackendError, Constraint, Request, Token
from tests.llm_labeler.test_openai_backend import serving

TEXT = "Chest pain since Monday. Metformin 500 mg."
ANN = "T1\tSign 0 10\tChest pain\nT2\tDrug 25 34\tMetformin\nT3\tDate 17 23\tMonday\n"


class Scripted:
    """Says the same of every window: quotes as JSON, labels and their probabilities. Keeps what it was asked."""

    name, model_id, revision, device, group_size = "scripted", "model-1", "abcdef", "CPU", 4

    def __init__(self, *items: tuple[str, str, float]) -> None:
        self.items = items
        self.asked: list[Request] = []

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        self.asked += requests
        return [[self._answer()] * request.n for request in requests]

    def _answer(self) -> Answer:
        tokens = [Token("[", 0.0)]
        for place, (quote, label, chance) in enumerate(self.items):
            tokens += [
                Token(f'{"," if place else ""}{{"text":{quote},"label":"', 0.0),
                Token(label, math.log(chance)),
                Token('"}', 0.0),
            ]
        tokens.append(Token("]", 0.0))
        return Answer("".join(token.text for token in tokens), tuple(tokens), "stop")


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "a.txt").write_text(TEXT)
    (folder / "a.ann").write_text(ANN)
    return folder


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Stands for any labeler."""
    backend = Scripted(
        ('"Chest pain"', "Problem", 0.9), ('"Metformin 500 mg"', "Medication", 0.5), ('"Aspirin"', "Medication", 0.8)
    )

    @contextmanager
    def opened(given: object) -> Iterator[tuple[Scripted, dict[str, Any]]]:
        yield backend, {"runtime": "none", "threads": 1}

    monkeypatch.setattr(evaluate, "opened", opened)
    return backend


def evaluated(gold: Path, *arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert __main__.main(["evaluate", "--gold", str(gold), "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


MAP = ("--labeler", "gemma", "--map", "Sign=Problem", "Drug=Medication", "--second", "none")


def test_the_last_line_holds_the_measures(gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(gold, *MAP, capsys=capsys)
    assert (found["strict"]["p"], found["strict"]["r"], found["strict"]["f1"]) == (0.5, 0.5, 0.5)
    assert found["overlap"]["f1"] == 1.0
    assert found["labels"]["Medication"]["strict"]["n_right"] == 0
    assert (found["invented_rate"], found["unaligned_rate"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found["auroc"] == found["signals"]["label_logprob"] == 1.0
    assert found["auroc_overlap"] is None
    assert found["ece"] == pytest.approx((0.1 + 0.5) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.25) / 2)
    assert found["seconds_per_note"] >= 0
    told = found["conditions"]
    assert (told["model"], told["revision"], told["n_notes"], told["n_windows"]) == ("model-1", "abcdef", 1, 1)
    assert told["left_out"] == {"Date": 1}


def test_a_quote_is_invented_where_a_piece_of_it_stands_nowhere(
    gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.items = (('["Monday","Chest"]', "Problem", 0.9), ('["Chest","Aspirin"]', "Problem", 0.9))
    found = evaluated(gold, *MAP, capsys=capsys)
    assert (found["unaligned_rate"], found["invented_rate"]) == (1.0, 0.5)


def test_only_labels_on_the_right_of_the_map_are_asked_for(
    gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(gold, "--labeler", "spacy", "--map", "*=Problem", capsys=capsys)
    assert list(found["labels"]) == ["Problem"]
    assert found["strict"]["n_gold"] == 3
    (form,) = (request.schema["items"] for request in scripted.asked)
    assert form["properties"]["label"]["enum"] == ["Problem"]


def test_without_a_map_types_have_their_own_names(
    gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    (gold / "a.ann").write_text(ANN.replace("Sign", "Problem"))
    found = evaluated(gold, "--labeler", "spacy", capsys=capsys)
    assert found["conditions"]["left_out"] == {"Drug": 1, "Date": 1}
    assert len(found["labels"]) == 6


def test_small_and_large_models_are_asked_each_in_their_way(
    gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    small = evaluated(gold, *MAP, capsys=capsys)["conditions"]
    large = evaluated(gold, "--labeler", "transformers", "--model", "m", *MAP[2:], capsys=capsys)["conditions"]
    assert (small["template"], small["window"], small["overlap"]) == (COMPACT, 300, 0)
    assert (large["template"], large["window"], large["overlap"]) == (FULL, 1500, 150)
    told = ("--window", "24", "--overlap", "4", "--constraint", "none", "--passes", "2", "--seed", "7")
    changed = evaluated(gold, *MAP, *told, capsys=capsys)["conditions"]
    assert (changed["window"], changed["constraint"], changed["n_passes"], changed["n_windows"]) == (24, "none", 2, 2)
    last = scripted.asked[-1]
    assert (len(note_of(last.messages)) <= 24, last.constraint, last.n, last.seed) == (True, Constraint.NONE, 2, 7)


def test_the_table_and_the_progress_can_be_read(
    gold: Path, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--gold", str(gold), *MAP]) == 0
    said = capsys.readouterr()
    assert "1 of 1 notes" in said.err
    assert "Medication       1      1          0.000 0.000 0.000" in said.out
    assert "quotes 3: invented 0.333" in said.out
    assert TEXT[:10] not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--labeler", "spacy", "--map", "Sign=Symptom"), "--map Sign=Symptom: TYPE=LABEL is wanted, LABEL one of"),
        (("--labeler", "spacy", "--map", "Sign"), "--map Sign: TYPE=LABEL is wanted"),
        (("--labeler", "openai"), "--labeler openai needs --url and --model"),
        (("--labeler", "transformers"), "--labeler transformers needs --model"),
        (("--labeler", "spacy", "--window", "100", "--overlap", "60"), "--overlap 60: from 0 to half of the window"),
        (("--labeler", "spacy", "--passes", "-1"), "--passes -1: from 0 is wanted"),
        (("--labeler", "gemma", "--adapter", "/folder"), "--adapter goes with --labeler transformers only"),
        (("--labeler", "spacy", "--gold", "/nowhere"), "/nowhere: a folder with .txt and .ann files is wanted"),
        (("--labeler", "spacy", "--schema", "/nowhere.json"), "/nowhere.json"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    gold: Path, arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--gold", str(gold), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_backend_that_fails_is_one_sentence(
    gold: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(requests: Sequence[Request]) -> list[list[Answer]]:
        raise BackendError("the server is gone: start it")

    monkeypatch.setattr(scripted, "generate", refuse)
    assert evaluate.main(["--gold", str(gold), *MAP]) == 1
    assert capsys.readouterr().err.endswith("evaluate: the server is gone: start it\n")


@pytest.mark.parametrize(("labeler", "has_adapter"), [("gemma", True), ("gemma-base", False)])
def test_the_small_model_runs_in_a_server_of_its_own(
    gold: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], labeler: str, has_adapter: bool
) -> None:
    events: list[str] = []

    @contextmanager
    def running(*, adapter: Path | None, n_threads: int) -> Iterator[str]:
        assert (adapter is not None) is has_adapter
        events.append("start")
        yield "unix:///socket"
        events.append("end")

    def load(name: str, **config: str) -> Scripted:
        if name == "openai":
            assert (config["url"], config["dialect"]) == ("unix:///socket", "llama.cpp")
            events.append(config["model"])
        return Scripted()

    monkeypatch.setattr(evaluate, "running", running)
    monkeypatch.setattr(evaluate, "load_backend", load)
    monkeypatch.setattr(evaluate, "small_revision", lambda *, has_adapter: "1")
    monkeypatch.setenv("LABELER_THREADS", "1")
    found = evaluated(gold, "--labeler", labeler, "--map", "*=Problem", capsys=capsys)
    assert found["conditions"]["second"] == "scripted"
    assert events == ["start", "gemma-3-270m+marginalia" if has_adapter else "gemma-3-270m", "end"]
    assert (found["conditions"]["runtime"], found["conditions"]["threads"]) == ("llama.cpp", 1)


@pytest.mark.parametrize(
    ("owner", "given", "runtime", "constraint"),
    [
        ("vllm", (), "server (vllm)", "copy"),
        ("someone", (), "server (openai)", "json"),
        ("someone", ("--dialect", "vllm"), "server (vllm)", "copy"),
        ("llamacpp", ("--dialect", "openai", "--constraint", "none"), "server (openai)", "none"),
    ],
)
def test_a_server_is_asked_for_its_dialect_and_the_report_says_what_came_of_it(
    gold: Path, capsys: pytest.CaptureFixture[str], owner: str, given: Sequence[str], runtime: str, constraint: str
) -> None:
    with serving(owner) as server:
        named = ("--labeler", "openai", "--url", server.url, "--model", "small", *given)
        told = evaluated(gold, *named, *MAP[2:], capsys=capsys)["conditions"]
    assert (told["runtime"], told["constraint"]) == (runtime, constraint)


def test_a_model_of_ones_own_may_have_an_adapter(
    gold: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def load(name: str, **config: Any) -> Scripted:
        asked.append(config)
        return Scripted()

    monkeypatch.setattr(evaluate, "load_backend", load)
    evaluated(gold, "--labeler", "transformers", "--model", "m", "--adapter", "/folder", *MAP[2:], capsys=capsys)
    assert asked == [{"model": "m", "adapter": "/folder"}]


def test_the_dictionaries_can_be_evaluated(gold: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(gold, "--labeler", "spacy", *MAP[2:], capsys=capsys)
    assert found["labels"]["Problem"]["strict"]["f1"] == 1.0
    assert found["conditions"]["model"] == "marginalia-lexicon"


def test_another_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["bake"]) == 2
    assert "usage: python -m llm_labeler {evaluate,finetune,train-spacy}" in capsys.readouterr().err
