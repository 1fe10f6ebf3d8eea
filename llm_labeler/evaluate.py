"""A labeler against gold spans: `python -m llm_labeler evaluate --gold BRAT_DIR --labeler NAME`.

The gold is a folder of brat files, NAME.txt and NAME.ann. `--map TYPE=LABEL` says which label of the schema a type of
span has, `*=LABEL` that of all others; what has no label is left out and counted. Without it types are taken by their
own names. With it the labeler is asked for the labels on the right only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from annotator.core.chunks import SMALL_WINDOW
from annotator.core.evaluation import EvaluatedNote, Evaluation, FoundSpan, evaluate, is_in_text
from annotator.core.prompting import COMPACT, TEMPLATES
from annotator.core.schema import Schema, SchemaError, schema_from_json
from llm_labeler import gemma
from llm_labeler.backends import Backend, BackendError, Constraint, load_backend, openai
from llm_labeler.backends.digests import adapter_digest, file_digest, revision_with
from llm_labeler.gold import Gold, GoldError, GoldNote, read_gold
from llm_labeler.pipeline import Decoding, LabelResult, label_notes
from llm_labeler.report import report_json, report_text
from llm_labeler.server import CannotServe, default_threads, running

LABELERS = ("gemma", "gemma-base", "spacy", "transformers", "openai")
RUNTIMES = ("llama.cpp", "torch")
DIALECTS = ("llama.cpp", "vllm", "openai")
SCHEMA = Path(__file__).resolve().parent.parent / "annotator" / "demo" / "schema.json"
# As the small model was trained; larger ones read all that there is to be told.
SMALL = Decoding(template=COMPACT, window=SMALL_WINDOW, overlap=0, max_tokens=768)
NONE, SPACY = "none", "spacy"


class UsageError(ValueError):
    """Options that do not go together; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it: the measures, and the conditions that they were taken under."""

    evaluation: Evaluation
    conditions: Mapping[str, Any]
    seconds_per_note: float


def label_map(given: Sequence[str], schema: Schema) -> dict[str, str]:
    """Which label each type of span has, from `TYPE=LABEL`; the schema's own names where nothing is given.

    Raises UsageError.
    """
    if not given:
        return {label: label for label in schema.label_names}
    labels: dict[str, str] = {}
    for pair in given:
        kind, is_pair, label = pair.partition("=")
        if not (is_pair and kind) or label not in schema.label_names:
            raise UsageError(f"--map {pair}: TYPE=LABEL is wanted, LABEL one of {', '.join(schema.label_names)}")
        labels[kind] = label
    return labels


def schema_of(schema: Schema, labels: Sequence[str]) -> Schema:
    """The schema with these of its labels only, and the attributes that they have."""
    attributes = (
        replace(attribute, labels=tuple(label for label in attribute.labels if label in labels))
        for attribute in schema.attributes
    )
    return Schema(
        labels=tuple(label for label in schema.labels if label.name in labels),
        attributes=tuple(attribute for attribute in attributes if attribute.labels),
    )


def decoding_of(given: argparse.Namespace) -> Decoding:
    """The labeler's own way to be asked, but for what was given. Raises UsageError."""
    wanted = {
        "window": given.window,
        "overlap": given.overlap,
        "template": given.template,
        "constraint": Constraint(given.constraint) if given.constraint else None,
        "n_passes": given.passes,
        "is_rechecked": given.recheck or None,
    }
    base = SMALL if _is_small(given) else Decoding()
    decoding = replace(base, seed=given.seed, **{name: value for name, value in wanted.items() if value is not None})
    if decoding.n_passes < 0:
        raise UsageError(f"--passes {decoding.n_passes}: from 0 is wanted")
    if not 0 <= 2 * decoding.overlap <= decoding.window:
        raise UsageError(f"--overlap {decoding.overlap}: from 0 to half of the window of {decoding.window} is wanted")
    return decoding


