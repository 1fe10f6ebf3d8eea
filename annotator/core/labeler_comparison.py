"""Two labelers on the same finished notes: how good each is, how sure their difference is, and where they part.

Both are resampled together, whole patients at a time: what makes a patient's notes hard makes them hard for both, and
drops out of the difference (paired bootstrap, Efron & Tibshirani 1993, chapters 8 and 16). Loads numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from annotator.core.evaluation import EvaluatedNote, Evaluation, FoundSpan, Measure, evaluate, note_tallies
from annotator.core.intervals import FEWEST_NOTES, FEWEST_PATIENTS, Interval
from annotator.core.matching import Labelled, overlap_matches, share_a_character, strict_matches

if TYPE_CHECKING:
    import numpy as np

    Counts = np.ndarray[Any, Any]

N_DRAWS = 2000
Side = Literal["candidate", "current"]
CANDIDATE: Side = "candidate"
CURRENT: Side = "current"
# What a labeler alone did: found a gold span, or made a span that touches no gold span of its label.
Deed = Literal["found", "false"]
FOUND: Deed = "found"
FALSE: Deed = "false"
# All labels together; no label has that name.
ALL = ""
_FOUND, _GOLD, _STRICT, _OVERLAP = range(4)
# Draws in which a difference is not defined are left out, but no more of them than this share.
_MAX_UNDEFINED = 0.1
_TAIL = 0.025


class Reading(NamedTuple):
    """What one labeler found in a note; quotes without a place are counted, the invented among them too."""

    found: Sequence[FoundSpan]
    n_unaligned: int = 0
    n_invented: int = 0


@dataclass(frozen=True, slots=True)
class ComparedNote:
    """A finished note that both have read; `patient` groups notes."""

    patient: str
    gold: Sequence[Labelled]
    candidate: Reading
    current: Reading

    def of(self, side: Side) -> EvaluatedNote:
        reading = self.candidate if side == CANDIDATE else self.current
        return EvaluatedNote(self.gold, reading.found, reading.n_unaligned, reading.n_invented)


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 of the candidate less that of the current labeler, its interval over patients, and the share of draws in which
    the candidate is better, ties counted half. `caveat` says why something is None, or what is to be known of it.
    """

    value: float | None
    interval: Interval | None
    chance_better: float | None
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """The measures of both, without intervals of their own; their differences by (scheme, label), ALL for all."""

    n_notes: int
    n_patients: int
    labels: tuple[str, ...]
    candidate: Evaluation
    current: Evaluation
    differences: Mapping[tuple[str, str], Difference]

    def to_json(self) -> dict[str, Any]:
        return {
            "n_notes": self.n_notes,
            "n_patients": self.n_patients,
            "overall": self._row(ALL),
            "labels": {label: self._row(label) for label in self.labels},
            "sides": {CANDIDATE: _side_json(self.candidate), CURRENT: _side_json(self.current)},
        }

    def _row(self, label: str) -> dict[str, Any]:
        return {
            scheme: {
                CANDIDATE: _measure_json(_measure(self.candidate, scheme, label)),
                CURRENT: _measure_json(_measure(self.current, scheme, label)),
                "difference": asdict(self.differences[scheme, label]),
            }
            for scheme in ("strict", "overlap")
        }


class Parting(NamedTuple):
    """A span that only one labeler found, or made although it is wrong. `side` is whose deed it is."""

    side: Side
    deed: Deed
    span: Labelled


def compare_labelers(
    notes: Sequence[ComparedNote], labels: Sequence[str], *, seed: int = 0, n_draws: int = N_DRAWS
) -> Compared:
    """The measures over `labels`, in that order; what has another label is left out."""
    patients = {patient: place for place, patient in enumerate(dict.fromkeys(note.patient for note in notes))}
    of = [patients[note.patient] for note in notes]
    candidate, current = (
        _counts([note.of(side) for note in notes], of, len(patients), labels) for side in (CANDIDATE, CURRENT)
    )
    weights = draw_patients(len(patients), n_draws=n_draws, seed=seed)
    differences: dict[tuple[str, str], Difference] = {}
    for scheme, right in (("strict", _STRICT), ("overlap", _OVERLAP)):
        for place, label in enumerate((ALL, *labels)):
            differences[scheme, label] = _difference(candidate[:, place], current[:, place], right, weights)
    return Compared(
        n_notes=len(notes),
        n_patients=len(patients),
        labels=tuple(labels),
        candidate=evaluate([note.of(CANDIDATE) for note in notes], labels, n_resamples=0),
        current=evaluate([note.of(CURRENT) for note in notes], labels, n_resamples=0),
        differences=differences,
    )


def draw_patients(n_patients: int, *, n_draws: int, seed: int) -> Counts:
    """How often each patient is drawn, by draw: `(n_draws, n_patients)`."""
    import numpy as np

    if not n_patients:
        return np.zeros((n_draws, 0), dtype=np.int64)
    return np.random.default_rng(seed).multinomial(n_patients, [1 / n_patients] * n_patients, size=n_draws)


