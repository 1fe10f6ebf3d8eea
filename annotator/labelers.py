"""The labelers of an installation, from its environment: what a Labeler row says of each, and how it is loaded.

`config` decides what is found and is part of the row; `runtime` holds what does not: where a server is, its key, the
device. A worker refuses a run whose model is not the one that it has loaded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from annotator import runtime
from annotator.core.chunks import OVERLAP, SMALL_WINDOW, WINDOW
from annotator.core.identifiers import FINDER
from annotator.core.prompting import COMPACT, FULL
from annotator.core.servers import server_address

# The small model with our adapter, as `llm_labeler.gemma` has it: the web process has neither. A test compares.
GEMMA_ID = "gemma-3-270m+marginalia"
GEMMA_REVISION = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac+96895a4fcc3c8541"
GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SECONDS = 600.0  # a lease's length: two cores that others keep busy are slow
MODEL_SOCKET = "model.sock"
MODEL_RECORD = "model.json"  # what llm_labeler.fetch found LABELER_MODEL to be
LONGEST = {"name": 120, "model_id": 200, "revision": 64}  # as the columns of a Labeler
NAMES = ("gemma", "transformers", "openai", "spacy")
DIALECTS = ("llama.cpp", "vllm", "openai")

# Names are followed through a window; so many characters hold fewer identifiers than an answer may have items.
IDENTIFIER_WINDOW, IDENTIFIER_OVERLAP = 10_000, 200

# How the small model is asked: as it was trained. Larger ones read the whole guideline.
_SMALL = {"template": COMPACT, "window": SMALL_WINDOW, "overlap": 0, "max_tokens": 768, "second": "spacy"}
_LARGE = {"template": FULL, "window": WINDOW, "overlap": OVERLAP}


def chosen_name() -> str:
    """LABELER; where it is not set, `transformers` for a LABELER_MODEL, else `gemma` where its file is, or `spacy`."""
    name = os.environ.get("LABELER")
    if not name:
        if os.environ.get("LABELER_MODEL"):
            return "transformers"
        return "gemma" if (_cache_folder() / GEMMA_FILE).is_file() else "spacy"
    if name not in NAMES:
        raise ValueError(f"LABELER must be one of {', '.join(NAMES)}, not {name!r}")
    return name


def labelers(chosen: str, *, data: Path, sockets: Path) -> dict[str, dict[str, Any]]:
    """By name: the chosen labeler, and those that every installation has: dictionaries, and the finder of identifiers,
    which is nobody's default.
    """
    if os.environ.get("LABELER_MODEL") and chosen not in ("transformers", "openai"):
        raise ValueError(f"LABELER={chosen} has its own model: unset LABELER_MODEL, or use LABELER=transformers")
    found = {"spacy": _spacy(), FINDER: _presidio()}
    if chosen == "gemma":
        found["gemma"] = _gemma(sockets)
    if chosen == "transformers":
        found["transformers"] = _transformers(data)
    if chosen == "openai":
        found["openai"] = _openai()
    for name, longest in LONGEST.items():
        if len(found[chosen][name]) > longest:
            raise ValueError(f"LABELER={chosen}: its {name.replace('_', ' ')} has more than {longest} characters")
    return found


def placement() -> dict[str, Any]:
    """Where torch computes and how much at once: of LABELER=transformers, and of adapters trained here."""
    return _without_none(
        {
            "device": _given("LABELER_DEVICE"),
            "batch_size": _number("LABELER_BATCH"),
            "max_batch_tokens": _number("LABELER_BATCH_TOKENS"),
        }
    )


def _spacy() -> dict[str, Any]:
    return {
        "name": "Dictionaries and rules",
        "backend": "spacy",
        "model_id": "marginalia-lexicon",
        "revision": "1",
        "constraint": "none",
        "n_passes": 0,
        **_LARGE,
        "config": {},
        "runtime": {},
    }


def _presidio() -> dict[str, Any]:
    return {
        "name": "Identifiers (Presidio)",
        "backend": FINDER,
        "model_id": "marginalia-identifiers",
        "revision": "1",
        "constraint": "none",
        "n_passes": 0,
        "template": FULL,
        "window": IDENTIFIER_WINDOW,
        "overlap": IDENTIFIER_OVERLAP,
        "config": {},
        "runtime": {},
    }


def _gemma(sockets: Path) -> dict[str, Any]:
    recorded = {"model_id": GEMMA_ID, "revision": GEMMA_REVISION}
    server = {"url": f"unix://{sockets / MODEL_SOCKET}", "model": f"{GEMMA_ID}@{GEMMA_REVISION}"}
    return {
        "name": "Gemma 3 270M, trained for this",
        "backend": "openai",
        "model_id": GEMMA_ID,
        "revision": GEMMA_REVISION,
        "constraint": "copy",
        "n_passes": 0,
        **_SMALL,
        "config": {"dialect": "llama.cpp"},
        "runtime": {**server, **recorded, "concurrency": 1, "timeout_seconds": GEMMA_SECONDS},
    }


def _transformers(data: Path) -> dict[str, Any]:
    model = os.environ.get("LABELER_MODEL") or ""
    adapter = os.environ.get("LABELER_ADAPTER") or ""
    config = {"dtype": _given("LABELER_DTYPE"), "quantization": _given("LABELER_QUANTIZATION")}
    placed = placement()
    common = {
        "backend": "transformers",
        "constraint": "copy",
        "n_passes": 0,
        "config": _without_none(config),
    }
    if not model:
        if adapter:
            raise ValueError("LABELER_ADAPTER needs the LABELER_MODEL that it was trained on")
        return {
            "name": "Gemma 3 270M, trained for this (torch)",
            "model_id": GEMMA_ID,
            "revision": GEMMA_REVISION,
            **common,
            **_SMALL,
            "runtime": placed,
        }
    record = _record(data, model=model, adapter=adapter)
    where = {"model": model, "adapter": adapter or None, "revision": record["commit"] or None}
    return {
        "name": record["model_id"],
        "model_id": record["model_id"],
        "revision": record["revision"],
        **common,
        **_LARGE,
        "runtime": placed | _without_none(where),
    }


def _openai() -> dict[str, Any]:
    url, model = os.environ.get("LABELER_URL"), os.environ.get("LABELER_MODEL")
    if not url or not model:
        raise ValueError("LABELER=openai needs LABELER_URL and LABELER_MODEL: the server's address, its model's name")
    server_address(url)
    dialect = os.environ.get("LABELER_DIALECT") or "openai"
    if dialect not in DIALECTS:
        raise ValueError(f"LABELER_DIALECT must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    revision = os.environ.get("LABELER_REVISION") or "not told"
    server = {"url": url, "model": model, "revision": revision, "api_key": runtime.secret("LABELER_API_KEY") or ""}
    return {
        "name": model,
        "backend": "openai",
        "model_id": model,
        "revision": revision,
        "constraint": "json" if dialect == "openai" else "copy",  # no other grammar is common ground
        "n_passes": 0,
        **_LARGE,
        "config": {"dialect": dialect},
        "runtime": {**server, **_without_none({"concurrency": _number("LABELER_CONCURRENCY")})},
    }


def _record(data: Path, *, model: str, adapter: str) -> dict[str, str]:
    """What `llm_labeler.fetch` has written down of the model. Raises ValueError where it has not."""
    try:
        record: dict[str, str] = json.loads((data / MODEL_RECORD).read_text())
    except (OSError, ValueError):
        record = {}
    if (record.get("model"), record.get("adapter")) != (model, adapter):
        raise ValueError(
            f"LABELER_MODEL={model} has not been fetched: make run does it, or python -m llm_labeler.fetch {model} "
            f"--record {data / MODEL_RECORD}" + (f" --adapter {adapter}" if adapter else "")
        )
    return record


def _cache_folder() -> Path:
    """As `llm_labeler.gemma.cache_folder`."""
    given = os.environ.get("MARGINALIA_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marginalia"


def _given(name: str) -> str | None:
    return os.environ.get(name) or None


def _number(name: str) -> int | None:
    given = os.environ.get(name)
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise ValueError(f"{name} must be a number from 1, not {given!r}")
    return int(given)


def _without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
