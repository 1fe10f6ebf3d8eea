"""What the page of a project's progress says: sentences, and rows for its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.formats import date_format

from annotator.accounts.models import User
from annotator.browse.selectors import NoteState
from annotator.core.chart import BarChart, bar_chart
from annotator.core.estimates import median, rate_interval, share_interval
from annotator.core.forecast import FEWEST_DAYS, HORIZON, Forecast, forecast
from annotator.core.intervals import Interval
from annotator.core.wording import counted
from annotator.progress.selectors import KINDS, Queue, Work
from annotator.review.decoys import Caught
from annotator.suggestions.pages import Lead

PACE_DAYS, CHART_DAYS = 14, 30


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The notes of one type by state, in the order in which a note goes through them."""

    name: str
    counts: tuple[int, ...]
    n: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its interval, both in words; without one it says nothing, and `value` is a dash."""

    value: str = "–"
    interval: str = ""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What a person did; `shares` are those of the kinds of decision, in per cent of all their decisions."""

    name: str
    n_notes: int
    n_decisions: int
    shares: tuple[str, ...]
    accepted: Figure
    seconds: Figure
    pace: Figure
    last_seconds: int | None


@dataclass(frozen=True, slots=True)
class CaughtRow:
    """How many of the decoys that they were told of a person rejected; the figure is empty below ten notes."""

    name: str
    n_notes: int
    n_decoys: int
    n_rejected: int
    share: Figure


STATES = (
    ("Not labelled", (NoteState.WAITING, NoteState.FAILED)),
    ("To read", (NoteState.TO_REVIEW,)),
    ("In hand", (NoteState.IN_REVIEW,)),
    ("Done", (NoteState.REVIEWED, NoteState.CERTIFIED)),
)


def lead(queue: Queue, by_day: Sequence[int], *, n_readers: int, today: date) -> Lead:
    """How far the notes are, and when the rest will be done, in a sentence."""
    n, n_done = queue.count(*NoteState), queue.count(NoteState.REVIEWED, NoteState.CERTIFIED)
    if not n:
        return Lead("", "There is no note.")
    if n_done == n:
        return Lead(f"All {counted(n, 'note')}" if n > 1 else "The only note", f" {'are' if n > 1 else 'is'} done.")
    found = forecast(queue.n_left(n_readers), by_day)
    ahead = _not_enough(by_day) if found is None else _ahead(found, today)
    return Lead(f"{n_done:,} of {counted(n, 'note')}", f" {'are' if n > 1 else 'is'} done; {ahead}.")


def type_rows(queue: Queue) -> list[TypeRow]:
    """The types by name, and all of them where there are several."""
    rows = [_type_row(name or "No type", found) for name, found in sorted(queue.types.items())]
    everything: dict[str, int] = {state: queue.count(state) for state in NoteState}
    return [*rows, _type_row("All types", everything)] if len(rows) > 1 else rows


def throughput(by_day: Mapping[date, int], *, today: date) -> BarChart:
    """Notes finished a day, of the last thirty days, the one that goes on among them."""
    days = [today - timedelta(days=n) for n in reversed(range(CHART_DAYS))]
    values = [by_day.get(day, 0) for day in days]
    best = max(values)
    return bar_chart(
        values=values,
        times=[date_format(day, "j M") for day in days],
        summary=f"Notes finished a day in the last {CHART_DAYS} days: {sum(values):,} in all, {best:,} on the best day",
    )


def pace_days(by_day: Mapping[date, int], *, today: date) -> list[int]:
    """What was finished on each of the last fourteen days that are over, days without work among them."""
    return [by_day.get(today - timedelta(days=n), 0) for n in range(1, PACE_DAYS + 1)]


def person_row(user: User, work: Work, times: Sequence[Sequence[float]], *, last_seconds: int | None) -> PersonRow:
    middle = median(times)
    return PersonRow(
        name=user.username,
        n_notes=work.n_notes,
        n_decisions=work.n_decisions,
        shares=tuple(_per_cent(work.kinds.get(kind, 0), work.n_decisions) for kind in KINDS),
        accepted=share_figure(work.accepted.ratio, share_interval(work.accepted)),
        seconds=Figure(*_seconds(*middle)) if middle else Figure(),
        pace=_pace(work),
        last_seconds=last_seconds,
    )


def caught_row(caught: Caught) -> CaughtRow:
    share = share_figure(caught.sums.ratio, share_interval(caught.sums))
    return CaughtRow(caught.user.username, caught.n_notes, caught.n_decoys, caught.n_rejected, share)


def share_figure(share: float | None, interval: Interval | None) -> Figure:
    if share is None or interval is None:
        return Figure()
    return Figure(f"{share:.0%}", f"{100 * interval.low:.0f}–{interval.high:.0%}")


def _type_row(name: str, found: Mapping[str, int]) -> TypeRow:
    counts = tuple(sum(found.get(state, 0) for state in states) for _, states in STATES)
    return TypeRow(name, counts, sum(counts))


def _not_enough(by_day: Sequence[int]) -> str:
    n_days = sum(1 for n in by_day if n)
    return (
        f"not enough data to say when the rest will be: notes were finished on {n_days} of the last {PACE_DAYS} days, "
        f"{FEWEST_DAYS} are needed"
    )


def _ahead(found: Forecast, today: date) -> str:
    pace = f"at the pace of the last {PACE_DAYS} days the rest takes"
    low, high = (int(days) for days in found.interval)
    if found.days > HORIZON:
        earliest = f" ({_day(low, today)} at the earliest)" if low <= HORIZON else ""
        return f"{pace} more than a year{earliest}"
    latest = _day(high, today) if high <= HORIZON else "more than a year from now"
    return f"{pace} until {_day(found.days, today)} ({_day(low, today)} to {latest})"


def _day(n_days: int, today: date) -> str:
    day = today + timedelta(days=n_days)
    return date_format(day, "j F" if day.year == today.year else "j F Y")


def _pace(work: Work) -> Figure:
    interval = rate_interval(work.pace)
    if interval is None:
        return Figure()
    rate = work.pace.part / work.pace.whole
    return Figure(*_seconds(1000 * rate, Interval(1000 * interval.low, 1000 * interval.high)))


def _seconds(value: float, interval: Interval) -> tuple[str, str]:
    digits = 1 if value < 10 else 0
    return f"{value:.{digits}f} s", f"{interval.low:.{digits}f}–{interval.high:.{digits}f} s"


def _per_cent(n: int, of: int) -> str:
    return f"{n / of:.0%}" if of else "–"
