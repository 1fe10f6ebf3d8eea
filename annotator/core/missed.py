"""Words of a note that may have been missed: no span covers them, and people labelled the same words before, or a
second reader found them where the model did not.

What is the same is what `core.surfaces` says: any case, any white space.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from annotator.core.surfaces import normal_surface
from annotator.core.tokens import token_spans

MOST_TOKENS = 6
MOST_PHRASES = 8000
# What no span ends with; the first of them it does not begin with either, where articles and pronouns may.
_LINKS = frozenset(("and", "at", "but", "by", "for", "from", "in", "of", "on", "or", "to", "was", "were", "with", "is"))
_NOT_LAST = _LINKS | frozenset(("a", "an", "her", "his", "no", "not", "the", "their", "this", "that", "who", "which"))

Place = tuple[int, int]
_Token = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Record:
    """What people did with the same words in other notes: `n_spans` spans of `label` in `n_notes` notes.

    Of a sample of finished notes: in how many places the words stand there, and how many of these have the label.
    """

    label: str
    n_spans: int
    n_notes: int
    n_mentions: int = 0
    n_labelled: int = 0

    @property
    def is_mostly_labelled(self) -> bool:
        """Whether the sample has left the words out no more often than it labelled them."""
        return 2 * self.n_labelled >= self.n_mentions

    @property
    def share(self) -> float:
        """How often the words get the label, as the sample has it; Laplace's rule."""
        return (self.n_labelled + 1) / (max(self.n_mentions, self.n_labelled) + 2)


@dataclass(frozen=True, slots=True)
class Found:
    """A place that the second reader of that name labelled and the model did not."""

    start: int
    end: int
    label: str
    score: float
    reader: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A place that may have been missed: `n_here` spans of this note say so, or else the record of other notes, or
    else a second reader.
    """

    start: int
    end: int
    label: str
    n_here: int
    record: Record | None
    found: Found | None = None


def open_phrases(text: str, covered: Iterable[Place]) -> dict[str, list[Place]]:
    """Where nothing covers the text: its runs of up to MOST_TOKENS tokens, by their words, each list in order.

    Runs begin and end with a word that a span may begin and end with, and go on over marks that stand between letters
    (`x-ray`). Where MOST_PHRASES are found none longer are looked for: in notes of 15,000 characters and more.
    """
    is_covered = bytearray(len(text))
    for start, end in covered:
        is_covered[start:end] = b"\1" * (end - start)
    tokens = [
        (start, end, normal_surface(text[start:end]))
        for start, end in token_spans(text)
        if is_covered.find(1, start, end) < 0
    ]
    is_word = [word[:1].isalnum() for _, _, word in tokens]
    joins = [_join(text, *pair) for pair in pairwise(tokens)]
    runs = {at: tokens[at][2] for at in range(len(tokens)) if is_word[at] and tokens[at][2] not in _LINKS}
    found: dict[str, list[Place]] = {}
    for n_more in range(MOST_TOKENS):
        for at, words in runs.items():
            last = tokens[at + n_more]
            if is_word[at + n_more] and last[2] not in _NOT_LAST:
                found.setdefault(words, []).append((tokens[at][0], last[1]))
        if len(found) >= MOST_PHRASES:
            break
        runs = {
            at: f"{words}{joins[at + n_more]}{tokens[at + n_more + 1][2]}"
            for at, words in runs.items()
            if at + n_more < len(joins) and joins[at + n_more] is not None
        }
    return found


def may_be_missed(
    places: Mapping[str, Sequence[Place]],
    *,
    here: Mapping[str, tuple[str, int]],
    records: Mapping[str, Record],
    refused: Iterable[tuple[str, int, int]],
    found: Mapping[str, Sequence[Found]],
) -> list[Missed]:
    """One place for each of the words that may have been missed, the likeliest first; they do not overlap.

    `here`: the label of these words in this note, and how many spans have it. `refused`: label and place of what a
    person turned down; nothing with that label is offered over it. `found`: where a second reader saw words of
    `places`, the best scored first. What people said of words goes before it, and so do their places.
    """
    turned_down = list(refused)
    offered: list[Missed] = []
    for words, wanted in places.items():
        spoken_for = _spoken_for(wanted, here.get(words), records.get(words), found.get(words, ()))
        free = (
            one
            for one in spoken_for
            if not any(one.label == label and one.start < end and start < one.end for label, start, end in turned_down)
        )
        offered += islice(free, 1)
    chosen: list[Missed] = []
    for one in sorted(offered, key=lambda one: (one.found is not None, one.start - one.end, one.start)):
        if not any(one.start < other.end and other.start < one.end for other in chosen):
            chosen.append(one)
    return sorted(chosen, key=_likeliest_first)


def _spoken_for(
    wanted: Sequence[Place], here: tuple[str, int] | None, record: Record | None, found: Sequence[Found]
) -> list[Missed]:
    """Where the same words may be offered, by what speaks for them; nowhere where people mostly leave them out."""
    if here is not None:
        return [Missed(start, end, *here, record) for start, end in wanted]
    if record is not None and not record.is_mostly_labelled:
        return []
    if record is not None and record.n_spans:
        return [Missed(start, end, record.label, 0, record) for start, end in wanted]
    return [Missed(one.start, one.end, one.label, 0, None, one) for one in found]


def _likeliest_first(one: Missed) -> tuple[bool, int, float, int, int]:
    if one.found is not None:
        return True, 0, -one.found.score, 0, one.start
    share, n_spans = (one.record.share, one.record.n_spans) if one.record else (0.0, 0)
    return False, -one.n_here, -share, -n_spans, one.start


def _join(text: str, before: _Token, after: _Token) -> str | None:
    """What stands between two tokens of one run; None where the run ends."""
    if before[1] == after[0]:
        return ""
    is_of_words = before[2][:1].isalnum() and after[2][:1].isalnum()
    return " " if is_of_words and text[before[1] : after[0]].isspace() else None
