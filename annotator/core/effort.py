"""What suggestions save: people's active time in notes read with them, against notes drawn to be read without.

Notes differ in length and in what they hold, and few are read without suggestions: so beside the time of a note stand
the time of 1,000 characters, by which the two are compared, and that of a span. Intervals are over patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from annotator.core.intervals import N_RESAMPLES, Estimate, Statistic, Weights, estimates, weighted_ratio
from annotator.core.recall import estimate_json, not_enough

PER_CHARS = 1000
_UNDEFINED = "not defined: nothing to divide by"


class TimedNote(NamedTuple):
    """A note that somebody read to the end: patient, size, and what reading it took until it was first submitted.

    `n_spans` are those of the reading as it stands.
    """

    patient: str
    is_assisted: bool
    n_chars: int
    n_spans: int
    seconds: float
    n_actions: int


@dataclass(frozen=True, slots=True)
class Arm:
    """Notes read in one way. Seconds a note, 1,000 characters and a span: the mean is all seconds by all of these, the
    median that of the notes.
    """

    n_notes: int
    n_patients: int
    n_chars: int
    n_spans: int
    per_note: Estimate
    per_note_median: Estimate
    per_chars: Estimate
    per_chars_median: Estimate
    per_span: Estimate
    per_span_median: Estimate
    actions_per_span: Estimate
    caveat: str

    def to_json(self) -> dict[str, Any]:
        names = ("per_note", "per_note_median", "per_chars", "per_chars_median", "per_span", "per_span_median")
        return {
            "n_notes": self.n_notes,
            "n_patients": self.n_patients,
            "n_chars": self.n_chars,
            "n_spans": self.n_spans,
            "caveat": self.caveat,
            **{name: estimate_json(getattr(self, name)) for name in (*names, "actions_per_span")},
        }


@dataclass(frozen=True, slots=True)
class Effort:
    """Both arms. By 1,000 characters: `ratio` is the time with suggestions over the time without, `saved` the share
    saved, `saved_seconds` the seconds.

    `n_untimed` notes are left out since some of their decisions have no time, `n_unread` since nobody read them.
    `is_chosen`: the notes read with suggestions so far were not drawn at random.
    """

    assisted: Arm
    control: Arm
    ratio: Estimate
    saved: Estimate
    saved_seconds: Estimate
    n_untimed: int
    n_unread: int
    is_chosen: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "assisted": self.assisted.to_json(),
            "control": self.control.to_json(),
            "ratio": estimate_json(self.ratio),
            "saved": estimate_json(self.saved),
            "saved_seconds": estimate_json(self.saved_seconds),
            "n_untimed": self.n_untimed,
            "n_unread": self.n_unread,
            "is_chosen": self.is_chosen,
        }


def measure_effort(
    notes: Sequence[TimedNote],
    *,
    n_untimed: int = 0,
    n_unread: int = 0,
    is_chosen: bool = False,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Effort:
    """Both arms and what lies between them; no figure of an arm of fewer than FEWEST_NOTES notes."""
    assisted = [note for note in notes if note.is_assisted]
    control = [note for note in notes if not note.is_assisted]
    arms = (
        _arm(assisted, "note was read with suggestions", "notes were read with suggestions", seed, n_resamples),
        _arm(control, "note was read without", "notes were read without", seed, n_resamples),
    )
    caveat = arms[1].caveat or arms[0].caveat
    ratio, saved, saved_seconds = _compared(notes, caveat, seed, n_resamples)
    return Effort(
        assisted=arms[0],
        control=arms[1],
        ratio=ratio,
        saved=saved,
        saved_seconds=saved_seconds,
        n_untimed=n_untimed,
        n_unread=n_unread,
        is_chosen=is_chosen,
    )


def _compared(notes: Sequence[TimedNote], caveat: str, seed: int, n_resamples: int) -> list[Estimate]:
    """Ratio, share saved and seconds saved. A patient with notes of both arms is drawn with all of them."""
    if caveat:
        return [Estimate(None, None, caveat)] * 3
    places = _places(notes)
    with_seconds, with_chars, seconds, chars = ([0.0] * len(places) for _ in range(4))
    for note in notes:
        place = places[note.patient]
        (with_seconds if note.is_assisted else seconds)[place] += note.seconds
        (with_chars if note.is_assisted else chars)[place] += note.n_chars / PER_CHARS
    rates = weighted_ratio(with_seconds, with_chars), weighted_ratio(seconds, chars)

    def compare(how: str) -> Statistic:
        def statistic(weights: Weights) -> float | None:
            assisted, control = (rate(weights) for rate in rates)
            if assisted is None or not control:
                return None
            if how == "seconds":
                return control - assisted
            return assisted / control if how == "ratio" else 1 - assisted / control

        return statistic

    statistics = {how: compare(how) for how in ("ratio", "saved", "seconds")}
    found = estimates(len(places), statistics, undefined=_UNDEFINED, seed=seed, n_resamples=n_resamples)
    return [found[how] for how in statistics]


def _arm(notes: Sequence[TimedNote], one: str, several: str, seed: int, n_resamples: int) -> Arm:
    places = _places(notes)
    sums = [[0.0] * len(places) for _ in range(5)]
    for note in notes:
        amounts = (note.seconds, 1, note.n_chars / PER_CHARS, note.n_spans, note.n_actions)
        for column, amount in zip(sums, amounts, strict=True):
            column[places[note.patient]] += amount
    seconds, n_notes, n_chars, n_spans, n_actions = sums
    of = [places[note.patient] for note in notes]
    statistics: dict[str, Statistic] = {
        "per_note": weighted_ratio(seconds, n_notes),
        "per_note_median": weighted_median([note.seconds for note in notes], of),
        "per_chars": weighted_ratio(seconds, n_chars),
        "per_chars_median": weighted_median([note.seconds / note.n_chars * PER_CHARS for note in notes], of),
        "per_span": weighted_ratio(seconds, n_spans),
        "per_span_median": weighted_median(
            [note.seconds / note.n_spans for note in notes if note.n_spans],
            [places[note.patient] for note in notes if note.n_spans],
        ),
        "actions_per_span": weighted_ratio(n_actions, n_spans),
    }
    caveat = not_enough(len(notes), one, several)
    if caveat:
        figures = dict.fromkeys(statistics, Estimate(None, None, caveat))
    else:
        figures = estimates(len(places), statistics, undefined=_UNDEFINED, seed=seed, n_resamples=n_resamples)
    return Arm(
        n_notes=len(notes),
        n_patients=len(places),
        n_chars=sum(note.n_chars for note in notes),
        n_spans=sum(note.n_spans for note in notes),
        **figures,
        caveat=caveat,
    )


def weighted_median(values: Sequence[float], units: Sequence[int]) -> Statistic:
    """The median of the values as a function of how often each unit counts; `units` says which unit each is of.

    Between two middle ones their mean. None where nothing counts.
    """
    ordered = sorted(zip(values, units, strict=True))

    def statistic(weights: Weights) -> float | None:
        counting = [(value, weights[unit]) for value, unit in ordered if weights[unit]]
        total, n_below, lower = sum(weight for _, weight in counting), 0, None
        for value, weight in counting:
            if lower is not None:
                return (lower + value) / 2
            n_below += weight
            if 2 * n_below > total:
                return value
            if 2 * n_below == total:
                lower = value
        return None

    return statistic


def _places(notes: Sequence[TimedNote]) -> dict[str, int]:
    places: dict[str, int] = {}
    for note in notes:
        places.setdefault(note.patient, len(places))
    return places
