"""Grammars that hold an answer to copying: every quote is a run of the chunk's own tokens.

One automaton over the chunk's tokens is written in the two syntaxes, llama.cpp's GBNF and llguidance's Lark, so that
both runtimes allow the same answers: those of `core.prompting.answer_schema`, without white space between their
parts, attributes in the schema's order, and quotes as `json.dumps(ensure_ascii=False)` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotator.core.prompting import LABEL_KEY, MAX_FRAGMENTS, MAX_ITEMS, TEXT_KEY
from annotator.core.tokens import token_spans

# A quote ends with the stretch after the one that it begins in: 33 tokens are always allowed, more than 64 never.
STRETCH = 32
# No answer is longer than this many items for each token of its chunk: a model that repeats itself comes to an end.
MAX_ITEMS_PER_TOKEN = 2
_State = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Syntax:
    """How one of the two languages writes a rule; `word` is the prefix of rules that are part of a quote."""

    sign: str
    root: str
    word: str
    quote: str
    text: str = "text"
    item: str = "item"

    def rule(self, name: str, alternatives: Iterable[str]) -> str:
        return f"{name}{self.sign} {' | '.join(alternatives)}"


# In Lark a quote is one terminal (upper case): llguidance takes the longest match of each, and with a terminal for each
# word a chunk with "1.5" would refuse "1.".
_GBNF = _Syntax(sign=" ::=", root="root", word="w", quote="quote")
_LARK = _Syntax(sign=":", root="start", word="W", quote="QUOTE")


def copy_gbnf(schema: Mapping[str, Any], chunk: str) -> str:
    """The grammar in llama.cpp's GBNF. `schema` is what `answer_schema` makes."""
    return _grammar(_GBNF, schema, chunk)


def copy_lark(schema: Mapping[str, Any], chunk: str) -> str:
    """The grammar in llguidance's Lark. `schema` is what `answer_schema` makes."""
    return _grammar(_LARK, schema, chunk)


def _grammar(syntax: _Syntax, schema: Mapping[str, Any], chunk: str) -> str:
    spans = token_spans(chunk)
    n_items = min(int(schema.get("maxItems", MAX_ITEMS)), MAX_ITEMS_PER_TOKEN * len(spans))
    if not n_items:
        return syntax.rule(syntax.root, [_literal("[]")]) + "\n"
    more = f'("," {syntax.item}){{0,{n_items - 1}}}'
    rules = [
        syntax.rule(syntax.root, [_literal("[]"), f'"[" {syntax.item} {more} "]"']),
        syntax.rule(syntax.item, [" ".join(_item_parts(syntax, schema))]),
        syntax.rule(
            syntax.text, [syntax.quote, f'"[" {syntax.quote} ("," {syntax.quote}){{1,{MAX_FRAGMENTS - 1}}} "]"']
        ),
        syntax.rule(syntax.quote, [f'"\\"" {syntax.word}0 "\\""']),
        *_word_rules(syntax, chunk, spans),
    ]
    return "\n".join(rules) + "\n"


def _item_parts(syntax: _Syntax, schema: Mapping[str, Any]) -> list[str]:
    forms = schema["items"].get("anyOf", [schema["items"]])
    endings = [" ".join(_ending_parts(form["properties"])) for form in forms]
    return [
        _literal(f'{{"{TEXT_KEY}":'),
        syntax.text,
        _literal(f',"{LABEL_KEY}":'),
        f"({' | '.join(endings)})",
        _literal("}"),
    ]


def _ending_parts(properties: Mapping[str, Any]) -> list[str]:
    """The labels of one form of items, and its attributes, each of which may be left out."""
    parts = [f"({' | '.join(_literal(_json(label)) for label in properties[LABEL_KEY]['enum'])})"]
    for name, values in properties.items():
        if name not in (TEXT_KEY, LABEL_KEY) and values["enum"]:
            pairs = (_literal(f",{_json(name)}:{_json(value)}") for value in values["enum"])
            parts.append(f"({' | '.join(pairs)})?")
    return parts


def _word_rules(syntax: _Syntax, chunk: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """A rule for each state of the automaton, the first for the start of a quote.

    A state is where in the chunk the words read so far may end, each with the token that the quote must end before.
    Made deterministic, so that an engine follows one state and not every repeat of a word.
    """
    n_tokens = len(spans)
    words = [_json(chunk[start:end])[1:-1] for start, end in spans]
    ends = [0, *(end for _, end in spans)]
    spaced = [
        _json(chunk[before:start])[1:-1] + word for before, (start, _), word in zip(ends, spans, words, strict=False)
    ]
    first: dict[str, list[tuple[int, int]]] = {}
    for token, word in enumerate(words):
        first.setdefault(word, []).append((token, min(n_tokens, (token // STRETCH + 2) * STRETCH)))
    numbers: dict[_State, int] = {}
    waiting: list[_State] = []

    def target(places: Sequence[tuple[int, int]]) -> str:
        state = frozenset(places)
        if state not in numbers:
            numbers[state] = len(numbers) + 1
            waiting.append(state)
        return f"{syntax.word}{numbers[state]}"

    rules = [syntax.rule(f"{syntax.word}0", [f"{_literal(word)} {target(places)}" for word, places in first.items()])]
    for state in waiting:
        following: dict[str, list[tuple[int, int]]] = {}
        for token, limit in state:
            if token + 1 < limit:
                following.setdefault(spaced[token + 1], []).append((token + 1, limit))
        arcs = [f"{_literal(word)} {target(places)}" for word, places in sorted(following.items())]
        rules.append(syntax.rule(f"{syntax.word}{numbers[state]}", [*arcs, '""']))
    return rules


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> str:
    """`text` as a literal of either language: both read escapes as JSON does, and llguidance wants one for DEL."""
    return _json(text).replace("\x7f", "\\u007f")
