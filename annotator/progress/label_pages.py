"""What the page of a project's progress says of labels: how often each is given, what changed, how suggestions fare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.formats import date_format

from annotator.core.drift import FEWEST_SPANS, Drift, drift
from annotator.core.estimates import Sums, change_interval, share_interval
from annotator.core.intervals import FEWEST_NOTES
from annotator.core.wording import counted
from annotator.progress.pages import Figure, share_figure
from annotator.progress.selectors import LabelCounts, together
from annotator.suggestions.models import Labeler

DRIFT_WEEKS, MOST_WEEKS, MOST_TYPES = 4, 13, 12
# Conventional bounds of the Population Stability Index (Siddiqi 2006).
_SMALL, _LARGE = 0.1, 0.25
_LEVELS = 8


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label's share of people's spans in the last four weeks and the four before, the change, and its share of the
    labelers' suggestions.
    """

    label: str
    before: Figure
    now: Figure
    change: Figure
    suggested: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A share of a column, with how dark it is drawn, 0 to 8."""

    value: str = "–"
    level: int = 0


@dataclass(frozen=True, slots=True)
class Heat:
    """Shares of labels by column: each column adds up to all spans of it, of which there are `totals`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    totals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A labeler's suggestions that were decided in a week."""

    labeler: str
    week: str
    n: int
    score: str
    accepted: Figure


def drift_lead(weeks: Mapping[int, LabelCounts]) -> str:
    """Whether what people label has changed, in a sentence."""
    before, now = _before_and_now(weeks)
    return known_drift(weeks) or (
        f"Not enough data to tell a change: {FEWEST_NOTES} notes and {FEWEST_SPANS} spans of each {DRIFT_WEEKS} "
        f"weeks are needed; there are {counted(before.notes.n, 'note')} and then {counted(now.notes.n, 'note')}."
    )


def known_drift(weeks: Mapping[int, LabelCounts]) -> str:
    """The same; empty where too little is known."""
    before, now = _before_and_now(weeks)
    found = drift(before.given, now.given)
    if found is None:
        return ""
    by_chance = "below 0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}"
    return f"{_drift_words(found)} (stability index {found.stability_index:.2f}; p {by_chance})."


def label_rows(weeks: Mapping[int, LabelCounts]) -> list[LabelRow]:
    """The labels that were given or suggested in the last eight weeks, by name."""
    before, now = _before_and_now(weeks)
    n_suggested = sum(now.suggested.values())
    return [
        LabelRow(
            label=label,
            before=_share(before.given.get(label, before.notes)),
            now=_share(now.given.get(label, now.notes)),
            change=_change(before.given.get(label, before.notes), now.given.get(label, now.notes)),
            suggested=f"{now.suggested.get(label, 0) / n_suggested:.1%}" if n_suggested >= FEWEST_SPANS else "–",
        )
        for label in sorted({*before.given, *now.given, *before.suggested, *now.suggested})
    ]


def weeks_heat(weeks: Mapping[int, LabelCounts], *, n_weeks: int, today: date) -> Heat:
    """People's spans by label and week, the oldest first; thirteen weeks at most."""
    shown = [week for week in sorted(weeks, reverse=True) if week < min(n_weeks, MOST_WEEKS) and weeks[week].given]
    counts = [{label: int(sums.part) for label, sums in weeks[week].given.items()} for week in shown]
    return _heat([_week(week, today) for week in shown], counts)


def types_heat(types: Mapping[str, Mapping[str, int]]) -> Heat:
    """People's spans by label and type of note: the twelve types with most spans."""
    most = sorted(types, key=lambda name: (-sum(types[name].values()), name))[:MOST_TYPES]
    return _heat([name or "No type" for name in most], [types[name] for name in most])


def score_rows(
    weeks: Mapping[int, LabelCounts], labelers: Mapping[int, Labeler], *, n_weeks: int, today: date
) -> list[ScoreRow]:
    """By labeler and week, the newest week first; thirteen weeks at most."""
    return [
        ScoreRow(
            labeler=f"{labeler.name}, {labeler.digest[:6]}",
            week=_week(week, today),
            n=int(found.accepted[key].whole),
            score=_mean(found.scores[key], found.accepted[key]),
            accepted=share_figure(found.accepted[key].ratio, share_interval(found.accepted[key])),
        )
        for key, labeler in labelers.items()
        for week, found in weeks.items()
        if week < min(n_weeks, MOST_WEEKS) and key in found.accepted
    ]


def _before_and_now(weeks: Mapping[int, LabelCounts]) -> tuple[LabelCounts, LabelCounts]:
    def of(numbers: Iterable[int]) -> LabelCounts:
        return together(weeks[week] for week in numbers if week in weeks)

    return of(range(DRIFT_WEEKS, 2 * DRIFT_WEEKS)), of(range(DRIFT_WEEKS))


def _drift_words(found: Drift) -> str:
    if found.p_value >= 0.05:
        return "Nothing has changed that chance would not explain"
    if found.stability_index < _SMALL:
        return "The labels have shifted a little"
    return "The labels have shifted" if found.stability_index < _LARGE else "The labels have shifted a lot"


def _share(sums: Sums) -> Figure:
    interval = share_interval(sums)
    if interval is None:
        return Figure()
    return Figure(f"{sums.part / sums.whole:.1%}", f"{100 * interval.low:.1f}–{interval.high:.1%}")


def _change(before: Sums, now: Sums) -> Figure:
    interval = change_interval(before, now)
    if interval is None:
        return Figure()
    change = now.part / now.whole - before.part / before.whole
    return Figure(_signed(change), f"{_signed(interval.low)} to {_signed(interval.high)}")


def _signed(share: float) -> str:
    """In percentage points, with a minus sign that is as wide as the plus."""
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", "−")


def _mean(score: float, accepted: Sums) -> str:
    return f"{score / accepted.whole:.2f}" if accepted.is_enough else "–"


def _heat(columns: Sequence[str], counts: Sequence[Mapping[str, int]]) -> Heat:
    totals = [sum(found.values()) for found in counts]
    labels = sorted({label for found in counts for label in found})
    return Heat(
        columns=tuple(columns),
        rows=tuple(
            (label, tuple(_cell(found.get(label, 0), of) for found, of in zip(counts, totals, strict=True)))
            for label in labels
        ),
        totals=tuple(totals),
    )


def _cell(n: int, of: int) -> Cell:
    if of < FEWEST_SPANS:
        return Cell()
    # Half of all spans is as dark as it gets: where there are many labels none has more.
    return Cell(f"{n / of:.0%}", min(round(2 * _LEVELS * n / of), _LEVELS))


def _week(n_ago: int, today: date) -> str:
    """The first day of the seven."""
    return date_format(today - timedelta(days=7 * n_ago + 6), "j M")