def partings(note: ComparedNote, labels: Sequence[str]) -> list[Parting]:
    """Where the two part in a note, by place: gold spans that only one found to the letter, and spans that touch no
    gold span of their label, where the other has made none of that label either.
    """
    gold = [labelled for labelled in note.gold if labelled.label in labels]
    readings = {
        side: [Labelled(each.span, each.label) for each in reading.found if each.label in labels]
        for side, reading in ((CANDIDATE, note.candidate), (CURRENT, note.current))
    }
    is_found = {side: strict_matches(places, gold) for side, places in readings.items()}
    false = {
        side: [place for place, is_right in zip(places, overlap_matches(gold, places), strict=True) if not is_right]
        for side, places in readings.items()
    }
    found: list[Parting] = []
    for side, other in ((CANDIDATE, CURRENT), (CURRENT, CANDIDATE)):
        mine = zip(gold, is_found[side], is_found[other], strict=True)
        found += [Parting(side, FOUND, span) for span, is_mine, is_theirs in mine if is_mine and not is_theirs]
        found += [Parting(side, FALSE, span) for span in false[side] if not _is_touched(span, false[other])]
    return sorted(found, key=lambda parting: (parting.span, parting.deed, parting.side))


def _is_touched(span: Labelled, others: Sequence[Labelled]) -> bool:
    return any(other.label == span.label and share_a_character(other.span, span.span) for other in others)


def _counts(notes: Sequence[EvaluatedNote], of: Sequence[int], n_patients: int, labels: Sequence[str]) -> Counts:
    """By patient, by label with all of them first: spans found, gold spans, right ones strictly and by overlap."""
    import numpy as np

    places = {label: place for place, label in enumerate(labels, 1)}
    counts = np.zeros((n_patients, 1 + len(labels), 4), dtype=np.int64)
    for patient, note in zip(of, notes, strict=True):
        for label, tally in note_tallies(note, labels).items():
            counts[patient, places[label]] += tally
            counts[patient, 0] += tally
    return counts


def _difference(candidate: Counts, current: Counts, right: int, weights: Counts) -> Difference:
    """Of one label; both are by patient, `weights` by draw."""
    import numpy as np

    n_patients = len(candidate)
    one, other = (_f1(counts.sum(0, keepdims=True), right)[0] for counts in (candidate, current))
    if np.isnan(one) or np.isnan(other):
        return Difference(None, None, None, "nothing of it in these notes")
    value = float(one - other)
    if n_patients < FEWEST_PATIENTS or not len(weights):
        return Difference(value, None, None, f"no interval: fewer than {FEWEST_PATIENTS} patients")
    drawn = _f1(weights @ candidate, right) - _f1(weights @ current, right)
    drawn = np.sort(drawn[~np.isnan(drawn)])
    if len(drawn) < (1 - _MAX_UNDEFINED) * len(weights):
        return Difference(value, None, None, "no interval: it rests on too few of the patients")
    last = len(drawn) - 1
    return Difference(
        value,
        Interval(float(drawn[round(_TAIL * last)]), float(drawn[round((1 - _TAIL) * last)])),
        float(((drawn > 0) + (drawn == 0) / 2).mean()),
        f"a rough interval: fewer than {FEWEST_NOTES} patients" if n_patients < FEWEST_NOTES else "",
    )


def _f1(counts: Counts, right: int) -> Counts:
    """F1 of rows of counts; not a number where there is neither a gold span nor a found one. A labeler that finds
    nothing where there is gold has 0.
    """
    import numpy as np

    total = (counts[:, _FOUND] + counts[:, _GOLD]).astype(float)
    return np.divide(2.0 * counts[:, right], total, out=np.full(len(counts), np.nan), where=total > 0)


def _measure(evaluation: Evaluation, scheme: str, label: str) -> Measure:
    found: Measure = getattr(evaluation if label == ALL else evaluation.labels[label], scheme)
    return found


def _measure_json(measure: Measure) -> dict[str, Any]:
    return {
        "n_found": measure.n_found,
        "n_gold": measure.n_gold,
        "n_right": measure.n_right,
        "precision": measure.precision,
        "recall": measure.recall,
        "f1": measure.f1,
    }


def _side_json(evaluation: Evaluation) -> dict[str, Any]:
    score = evaluation.score
    return {
        "n_quotes": evaluation.n_quotes,
        "n_unaligned": evaluation.n_unaligned,
        "n_invented": evaluation.n_invented,
        "invented_rate": evaluation.invented_rate,
        "score": {
            "n": score.n,
            "n_right": score.n_right,
            "brier": score.brier,
            "ece": score.ece,
            "auroc": score.auroc,
            "bins": [asdict(each) for each in score.bins],
        },
    }
