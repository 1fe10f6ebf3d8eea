"""An evaluation in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotator.core.evaluation import Evaluation, Measure
from annotator.core.ranking import risk_curve

N_POINTS = 20
_DIGITS = 6


def report_text(evaluation: Evaluation, conditions: Mapping[str, Any], seconds_per_note: float) -> str:
    """The measures as tables for a terminal; `-` where a figure is not defined."""
    score = evaluation.score
    lines = [
        f"{conditions['labeler']}: {conditions['model']}, revision {conditions['revision'][:12]}, "
        f"{conditions['runtime']}, {seconds_per_note:.2f} s a note",
        f"{evaluation.n_notes} notes of {conditions['gold']}, {evaluation.strict.n_gold:,} gold spans; left out: "
        f"{sum(conditions['left_out'].values()):,} spans of {len(conditions['left_out'])} other types",
        "",
        *_label_table(evaluation),
        "",
        f"quotes {evaluation.n_quotes:,}: invented {_number(evaluation.invented_rate)}, "
        f"unaligned {_number(evaluation.unaligned_rate)}; answers cut off: {conditions['n_truncated']}",
        f"score: AUROC {_with_interval(score.auroc, score.auroc_interval)}, against overlap "
        f"{_with_interval(score.auroc_overlap, score.auroc_overlap_interval)}, ECE {_number(score.ece)}, "
        f"Brier {_number(score.brier)}, area under risk-coverage {_number(score.risk_coverage_area)}",
        "",
        *_signal_table(evaluation),
        "",
        "best scored   wrong",
        *(f"{point.coverage:10.0%}   {point.risk:5.0%}" for point in risk_curve(score.risk_coverage, 10)),
    ]
    return "\n".join(lines)


def report_json(evaluation: Evaluation, conditions: Mapping[str, Any], seconds_per_note: float) -> dict[str, Any]:
    """The measures by name; null where a figure is not defined. Intervals are 95 %, over resampled notes."""
    score = evaluation.score
    return {
        "strict": _measure(evaluation.strict),
        "overlap": _measure(evaluation.overlap),
        "labels": {
            label: {"strict": _measure(found.strict), "overlap": _measure(found.overlap)}
            for label, found in evaluation.labels.items()
        },
        "n_quotes": evaluation.n_quotes,
        "invented_rate": _rounded(evaluation.invented_rate),
        "unaligned_rate": _rounded(evaluation.unaligned_rate),
        "auroc": _rounded(score.auroc),
        "auroc_interval": _rounded_all(score.auroc_interval),
        "auroc_overlap": _rounded(score.auroc_overlap),
        "auroc_overlap_interval": _rounded_all(score.auroc_overlap_interval),
        "signals": {name: _rounded(ranked.auroc) for name, ranked in evaluation.signals.items()},
        "signals_overlap": {name: _rounded(ranked.auroc_overlap) for name, ranked in evaluation.signals.items()},
        "ece": _rounded(score.ece),
        "brier": _rounded(score.brier),
        "reliability": [
            {"n": found.n, "mean_score": _rounded(found.mean_score), "share_right": _rounded(found.share_right)}
            for found in score.bins
        ],
        "risk_coverage": [
            {"coverage": _rounded(point.coverage), "risk": _rounded(point.risk)}
            for point in risk_curve(score.risk_coverage, N_POINTS)
        ],
        "risk_coverage_area": _rounded(score.risk_coverage_area),
        "seconds_per_note": _rounded(seconds_per_note),
        "conditions": dict(conditions),
    }


def _label_table(evaluation: Evaluation) -> list[str]:
    width = max([5, *map(len, evaluation.labels)])
    rows = [(label, found.strict, found.overlap) for label, found in evaluation.labels.items()]
    if len(rows) != 1:
        rows.append(("all", evaluation.strict, evaluation.overlap))
    figures = f"{'P':>5} {'R':>5} {'F1':>5}"
    head = f"{'':{width}}  {'gold':>6} {'found':>6}   strict {figures}   {'(95 %)':9}   overlap {figures}   (95 %)"
    return [head, *(_label_line(width, *row) for row in rows)]


def _label_line(width: int, label: str, strict: Measure, overlap: Measure) -> str:
    counts = f"{label:{width}}  {strict.n_gold:6,} {strict.n_found:6,}"
    return f"{counts}   {_cells(strict, 6)}   {_cells(overlap, 7)}".rstrip()


def _cells(measure: Measure, width: int) -> str:
    """Under a heading of `width`: precision, recall and F1 with its interval."""
    figures = f"{measure.precision:5.3f} {measure.recall:5.3f} {measure.f1:5.3f}"
    return f"{'':{width}} {figures}   {_interval(measure.f1_interval):9}"


def _signal_table(evaluation: Evaluation) -> list[str]:
    width = max([6, *map(len, evaluation.signals)])
    head = f"{'signal':{width}}  {'spans':>6}  {'AUROC':>5}  {'overlap':>7}"
    rows = (
        f"{name:{width}}  {ranked.n:6,}  {_number(ranked.auroc):>5}  {_number(ranked.auroc_overlap):>7}"
        for name, ranked in evaluation.signals.items()
    )
    return [head, *rows]


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "p": _rounded(measure.precision),
        "r": _rounded(measure.recall),
        "f1": _rounded(measure.f1),
        "f1_interval": _rounded_all(measure.f1_interval),
        "n_gold": measure.n_gold,
        "n_found": measure.n_found,
        "n_right": measure.n_right,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rounded_all(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else [round(value, _DIGITS) for value in values]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else ""


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    return f"{_number(value)} ({_interval(interval)})" if interval else _number(value)
