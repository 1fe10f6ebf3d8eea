"""The labelers against gold spans: the tables of docs/benchmarks.md.

    python bench/evaluate_labelers.py [--data ../shared/data] [--labeler gemma …] [--limit N] [--json results.jsonl]

Data: `ncbi_disease` (names of diseases, all taken as Problem) and `maccrobat` (case reports, six types of spans, the
others left out). A folder or a model that is not there is passed over with the reason. Every row is what
`python -m llm_labeler evaluate` says; `--json` keeps all of it, one line a row.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llm_labeler import evaluate
from llm_labeler.backends import BackendError
from llm_labeler.report import report_json
from llm_labeler.server import CannotServe

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
LABELERS = ("gemma", "gemma-base", "spacy")
MAPS = {
    "ncbi_disease": ["*=Problem"],
    "maccrobat": [
        "Sign_symptom=Problem",
        "Disease_disorder=Problem",
        "Medication=Medication",
        "Dosage=Dosage",
        "Diagnostic_procedure=Test",
        "Therapeutic_procedure=Procedure",
        "Biological_structure=Anatomy",
    ],
}
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--labeler", nargs="+", choices=LABELERS, default=LABELERS)
    parser.add_argument("--limit", type=int, help="the first so many notes of each folder")
    parser.add_argument("--json", type=Path, help="write each row's whole result to this file")
    given = parser.parse_args()
    results = [
        result
        for folder, mapping in MAPS.items()
        for labeler in given.labeler
        if (result := result_of(given.data / folder, mapping, labeler, given.limit)) is not None
    ]
    if given.json:
        given.json.write_text("".join(json.dumps(result) + "\n" for result in results), encoding="utf-8")
    print("\n\n".join((figures(results), labels(results), signals(results), conditions(results))))


def result_of(folder: Path, mapping: list[str], labeler: str, limit: int | None) -> Result | None:
    """What the command says of the labeler on the folder; None, and why on standard error, where it cannot."""
    if not folder.is_dir():
        print(f"passed over: {folder} is not laid out here", file=sys.stderr)
        return None
    arguments = ["--gold", str(folder), "--labeler", labeler, "--map", *mapping]
    arguments += ["--limit", str(limit)] if limit else []
    print(f"{labeler} on {folder.name}", file=sys.stderr)
    try:
        found = evaluate.run(evaluate.parser().parse_args(arguments))
    except (BackendError, CannotServe) as error:
        print(f"passed over: {error}", file=sys.stderr)
        return None
    return report_json(found.evaluation, found.conditions, found.seconds_per_note)


def figures(results: list[Result]) -> str:
    rows = [
        f"| {named(result)} | {scheme(result['strict'])} | {scheme(result['overlap'])} "
        f"| {rate(result['invented_rate'])} | {rate(result['unaligned_rate'])} "
        f"| {ranged(result['auroc'], result['auroc_interval'])} "
        f"| {ranged(result['auroc_overlap'], result['auroc_overlap_interval'])} | {share(result['ece'])} "
        f"| {share(result['brier'])} | {result['seconds_per_note']:.2f} |"
        for result in results
    ]
    head = (
        "| data | labeler | strict P/R | F1 | overlap P/R | F1 | invented | unaligned | AUROC | by overlap | ECE "
        "| Brier | s a note |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *rows])


def labels(results: list[Result]) -> str:
    rows = [
        f"| {named(result)} | {label} | {found['strict']['n_gold']:,} | {scheme(found['strict'])} "
        f"| {scheme(found['overlap'])} |"
        for result in results
        for label, found in result["labels"].items()
        if len(result["labels"]) > 1
    ]
    head = "| data | labeler | label | gold | strict P/R | F1 | overlap P/R | F1 |\n|---|---|---|---|---|---|---|---|"
    return "\n".join([head, *rows])


def signals(results: list[Result]) -> str:
    """AUROC of each signal, strict / overlap."""
    names = sorted({name for result in results for name in result["signals"]})
    head = ["signal", *(named(result).replace(" | ", ", ") for result in results)]
    rows = [
        [name, *(f"{share(r['signals'].get(name))} / {share(r['signals_overlap'].get(name))}" for r in results)]
        for name in names
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conditions(results: list[Result]) -> str:
    lines = []
    for result in results:
        told = result["conditions"]
        lines.append(
            f"- {named(result).replace(' | ', ', ')}: {told['n_notes']} notes of {told['n_characters']:,} characters, "
            f"{told['model']} (revision {told['revision'][:12]}) by {told['runtime']}, {told.get('threads', '?')} "
            f"thread(s), windows of {told['window']} with {told['overlap']} overlap, template {told['template']}, "
            f"constraint {told['constraint']}; {told['n_truncated']} of {told['n_windows']} answers cut off"
        )
    return "\n".join(lines)


def named(result: Result) -> str:
    return f"{result['conditions']['gold']} | {result['conditions']['labeler']}"


def scheme(measure: Result) -> str:
    return f"{share(measure['p'])}/{share(measure['r'])} | {ranged(measure['f1'], measure['f1_interval'])}"


def ranged(value: float | None, interval: list[float] | None) -> str:
    return f"{share(value)} ({share(interval[0])}-{share(interval[1])})" if interval else share(value)


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}".removeprefix("0")


def rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    main()