@contextlib.contextmanager
def opened(given: argparse.Namespace) -> Iterator[tuple[Backend, dict[str, Any]]]:
    """The labeler's backend, and what of its runtime is worth telling. Raises BackendError, CannotServe, UsageError."""
    name = given.labeler
    if given.adapter and name != "transformers":
        raise UsageError("--adapter goes with --labeler transformers only")
    if name == SPACY:
        yield load_backend(SPACY, pipeline=given.model), {"runtime": "spacy", "threads": 1}
    elif name == "openai":
        if not (given.url and given.model):
            raise UsageError("--labeler openai needs --url and --model")
        key = os.environ.get("LABELER_API_KEY") or ""
        server = openai.load(url=given.url, model=given.model, api_key=key, dialect=given.dialect)
        yield server, {"runtime": f"server ({server.dialect})"}
    elif name == "transformers":
        if not given.model:
            raise UsageError("--labeler transformers needs --model: a name or a folder")
        yield load_backend("transformers", model=given.model, adapter=given.adapter), {"runtime": "torch"}
    elif given.runtime == "torch":
        base = {} if name == "gemma" else {"model": str(gemma.base_path())}
        yield load_backend("transformers", **base), {"runtime": "torch"}
    else:
        with _small_served(has_adapter=name == "gemma") as served:
            yield served


@contextlib.contextmanager
def _small_served(*, has_adapter: bool) -> Iterator[tuple[Backend, dict[str, Any]]]:
    """The small model by a server of its own, which ends with the block."""
    n_threads = default_threads()
    with running(adapter=gemma.ADAPTER_GGUF if has_adapter else None, n_threads=n_threads) as url:
        backend = load_backend(
            "openai",
            url=url,
            model=gemma.MODEL_ID if has_adapter else gemma.BASE_ID,
            revision=small_revision(has_adapter=has_adapter),
            dialect="llama.cpp",
            concurrency=1,
        )
        yield backend, {"runtime": "llama.cpp", "threads": n_threads}


def small_revision(*, has_adapter: bool) -> str:
    """Of the files that are there."""
    return revision_with(file_digest(gemma.base_path()), adapter_digest(gemma.ADAPTER) if has_adapter else None)


def run(given: argparse.Namespace) -> Run:
    """The evaluation that the options ask for. Raises any of this module's and its parts' own errors."""
    whole = schema_from_json(json.loads(given.schema.read_text(encoding="utf-8")))
    labels = label_map(given.map, whole)
    schema = schema_of(whole, list(labels.values()))
    decoding = decoding_of(given)
    gold = read_gold(given.gold, labels, limit=given.limit)
    with opened(given) as (backend, runtime):
        second = load_backend(SPACY) if _second_of(given) == SPACY else None
        began = time.perf_counter()
        results = dict(_labelled(gold.notes, schema, backend, decoding, second))
        seconds = time.perf_counter() - began
    notes = [_evaluated(note, results[place]) for place, note in enumerate(gold.notes)]
    return Run(
        evaluation=evaluate(notes, schema.label_names, seed=given.seed),
        conditions={
            "labeler": given.labeler,
            "model": backend.model_id,
            "revision": backend.revision,
            **runtime,
            **_asked(decoding, backend),
            "second": second.name if second else None,
            "gold": given.gold.name,
            "map": labels,
            **_counted(gold, list(results.values())),
        },
        seconds_per_note=seconds / len(notes),
    )


