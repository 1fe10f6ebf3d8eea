"""What the lead's page says of recall and of time saved: figures with intervals, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from annotator.core.effort import Arm, Effort
from annotator.core.evidence_plots import BarPlot, Length, bar_plot
from annotator.core.intervals import Estimate
from annotator.core.recall import LabelRecall, Recall
from annotator.core.wording import counted, work_words


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure in large, what it is of, a plot with its table, and what else there is to say."""

    value: str
    said: str
    basis: str
    plot: BarPlot | None
    columns: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    caveat: str = ""


def recall(found: Recall) -> Measured:
    """Which share of what blind readers marked had been suggested."""
    overall = found.overall.strict
    waiting = counted(found.n_waiting, "note was", "notes were") + " read blind and wait to be gone through."
    notes = [waiting] if found.n_waiting else []
    if found.n_more:
        notes.append(f"About {counted(found.n_more, 'more blind note')} for an interval of ±3 points.")
    labels = [each for each in found.labels if each.n_gold]
    shown = sorted(labels, key=lambda each: -(each.strict.value or 0))
    return Measured(
        value=_percent(overall),
        said="of what blind readers marked was suggested" + _interval(overall),
        basis=counted(found.n_notes, "note"),
        plot=_recall_plot(shown),
        columns=("Label", "Spans", "Suggested", "95 %", "Overlapping", "95 %"),
        table=tuple(
            (each.label, f"{each.n_gold:,}", *_cells(each.strict), *_cells(each.overlap))
            for each in sorted(labels, key=lambda one: one.label)
        ),
        notes=tuple(notes),
        caveat=found.caveat,
    )


def effort(found: Effort) -> Measured:
    """What share of the time suggestions save, by 1,000 characters."""
    notes = []
    if found.is_chosen:
        notes.append("The notes read with suggestions were not drawn at random: the two arms may differ in more.")
    if found.n_untimed:
        notes.append(f"{counted(found.n_untimed, 'note')} without a full measure of time left out.")
    arms = [("Without", found.control), ("With suggestions", found.assisted)]
    return Measured(
        value=_percent(found.saved),
        said="of the time saved" + _interval(found.saved),
        basis=f"{counted(found.assisted.n_notes, 'note')} with, {found.control.n_notes:,} without",
        plot=_effort_plot(arms),
        columns=("", "Notes", "A note", "1,000 characters", "A span", "Actions a span"),
        table=tuple(
            (
                name,
                f"{arm.n_notes:,}",
                _seconds(arm.per_note),
                _seconds(arm.per_chars),
                _seconds(arm.per_span),
                _number(arm.actions_per_span),
            )
            for name, arm in arms
        ),
        notes=tuple(notes),
        caveat=found.saved.caveat if found.saved.value is None else "",
    )


def _recall_plot(labels: list[LabelRecall]) -> BarPlot | None:
    lengths = [
        Length(each.label, each.strict.value, f"{each.strict.value:.1%}", each.strict.interval)
        for each in labels
        if each.strict.value is not None
    ]
    if not lengths:
        return None
    return bar_plot(lengths, most=1.0, summary="Share suggested of each label; the table below says the same")


def _effort_plot(arms: list[tuple[str, Arm]]) -> BarPlot | None:
    known = [(name, arm.per_chars) for name, arm in arms if arm.per_chars.value is not None]
    if len(known) < len(arms):
        return None
    most = max(each.interval.high if each.interval else each.value or 0.0 for _, each in known)
    lengths = [
        Length(name, each.value or 0.0, work_words(each.value or 0.0), each.interval, is_quiet=name == "Without")
        for name, each in known
    ]
    return bar_plot(lengths, most=most, summary="Time for 1,000 characters; the table below says the same")


def _percent(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.1%}".replace("-", "−")


def _interval(estimate: Estimate) -> str:
    if estimate.interval is None:
        return ""
    low, high = (f"{100 * end:.0f}".replace("-", "−") for end in estimate.interval)
    return f", 95% interval {low} to {high}"


def _cells(estimate: Estimate) -> tuple[str, str]:
    low_high = f"{estimate.interval.low:.1%} to {estimate.interval.high:.1%}" if estimate.interval else "–"
    return _percent(estimate), low_high


def _seconds(estimate: Estimate) -> str:
    return "–" if estimate.value is None else work_words(estimate.value)


def _number(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.2f}"
