"""Quotes of a model to offsets in the text that it read.

All items of an answer are placed together: a model lists passages in their order, so a chain of occurrences with
starts that never go back, as many items on it as possible, tells which of several occurrences is meant.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from annotator.core.spans import Span
from llm_labeler.spelling import Words

# So many places of one quote are weighed, of so many that are looked at.
MAX_OCCURRENCES, MAX_SEEN = 200, 5_000
# Pieces of one passage lie within this many code points.
MAX_GAP = 200
_DROPPED = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_PLAIN = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2032": "'", "\u2212": "-", "\u2044": "/"}
_PLAIN |= dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-")
_FRACTION_SLASH = "\u2044"


class Alignment(StrEnum):
    """How a quote was found."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    FUZZY = "fuzzy"
    UNALIGNED = "unaligned"


@dataclass(frozen=True, slots=True)
class Quote:
    """What is looked for: the pieces of a passage, a key that is equal for repeats of one item, a hinted start."""

    pieces: tuple[str, ...]
    key: str
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Where a quote was found, how, and at how many places it could have been. A span of None is unaligned."""

    span: Span | None
    alignment: Alignment
    n_occurrences: int


def align(text: str, quotes: Sequence[Quote]) -> list[Aligned]:
    """For each quote, in the order of the answer, its place in `text`.

    A hint is believed only where the text reads so. Else exact occurrences count, at word bounds where there are any;
    where there are none, those that differ in case, white space and Unicode form only; where there are none either, and
    the quote is of one piece, those in nearly the same spelling (`llm_labeler.spelling`). A quote of one piece that
    stands to the letter only inside words is taken at word bounds in another form where there are such places.
    """
    source = _Source(text)
    candidates = [source.candidates(quote) for quote in quotes]
    chain = _chain([[span.start for span in spans] for _, spans in candidates], [quote.key for quote in quotes])
    used: dict[str, set[Span]] = {}
    for item, (quote, (_, spans)) in enumerate(zip(quotes, candidates, strict=True)):
        option = chain[item]
        if option is not None:
            taken = used.setdefault(quote.key, set())
            # Past a nested item the chain may come back to a place that this quote has already.
            chain[item] = next((o for o in range(option, len(spans)) if spans[o] not in taken), option)
            taken.add(spans[chain[item] or 0])
    found: list[Aligned] = []
    for quote, (alignment, spans), chosen in zip(quotes, candidates, chain, strict=True):
        if not spans:
            found.append(Aligned(None, Alignment.UNALIGNED, 0))
            continue
        taken = used.setdefault(quote.key, set())
        span = spans[chosen] if chosen is not None else next((s for s in spans if s not in taken), spans[0])
        taken.add(span)
        n_occurrences = len(spans) if quote.start is None else source.count(quote)
        found.append(Aligned(span, alignment, n_occurrences))
    return found


class _Source:
    """A text with what searching it needs, made once and only when needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._known: dict[tuple[str, ...], tuple[Alignment, list[Span]]] = {}

    def candidates(self, quote: Quote) -> tuple[Alignment, list[Span]]:
        """The places that `quote` may mean, ascending, and how they were found."""
        hinted = self._hinted(quote)
        return (Alignment.EXACT, [hinted]) if hinted else self._found(quote.pieces)

    def count(self, quote: Quote) -> int:
        return max(1, len(self._found(quote.pieces)[1]))

    def _hinted(self, quote: Quote) -> Span | None:
        if quote.start is None or len(quote.pieces) != 1 or not quote.pieces[0]:
            return None
        is_there = self.text.startswith(quote.pieces[0], quote.start)
        return Span.of(quote.start, quote.start + len(quote.pieces[0])) if is_there else None

    def _found(self, pieces: tuple[str, ...]) -> tuple[Alignment, list[Span]]:
        if pieces not in self._known:
            self._known[pieces] = self._looked_for(pieces)
        return self._known[pieces]

    def _looked_for(self, pieces: tuple[str, ...]) -> tuple[Alignment, list[Span]]:
        # Of one piece, all places stand at word bounds or none does: see `_best`.
        exact = _joined([self._exact(piece.strip()) for piece in pieces])
        if exact and (len(pieces) > 1 or self._is_at_word_bounds(exact[0])):
            return Alignment.EXACT, exact
        normalized = _joined([self._normalized(piece) for piece in pieces])
        if exact and not (normalized and self._is_at_word_bounds(normalized[0])):
            return Alignment.EXACT, exact
        if normalized or len(pieces) > 1:
            return Alignment.NORMALIZED, normalized
        return Alignment.FUZZY, _joined([self._near(piece) for piece in pieces])

    def _exact(self, piece: str) -> list[tuple[int, int]]:
        return self._best((start, start + len(piece)) for start in _starts(self.text, piece))

    def _normalized(self, piece: str) -> list[tuple[int, int]]:
        """Places whose normal form is that of `piece`."""
        wanted = _normal(piece)[0].strip()
        found = ((start, start + len(wanted)) for start in _starts(self._normal_text[0], wanted))
        return self._best(self._original(found))

    def _near(self, piece: str) -> list[tuple[int, int]]:
        """Places in nearly the same spelling as `piece`."""
        return list(self._original(self._words.find(_normal(piece)[0])))

    def _original(self, places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The bounds in the original of places in the normal text, without those that split a character.

        Neither a part of one character is a place, nor a base without its marks.
        """
        normal, origins = self._normal_text
        for start, end in places:
            if start > 0 and origins[start - 1] == origins[start]:
                continue
            if end < len(normal) and (origins[end - 1] == origins[end] or unicodedata.combining(normal[end])):
                continue
            yield origins[start], origins[end - 1] + 1

    def _best(self, places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """The first places at word bounds, or the first of all where there are none such."""
        whole: list[tuple[int, int]] = []
        parts: list[tuple[int, int]] = []
        for place in places:
            (whole if self._is_at_word_bounds(Span.of(*place)) else parts).append(place)
            if len(whole) == MAX_OCCURRENCES:
                break
        return whole or parts[:MAX_OCCURRENCES]

    def _is_at_word_bounds(self, span: Span) -> bool:
        return not (_joins(self.text, span.start) or _joins(self.text, span.end))

    @cached_property
    def _normal_text(self) -> tuple[str, list[int]]:
        return _normal(self.text)

    @cached_property
    def _words(self) -> Words:
        return Words(self._normal_text[0])


def _starts(text: str, piece: str) -> Iterator[int]:
    """Where `piece` begins in `text`, as far as the first `MAX_SEEN` places."""
    start = text.find(piece) if piece else -1
    for _ in range(MAX_SEEN):
        if start < 0:
            return
        yield start
        start = text.find(piece, start + 1)


def _joins(text: str, place: int) -> bool:
    """Whether the characters before and behind `place` belong to one word."""
    return 0 < place < len(text) and _is_of_word(text[place - 1]) and _is_of_word(text[place])


def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _normal(text: str) -> tuple[str, list[int]]:
    """The normal form of `text`, and for each of its characters the offset it comes from."""
    characters: list[str] = []
    origins: list[int] = []
    for offset, original in enumerate(text):
        if original in _DROPPED:
            continue
        if original.isspace():
            if not characters or characters[-1] != " ":
                characters.append(" ")
                origins.append(offset)
            continue
        folded = original if original.isascii() else unicodedata.normalize("NFKD", original)
        if _FRACTION_SLASH in folded[1:] and text[offset - 1 : offset].isdigit():
            folded = f" {folded}"  # "2\u00bd" is 2 1/2, not 21/2
        for character in unicodedata.normalize("NFKD", folded.casefold()):
            characters.append(" " if character.isspace() else _PLAIN.get(character, character))
            origins.append(offset)
    return "".join(characters), origins


def _joined(places: list[list[tuple[int, int]]]) -> list[Span]:
    """Spans that take one place of each piece, in order and near each other, the tightest for each first place."""
    spans = []
    for first in places[0] if all(places) else ():
        fragments = [first]
        for following in places[1:]:
            index = bisect_left(following, (fragments[-1][1], 0))
            if index == len(following) or following[index][0] - fragments[-1][1] > MAX_GAP:
                break
            fragments.append(following[index])
        else:
            spans.append(Span(tuple(fragments)))
    return spans


def _chain(starts: Sequence[Sequence[int]], keys: Sequence[str]) -> list[int | None]:
    """For each item the index of its chosen start, or None.

    The chosen starts never go back, and go on between items of one key. As many items as possible are on the chain,
    and of those chains the one with the earliest starts. O(n log n) for n starts in all.
    """
    places = sorted({start for options in starts for start in options})
    best = _PrefixMaximum(len(places))
    at_place: list[dict[str, tuple[int, int, int]]] = [{} for _ in places]
    nodes: list[tuple[int, int, int]] = []  # item, option, node before
    for item, options in enumerate(starts):
        reached = []
        for option, start in enumerate(options):
            place = bisect_right(places, start) - 1
            same = [value for key, value in at_place[place].items() if key != keys[item]]
            count, cost, before = max([best.before(place), *same])
            reached.append((place, (count + 1, cost - start, len(nodes))))
            nodes.append((item, option, before))
        for place, value in reached:
            best.raise_to(place, value)
            at_place[place][keys[item]] = max(at_place[place].get(keys[item], value), value)
    chosen: list[int | None] = [None] * len(starts)
    node = best.before(len(places))[2]
    while node >= 0:
        item, option, node = nodes[node]
        chosen[item] = option
    return chosen


class _PrefixMaximum:
    """A Fenwick tree of maxima over `(count, cost, node)`."""

    def __init__(self, size: int) -> None:
        self._values = [(0, 0, -1)] * (size + 1)

    def raise_to(self, place: int, value: tuple[int, int, int]) -> None:
        place += 1
        # What stands above a greater value is greater as well.
        while place < len(self._values) and self._values[place] < value:
            self._values[place] = value
            place += place & -place

    def before(self, place: int) -> tuple[int, int, int]:
        """The maximum over the places below `place`."""
        found = (0, 0, -1)
        while place > 0:
            found = max(found, self._values[place])
            place -= place & -place
        return found
