"""A note's text with its spans, as HTML: lines of escaped text and nested marks.

Codes, glyphs and ticks are drawn by the stylesheet from attributes, so that the text content of a line is the note's
text to the letter and offsets can be counted in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from django.template.defaultfilters import floatformat
from django.template.loader import render_to_string
from django.utils.html import escape, format_html, format_html_join
from django.utils.text import Truncator

from annotator.core.layout import Piece, lay_out
from annotator.core.schema import Schema
from annotator.core.spans import Span
from annotator.review.selectors import Mark, NoteView

SHORT = 15  # a span of so few characters does not wrap
QUEUED_CHARS = 60
CONTEXT_LINES = 6
_QUEUE_ROW = (
    '<li><a class="item" href="{url}?focus={key}{queue}#{key}" data-span-key="{key}"{said}{current}>'
    '<span class="item-text">{text}</span><span class="item-value">{score}</span>'
    '<span class="label-code c-{colour}">{code}</span>{chip}</a></li>'
)
_LINE = '<p class="line"{}>{}</p>'
_KINDS = {kind: format_html(' data-kind="{}"', kind) for kind in ("heading", "table", "blank")}
# By whether a piece has its span's start and its end.
_OPENING = {
    edges: f'<mark class="span c-{{}}" data-state="{{}}"{missing} data-span="{{}}"'
    for edges, missing in {
        (True, True): "",
        (True, False): ' data-edges="start"',
        (False, True): ' data-edges="end"',
        (False, False): ' data-edges="none"',
    }.items()
}
_LAST_WORD = re.compile(r"\S+\s*\Z")


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line; `place` counts from 1 within its section."""

    section: int
    place: int
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

    @property
    def html(self) -> str:
        return format_html_join("", _LINE, ((_KINDS.get(line.kind, ""), line.html) for line in self.lines))


def draw_note(view: NoteView, *, current: str) -> list[DrawnSection]:
    """The whole note, the span of key `current` in focus."""
    marks_on = _marks_by_line(view, view.marks.values())
    lines: dict[int, list[DrawnLine]] = {}
    for number in range(len(view.lines)):
        drawn = _draw_line(view, number, marks_on.get(number, ()), current)
        lines.setdefault(drawn.section, []).append(drawn)
    return _sections(view, range(len(view.sections)), lines)


def draw_lines(view: NoteView, numbers: Iterable[int], *, current: str) -> list[DrawnLine]:
    """Some lines of the note, for a page that has the others."""
    wanted = sorted(set(numbers))
    if not wanted:
        return []
    start, end = view.lines[wanted[0]][0], view.lines[wanted[-1]][1]
    marks = (mark for mark in view.marks.values() if mark.span.start < end and start < mark.span.end)
    marks_on = _marks_by_line(view, marks)
    return [_draw_line(view, number, marks_on.get(number, ()), current) for number in wanted]


def draw_context(view: NoteView, span: Span, *, current: str) -> list[DrawnSection]:
    """The lines of a span and up to CONTEXT_LINES of its section to each side."""
    lines = view.layout.lines_of(span)
    section = section_at(view, span.start)
    near = range(max(lines.start - CONTEXT_LINES, 0), min(lines.stop + CONTEXT_LINES, len(view.lines)))
    wanted = [number for number in near if number in lines or section_at(view, view.lines[number][0]) == section]
    return _sections(view, [section], {section: draw_lines(view, wanted, current=current)})


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
            said=format_html(' data-said="{}"', mark.said) if mark.said else "",
            current=format_html(" {}", "aria-current=true" if mark.key == current else ""),
            text=mark.surface if len(mark.surface) <= QUEUED_CHARS else Truncator(mark.surface).chars(QUEUED_CHARS),
            score="hidden"
            if mark.is_masked
            else floatformat(mark.score if mark.confidence is None else mark.confidence, 2),
            colour=mark.label.colour,
            code=mark.label.code,
            chip=_chip(*reasons[mark.reason]) if mark.reason in reasons else "",
        )
        for mark in marks
    ]


def section_states(view: NoteView, numbers: Iterable[int]) -> list[DrawnSection]:
    """Some sections without their lines, for their margins."""
    return _sections(view, sorted(set(numbers)), {})


def section_at(view: NoteView, offset: int) -> int:
    """The number of the section that holds this code point."""
    return view.layout.section_at(offset)


@cache
def _chip(word: str, icon: str) -> str:
    chip = render_to_string("components/chip.html", {"word": word, "icon": icon})
    return format_html('<span class="item-chips">{}</span>', chip)


def _marks_by_line(view: NoteView, marks: Iterable[Mark]) -> dict[int, list[Mark]]:
    found: dict[int, list[Mark]] = {}
    for mark in marks:
        for number in view.layout.lines_of(mark.span):
            found.setdefault(number, []).append(mark)
    return found


def _sections(view: NoteView, numbers: Iterable[int], lines: Mapping[int, list[DrawnLine]]) -> list[DrawnSection]:
    n_open: Counter[int] = Counter()
    n_marks: Counter[int] = Counter()
    for mark in view.marks.values():
        number = view.layout.section_at(mark.span.start)
        n_marks[number] += 1
        n_open[number] += mark.place is not None
    return [
        DrawnSection(
            number=number,
            title=view.sections[number].title,
            n_open=n_open[number],
            n_marks=n_marks[number],
            lines=lines.get(number, []),
        )
        for number in numbers
    ]


