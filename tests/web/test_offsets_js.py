"""static/js/offsets.js in a real browser: its code points are Python's."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Page

MODULE = Path(__file__).parents[2] / "static" / "js" / "offsets.js"
TEXTS = ["plain", "µg ≥ 3", "😊 pain", "e\u0301 cafe\u0301", "👨‍👩‍👧 family", "\U0001f9ea\U0001f9eb", "a\nb\tc", ""]


@pytest.fixture
def offsets(page: Page) -> Page:
    """A page with the module as `offsets`."""
    source = base64.b64encode(MODULE.read_bytes()).decode()
    page.evaluate(f"async () => {{ window.offsets = await import('data:text/javascript;base64,{source}') }}")
    return page


@pytest.mark.browser
def test_code_points_and_units_agree_with_python(offsets: Page) -> None:
    for text in TEXTS:
        assert offsets.evaluate("text => offsets.codePoints(text)", text) == len(text)
        for count in range(len(text) + 1):
            units = len(text[:count].encode("utf-16-le")) // 2
            assert offsets.evaluate("([text, count]) => offsets.unitsOf(text, count)", [text, count]) == units


@pytest.mark.browser
def test_a_place_in_a_drawn_line_counts_code_points_of_the_note(offsets: Page) -> None:
    offsets.set_content(
        '<div class="note"><section data-start="90"><i>title</i><p class="line">😊 and so\n</p></section><section>'
        '<p class="line">😊 no <mark>chest <mark>pain<i></i></mark></mark> today</p></section></div><p id="out">x</p>'
    )
    place = (
        "(selector) => { const node = document.querySelector(selector).firstChild; return offsets.noteOffset(node, 2) }"
    )
    assert offsets.evaluate(place, "mark mark") == 90 + len("😊 and so\n😊 no chest pa")
    assert offsets.evaluate(place, "#out") is None
    there_and_back = """units => {
      const line = document.querySelectorAll(".line")[1];
      const [node, offset] = offsets.domPosition(line, units);
      return offsets.noteOffset(node, offset);
    }"""
    assert offsets.evaluate(there_and_back, len("😊 no chest") + 1) == 90 + len("😊 and so\n😊 no chest")
