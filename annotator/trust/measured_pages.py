"""Recall and time saved, drawn for the lead's page. Words and tables are those of `quality.blind_pages`."""

from __future__ import annotations

from dataclasses import dataclass

from annotator.core.effort import Effort
from annotator.core.evidence_plots import BarPlot, Length, bar_plot
from annotator.core.intervals import Estimate
from annotator.core.recall import Recall
from annotator.core.wording import counted, work_words


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in large, how sure it is, and a plot; None where there is too little for one."""

    value: str
    sure: str
    plot: BarPlot | None


def recall(found: Recall) -> Drawn:
    """Which share of each label was suggested of what blind readers marked, the largest first."""
    lengths = [
        Length(each.label, each.strict.value, f"{each.strict.value:.1%}", each.strict.interval)
        for each in found.labels
        if each.strict.value is not None
    ]
    summary = "Share suggested of each label; the table below says the same"
    shown = sorted(lengths, key=lambda each: -each.value)
    strict = found.overall.strict
    plot = bar_plot(shown, most=1.0, summary=summary) if shown else None
    return Drawn(_percent(strict), _sure_words(strict, counted(found.n_notes, "note")), plot)


def effort(found: Effort) -> Drawn:
    """The time that 1,000 characters take without suggestions and with them."""
    arms = [("Without", found.control.per_chars), ("With suggestions", found.assisted.per_chars)]
    lengths = [
        Length(name, each.value, work_words(each.value), each.interval, is_quiet=name == "Without")
        for name, each in arms
        if each.value is not None
    ]
    if len(lengths) < len(arms):
        return Drawn(_percent(found.saved), "", None)
    most = max(each.interval[1] if each.interval else each.value for each in lengths)
    summary = "Time for 1,000 characters; the table below says the same"
    notes = f"{counted(found.control.n_notes, 'note')} without, {found.assisted.n_notes:,} with"
    return Drawn(_percent(found.saved), _sure_words(found.saved, notes), bar_plot(lengths, most=most, summary=summary))


def _percent(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.1%}".replace("-", "−")


def _sure_words(estimate: Estimate, notes: str) -> str:
    """`95% interval 58 to 72, 12 notes`, in per cent."""
    if estimate.interval is None:
        return notes
    low, high = (f"{100 * end:.0f}".replace("-", "−") for end in estimate.interval)
    return f"95% interval {low} to {high}, {notes}"
