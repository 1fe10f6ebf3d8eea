"""Fine-tuning on a dataset, with a Gemma 3 of random weights: rows, runs, what goes on and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftConfig
from safetensors.torch import load_file

from annotator.core.prompting import COMPACT, Item, answer_schema, render_answer, render_messages, template_digest
from annotator.core.schema import Label, Schema
from llm_labeler.__main__ import main
from llm_labeler.backends import BackendError, Request, load_backend
from llm_labeler.backends.transformers import load
from llm_labeler.backends.weights import load_base
from llm_labeler.finetune.datasets import DEV, TRAIN
from llm_labeler.finetune.rows import IGNORED, encode, examples, open_build

SCHEMA = Schema((Label("Problem", "P", "red", "1", "what ails"),))
WORDS = ("rash", "chest pain", "knee pain", "fever")


def row(word: str) -> dict[str, Any]:
    prompt = render_messages(SCHEMA, f"Patient with {word} since yesterday.")
    answer = render_answer([Item(word, "Problem")], schema=SCHEMA)
    return {"messages": [*prompt, {"role": "assistant", "content": answer}], "id": word, "window": [0, 10]}


def write_build(folder: Path, parts: Mapping[str, Sequence[Any]], *, template: str = template_digest()) -> Path:
    folder.mkdir()
    files = []
    for part, rows in parts.items():
        name = f"{part}.messages.jsonl"
        data = "".join(json.dumps(found) + "\n" for found in rows).encode()
        (folder / name).write_bytes(data)
        files.append({"name": name, "sha256": hashlib.sha256(data).hexdigest()})
    manifest = {"form": "marginalia-dataset-1", "name": "Notes", "template_sha256": template, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_build(tmp_path / "build", {"train": [row(word) for word in WORDS * 6], "dev": [row("rash")]})


def finetune(build: Path, base: Path, out: Path, *more: str) -> int:
    small = ("--rank", "4", "--batch-size", "4", "--learning-rate", "0.02", "--threads", "1", "--device", "cpu")
    return main(["finetune", str(build), "--base", str(base), "--out", str(out), *small, *more])


def test_a_prompt_is_the_one_that_the_labeler_asks_and_only_the_answer_is_learnt(tiny_gemma: Path) -> None:
    backend = load(model=str(tiny_gemma), device="cpu")
    base = load_base(model=str(tiny_gemma), revision=None, device="cpu", dtype=None, quantization=None)
    messages = row("rash <eos>")["messages"]
    example = encode(messages, base.tokenizer)
    asked = backend.prompt_tokens(Request(messages=messages[:-1], schema=answer_schema(SCHEMA), max_tokens=5))
    assert example.ids[: example.n_prompt] == asked
    assert example.labels[: example.n_prompt] == [IGNORED] * len(asked)
    learnt = base.tokenizer.decode(example.labels[example.n_prompt :])
    assert learnt == '[{"text":"rash <\u200beos>","label":"Problem"}]<end_of_turn>'


def test_a_run_lowers_the_loss_and_its_adapter_is_read_by_the_labeler(
    tiny_gemma: Path, build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert finetune(build, tiny_gemma, out, "--epochs", "3", "--n-looks", "1") == 0
    told = json.loads(capsys.readouterr().out)
    lines = [json.loads(line) for line in (out / "progress.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["loss"] is not None]
    looks = [line["dev_loss"] for line in lines if line["dev_loss"] is not None]
    assert [line["step"] for line in lines] == list(range(1, 19)), "few steps are told one by one"
    assert [line["step"] for line in lines if line["dev_loss"] is not None] == [6, 12, 18]
    assert losses[-1] < 0.7 * losses[0]
    assert told == json.loads((out / "training.json").read_text())
    assert told["best"]["dev_loss"] == pytest.approx(min(looks), abs=1e-4)
    assert (told["kind"], told["base"], told["n_rows"]) == ("lora", str(tiny_gemma), 24)
    assert told["rows"] == {"train": 24, "dev": 1}
    assert told["dataset"] == hashlib.sha256((build / "manifest.json").read_bytes()).hexdigest()
    assert out.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in out.iterdir()) == ["adapter", "progress.jsonl", "run.json", "training.json"]
    assert PeftConfig.from_pretrained(str(out / "adapter")).base_model_name_or_path == tiny_gemma.name
    assert all(path.suffix != ".bin" for path in (out / "adapter").iterdir())
    plain, adapted = (
        load(model=str(tiny_gemma), adapter=adapter, device="cpu", dtype="float32")
        for adapter in (None, str(out / "adapter"))
    )
    assert adapted.revision.startswith(plain.revision[:40])
    assert adapted.revision == told["revision"]
    request = Request(messages=row("rash")["messages"][:-1], schema=answer_schema(SCHEMA), max_tokens=8)
    (before,), (after,) = plain.generate([request])[0], adapted.generate([request])[0]
    assert before.text != after.text


def test_a_run_that_is_stopped_goes_on_to_where_it_would_have_come(
    tiny_gemma: Path, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llm_labeler.finetune.training import _Progress

    whole, halved = tmp_path / "whole", tmp_path / "halved"
    assert finetune(build, tiny_gemma, whole) == 0
    told = _Progress.on_log

    def stop_at_three(self: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        told(self, args, state, control, **more)
        if state.global_step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(_Progress, "on_log", stop_at_three)
        assert finetune(build, tiny_gemma, halved) == 130
    assert "--resume" in capsys.readouterr().err
    assert finetune(build, tiny_gemma, halved) == 1, "not into a folder that holds a run"
    assert finetune(build, tiny_gemma, halved, "--resume", "--seed", "5") == 1, "not with another recipe"
    assert "recipe" in capsys.readouterr().err
    assert finetune(build, tiny_gemma, halved, "--resume") == 0
    assert finetune(build, tiny_gemma, halved, "--resume") == 1, "done is done"
    steps = [[json.loads(line)["step"] for line in (out / "progress.jsonl").open()] for out in (whole, halved)]
    assert steps[0] == steps[1], "no step is told twice"
    one, other = (load_file(out / "adapter" / "adapter_model.safetensors") for out in (whole, halved))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_nobody_is_told_of_a_training(tiny_gemma: Path, build: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            asked.append(self.raw_requestline.decode())
            return False  # whatever it is, nothing is answered

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if name not in ("CI", "HF_HUB_OFFLINE")}
        environment["HF_ENDPOINT"] = f"http://127.0.0.1:{hub.server_port}"
        options = ("--base", str(tiny_gemma), "--out", str(tmp_path / "run"), "--rank", "4", "--device", "cpu")
        command = [sys.executable, "-m", "llm_labeler", "finetune", str(build), *options]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        hub.shutdown()
    assert asked == []


def test_an_adapter_is_gone_on_with(tiny_gemma: Path, build: Path, tmp_path: Path) -> None:
    assert finetune(build, tiny_gemma, tmp_path / "first") == 0
    start = str(tmp_path / "first" / "adapter")
    assert finetune(build, tiny_gemma, tmp_path / "second", "--start", start) == 0
    one, other = (json.loads((tmp_path / name / "training.json").read_text()) for name in ("first", "second"))
    assert other["loss"] < one["loss"]
    assert other["begun_from"]["revision"] == one["revision"]


def test_a_model_that_also_sees_learns_by_its_words_alone(
    tmp_path_factory: pytest.TempPathFactory, build: Path, tmp_path: Path
) -> None:
    from tests.models.tiny_gemma import save_tiny_gemma

    base = save_tiny_gemma(tmp_path_factory.mktemp("seeing"), is_multimodal=True)
    assert finetune(build, base, tmp_path / "run") == 0
    learnt = load_file(tmp_path / "run" / "adapter" / "adapter_model.safetensors")
    assert learnt and not any("vision" in name for name in learnt)
    assert load(model=str(base), adapter=str(tmp_path / "run" / "adapter"), device="cpu")


def test_a_dry_run_measures_and_writes_nothing(
    tiny_gemma: Path, build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(build, tiny_gemma, tmp_path / "run", "--dry-run") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["n_rows"], told["n_dev_rows"], told["n_steps"]) == (24, 1, 6)
    assert told["seconds"] > 0 and told["peak_bytes"] > 1e8 and 0 < told["n_trained"] < told["n_weights"]
    assert not (tmp_path / "run").exists()


def test_rows_that_are_too_long_are_counted_and_left_out(tiny_gemma: Path, tmp_path: Path) -> None:
    base = load_base(model=str(tiny_gemma), revision=None, device="cpu", dtype=None, quantization=None)
    folder = write_build(tmp_path / "build", {"train": [row("rash"), row("rash " * 90)]})
    build = open_build(folder)
    limit = len(encode(row("rash")["messages"], base.tokenizer).ids)
    found = examples(build, TRAIN, base.tokenizer, max_length=limit)
    assert (len(found.found), found.n_too_long) == (1, 1)
    assert examples(build, DEV, base.tokenizer, max_length=limit).found == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "is not JSON"),
        (
            lambda folder: (folder / "manifest.json").write_text('{"form": "other"}'),
            "no manifest that this version reads",
        ),
        (lambda folder: (folder / "train.messages.jsonl").write_text(json.dumps(row("ache"))), "its sha256 differs"),
        (lambda folder: (folder / "train.messages.jsonl").unlink(), "train.messages.jsonl cannot be read"),
    ],
)
def test_a_dataset_that_is_not_whole_is_refused(
    build: Path, tiny_gemma: Path, tmp_path: Path, spoil: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(build)
    assert finetune(build, tiny_gemma, tmp_path / "run") == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("parts", "template", "more", "said"),
    [
        ({"dev": [row("rash")]}, template_digest(), (), "with the format messages"),
        ({"train": [{"messages": []}]}, template_digest(), (), "train.messages.jsonl, line 1: no messages"),
        ({"train": [row("rash")]}, template_digest(COMPACT), (), "build it with that template"),
        ({"train": [row("rash")]}, template_digest(), ("--max-length", "9"), "no row of train has at most 9 tokens"),
        ({"train": [row("rash")]}, template_digest(), ("--device-batch", "3"), "no multiple of device_batch 3"),
        ({"train": [row("rash")]}, template_digest(), ("--resume",), "holds no run to go on with"),
    ],
)
def test_what_cannot_be_trained_says_why(
    tiny_gemma: Path, tmp_path: Path, parts: Any, template: str, more: tuple[str, ...], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    build = write_build(tmp_path / "other", parts, template=template)
    assert finetune(build, tiny_gemma, tmp_path / "run", *more) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "training.json"])
def test_a_trained_adapter_is_read_with_its_base_and_refused_when_changed(
    tiny_gemma: Path, build: Path, tmp_path: Path, name: str
) -> None:
    run = "abcdefgh23456789"
    out = tmp_path / "models" / run
    assert finetune(build, tiny_gemma, out) == 0
    revision = json.loads((out / "training.json").read_text())["revision"]
    given = {"models": tmp_path / "models", "kind": "lora", "run": run, "base": str(tiny_gemma), "revision": revision}
    backend = load_backend("trained", **given, runtime={"device": "cpu", "batch_size": 1})
    assert (backend.model_id, backend.revision) == (f"{tiny_gemma}+{run}", revision)
    request = Request(messages=row("rash")["messages"][:-1], schema=answer_schema(SCHEMA), max_tokens=4)
    assert backend.generate([request])[0][0].tokens
    with pytest.raises(BackendError, match="are not those that training"):
        load_backend("trained", **given | {"revision": "0" * 40 + revision[40:]})
    changed = next(path for path in out.rglob(name))
    changed.write_bytes(b"{" + changed.read_bytes())
    with pytest.raises(BackendError, match=r"are not whole|are not those"):
        load_backend("trained", **given)