def main(arguments: Sequence[str]) -> int:
    given = parser().parse_args(arguments)
    try:
        found = run(given)
    except (GoldError, UsageError, SchemaError, BackendError, CannotServe, OSError, json.JSONDecodeError) as error:
        print(f"evaluate: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(report_text(found.evaluation, found.conditions, found.seconds_per_note))  # noqa: T201
    if given.json:
        print(json.dumps(report_json(found.evaluation, found.conditions, found.seconds_per_note)))  # noqa: T201
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m llm_labeler evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--gold", type=Path, required=True, metavar="BRAT_DIR", help="folder with .txt and .ann files")
    made.add_argument(
        "--labeler",
        choices=LABELERS,
        required=True,
        help="gemma: the small model with its adapter; gemma-base: without; spacy: dictionaries, or a pipeline with "
        "--model; others: --model",
    )
    made.add_argument("--map", nargs="+", action="extend", default=[], metavar="TYPE=LABEL")
    made.add_argument("--schema", type=Path, default=SCHEMA, help="a schema's JSON (default: the demo's)")
    made.add_argument("--limit", type=_positive, help="the first so many notes, by name")
    made.add_argument("--seed", type=int, default=0, help="of sampled passes and of the intervals")
    made.add_argument("--json", action="store_true", help="one JSON object on the last line")
    made.add_argument("--window", type=_positive, help="longest window in characters (default: the labeler's own)")
    made.add_argument("--overlap", type=int, help="of neighbouring windows, in characters")
    made.add_argument("--template", choices=TEMPLATES)
    made.add_argument("--constraint", choices=[str(each) for each in Constraint])
    made.add_argument("--passes", type=int, help="sampled answers beside the first, for the agreement signals")
    made.add_argument("--recheck", action="store_true", help="ask about each span again alone: the signal yes_share")
    made.add_argument(
        "--second", choices=(SPACY, NONE), help="who reads along, for signals only (default: spacy beside gemma)"
    )
    made.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="of gemma and gemma-base")
    made.add_argument("--model", help="of transformers and openai; of spacy: a trained pipeline's folder")
    made.add_argument("--adapter", metavar="FOLDER", help="of transformers: a LoRA adapter that goes with the model")
    made.add_argument("--url", help="of openai; LABELER_API_KEY holds its key, where it wants one")
    made.add_argument("--dialect", choices=DIALECTS, help="of openai: which server it is (default: what it tells)")
    return made


def _labelled(
    notes: Sequence[GoldNote], schema: Schema, backend: Backend, decoding: Decoding, second: Backend | None
) -> Iterator[tuple[int, LabelResult]]:
    """The notes as they are read, with a line of progress."""
    began = time.perf_counter()
    texts = [note.text for note in notes]
    found = label_notes(texts=texts, schema=schema, backend=backend, decoding=decoding, second=second)
    for n_done, labelled in enumerate(found, 1):
        yield labelled
        seconds = time.perf_counter() - began
        print(f"\r{n_done} of {len(notes)} notes, {seconds:.0f} s", end="", file=sys.stderr, flush=True)  # noqa: T201
    print(file=sys.stderr)  # noqa: T201


def _evaluated(note: GoldNote, result: LabelResult) -> EvaluatedNote:
    lost = [each.pieces for each in result.spans if each.span is None]
    return EvaluatedNote(
        gold=note.gold,
        found=[FoundSpan(each.span, each.label, each.score, each.signals) for each in result.spans if each.span],
        n_unaligned=len(lost),
        n_invented=sum(not all(is_in_text(piece, note.text) for piece in pieces) for pieces in lost),
    )


def _asked(decoding: Decoding, backend: Backend) -> dict[str, Any]:
    """How it was asked, with the constraint that answers were held to: some servers have no word for copying."""
    constraint = decoding.constraint
    if isinstance(backend, openai.OpenAIBackend):
        constraint = backend.held_to(constraint)
    return {
        "window": decoding.window,
        "overlap": decoding.overlap,
        "template": decoding.template,
        "constraint": str(constraint),
        "n_passes": decoding.n_passes,
        "is_rechecked": decoding.is_rechecked,
        "seed": decoding.seed,
    }


def _counted(gold: Gold, results: Sequence[LabelResult]) -> dict[str, Any]:
    return {
        "n_notes": len(gold.notes),
        "n_characters": sum(len(note.text) for note in gold.notes),
        "n_windows": sum(result.n_chunks for result in results),
        "n_truncated": sum(result.n_truncated for result in results),
        "n_problems": sum(len(result.problems) for result in results),
        "n_repeated_gold": gold.n_repeats,
        "left_out": dict(gold.left_out),
    }


def _is_small(given: argparse.Namespace) -> bool:
    return given.labeler in ("gemma", "gemma-base")


def _second_of(given: argparse.Namespace) -> str:
    return given.second or (SPACY if _is_small(given) else NONE)


def _positive(given: str) -> int:
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError("a number from 1 is wanted")
    return number
