"""static/js/tokens.js in a real browser: its tokens are those of core/tokens.py."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import pytest
from playwright.sync_api import Page

from annotator.core.tokens import fit, token_spans

MODULE = Path(__file__).parents[2] / "static" / "js" / "tokens.js"
NURSE = "\U0001f469\u200d\u2695\ufe0f"
PIECES = (
    *(
        "pain",
        "2.5",
        "1,000",
        "don't",
        "Crohn\u2019s",
        "x-ray",
        "a_b",
        "q6h",
        "急性",
        "カ\u3099",
        "\u00bd",
        "\u2160",
        "'",
    ),
    *("e\u0301", NURSE, "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "\U0001f9ea", "\u200d", "\u200c", "\u00ad"),
    *(" ", "\n", "\t", "\u00a0", "\x85", "\x1f", "\ufeff", ".", ",", "-", "µg", "≥3", "\u0301"),
)


def texts() -> list[str]:
    chance = random.Random(20260302)
    return [*PIECES, *("".join(chance.choices(PIECES, k=chance.randint(2, 12))) for _ in range(2000))]


@pytest.fixture
def module(page: Page) -> Page:
    source = base64.b64encode(MODULE.read_bytes()).decode()
    page.evaluate(f"async () => {{ window.tokens = await import('data:text/javascript;base64,{source}') }}")
    return page


def in_code_points(text: str, units: int) -> int:
    return len(text.encode("utf-16-le")[: units * 2].decode("utf-16-le"))


@pytest.mark.browser
def test_tokens_agree_with_python(module: Page) -> None:
    given = texts()
    found = module.evaluate("texts => texts.map((text) => tokens.tokensOf(text))", given)
    for text, own in zip(given, found, strict=True):
        spans = [(in_code_points(text, token["start"]), in_code_points(text, token["end"])) for token in own]
        assert spans == token_spans(text), ascii(text)


@pytest.mark.browser
def test_a_character_is_one_that_the_server_leaves_whole(module: Page) -> None:
    for text in (
        "cafe\u0301 au",
        f"x{NURSE}{NURSE}y",
        "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
        "\U0001f44d\U0001f3fd!",
    ):
        for own in module.evaluate("text => tokens.charactersOf(text)", text):
            start, end = in_code_points(text, own["start"]), in_code_points(text, own["end"])
            assert fit(text, start, end) == (start, end)
