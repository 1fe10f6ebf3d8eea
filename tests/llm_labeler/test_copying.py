from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.prompting import MAX_FRAGMENTS, Item, answer_schema, render_answer
from annotator.core.schema import schema_from_json
from annotator.core.tokens import token_spans
from llm_labeler.copying import MAX_ITEMS_PER_TOKEN, STRETCH, copy_gbnf, copy_lark
from tests.llm_labeler.grammars import gbnf_accepts, lark_accepts

SCHEMA = schema_from_json(
    {
        "labels": [{"name": name, "definition": "d"} for name in ("Problem", "Test result", "Medication")],
        "attributes": [
            {"name": "assertion", "values": ["present", "absent", "possible"], "labels": ["Problem"]},
            {"name": "side", "values": ["none", "left"], "labels": ["Problem", "Medication"]},
        ],
    }
)
FORM = answer_schema(SCHEMA)
WORDS = [
    "pain",
    "the",
    "1",
    "1.5",
    "x-ray",
    "e\u0301",
    "\u05db\u05d0\u05d1",
    "\u0623\u0644\u0645\u064e",
    "\u75db",
    "\U0001f600",
]
SIGNS = [
    ".",
    ",",
    '"',
    "\\",
    "\\n",
    "[",
    "]",
    "\u202e",
    "\x7f",
    "\U0001f468\u200d\u2695\ufe0f",
    " ",
    " ",
    "\n",
    "\t",
    "\u00a0",
    "\x0b",
]
PIECES = st.sampled_from(WORDS + SIGNS)
CHUNKS = st.lists(PIECES, max_size=25).map("".join)


def accepts(chunk: str, answer: str) -> bool:
    """What both engines say; they must agree."""
    found = lark_accepts(copy_lark(FORM, chunk), answer)
    assert gbnf_accepts(copy_gbnf(FORM, chunk), answer) is found
    return found


def runs(chunk: str) -> list[str]:
    """Every run of tokens that a short chunk has."""
    spans = token_spans(chunk)
    return [chunk[start:end] for index, (start, _) in enumerate(spans) for _, end in spans[index:]]


def answer_of(*items: Any) -> str:
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


@given(CHUNKS, st.data())
def test_what_is_made_of_the_chunks_runs_is_accepted(chunk: str, data: st.DataObject) -> None:
    quotes = runs(chunk)
    texts = st.sampled_from(quotes) if quotes else st.nothing()
    items = st.builds(
        Item,
        text=texts | st.lists(texts, min_size=2, max_size=MAX_FRAGMENTS).map(tuple),
        label=st.just("Problem"),
        attributes=st.fixed_dictionaries(
            {}, optional={"assertion": st.sampled_from(["present", "possible"]), "side": st.just("left")}
        ),
    ) | st.builds(Item, text=texts, label=st.sampled_from(["Test result", "Medication"]))
    given = data.draw(st.lists(items, max_size=MAX_ITEMS_PER_TOKEN)) if quotes else []
    assert accepts(chunk, render_answer(given, schema=SCHEMA))


@given(CHUNKS, st.data())
def test_a_quote_is_accepted_where_it_is_a_run_of_the_chunk(chunk: str, data: st.DataObject) -> None:
    quotes = runs(chunk)
    near = st.sampled_from(quotes or ["x"])
    quote = data.draw(
        st.one_of(
            st.tuples(near, near).map("".join),
            st.tuples(near, near).map(" ".join),
            near.map(lambda text: text[:-1]),
            near.map(lambda text: f" {text}"),
            near.map(str.upper),
            st.lists(PIECES, max_size=3).map("".join),
        )
    )
    assert accepts(chunk, answer_of({"text": quote, "label": "Problem"})) is (quote in quotes)


@pytest.mark.parametrize(
    "answer",
    [
        '[{"text":"no rash", "label":"Problem"}]',
        '[{"text": "no rash","label":"Problem"}]',
        '[{"text":"no rash","label":"Problem"}]\n',
        '[{"text":"no rash","label":"Problem"},]',
        '[{"text":"no rash","label":"problem"}]',
        '[{"text":"no rash","label":"Anatomy"}]',
        '[{"label":"Problem","text":"no rash"}]',
        '[{"text":"no rash"}]',
        '[{"text":"no rash","label":"Problem","start":0}]',
        '[{"text":"no rash","label":"Problem","assertion":"present"}]',
        '[{"text":"no rash","label":"Problem","side":"left","assertion":"absent"}]',
        '[{"text":"no rash","label":"Medication","assertion":"absent"}]',
        '[{"text":"no rash","label":"Test result","side":"left"}]',
        '[{"text":["no rash"],"label":"Problem"}]',
        '[{"text":[],"label":"Problem"}]',
        '[{"text":"","label":"Problem"}]',
        '[{"text":"\\u006eo rash","label":"Problem"}]',
        '{"text":"no rash","label":"Problem"}',
        '[{"text":"no rash","label":"Problem"}',
        "[",
        "",
        "null",
    ],
)
def test_another_form_is_refused(answer: str) -> None:
    assert not accepts("no rash", answer)


def test_numbers_of_items_and_pieces_are_bounded() -> None:
    item = {"text": "rash", "label": "Problem"}
    assert accepts("no rash", answer_of(*[item] * 2 * MAX_ITEMS_PER_TOKEN))
    assert not accepts("no rash", answer_of(*[item] * (2 * MAX_ITEMS_PER_TOKEN + 1)))
    assert accepts("no rash", answer_of(item | {"text": ["no"] * MAX_FRAGMENTS}))
    assert not accepts("no rash", answer_of(item | {"text": ["no"] * (MAX_FRAGMENTS + 1)}))
    assert not accepts("no rash " * 200, answer_of(*[item] * (FORM["maxItems"] + 1)))


@pytest.mark.parametrize("chunk", ["", " ", "\n\u00a0\t"])
def test_a_chunk_without_tokens_has_one_answer(chunk: str) -> None:
    assert accepts(chunk, "[]")
    assert not accepts(chunk, "[")
    assert not accepts(chunk, '[{"text":"","label":"Problem"}]')


@pytest.mark.parametrize("start", [0, 1, STRETCH - 1, STRETCH, 2 * STRETCH + 7])
def test_the_length_of_a_quote_is_bounded(start: int) -> None:
    words = [f"w{number}" for number in range(5 * STRETCH)]
    longest = words[start : start + 2 * STRETCH - start % STRETCH]
    following = words[start + len(longest)]
    assert accepts(" ".join(words), answer_of({"text": " ".join(longest), "label": "Problem"}))
    assert not accepts(" ".join(words), answer_of({"text": " ".join([*longest, following]), "label": "Problem"}))


def test_a_repeated_word_costs_one_state() -> None:
    grammar = copy_gbnf(FORM, "pain " * 300)
    assert len(grammar.splitlines()) < 3 * STRETCH


def test_one_form_of_items_has_no_attributes() -> None:
    schema = schema_from_json({"labels": [{"name": "A", "definition": "a"}]})
    grammar = copy_lark(answer_schema(schema), "x")
    assert lark_accepts(grammar, '[{"text":"x","label":"A"}]')
    assert not lark_accepts(grammar, '[{"text":"x","label":"A","side":"left"}]')
