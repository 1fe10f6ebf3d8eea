"""What holding answers to a form does to a labeler: F1, invented quotes, scores and speed, each constraint in turn.

    PYTHONPATH=. python bench/constraints.py --gold BRAT_DIR --labeler gemma [--map TYPE=LABEL …] [--limit N]

The options are those of `python -m llm_labeler evaluate`. AUROC is that of the score and of the label's log-probability
alone, right being a strict match; under a constraint log-probabilities may be those after its mask.
"""

from __future__ import annotations

import sys

from annotator.core.evaluation import Evaluation
from llm_labeler.backends import Constraint
from llm_labeler.evaluate import Run, parser, run

HEAD = (
    "| constraint | strict F1 | 95 % | overlap F1 | spans | invented | not found | cut off | not readable "
    "| AUROC score | label | s a note |"
)


def row(constraint: Constraint, found: Run) -> str:
    measures = found.evaluation
    interval = measures.strict.f1_interval
    cells = [
        str(constraint),
        f"{measures.strict.f1:.3f}",
        f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else "-",
        f"{measures.overlap.f1:.3f}",
        str(measures.strict.n_found),
        _number(measures.invented_rate),
        _number(measures.unaligned_rate),
        str(found.conditions["n_truncated"]),
        str(found.conditions["n_problems"]),
        _number(measures.score.auroc),
        _number(_label_auroc(measures)),
        f"{found.seconds_per_note:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print(f"{HEAD}\n|{'---|' * (HEAD.count('|') - 1)}")
    for constraint in Constraint:
        given = parser().parse_args([*sys.argv[1:], "--constraint", constraint])
        print(row(constraint, run(given)), flush=True)


def _label_auroc(measures: Evaluation) -> float | None:
    ranked = measures.signals.get("label_logprob")
    return ranked.auroc if ranked else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
