"""What the page of a labeler's quality says: figures, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotator.core.chart import LineChart, line_chart
from annotator.core.evaluation import Evaluation, Measure
from annotator.core.intervals import FEWEST_NOTES, Interval
from annotator.core.ranking import Bin, risk_curve
from annotator.core.wording import counted
from annotator.quality.selectors import GoldNotes
from annotator.suggestions.pages import Lead

# Below these a figure would be read as more than it is.
FEWEST_GOLD = 10
FEWEST_OF_EACH = 10
FEWEST_SPANS = 50
N_STEPS = 20


@dataclass(frozen=True, slots=True)
class Cells:
    """Precision, recall and F1 of one scheme, with the interval of F1 where there is one."""

    precision: str
    recall: str
    f1: str
    interval: str


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of the table; `strict` and `overlap` are None where there are too few gold spans."""

    label: str
    n_gold: int
    n_found: int
    strict: Cells | None
    overlap: Cells | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure by name: its value, or why there is none, and what it means."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class SignalRow:
    name: str
    n: int
    auroc: str
    auroc_overlap: str


@dataclass(frozen=True, slots=True)
class ScoreCharts:
    """How well the score is a probability, and what is wrong among the best scored; with the bins of the first."""

    reliability: LineChart
    bins: tuple[Bin, ...]
    risk: LineChart


def lead(gold: GoldNotes | None, evaluation: Evaluation | None) -> Lead:
    """How good the labeler is, in a sentence."""
    if gold is None or evaluation is None:
        return Lead("", "No labeler has read a note of this project yet.")
    if not gold.notes:
        return Lead("", "There is nothing to measure on yet: of these notes it has read none that is finished.")
    basis = counted(len(gold.notes), "finished note")
    if evaluation.strict.n_gold < FEWEST_GOLD:
        return Lead(
            f"{basis}", f" with {counted(evaluation.strict.n_gold, 'gold span')}: too few to say how good it is."
        )
    return Lead(
        f"F1 {share(evaluation.strict.f1)} strict, {share(evaluation.overlap.f1)} by overlap",
        f", on {counted(evaluation.strict.n_gold, 'gold span')} of {basis}.",
    )


def caveats(gold: GoldNotes) -> list[str]:
    """What a reader of the figures has to know of where they come from."""
    found = []
    if gold.n_reviewed:
        of_all = "All of these notes" if not gold.n_imported else f"{gold.n_reviewed} of these {len(gold.notes)} notes"
        found.append(
            f"{of_all} were reviewed with suggestions on the page. People tend to keep what they are shown, so these "
            "figures flatter the labeler; imported annotations, made without it, do not."
        )
    if gold.n_finished > len(gold.notes):
        found.append(f"{len(gold.notes)} of {gold.n_finished:,} finished notes, drawn at random, are measured on.")
    if gold.n_several:
        several = counted(gold.n_several, "note")
        found.append(f"Left out: {several} of this project that several people have finished and none has adjudicated.")
    if gold.n_other_labels:
        found.append(
            f"{counted(gold.n_other_labels, 'gold span')} of labels that the labeler does not know are left out."
        )
    if 0 < len(gold.notes) < FEWEST_NOTES:
        found.append(f"Below {FEWEST_NOTES} notes there are no intervals.")
    return found


def label_rows(evaluation: Evaluation) -> list[LabelRow]:
    """The labels that occur, and all of them together where there are several."""
    rows = [
        _label_row(label, found.strict, found.overlap)
        for label, found in evaluation.labels.items()
        if found.strict.n_gold or found.strict.n_found
    ]
    return [*rows, _label_row("All labels", evaluation.strict, evaluation.overlap)] if len(rows) > 1 else rows


def quote_figures(evaluation: Evaluation) -> list[Figure]:
    n_quotes = evaluation.n_quotes
    return [
        Figure("Quotes", f"{n_quotes:,}", "Spans and quotes without a place"),
        Figure("Without a place", _rate(evaluation.n_unaligned, n_quotes), "Could not be found where the labeler read"),
        Figure("Invented", _rate(evaluation.n_invented, n_quotes), "Stand nowhere in their note"),
    ]


