"""What `python -m llm_labeler train-spacy` learns from a corpus with gold spans, on notes that it never saw.

    python bench/train_spacy.py --out FOLDER [--data ../shared/data] [--corpus maccrobat …] [--OPTION VALUE …]

Of five folds of the notes one is held out and measured, and a tenth of the rest is the development part. The notes are
written as a dataset with the format JSONL, trained by the command, and the pipeline reads as the application has it
read. Other options are handed on to the command: `--component ner`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.evaluation import EvaluatedNote, FoundSpan, evaluate
from annotator.core.schema import schema_from_json
from bench.effort_labelers import DATA, Corpus, folds, read_corpus
from bench.evaluate_labelers import MAPS
from llm_labeler.__main__ import main as command
from llm_labeler.backends import load_backend
from llm_labeler.gold import GoldNote
from llm_labeler.pipeline import label_notes

HELD_FOLD, DEV_EVERY = 0, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where datasets and pipelines are written")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--corpus", nargs="+", choices=list(MAPS), default=list(MAPS))
    options, handed_on = parser.parse_known_args()
    head = (
        "| data | notes: train, dev, held out | gold spans held out | strict P/R/F1 | overlap F1 | AUROC of the score"
    )
    rows = [f"{head} | training | a note |", "|---" * 8 + "|"]
    for name in options.corpus:
        rows.append(measured(read_corpus(options.data, name), options.out, handed_on))
        print("\n".join(rows), flush=True)


def measured(corpus: Corpus, out: Path, handed_on: Sequence[str]) -> str:
    fold_of = folds(corpus.notes)
    held = [note for note in corpus.notes if fold_of[note.name] == HELD_FOLD]
    rest = [note for note in corpus.notes if fold_of[note.name] != HELD_FOLD]
    parts = {"train": [note for place, note in enumerate(rest) if place % DEV_EVERY], "dev": rest[::DEV_EVERY]}
    build, run = out / f"{corpus.name}-dataset", out / f"{corpus.name}-run"
    definition = {"labels": [{"name": label, "definition": label} for label in corpus.labels]}
    write_dataset(build, parts, definition)
    if code := command(["train-spacy", str(build), "--out", str(run), *handed_on]):
        sys.exit(code)
    facts = json.loads((run / "training.json").read_text(encoding="utf-8"))
    backend = load_backend("spacy", pipeline=str(run / "pipeline"))
    began = time.perf_counter()
    schema = schema_from_json(definition)
    found = dict(label_notes(texts=[note.text for note in held], schema=schema, backend=backend))
    seconds = time.perf_counter() - began
    notes = [
        EvaluatedNote(
            gold=note.gold,
            found=[FoundSpan(one.span, one.label, one.score, one.signals) for one in found[place].spans if one.span],
        )
        for place, note in enumerate(held)
    ]
    result = evaluate(notes, schema.label_names, seed=0)
    strict, overlap = result.strict, result.overlap
    return (
        f"| {corpus.name} | {len(parts['train'])}, {len(parts['dev'])}, {len(held)} | {strict.n_gold:,}"
        f" | {strict.precision:.2f}/{strict.recall:.2f}/{strict.f1:.2f} | {overlap.f1:.2f}"
        f" | {result.score.auroc or 0:.2f}"
        f" | {facts['steps']} steps, {facts['seconds']:.0f} s | {seconds / len(held):.2f} s |"
    )


def write_dataset(folder: Path, parts: Mapping[str, Sequence[GoldNote]], definition: Mapping[str, Any]) -> None:
    """As the application writes one, as far as training reads it."""
    folder.mkdir(parents=True)
    files = []
    for part, notes in parts.items():
        data = "".join(json.dumps(row(note), ensure_ascii=False) + "\n" for note in notes).encode()
        (folder / f"{part}.jsonl").write_bytes(data)
        files.append({"name": f"{part}.jsonl", "sha256": hashlib.sha256(data).hexdigest()})
    manifest = {
        "form": "marginalia-dataset-1",
        "name": folder.name,
        "schema": {"definition": definition},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def row(note: GoldNote) -> dict[str, Any]:
    spans = [
        {"start": span.start, "end": span.end, "fragments": [list(piece) for piece in span.fragments], "label": label}
        for span, label in note.gold
    ]
    return {"id": note.name, "text": note.text, "spans": spans}


if __name__ == "__main__":
    main()
