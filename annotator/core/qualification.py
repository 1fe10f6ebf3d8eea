"""Whether a new annotator reads as the reference does: F1 of each label against its threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from annotator.core.agreement import ALL_LABELS, Kind, Tally, note_cells
from annotator.core.readings import ReadNote


class Matching(StrEnum):
    STRICT = "strict"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Standard:
    """What is wanted: `thresholds` are those of labels that have one of their own, of labels with at least `min_spans`
    spans in the reference.
    """

    matching: Matching
    threshold: float
    min_spans: int
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def wanted_of(self, label: str) -> float:
        return self.thresholds.get(label, self.threshold)


@dataclass(frozen=True, slots=True)
class Figure:
    """How well one label (ALL_LABELS for all together) was read.

    `f1` is None where neither has a span, `wanted` where the label is not judged.
    """

    label: str
    n_reference: int
    n_said: int
    n_right: int
    f1: float | None
    wanted: float | None

    @property
    def is_enough(self) -> bool:
        """Whether it stands in nobody's way: what is not judged does not, nor that both left out everything."""
        return self.wanted is None or self.f1 is None or self.f1 >= self.wanted


def judge(notes: Iterable[ReadNote], labels: Sequence[str], standard: Standard) -> list[Figure]:
    """The figures of `labels`, then of all together, of notes with one annotator and gold, which is the reference.

    All together are judged, by the threshold of all, only where no label has enough spans to be.
    """
    tallies: dict[str, Tally] = defaultdict(Tally)
    for note in notes:
        for pair, label, tally in note_cells(note):
            if pair.kind == Kind.GOLD:
                tallies[label] = tallies[label].plus(tally)
    judged = [label for label in labels if tallies[label].n_a >= standard.min_spans]
    figures = [
        _figure(label, tallies[label], standard, standard.wanted_of(label) if label in judged else None)
        for label in labels
    ]
    return [*figures, _figure(ALL_LABELS, tallies[ALL_LABELS], standard, None if judged else standard.threshold)]


def _figure(label: str, tally: Tally, standard: Standard, wanted: float | None) -> Figure:
    n_right = tally.n_strict if standard.matching == Matching.STRICT else tally.n_overlap
    n_spans = tally.n_a + tally.n_b
    return Figure(label, tally.n_a, tally.n_b, n_right, 2 * n_right / n_spans if n_spans else None, wanted)
