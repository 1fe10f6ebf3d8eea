"""Precision of each kind of match of the `spacy` backend's rules on MACCROBAT, from which its priors are rounded.

A match counts as right where a gold span of its label overlaps it. Terms and patterns were chosen on the notes at even
places of the sorted list (`--part tune`) and are measured on those at odd places (`--part measure`, the default).

    python bench/lexicon_priors.py --data ../shared/data [--part tune|measure|all] [--wrong KIND]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llm_labeler.backends.spacy import PRIORS
from llm_labeler.lexicon.matching import rule_matches

LABELS = {
    "Medication": "Medication",
    "Dosage": "Dosage",
    "Frequency": "Dosage",
    "Administration": "Dosage",
    "Disease_disorder": "Problem",
    "Sign_symptom": "Problem",
    "Diagnostic_procedure": "Test",
    "Therapeutic_procedure": "Procedure",
    "Biological_structure": "Anatomy",
}
# Laplace, with the prior of a coin: keeps a kind seen a few times off 0 and 1.
PSEUDO_COUNTS = (1, 2)
Gold = dict[str, list[tuple[int, int]]]


def read_gold(path: Path) -> Gold:
    """Hulls of the gold spans in a brat file, by our label."""
    gold: Gold = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("T"):
            continue
        kind, _, offsets = line.split("\t")[1].partition(" ")
        if kind in LABELS:
            numbers = [int(number) for fragment in offsets.split(";") for number in fragment.split()]
            gold[LABELS[kind]].append((min(numbers), max(numbers)))
    return gold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parent.parent.parent / "shared" / "data")
    parser.add_argument("--part", choices=("tune", "measure", "all"), default="measure")
    parser.add_argument("--wrong", help="list the most frequent wrong matches of this kind")
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "maccrobat").glob("*.txt"))
    if not paths:
        parser.error(f"no notes in {arguments.data / 'maccrobat'}")
    chosen = {"tune": paths[::2], "measure": paths[1::2], "all": paths}[arguments.part]
    report(chosen, arguments.wrong)


def report(paths: list[Path], wrong_kind: str | None) -> None:
    by_kind: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    by_label: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: Counter[str] = Counter()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        gold = read_gold(path.with_suffix(".ann"))
        matches = rule_matches(text, PRIORS)
        for match in matches:
            spans = gold[match.label]
            is_right = any(start < match.end and match.start < end for start, end in spans)
            is_exact = (match.start, match.end) in spans
            for counts in (by_kind[match.label, match.kind], by_label[match.label]):
                counts.update(n=1, right=is_right, exact=is_exact)
            if not is_right and wrong_kind == match.kind:
                wrong[text[match.start : match.end].lower()] += 1
        for label, spans in gold.items():
            ours = [(m.start, m.end) for m in matches if m.label == label]
            found = sum(any(s < end and start < e for s, e in ours) for start, end in spans)
            by_label[label].update(gold=len(spans), found=found, both=len(set(spans) & set(ours)))
    print(
        f"{len(paths)} notes\n{'label':11} {'kind':24} {'n':>5} {'overlap':>8} {'exact':>7} {'prior':>6} {'in use':>7}"
    )
    for (label, kind), counts in sorted(by_kind.items()):
        n = counts["n"]
        prior = (counts["right"] + PSEUDO_COUNTS[0]) / (n + PSEUDO_COUNTS[1])
        used = PRIORS.get(kind)
        print(
            f"{label:11} {kind:24} {n:5} {counts['right'] / n:8.2f} {counts['exact'] / n:7.2f} {prior:6.2f} "
            f"{'-' if used is None else format(used, '7.2f')}"
        )
    print(f"\n{'label':11} {'gold':>5} {'ours':>5}  overlap P/R/F1      exact P/R/F1")
    for label, counts in sorted(by_label.items()):
        n, n_gold = max(counts["n"], 1), max(counts["gold"], 1)
        scores = [
            *_scores(counts["right"] / n, counts["found"] / n_gold),
            *_scores(counts["exact"] / n, counts["both"] / n_gold),
        ]
        print(f"{label:11} {n_gold:5} {n:5}  " + "  ".join(f"{score:.2f}" for score in scores))
    for surface, n in wrong.most_common(60):
        print(f"{n:4} {surface}")


def _scores(precision: float, recall: float) -> tuple[float, float, float]:
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


if __name__ == "__main__":
    main()
