"""A training as a watched child: the real command on a small dataset."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_labeler import trainer
from llm_labeler.backends.digests import folder_digest
from llm_labeler.trainer import Outcome, Point, run_command
from tests.llm_labeler.datasets import NAME, note, notes, write_dataset
from tests.patience import PATIENCE_SECONDS

QUICK = {"steps": 20, "look_every": 10, "batch_words": 80, "seed": 3}
ENDLESS = QUICK | {"steps": 1_000_000, "patience": 0}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "build", {"train": notes(20), "dev": notes(4, seed=1)})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "models" / "run"


def train(
    build: Path,
    out: Path,
    recipe: Mapping[str, Any] = QUICK,
    *,
    is_resumed: bool = False,
    on_point: Callable[[Point], None] = lambda point: None,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    return run_command(
        kind="spacy",
        build=build,
        out=out,
        base="",
        recipe=recipe,
        is_resumed=is_resumed,
        on_point=on_point,
        may_go_on=may_go_on,
    )


def children() -> list[int]:
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid=,args="], capture_output=True, text=True)
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "train-spacy" in line]


def test_the_numbers_are_told_as_they_come_and_the_facts_in_the_end(build: Path, out: Path) -> None:
    points: list[Point] = []
    asked: list[int] = []

    def may_go_on() -> bool:
        asked.append(len(points))
        return True

    ended = train(build, out, on_point=points.append, may_go_on=may_go_on)
    assert (ended.status, ended.message) == ("done", "")
    assert ended.facts == json.loads((out / "training.json").read_text())
    assert ended.facts["recipe"]["seed"] == 3
    assert ended.facts["revision"] == folder_digest(out / "pipeline")
    assert [(point.step, point.n_steps) for point in points] == [(0, 20), (10, 20), (20, 20)]
    assert asked
    told = (out / "log.txt").read_text()
    assert "step 20/20" in told and NAME not in told
    again = train(build, out, may_go_on=lambda: False)
    assert again == ended, "what ended while nobody watched is not trained again"


def test_a_training_that_may_not_go_on_is_stopped_and_resumed(build: Path, out: Path) -> None:
    points: list[Point] = []
    ended = train(build, out, ENDLESS, on_point=points.append, may_go_on=lambda: not points)
    assert (ended.status, ended.facts) == ("stopped", {})
    assert children() == []
    n_before = len(points)
    ended = train(
        build, out, ENDLESS, is_resumed=True, on_point=points.append, may_go_on=lambda: len(points) < n_before + 1
    )
    assert ended.status == "stopped"
    assert points[n_before].step == 0, "spaCy begins again"
    assert "begins again" in (out / "log.txt").read_text()


def test_what_a_callback_raises_comes_out_once_the_child_has_ended(build: Path, out: Path) -> None:
    def lose(point: Point) -> None:
        raise LookupError("the job is another's")

    with pytest.raises(LookupError):
        train(build, out, ENDLESS, on_point=lose)
    assert children() == []


def test_a_child_that_does_not_listen_is_killed(
    build: Path, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deaf = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w'); time.sleep(600)"
    mark = tmp_path / "deaf"
    monkeypatch.setattr(trainer, "_argv", lambda *_, **__: (sys.executable, "-c", deaf, str(mark)))
    monkeypatch.setattr(trainer, "GRACE_SECONDS", 0.2)
    assert train(build, out, may_go_on=lambda: not mark.exists()).status == "stopped"


def test_the_log_has_what_the_command_says_and_no_noise_of_its_libraries(
    build: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = (
        "import sys, warnings; from tqdm import tqdm; list(tqdm(range(9), desc='Converting')); "
        "warnings.warn('a name of old', FutureWarning); sys.exit('step 1/9')"
    )
    monkeypatch.setattr(trainer, "_argv", lambda *_, **__: (sys.executable, "-c", noisy))
    train(build, out)
    assert (out / "log.txt").read_text() == "step 1/9\n"


def test_a_refusal_says_what_to_do(build: Path, out: Path, tmp_path: Path) -> None:
    bare = write_dataset(tmp_path / "bare", {"train": [note(f"{NAME} is well.")]})
    refused = train(bare, out)
    assert refused.status == "refused"
    assert refused.message == "the part train has no span of any of the schema's labels: annotate more notes"
    (out / "run.json").write_text("{}")
    refused = train(build, out)
    assert (refused.status, "was begun otherwise" in refused.message) == ("refused", True)


def test_an_error_is_told_by_its_class(build: Path, out: Path) -> None:
    out.mkdir(parents=True)
    (out / "run.json").write_text("[]")
    failed = train(build, out, is_resumed=True)
    assert failed == Outcome(
        "failed", {}, "the training ended with an error (failed (AttributeError)): see log.txt in its folder"
    )


def test_a_child_that_is_killed_is_a_failure_that_names_the_likeliest_cause(build: Path, out: Path) -> None:
    def kill(point: Point) -> None:
        for child in children():
            os.kill(child, signal.SIGKILL)

    ended = train(build, out, ENDLESS, on_point=kill)
    assert (ended.status, "memory" in ended.message) == ("failed", True)


def test_a_resume_of_a_run_that_never_began_begins_it(build: Path, out: Path) -> None:
    assert train(build, out, is_resumed=True).status == "done"


def test_two_children_are_never_in_one_folder(build: Path, out: Path) -> None:
    out.mkdir(parents=True)
    with (out / "log.txt").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert train(build, out, may_go_on=lambda: False).status == "stopped"
        release = threading.Timer(0.1, lambda: fcntl.flock(log, fcntl.LOCK_UN))
        release.start()
        assert train(build, out).status == "done"


def test_the_child_stops_when_its_parent_is_killed(build: Path, out: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from llm_labeler.trainer import run_command\n"
        "run_command(kind='spacy', build=Path(sys.argv[1]), out=Path(sys.argv[2]), base='',"
        " recipe={'steps': 1000000, 'patience': 0, 'look_every': 5}, is_resumed=False,"
        " on_point=lambda point: print(point.step, flush=True), may_go_on=lambda: True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(build), str(out)], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline()
    parent.kill()
    parent.communicate()

    def is_free() -> bool:
        with (out / "log.txt").open("a") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_free():
        assert time.monotonic() < deadline, "the child goes on"
        time.sleep(0.05)
    assert "stopped after step" in (out / "log.txt").read_text()


@pytest.mark.parametrize(
    ("kind", "recipe", "said"),
    [
        ("tree", {}, "nothing is trained as 'tree': one of lora, spacy is wanted"),
        ("spacy", {"out": "/"}, "train-spacy has no option out"),
        ("lora", {"start": "/"}, "finetune has no option start"),
        ("spacy", {"steps": "many"}, "the recipe cannot be used: argument --steps: invalid int value: 'many'"),
        ("spacy", {"steps": -1}, "steps is -1: at least 1 is wanted"),
    ],
)
def test_only_the_numbers_of_our_two_commands_can_be_asked_for(
    kind: str, recipe: dict[str, Any], said: str, build: Path, out: Path
) -> None:
    refused = run_command(
        kind=kind,
        build=build,
        out=out,
        base="gemma",
        recipe=recipe,
        is_resumed=False,
        on_point=lambda point: None,
        may_go_on=lambda: True,
    )
    assert refused == Outcome("refused", {}, said)


def test_a_line_is_what_the_recipe_says(build: Path, out: Path) -> None:
    argv = trainer._argv(
        "lora",
        build=build,
        out=out,
        base="--evil",
        recipe={"rank": 8, "quantization": "4bit", "seed": None},
        is_resumed=True,
    )
    assert argv[2:4] == ("llm_labeler", "finetune")
    assert argv[5:] == (
        "--out",
        str(out),
        "--while-stdin",
        "--base=--evil",
        "--resume",
        "--rank=8",
        "--quantization=4bit",
    )
