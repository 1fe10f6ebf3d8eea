"""Labelled spans compared and put together: of several readings, of a second labeler, of windows that overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from annotator.core.chunks import Chunk
from annotator.core.scoring import score_of
from annotator.core.spans import Span
from llm_labeler.align import Alignment
from llm_labeler.confidence import Signals

# Two readings that share so much of what either covers mean one span.
SAME = 0.5
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """What a model said: a quote with label and attributes, and where it lies in the note; `span` None is unaligned.

    `quote` is the model's own wording, its `pieces` joined by a space.
    """

    span: Span | None
    quote: str
    label: str
    attributes: Mapping[str, str]
    alignment: Alignment
    signals: Signals = field(default_factory=dict)
    pieces: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        return score_of(self.signals)

    @property
    def key(self) -> Key:
        """What is equal for spans equal in fragments and label, or in quote and label where there is no place."""
        return (self.label, str(self.span) if self.span else f"quote {self.quote}")

    def told(self, signals: Signals) -> LabelledSpan:
        """The same span with more signals."""
        return replace(self, signals=self.signals | signals)


def shared(one: Span, other: Span) -> float:
    """Characters that both cover over characters that either covers."""
    both = sum(
        max(min(end, theirs[1]) - max(start, theirs[0]), 0)
        for start, end in one.fragments
        for theirs in other.fragments
    )
    either = sum(end - start for span in (one, other) for start, end in span.fragments) - both
    return both / either


def agreed(readings: Sequence[Sequence[LabelledSpan]]) -> list[LabelledSpan]:
    """The spans of several readings of one window, the first of which is the model's best answer.

    Each says in how many of the readings it, or one that means the same, was found. What only later readings found
    comes behind, `is_sampled`; of those that mean the same the one found most often.
    """
    kept = list(readings[0])
    if len(readings) == 1:
        return kept
    distinct = [_distinct(reading) for reading in readings]
    later = [found for reading in distinct[1:] for found in reading]
    votes = Counter(found.key for found in later)
    for found in sorted(_distinct(later), key=lambda found: -votes[found.key]):
        if not any(_means(found, other) for other in kept):
            kept.append(found.told({"is_sampled": 1}))
    return [found.told(_agreement(found, distinct)) for found in kept]


def compared(found: Sequence[LabelledSpan], others: Sequence[LabelledSpan], name: str) -> list[LabelledSpan]:
    """`found`, each with what a second labeler called `name` says of its window."""
    return [labelled.told(_second(labelled, others, name)) if labelled.span else labelled for labelled in found]


def merged(text: str, windows: Iterable[tuple[Chunk, Sequence[LabelledSpan]]]) -> tuple[LabelledSpan, ...]:
    """The spans of a note from those of its windows, by start and then longest first, unaligned ones last.

    Spans equal in fragments and label are one, with the signals of the best scored. Nested and overlapping spans stay.
    A span that reaches an inner edge of its window goes where another window has a span of the same label that holds
    it and lies across that edge: the window could only quote a part of that. What two windows quote alike is no part.
    """
    findings = [(window, labelled) for window, spans in windows for labelled in spans]
    n_windows = Counter(key for _, spans in windows for key in {labelled.key for labelled in spans})
    by_label: dict[str, list[Span]] = {}
    for _, labelled in findings:
        if labelled.span:
            by_label.setdefault(labelled.label, []).append(labelled.span)
    best: dict[Key, LabelledSpan] = {}
    for window, labelled in findings:
        is_seen_once = n_windows[labelled.key] == 1
        if labelled.span and is_seen_once and _is_cut(text, window, labelled.span, by_label[labelled.label]):
            continue
        if labelled.key not in best or labelled.score > best[labelled.key].score:
            best[labelled.key] = labelled
    return tuple(sorted(best.values(), key=_order))


def counted_in(text: str, found: Sequence[LabelledSpan]) -> tuple[LabelledSpan, ...]:
    """`found`, each with how often its words stand in the whole note; at least 1."""
    counts: dict[str, int] = {}
    for labelled in found:
        if labelled.span and not labelled.span.is_discontinuous:
            surface = labelled.span.surface(text)
            if surface not in counts:
                counts[surface] = _count(text, surface)
    return tuple(
        labelled.told({"n_in_note": counts[labelled.span.surface(text)]})
        if labelled.span and not labelled.span.is_discontinuous
        else labelled
        for labelled in found
    )


def _distinct(found: Iterable[LabelledSpan]) -> list[LabelledSpan]:
    """The first of those that are equal in fragments and label."""
    first: dict[Key, LabelledSpan] = {}
    for labelled in found:
        first.setdefault(labelled.key, labelled)
    return list(first.values())


def _means(one: LabelledSpan, other: LabelledSpan) -> bool:
    """Whether both are readings of one span."""
    if one.label != other.label or one.span is None or other.span is None:
        return one.key == other.key
    return shared(one.span, other.span) >= SAME


def _agreement(found: LabelledSpan, readings: Sequence[Sequence[LabelledSpan]]) -> Signals:
    n_found = sum(any(_means(found, other) for other in reading) for reading in readings)
    n_exact = sum(any(found.key == other.key for other in reading) for reading in readings)
    return {
        "n_readings": len(readings),
        "agreement": n_found / len(readings),
        "exact_agreement": n_exact / len(readings),
    }


def _second(labelled: LabelledSpan, others: Sequence[LabelledSpan], name: str) -> Signals:
    ours = labelled.span
    shares = [(shared(ours, other.span), other.label) for other in others if ours and other.span]
    agreeing = max((share for share, label in shares if label == labelled.label), default=0.0)
    signals: Signals = {"second": name, "second_share": agreeing}
    share, label = max(shares, default=(0.0, ""))
    if share >= SAME and share > agreeing:
        signals["second_label"] = label
    return signals


def _is_cut(text: str, window: Chunk, span: Span, others: Iterable[Span]) -> bool:
    """Whether one of `others` holds `span` and goes on where the window ends."""
    is_last = window.end < len(text) and not text[span.end : window.end].strip()
    is_first = window.start > 0 and not text[window.start : span.start].strip()
    return (is_last or is_first) and any(
        other.start <= span.start
        and span.end <= other.end
        and ((is_last and other.end > window.end) or (is_first and other.start < window.start))
        for other in others
    )


def _count(text: str, wanted: str) -> int:
    """How often `wanted` stands in `text`, not as a part of a word; at least 1."""
    n_found, at = 0, text.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        is_part = (at > 0 and wanted[0].isalnum() and text[at - 1].isalnum()) or (
            end < len(text) and wanted[-1].isalnum() and text[end].isalnum()
        )
        n_found += not is_part
        at = text.find(wanted, end)
    return max(n_found, 1)


def _order(labelled: LabelledSpan) -> tuple[bool, int, int, str, str]:
    span = labelled.span
    return (span is None, span.start if span else 0, -span.end if span else 0, labelled.label, labelled.quote)
