"""The note as HTML: its text content is the note to the letter, whatever lies over it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.core.schema import Schema
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.models import ReviewItem
from annotator.review.render import draw_lines, draw_note
from annotator.review.selectors import PERSON, SUGGESTED, Mark, NoteView

TAG = re.compile(r"<[^>]*>")


def view_of(text: str, spans: list[tuple[Span, str]], schema: Schema) -> NoteView:
    """A note with marks, without a database."""
    document = Document(text=text, project=Project())
    marks = [
        Mark(
            key=f"a{number}",
            span=span,
            surface=span.surface(text),
            label=schema.label(label),
            attributes={"assertion": "absent"} if label == "Problem" else {},
            state=PERSON if number % 2 else SUGGESTED,
        )
        for number, (span, label) in enumerate(spans)
    ]
    return NoteView(
        note_item=ReviewItem(document=document),
        document=document,
        schema=schema,
        queue=[],
        annotations=marks,
        n_items=0,
    )


def html_of(view: NoteView, current: str = "") -> str:
    return "".join(str(line.html) for section in draw_note(view, current=current) for line in section.lines)


def text_of(html: str) -> str:
    return unescape(TAG.sub("", html))


@st.composite
def notes(draw: st.DrawFn) -> tuple[str, list[tuple[Span, str]]]:
    text = draw(st.text(alphabet="ab <&{}\"'\n\té😊e\u0301", min_size=1, max_size=60))
    spans = []
    for _ in range(draw(st.integers(0, 5))):
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=4)))
        pairs = tuple(zip(cuts[::2], cuts[1::2], strict=False))
        spans.append((Span(pairs), draw(st.sampled_from(["Problem", "Medication"]))))
    return text, spans


@given(notes())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_text_content_is_the_note(schema: Schema, note: tuple[str, list[tuple[Span, str]]]) -> None:
    text, spans = note
    assert text_of(html_of(view_of(text, spans, schema))) == text


def test_note_text_is_escaped(schema: Schema) -> None:
    html = html_of(view_of('<script>alert("x")</script>', [(Span.of(0, 8), "Problem")], schema))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_span_shows_its_code_once_and_its_glyphs_at_its_end(schema: Schema) -> None:
    html = html_of(view_of("no pain\nin legs", [(Span.of(3, 15), "Problem")], schema))
    assert html.count('data-code="PROB"') == 1
    assert html.index("negated") > html.index("in ")


def test_the_span_in_focus_is_marked_on_every_line(schema: Schema) -> None:
    html = html_of(view_of("no pain\nin legs", [(Span.of(3, 15), "Problem")], schema), current="a0")
    assert html.count(" data-current") == 2


@pytest.mark.parametrize(
    ("line", "kind"),
    [("Na    138   135-145", "table"), ("a\tb", "table"), ("PLAN:", "heading"), ("", "blank"), ("no pain", "text")],
)
def test_lines_are_drawn_by_their_kind(schema: Schema, line: str, kind: str) -> None:
    drawn = draw_note(view_of(f"intro\n{line}\nmore\n", [], schema), current="")
    assert [d.kind for section in drawn for d in section.lines][1] == kind


def test_lines_drawn_alone_are_those_of_the_whole_note(schema: Schema) -> None:
    view = view_of("no pain\nin legs\nPLAN:\nrest", [(Span.of(3, 15), "Problem"), (Span.of(11, 15), "Problem")], schema)
    whole = [line for section in draw_note(view, current="a0") for line in section.lines]
    assert draw_lines(view, {1, 3}, current="a0") == [whole[1], whole[3]]
    assert [(line.section, line.place) for line in whole] == [(0, 1), (0, 2), (1, 1), (1, 2)]
