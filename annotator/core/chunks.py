"""Chunks of a note: what a model reads at once, both when it labels and when it is trained."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import IntEnum

from annotator.core.sections import sections
from annotator.core.tokens import token_spans

_BREAK = re.compile(
    r"(?P<line>(?<![ \t])[ \t]*+\n\s*+)|(?P<sentence>[.!?][\"')\]\u201d\u2019]*+)\s++(?=[\"'(\[\u201c]?[^\W_a-z])"
)
# A point after these ends no sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|no|nos|fig|figs|eq|ref|approx|ca|cf|al|e\.g|i\.e|etc|dept|resp|temp|hx|rx|dx|tx"
    r"|p\.o|i\.v|i\.m|s\.c|b\.i\.d|t\.i\.d|q\.i\.d|q\.d|p\.r\.n|h\.s|a\.m|p\.m)|\b[A-Za-z])$",
    re.IGNORECASE,
)
_ENDS_SENTENCE = frozenset(".!?:;")
_STARTS_ITEM = re.compile(r"[-*\u2022]\s|\d{1,2}[.)]\s")


# The windows that the labeler reads and that datasets are cut into, in code points: a model is used on the windows that
# it was trained on.
WINDOW, OVERLAP = 1500, 150
# Those of the small model, which was trained on them; they do not overlap.
SMALL_WINDOW = 300


class ChunkError(ValueError):
    """Sizes that notes cannot be cut by."""


@dataclass(frozen=True, slots=True, order=True)
class Chunk:
    """A part of a note, half-open in code points."""

    start: int
    end: int


class _Bound(IntEnum):
    """How good a place to cut is; a higher one is taken before a later one."""

    TOKEN = 0
    LINE = 1
    SENTENCE = 2
    PARAGRAPH = 3
    SECTION = 4


def chunks(text: str, max_chars: int, overlap: int = 0) -> list[Chunk]:
    """Parts of `text` of at most `max_chars` code points that cover it in order; none where it is empty.

    Cut at the best bound in the second half of the allowed size: a section, else a paragraph, a sentence, a line, a
    token; a longer token is cut as it comes. With `overlap`, each chunk but the first begins with whole sentences of
    the one before, up to that many code points; where a longer sentence was cut, with whole tokens of it. Raises
    ChunkError unless max_chars >= 1 and overlap <= max_chars / 2.
    """
    if max_chars < 1:
        raise ChunkError(f"max_chars is {max_chars}: at least 1 is wanted")
    if not 0 <= overlap <= max_chars // 2:
        raise ChunkError(f"overlap is {overlap}: 0 to half of max_chars ({max_chars // 2}) is wanted")
    found: list[Chunk] = []
    if not text:
        return found
    bounds = _bounds(text) if len(text) > max_chars else {}
    places = sorted(bounds)
    start = 0
    while start + max_chars < len(text):
        reached = found[-1].end if found else 0
        end = _cut(bounds, places, start + max_chars // 2, max(start, reached), start + max_chars)
        found.append(Chunk(start, end))
        start = _next_start(bounds, places, start, end, overlap)
    found.append(Chunk(start, len(text)))
    return found


def sentences(text: str) -> list[Chunk]:
    """The sentences and free-standing lines of `text`, with the white space behind them; they tile it."""
    if not text:
        return []
    places = [0, *(place for place, bound in sorted(_sentence_bounds(text).items()) if bound >= _Bound.SENTENCE)]
    return [Chunk(start, end) for start, end in zip(places, [*places[1:], len(text)], strict=True) if start < end]


def _cut(bounds: dict[int, _Bound], places: list[int], half: int, reached: int, limit: int) -> int:
    """The best bound in (half, limit], else the last one in (reached, limit], else `limit`; never up to `reached`."""
    last = bisect_right(places, limit)
    candidates = places[bisect_right(places, max(half, reached)) : last]
    if candidates:
        return max(candidates, key=lambda place: (bounds[place], place))
    return places[last - 1] if last and places[last - 1] > reached else limit


def _next_start(bounds: dict[int, _Bound], places: list[int], start: int, end: int, overlap: int) -> int:
    """The first sentence bound at most `overlap` before `end`, and after `start`.

    Without one, the first bound there is where `end` cuts a sentence, so that what lies across the cut is not lost;
    else `end`.
    """
    inner = places[bisect_left(places, max(end - overlap, start + 1)) : bisect_left(places, end)]
    cuts_sentence = bounds.get(end, _Bound.TOKEN) < _Bound.SENTENCE
    first = inner[0] if inner and cuts_sentence else end
    return next((place for place in inner if bounds[place] >= _Bound.SENTENCE), first)


def _bounds(text: str) -> dict[int, _Bound]:
    """Every place where `text` may be cut, inner ones only."""
    bounds = dict.fromkeys((start for start, _ in token_spans(text)), _Bound.TOKEN)
    bounds.update(_sentence_bounds(text))
    bounds.update((section.start, _Bound.SECTION) for section in sections(text))
    bounds.pop(0, None)
    return bounds


def _sentence_bounds(text: str) -> dict[int, _Bound]:
    bounds: dict[int, _Bound] = {}
    for match in _BREAK.finditer(text):
        place = match.end()
        if place >= len(text):
            break
        if match["sentence"] is not None:
            before = text[max(0, match.start() - 8) : match.start()]
            if match["sentence"][0] == "." and _ABBREVIATION.search(before):
                continue
            bounds[place] = _Bound.PARAGRAPH if match[0].count("\n") > 1 else _Bound.SENTENCE
        else:
            bounds[place] = _line_bound(text, match.start(), place, match[0].count("\n"))
    return bounds


def _line_bound(text: str, end: int, place: int, n_breaks: int) -> _Bound:
    """What a line end is: inside a wrapped sentence only a line bound."""
    if n_breaks > 1:
        return _Bound.PARAGRAPH
    is_wrapped = end > 0 and text[end - 1] not in _ENDS_SENTENCE and text[place].islower()
    return _Bound.LINE if is_wrapped and not _STARTS_ITEM.match(text, place) else _Bound.SENTENCE
