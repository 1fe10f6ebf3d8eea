"""A note's text with its spans, as HTML: lines of escaped text and nested marks.

Codes, glyphs and ticks are drawn by the stylesheet from attributes, so that the text content of a line is the note's
text to the letter and offsets can be counted in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from django.template.defaultfilters import floatformat
from django.template.loader import render_to_string
from django.utils.html import escape, format_html, format_html_join
from django.utils.text import Truncator

from annotator.core.layout import Piece, lay_out
from annotator.core.schema import Schema
from annotator.core.sections import Section
from annotator.review.selectors import Mark, NoteView

SHORT = 15  # a span of so few characters does not wrap
QUEUED_CHARS = 60
_QUEUE_ROW = (
    '<li><a class="item" href="{url}?focus={key}{queue}#{key}" hx-get="{url}?focus={key}{queue}" hx-target="#card"'
    ' hx-swap="outerHTML" data-span-key="{key}"{current}><span class="item-text">{text}</span>'
    '<span class="item-value">{score}</span><span class="label-code c-{colour}">{code}</span>{chip}</a></li>'
)
_TABLE = re.compile(r"\S\t+\S|\S {3,}\S.* {3,}\S|\S *\|.*\|")
_LAST_WORD = re.compile(r"\S+\s*\Z")


@dataclass(frozen=True, slots=True)
class DrawnLine:
    number: int
    start: int
    kind: str
    html: str


@dataclass(frozen=True, slots=True)
class DrawnSection:
    """A section with its lines, and how many suggestions in it are open."""

    number: int
    title: str
    n_open: int
    n_marks: int
    lines: list[DrawnLine]


def draw_note(view: NoteView, *, current: str) -> list[DrawnSection]:
    """The whole note, the span of key `current` in focus."""
    marks_on = _marks_by_line(view)
    drawn = [_draw_line(view, number, marks_on.get(number, ()), current) for number in range(len(view.lines))]
    return [
        _section(view, number, section, [line for line in drawn if section.start <= line.start < section.end])
        for number, section in enumerate(view.sections)
    ]


def draw_lines(view: NoteView, numbers: Iterable[int], *, current: str) -> list[DrawnLine]:
    """Some lines of the note, for a page that has the others."""
    marks_on = _marks_by_line(view)
    return [_draw_line(view, number, marks_on.get(number, ()), current) for number in sorted(set(numbers))]


def draw_queue(
    marks: Iterable[Mark], *, current: str, note_url: str, queue: str, reasons: Mapping[str, tuple[str, str]]
) -> list[str]:
    """The rows of the queue, narrowed to the reason `queue`; `reasons` gives each reason's word and icon.

    Every decision draws them all. As templates they took a sixth of its time.
    """
    return [
        format_html(
            _QUEUE_ROW,
            url=note_url,
            queue=f"&queue={queue}" if queue else "",
            key=mark.key,
            current=format_html(" {}", "aria-current=true" if mark.key == current else ""),
            text=mark.surface if len(mark.surface) <= QUEUED_CHARS else Truncator(mark.surface).chars(QUEUED_CHARS),
            score=floatformat(mark.score if mark.confidence is None else mark.confidence, 2),
            colour=mark.label.colour,
            code=mark.label.code,
            chip=_chip(*reasons[mark.reason]) if mark.reason in reasons else "",
        )
        for mark in marks
    ]


def section_states(view: NoteView, numbers: Iterable[int]) -> list[DrawnSection]:
    """Some sections without their lines, for their margins."""
    return [_section(view, number, view.sections[number], []) for number in sorted(set(numbers))]


def section_at(view: NoteView, offset: int) -> int:
    """The number of the section that holds this code point."""
    return max(bisect_right([section.start for section in view.sections], offset) - 1, 0)


@cache
def _chip(word: str, icon: str) -> str:
    chip = render_to_string("components/chip.html", {"word": word, "icon": icon})
    return format_html('<span class="item-chips">{}</span>', chip)


def _marks_by_line(view: NoteView) -> dict[int, list[Mark]]:
    starts = [start for start, _ in view.lines]
    found: dict[int, list[Mark]] = {}
    for mark in view.marks.values():
        first = bisect_right(starts, mark.span.start) - 1
        last = bisect_right(starts, mark.span.end - 1) - 1
        for number in range(first, last + 1):
            found.setdefault(number, []).append(mark)
    return found


def _section(view: NoteView, number: int, section: Section, lines: list[DrawnLine]) -> DrawnSection:
    inside = [mark for mark in view.marks.values() if section.start <= mark.span.start < section.end]
    return DrawnSection(
        number=number,
        title=section.title,
        n_open=sum(1 for mark in inside if mark.place is not None),
        n_marks=len(inside),
        lines=lines,
    )


def _draw_line(view: NoteView, number: int, marks: Sequence[Mark], current: str) -> DrawnLine:
    start, end = view.lines[number]
    text = view.document.text
    pieces = lay_out(start=start, end=end, spans=[(mark.key, mark.span) for mark in marks])
    by_key = {mark.key: mark for mark in marks}
    html = _draw(text, start, end, pieces, by_key, view.schema, current)
    return DrawnLine(number=number, start=start, kind=_kind(view, start, end), html=html)


def _kind(view: NoteView, start: int, end: int) -> str:
    section = view.sections[section_at(view, start)]
    line = view.document.text[start:end]
    if section.heading_start <= start and end <= section.heading_end + 1 and section.title and line.strip():
        return "heading"
    if not line.strip():
        return "blank"
    return "table" if _TABLE.search(line) else "text"


def _draw(
    text: str,
    start: int,
    end: int,
    pieces: Sequence[Piece],
    marks: dict[str, Mark],
    schema: Schema,
    current: str,
    tail: str | None = None,
) -> str:
    """`text[start:end]` with `pieces` in it; `tail` is what may not be parted from the last word."""
    parts: list[str] = []
    at = start
    for piece in pieces:
        parts.append(escape(text[at : piece.start]))
        parts.append(_draw_piece(text, piece, marks, schema, current))
        at = piece.end
    rest = text[at:end]
    if tail is None:
        parts.append(escape(rest))
    else:
        cut = 0 if end - start <= SHORT and not pieces else _last_word_start(rest)
        parts.append(escape(rest[:cut]))
        parts.append(format_html('<span class="tail">{}{}</span>', rest[cut:], tail))
    return format_html_join("", "{}", ((part,) for part in parts))


def _draw_piece(text: str, piece: Piece, marks: dict[str, Mark], schema: Schema, current: str) -> str:
    mark = marks[piece.key]
    edges = {(True, True): "both", (True, False): "start", (False, True): "end"}.get(
        (piece.has_start, piece.has_end), "none"
    )
    flags = [
        name
        for name, is_set in (
            ("data-cross", piece.is_crossing),
            ("data-gap", piece.is_gap),
            ("data-current", mark.key == current),
            (f"data-height={_height(piece)}", piece.inner),
            (f"id={mark.key}", piece.start == mark.span.start),
        )
        if is_set
    ]
    tail = _tail(mark, schema) if piece.is_last else None
    inner = _draw(text, piece.start, piece.end, piece.inner, marks, schema, current, tail)
    return format_html(
        '<mark class="span c-{}" data-span="{}" data-state="{}" data-edges="{}"{}>{}</mark>',
        mark.label.colour,
        mark.key,
        mark.state,
        edges,
        format_html_join("", " {}", ((flag,) for flag in flags)),
        inner,
    )


def _height(piece: Piece) -> int:
    """How many levels of boxes lie inside, as far as they are drawn: 0, 1 or 2."""
    return min(1 + max((_height(inner) for inner in piece.inner), default=-1), 2)


def _tail(mark: Mark, schema: Schema) -> str:
    """The label's code, glyphs of attributes that are not the default, the link of a discontinuous span, the tick.

    The code says in words, for those who hear the page, all that is drawn.
    """
    values = [
        attribute.value(mark.attributes[attribute.name])
        for attribute in schema.attributes_of(mark.label.name)
        if mark.attributes.get(attribute.name, attribute.default) != attribute.default
    ]
    glyphs = [value.glyph for value in values]
    words = ", ".join([mark.label.name, *(value.name for value in values), mark.state])
    if mark.span.is_discontinuous:
        glyphs.append("link")
    drawn = format_html_join("", '<i class="glyph" data-glyph="{}"></i>', ((glyph,) for glyph in glyphs if glyph))
    code = format_html('<i class="code" data-code="{}" data-words=" ({})"></i>', mark.label.code, words)
    tick = "" if mark.tenths is None else format_html('<i class="tick" data-confidence="{}"></i>', mark.tenths)
    return format_html("{}{}{}", code, drawn, tick)


def _last_word_start(text: str) -> int:
    found = _LAST_WORD.search(text)
    return found.start() if found else 0
