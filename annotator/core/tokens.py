"""The named tokenizer "marginalia-1", and span bounds that move by its tokens.

A token is a word, a number, or one other character that is not white space, each with the marks that belong to it:

- letters and digits run together (`q6h`, `500mg`); an apostrophe between letters and a point or comma between digits
  stay inside (`don't`, `Crohn's`, `2.5`, `1,000`); hyphens and slashes part words (`x`, `-`, `ray`);
- Han and kana, which are written without spaces, are one token a character;
- combining marks, variation selectors, skin tones and what a zero-width joiner joins stay with their base, and two
  regional indicators are one flag.

A change to these rules is a new name, because token-level agreement is only comparable within one.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Literal

from annotator.core.spans import Span, SpanError

TOKENIZER = "marginalia-1"
Edge = Literal["start", "end"]
PartAt = Callable[[str, int], tuple[int, int]]
_JOINER = "\u200d"
# Extenders that Unicode does not count as marks: soft hyphen, non-joiner, skin tones, tag characters.
_EXTRA_EXTENDERS = "\u00ad\u200c\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


def _marks() -> str:
    """All combining marks as the inside of a character class."""
    points = [
        point
        for block in (range(0x300, 0x20000), range(0xE0100, min(0xE01F0, sys.maxunicode)))
        for point in block
        if unicodedata.category(chr(point))[0] == "M"
    ]
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_MARKS = _marks() + _EXTRA_EXTENDERS
_EXTEND = f"[{_MARKS}]*+"
# Possessive: what a word has taken is never given back, so no input makes it slow. ASCII first, for speed.
_WORD = rf"(?:[A-Za-z0-9]++|(?![{_IDEOGRAPHS}])[^\W_]|[{_MARKS}{_JOINER}])++"
_TOKEN = re.compile(
    rf"(?=[^\W_])(?![{_IDEOGRAPHS}]){_WORD}(?:(?:['\u2019](?=[^\W\d_])|(?<=\d)[.,](?=\d)){_WORD})*+"
    rf"|[\U0001f1e6-\U0001f1ff]{{2}}{_EXTEND}"
    rf"|\S{_EXTEND}(?:{_JOINER}(?:\S{_EXTEND})?)*+"
)
# What a reader takes for one character, within a token.
_CHARACTER = re.compile(rf"[\U0001f1e6-\U0001f1ff]{{2}}{_EXTEND}|\S{_EXTEND}(?:{_JOINER}(?:\S{_EXTEND})?)*+")


def token_spans(text: str) -> list[tuple[int, int]]:
    """Half-open bounds of the tokens of `text`, in code points and in order.

    Every character that is not white space lies in exactly one token, and no token holds white space.
    """
    return [match.span() for match in _TOKEN.finditer(text)]


def snap(text: str, start: int, end: int) -> tuple[int, int]:
    """The selection `start`-`end` without outer white space, grown to whole tokens.

    Only the neighbourhood is tokenised. Raises SpanError where the selection is empty, lies outside the text, or is
    only white space.
    """
    start, end = _trimmed(text, start, end)
    return _token_at(text, start)[0], _token_at(text, end - 1)[1]


def fit(text: str, start: int, end: int) -> tuple[int, int]:
    """The selection `start`-`end` without outer white space, grown only so far that no mark is parted from its base.

    Raises SpanError as `snap` does.
    """
    start, end = _trimmed(text, start, end)
    return _character_at(text, start)[0], _character_at(text, end - 1)[1]


def set_bounds(text: str, span: Span, start: int, end: int) -> Span:
    """`span` with its hull from `start` to `end`, fitted to whole characters.

    Of a discontinuous span the first fragment's start and the last fragment's end are set. Raises SpanError where
    that is no span, or the one given.
    """
    start, end = fit(text, start, end)
    fragments = list(span.fragments)
    fragments[0] = (start, fragments[0][1] if span.is_discontinuous else end)
    fragments[-1] = (fragments[-1][0], end)
    moved = Span(tuple(fragments))
    if moved == span:
        raise SpanError("the span has these bounds already")
    return moved


def move_boundary(text: str, span: Span, edge: Edge, step: Literal[-1, 1], *, exact: bool = False) -> Span:
    """`span` with the start or end of its hull moved by one token, forwards (+1) or backwards (-1); by one character
    with the marks that belong to it where `exact`.

    White space is skipped, and a bound inside a token first moves to that token's bound. Of a discontinuous span the
    first fragment's start or the last fragment's end moves. Raises SpanError where the text ends, or where the
    fragment would be left empty.
    """
    if edge not in ("start", "end"):
        raise SpanError(f"edge {edge!r} given: 'start' or 'end' is wanted")
    if step not in (-1, 1):
        raise SpanError(f"step {step!r} given: -1 or 1 is wanted")
    if span.end > len(text):
        raise SpanError(f"ends at {span.end}, but the note has {len(text)} characters")
    fragments = list(span.fragments)
    part_at = _character_at if exact else _token_at
    if edge == "start":
        start, end = fragments[0]
        fragments[0] = (_moved_start(text, start, end, step, part_at), end)
    else:
        start, end = fragments[-1]
        fragments[-1] = (start, _moved_end(text, start, end, step, part_at))
    return Span(tuple(fragments))


def _moved_start(text: str, start: int, end: int, step: int, part_at: PartAt) -> int:
    if step < 0:
        inside = _skip_left(text, start)
        if inside < 0:
            raise SpanError("the span already starts with the note's first token")
        return part_at(text, inside)[0]
    moved = start if text[start].isspace() else part_at(text, start)[1]
    moved = _skip_right(text, moved)
    if moved >= end:
        raise SpanError("the start cannot move on: the fragment has nothing further")
    return moved


def _moved_end(text: str, start: int, end: int, step: int, part_at: PartAt) -> int:
    if step > 0:
        inside = _skip_right(text, end)
        if inside >= len(text):
            raise SpanError("the span already ends with the note's last token")
        return part_at(text, inside)[1]
    moved = end if text[end - 1].isspace() else part_at(text, end - 1)[0]
    moved = _skip_left(text, moved) + 1
    if moved <= start:
        raise SpanError("the end cannot move back: the fragment has nothing earlier")
    return moved


def _token_at(text: str, position: int) -> tuple[int, int]:
    """The token that holds the character at `position`, which is not white space."""
    left = position
    while left > 0 and not text[left - 1].isspace():
        left -= 1
    for match in _TOKEN.finditer(text, left):
        if match.end() > position:
            return match.span()
    raise SpanError(f"no token at {position}: a position inside the text that is not white space is wanted")


def _character_at(text: str, position: int) -> tuple[int, int]:
    """The character at `position`, which is not white space, with the marks and joined characters that belong to it."""
    for match in _CHARACTER.finditer(text, _token_at(text, position)[0]):
        if match.end() > position:
            return match.span()
    raise SpanError(f"no character at {position}")


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    if not 0 <= start < end <= len(text):
        raise SpanError(f"selection {start}-{end} is not inside the note's {len(text)} characters")
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        raise SpanError("the selection is only white space")
    return start, end


def _skip_left(text: str, position: int) -> int:
    """The last position before `position` that is not white space, or -1."""
    position -= 1
    while position >= 0 and text[position].isspace():
        position -= 1
    return position


def _skip_right(text: str, position: int) -> int:
    """The first position from `position` on that is not white space, or the text's length."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position
