"""What a labeler misses: how many of the spans in notes that were read without suggestions it had suggested.

Only such notes tell. Who reads with suggestions in view finds less of what is not suggested, so the share that was
found of *their* spans flatters the labeler. The reading counts as it is after its reader has gone through the
suggestions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, NamedTuple

from annotator.core.intervals import FEWEST_NOTES, N_RESAMPLES, Estimate, estimates, weighted_ratio
from annotator.core.matching import Labelled, overlap_matches, share_a_character, strict_matches
from annotator.core.wording import counted

# Half of the interval that is aimed at.
AIM = 0.03
_Z = 1.96
_ALL = ""


class BlindNote(NamedTuple):
    """A note that was read blind and gone through: its spans, and what had been suggested; `patient` groups notes."""

    patient: str
    gold: Sequence[Labelled]
    suggested: Sequence[Labelled]


@dataclass(frozen=True, slots=True)
class LabelRecall:
    """Of the spans of a label ('' for all), the share that was suggested: to the letter; with a character in common."""

    label: str
    n_gold: int
    n_strict: int
    n_overlap: int
    strict: Estimate
    overlap: Estimate


@dataclass(frozen=True, slots=True)
class Recall:
    """All figures. `n_waiting` notes were read blind and not gone through yet. So many more (`n_more`) give an interval
    of three points to either side, by what is known now; None where too little is.
    """

    n_notes: int
    n_patients: int
    n_waiting: int
    overall: LabelRecall
    labels: tuple[LabelRecall, ...]
    n_more: int | None
    caveat: str

    def to_json(self) -> dict[str, Any]:
        return {
            "n_notes": self.n_notes,
            "n_patients": self.n_patients,
            "n_waiting": self.n_waiting,
            "n_more": self.n_more,
            "caveat": self.caveat,
            "overall": _label_json(self.overall),
            "labels": {each.label: _label_json(each) for each in self.labels},
        }


class Missed(NamedTuple):
    """A gold span that was not suggested under its label; `suggested` is a label that was suggested there, or ''."""

    found: Labelled
    suggested: str


def measure_recall(
    notes: Sequence[BlindNote],
    labels: Sequence[str],
    *,
    n_waiting: int = 0,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Recall:
    """Recall over all labels and of each, with intervals over patients; values stay out below FEWEST_NOTES notes."""
    known = set(labels)
    places: dict[str, int] = {}
    counts: dict[str, list[list[int]]] = {label: [] for label in (_ALL, *labels)}  # by patient: gold, strict, overlap
    for note in notes:
        place = places.setdefault(note.patient, len(places))
        for rows in counts.values():
            rows.extend([0, 0, 0] for _ in range(len(places) - len(rows)))
        gold = [labelled for labelled in note.gold if labelled.label in known]
        matches = zip(gold, strict_matches(note.suggested, gold), overlap_matches(note.suggested, gold), strict=True)
        for labelled, is_strict, is_overlap in matches:
            for label in (_ALL, labelled.label):
                for column, amount in enumerate((1, is_strict, is_overlap)):
                    counts[label][place][column] += amount
    caveat = not_enough(len(notes), "blind note was gone through", "blind notes were gone through")
    found = {label: _label_recall(label, rows, caveat, seed, n_resamples) for label, rows in counts.items()}
    return Recall(
        n_notes=len(notes),
        n_patients=len(places),
        n_waiting=n_waiting,
        overall=found[_ALL],
        labels=tuple(found[label] for label in labels),
        n_more=None if caveat else _n_more(found[_ALL], len(notes)),
        caveat=caveat,
    )


def missed_spans(note: BlindNote) -> list[Missed]:
    """The gold spans with which no suggestion of their label has a character in common, by place."""
    matches = overlap_matches(note.suggested, note.gold)
    missed = sorted(labelled for labelled, is_found in zip(note.gold, matches, strict=True) if not is_found)
    return [Missed(labelled, _suggested_at(labelled, note.suggested)) for labelled in missed]


def not_enough(n: int, one: str, several: str) -> str:
    """Why nothing is said of so few notes, '' where there are enough."""
    if n >= FEWEST_NOTES:
        return ""
    return f"not enough data: {counted(n, one, several)}, {FEWEST_NOTES} are wanted"


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "interval": estimate.interval, "caveat": estimate.caveat}


def _label_recall(label: str, rows: Sequence[Sequence[int]], caveat: str, seed: int, n_resamples: int) -> LabelRecall:
    gold, strict, overlap = ([row[column] for row in rows] for column in range(3))
    if caveat:
        figures = dict.fromkeys(("strict", "overlap"), Estimate(None, None, caveat))
    else:
        statistics: dict[str, Callable[..., float | None]] = {
            "strict": weighted_ratio(strict, gold),
            "overlap": weighted_ratio(overlap, gold),
        }
        figures = estimates(
            len(rows), statistics, undefined="no span of it in these notes", seed=seed, n_resamples=n_resamples
        )
    return LabelRecall(label, sum(gold), sum(strict), sum(overlap), figures["strict"], figures["overlap"])


def _n_more(overall: LabelRecall, n_notes: int) -> int | None:
    """Notes to be read beside those that were, since an interval narrows with the root of their number.

    Where all was found the interval over patients has no width, so the one for a share, with two found and two missed
    more (Agresti & Coull 1998), is the least.
    """
    if not overall.n_gold or overall.strict.interval is None:
        return None
    share = (overall.n_strict + 2) / (overall.n_gold + 4)
    least = _Z * sqrt(share * (1 - share) / (overall.n_gold + 4))
    half = max((overall.strict.interval.high - overall.strict.interval.low) / 2, least)
    return max(ceil(n_notes * (half / AIM) ** 2) - n_notes, 0)


def _suggested_at(missed: Labelled, suggested: Sequence[Labelled]) -> str:
    there = sorted(each.label for each in suggested if share_a_character(each.span, missed.span))
    return next((label for label in there if label != missed.label), "")


def _label_json(found: LabelRecall) -> dict[str, Any]:
    return {
        "n_gold": found.n_gold,
        "n_strict": found.n_strict,
        "n_overlap": found.n_overlap,
        "strict": estimate_json(found.strict),
        "overlap": estimate_json(found.overlap),
    }