def _draw_line(view: NoteView, number: int, marks: Sequence[Mark], current: str) -> DrawnLine:
    start, end = view.lines[number]
    if marks:
        html = draw_text(
            view.document.text,
            (start, end),
            marks,
            schema=view.schema,
            names=view.names,
            current=(current,),
            n_ties=view.n_ties,
        )
    else:
        html = escape(view.document.text[start:end])
    section = view.layout.section_at(start)
    place = number - view.layout.first_lines[section] + 1
    return DrawnLine(section=section, place=place, start=start, kind=view.layout.kinds[number], html=html)


def draw_text(
    text: str,
    bounds: tuple[int, int],
    marks: Sequence[Mark],
    *,
    schema: Schema,
    names: Mapping[str, str] = MappingProxyType({}),
    current: Collection[str] = (),
    n_ties: Mapping[str, int] = MappingProxyType({}),
) -> str:
    """A stretch of a note's text with the marks on it, those of the keys `current` in focus. `names` says what a key's
    mark is called by, where that is not the key; `n_ties` of a thread how many relations it has.
    """
    start, end = bounds
    pen = _Pen(text, {mark.key: mark for mark in marks}, schema, names, current, n_ties)
    pen.draw(start, end, lay_out(start=start, end=end, spans=[(mark.key, mark.span) for mark in marks]))
    return pen.html()


class _Pen:
    """Draws one line, as a template and what fills it: so all is escaped, once, when the line is done.

    A template for each piece took most of the time of a page.
    """

    def __init__(
        self,
        text: str,
        marks: Mapping[str, Mark],
        schema: Schema,
        names: Mapping[str, str],
        current: Collection[str],
        n_ties: Mapping[str, int],
    ) -> None:
        self._text = text
        self._marks = marks
        self._schema = schema
        self._names = names
        self._n_ties = n_ties
        self._current = current
        self._template: list[str] = []
        self._values: list[object] = []

    def html(self) -> str:
        return format_html("".join(self._template), *self._values)

    def draw(self, start: int, end: int, pieces: Sequence[Piece], ending: Mark | None = None) -> None:
        """`text[start:end]` with `pieces` in it; the code of a span that is `ending` there stays with its last word."""
        at = start
        for piece in pieces:
            self._write("{}", self._text[at : piece.start])
            self._draw_piece(piece)
            at = piece.end
        rest = self._text[at:end]
        if ending is None:
            self._write("{}", rest)
            return
        cut = 0 if end - start <= SHORT and not pieces else _last_word_start(rest)
        self._write('{}<span class="tail">{}', rest[:cut], rest[cut:])
        self._draw_tail(ending)
        self._write("</span>")

    def _write(self, template: str, *values: object) -> None:
        self._template.append(template)
        self._values += values

    def _draw_piece(self, piece: Piece) -> None:
        mark = self._marks[piece.key]
        name = self._names.get(mark.key, mark.key)
        self._write(_OPENING[piece.has_start, piece.has_end], mark.label.colour, mark.state, name)
        if piece.is_crossing:
            self._write(" data-cross")
        if piece.is_gap:
            self._write(" data-gap")
        if mark.is_masked:
            self._write(" data-masked")
        if mark.said:
            self._write(" data-said={}", mark.said)
        if mark.key in self._current:
            self._write(" data-current")
            if piece.start == mark.span.start:
                self._write(" id={}", mark.key)
        if piece.inner:
            self._write(" data-height={}", _height(piece))
        self._write(">")
        self.draw(piece.start, piece.end, piece.inner, mark if piece.is_last else None)
        self._write("</mark>")

    def _draw_tail(self, mark: Mark) -> None:
        """The label's code, glyphs: attributes that are not the default, a discontinuous span, relations; the tick.
        Of a blind audit, an eye.

        The code says in words, for those who hear the page, all that is drawn.
        """
        values = [
            attribute.value(mark.attributes[attribute.name])
            for attribute in self._schema.attributes_of(mark.label.name)
            if mark.attributes.get(attribute.name, attribute.default) != attribute.default
        ]
        words = ", ".join([mark.label.name, *(value.name for value in values), mark.words])
        n_ties = self._n_ties.get(mark.thread, 0)
        words += f", {n_ties} relation{'s' if n_ties > 1 else ''}" if n_ties else ""
        self._write(
            '<i class="code" data-code="{}" data-words=" ({})"></i>', "" if mark.is_masked else mark.label.code, words
        )
        glyphs = [value.glyph for value in values] + ["eye"] * mark.is_masked
        for glyph in [*glyphs, *["link"] * mark.span.is_discontinuous, *["tied"] * (n_ties > 0)]:
            if glyph:
                self._write('<i class="glyph" data-glyph="{}"></i>', glyph)
        if mark.tenths is not None:
            self._write('<i class="tick" data-confidence="{}"></i>', mark.tenths)


def _height(piece: Piece) -> int:
    """How many levels of boxes lie inside, as far as they are drawn: 0, 1 or 2."""
    return min(1 + max((_height(inner) for inner in piece.inner), default=-1), 2)


def _last_word_start(text: str) -> int:
    found = _LAST_WORD.search(text)
    return found.start() if found else 0
