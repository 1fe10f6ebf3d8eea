"""The weights of the score (`annotator/core/scoring.py`), fitted on spans whose truth is known.

    python bench/fit_score.py collect --notes demo --out demo.jsonl
    python bench/fit_score.py collect --notes synthetic --limit 200 --out synthetic.jsonl
    python bench/fit_score.py fit demo.jsonl synthetic.jsonl

`collect` has the small model read the demo's notes (their gold was marked by hand) or notes of the training grammar by
a seed that training never saw, and keeps each span's signals with whether it is right: exactly a gold span, with its
label. `fit` makes a logistic regression of them and prints its weights. No other notes are fitted on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.matching import Labelled, strict_matches
from annotator.core.ranking import auroc
from annotator.core.schema import schema_from_json
from annotator.core.scoring import FEATURES, features, score_of
from llm_labeler.backends import load_backend
from llm_labeler.evaluate import SCHEMA, SMALL, opened
from llm_labeler.evaluate import parser as evaluation_parser
from llm_labeler.gold import read_gold
from llm_labeler.pipeline import label_notes
from llm_labeler.synthetic.notes import notes as synthetic_notes
from llm_labeler.synthetic.rules import load_grammar

DEMO = SCHEMA.parent / "notes"
UNSEEN_SEED = 99
RIDGE = 1.0
FOLDS = 5
N_STEPS = 50  # of Newton's method


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("--notes", choices=("demo", "synthetic"), required=True)
    collecting.add_argument("--limit", type=int, help="the first so many notes, the shortest of the demo's")
    collecting.add_argument("--out", type=Path, required=True)
    fitting = commands.add_parser("fit")
    fitting.add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "collect":
        collect(given.notes, given.limit, given.out)
    else:
        fit([json.loads(line) for path in given.files for line in path.read_text().splitlines()])


def collect(source: str, limit: int | None, out: Path) -> None:
    """Write a line for each span that the small model finds, note by note as they are read."""
    schema = schema_from_json(json.loads(SCHEMA.read_text()))
    gold = list(_demo(limit) if source == "demo" else _synthetic(limit))
    asked = evaluation_parser().parse_args(["--gold", ".", "--labeler", "gemma"])
    with opened(asked) as (backend, _), out.open("w") as lines:
        found = label_notes(
            texts=[text for _, text, _ in gold],
            schema=schema,
            backend=backend,
            decoding=SMALL,
            second=load_backend("spacy"),
        )
        for place, result in found:
            name, _, wanted = gold[place]
            spans = [one for one in result.spans if one.span]
            right = strict_matches(wanted, [Labelled(one.span, one.label) for one in spans])
            for one, is_right in zip(spans, right, strict=True):
                row = {"note": f"{source} {name}", "is_right": is_right, "signals": one.signals}
                lines.write(json.dumps(row) + "\n")
            lines.flush()
            print(f"{name}: {len(spans)} spans, {sum(right)} right of {len(wanted)} gold", file=sys.stderr)


def fit(rows: Sequence[dict[str, Any]]) -> None:
    """Print the weights, and how well they rank notes that they were not fitted on."""
    known = [(row, found) for row in rows if (found := features(row["signals"])) is not None]
    x = np.array([[found.get(name, np.nan) for name in FEATURES] for _, found in known])
    middle = np.nanmean(x, 0)
    x = np.where(np.isnan(x), middle, x) - middle
    right = [bool(row["is_right"]) for row, _ in known]
    y = np.array(right, dtype=float)
    notes = sorted({row["note"] for row, _ in known})
    fold = np.array([notes.index(row["note"]) % FOLDS for row, _ in known])
    held_out = np.zeros(len(y))
    for number in range(FOLDS):
        bias, weights = _logistic(x[fold != number], y[fold != number])
        held_out[fold == number] = bias + x[fold == number] @ weights
    print(f"{len(y)} spans of {len(notes)} notes, {y.mean():.0%} right")
    print(f"AUROC, notes held out: {auroc(list(held_out), right):.3f}")
    print(f"the score as it is: {auroc([score_of(row['signals']) for row, _ in known], right):.3f}")
    for place, name in enumerate(FEATURES):
        print(f"{name} alone: {auroc(list(x[:, place]), right):.3f}")
    bias, weights = _logistic(x, y)
    print(f"BIAS = {bias:.3f}")
    for name, weight, usual in zip(FEATURES, weights, middle, strict=True):
        print(f'    "{name}": ({weight:.3f}, {usual:.3f}),')


def _logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Bias and weights of a logistic regression, with a ridge penalty on columns of unit spread."""
    spread = x.std(0) + 1e-9
    rows = np.column_stack([np.ones(len(x)), x / spread])
    penalty = np.diag([0.0] + [RIDGE] * x.shape[1])
    weights = np.zeros(rows.shape[1])
    for _ in range(N_STEPS):
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (y - chance) - penalty @ weights
        curve = (rows * (chance * (1 - chance))[:, None]).T @ rows + penalty
        weights += np.linalg.solve(curve, slope)
    return float(weights[0]), weights[1:] / spread


def _demo(limit: int | None) -> Iterator[tuple[str, str, Sequence[Labelled]]]:
    labels = {name: name for name in schema_from_json(json.loads(SCHEMA.read_text())).label_names}
    read = sorted(read_gold(DEMO, labels).notes, key=lambda note: len(note.text))
    return ((note.name, note.text, note.gold) for note in read[:limit])


def _synthetic(limit: int | None) -> Iterator[tuple[str, str, Sequence[Labelled]]]:
    made = islice(synthetic_notes(load_grammar(), UNSEEN_SEED), limit or 200)
    return (
        (f"{number} {note.rule}", note.text, [Labelled(gold.span, gold.label) for gold in note.spans])
        for number, note in enumerate(made)
    )


if __name__ == "__main__":
    main()