def score_figures(evaluation: Evaluation) -> list[Figure]:
    """How well the score tells right from wrong, right being a strict match where nothing else is said."""
    score = evaluation.score
    n_overlap = evaluation.overlap.n_right
    enough = _why_no_auroc(score.n_right, score.n)
    enough_overlap = _why_no_auroc(n_overlap, score.n)
    few = "" if score.n >= FEWEST_SPANS else f"not enough data: {counted(score.n, 'span')}, {FEWEST_SPANS} are needed"
    return [
        Figure(
            "AUROC",
            enough or _with_interval(score.auroc, score.auroc_interval),
            "How often a right span is scored above a wrong one; .50 is chance",
        ),
        Figure(
            "AUROC, overlap",
            enough_overlap or _with_interval(score.auroc_overlap, score.auroc_overlap_interval),
            "The same, where an overlap counts as right",
        ),
        Figure("Calibration error", few or share(score.ece), "Mean distance of score and share right (ECE)"),
        Figure("Brier score", few or share(score.brier), "Mean squared distance of score and truth; lower is better"),
        Figure("Risk-coverage area", few or share(score.risk_coverage_area), "Mean share wrong over all coverages"),
    ]


def signal_rows(evaluation: Evaluation) -> list[SignalRow]:
    """The signals that tell anything, by name; empty where there are too few right or wrong spans."""
    if _why_no_auroc(evaluation.score.n_right, evaluation.score.n):
        return []
    return [
        SignalRow(
            name.replace("_", " "),
            ranked.n,
            "–" if _why_no_auroc(ranked.n_right, ranked.n) else share(ranked.auroc),
            "–" if _why_no_auroc(ranked.n_right_overlap, ranked.n) else share(ranked.auroc_overlap),
        )
        for name, ranked in evaluation.signals.items()
    ]


def score_charts(evaluation: Evaluation) -> ScoreCharts | None:
    """None where there are too few spans, or all have one score."""
    score = evaluation.score
    if score.n < FEWEST_SPANS or len(score.bins) < 2:
        return None
    risks = risk_curve(score.risk_coverage, N_STEPS)
    right = [100 * found.share_right for found in score.bins]
    wrong = [100 * point.risk for point in risks]
    return ScoreCharts(
        reliability=line_chart(
            values=right,
            times=[share(found.mean_score) for found in score.bins],
            summary=f"Share of right spans by score, in per cent: {right[0]:.0f} at the lowest scores, "
            f"{right[-1]:.0f} at the highest",
            unit="right, %",
            last_label=f"{right[-1]:.0f} % right",
            reference=[100 * found.mean_score for found in score.bins],
        ),
        bins=score.bins,
        risk=line_chart(
            values=wrong,
            times=[f"{point.coverage:.0%}" for point in risks],
            summary=f"Share of wrong spans among the best scored, in per cent: {wrong[0]:.0f} of the best twentieth, "
            f"{wrong[-1]:.0f} of all",
            unit="wrong, %",
            last_label=f"{wrong[-1]:.0f} % wrong",
        ),
    )


def _label_row(label: str, strict: Measure, overlap: Measure) -> LabelRow:
    is_enough = strict.n_gold >= FEWEST_GOLD
    return LabelRow(
        label=label,
        n_gold=strict.n_gold,
        n_found=strict.n_found,
        strict=_cells(strict) if is_enough else None,
        overlap=_cells(overlap) if is_enough else None,
    )


def _cells(measure: Measure) -> Cells:
    interval = measure.f1_interval
    return Cells(
        precision=share(measure.precision) if measure.n_found else "–",
        recall=share(measure.recall),
        f1=share(measure.f1),
        interval=interval_words(interval) if interval else "–",
    )


def _why_no_auroc(n_right: int, n: int) -> str:
    """Empty where there are right and wrong spans enough."""
    n_wrong = n - n_right
    if n_right >= FEWEST_OF_EACH and n_wrong >= FEWEST_OF_EACH:
        return ""
    return f"not enough data: {n_right:,} right and {n_wrong:,} wrong, {FEWEST_OF_EACH} of each are needed"


def _rate(n: int, of: int) -> str:
    return f"{n:,} ({n / of:.1%})" if of else "–"


def _with_interval(value: float | None, interval: Interval | None) -> str:
    return f"{share(value)} ({interval_words(interval)})" if interval else share(value)


def interval_words(interval: Sequence[float]) -> str:
    """`.70–.74`."""
    return f"{share(interval[0])}–{share(interval[1])}"


def share(value: float | None) -> str:
    """`.72`, `1.00`."""
    return "–" if value is None else f"{value:.2f}".removeprefix("0")
