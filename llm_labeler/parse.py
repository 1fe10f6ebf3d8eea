"""Answers of a model back into items, with the place of each part in the answer.

A broken item costs itself, not the answer: reading goes on at the next item, and what was lost is reported, without
the text of answer or note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own, with its end position

from annotator.core.prompting import KIND_KEY, LABEL_KEY, MAX_FRAGMENTS, START_KEY, TEXT_KEY
from annotator.core.schema import Schema

MAX_ITEMS = 2000
Place = tuple[int, int]
_THOUGHT_END = "<unused95>"
_SPACE = re.compile(r"[\s,]*")
_BLANK = re.compile(r"\s*")
_SCALAR = re.compile(r"-?\d{1,9}(?![\d.eE])|true|false|null")
_LIST_START = re.compile(r"\[\s*+(?=\{|\]|\Z)")
_ITEM_START = re.compile(r"\{\s*\"")
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One item of an answer. `quotes` are the pieces of one passage; places are half-open in the answer's text.

    `label` is spelt as in the schema. `start` and `kind` are hints of a backend that knows offsets.
    """

    quotes: tuple[str, ...]
    label: str
    attributes: Mapping[str, str]
    quote_places: tuple[Place, ...]
    label_place: Place
    start: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The items that could be read, what was wrong with the others, and whether the answer ends where a list ends."""

    items: tuple[ParsedItem, ...]
    problems: tuple[str, ...]
    is_complete: bool


class _Broken(ValueError):
    """An item that cannot be used; the message says why."""


_Value = str | int | bool | None | list[str]
_Field = tuple[_Value, tuple[Place, ...]]


def parse_answer(text: str, schema: Schema) -> ParsedAnswer:
    """The items of an answer in its order. Thoughts, code fences and prose around the list are passed over."""
    position = text.rfind(_THOUGHT_END)
    position = 0 if position < 0 else position + len(_THOUGHT_END)
    opening = _list_start(text, position)
    if opening is None:
        is_blank = not text[position:].strip()
        return ParsedAnswer((), ("the answer is empty" if is_blank else "the answer holds no JSON list",), False)
    items: list[ParsedItem] = []
    problems: list[str] = []
    position, n_items, is_complete = opening, 0, False
    while n_items < MAX_ITEMS:
        position = _end(_SPACE, text, position)
        if text.startswith("]", position):
            is_complete = True
            break
        if position >= len(text):
            problems.append(f"the answer breaks off after {n_items} items")
            break
        n_items += 1
        try:
            fields, behind = _object(text, position)
        except _Broken as broken:
            problems.append(f"item {n_items}: {broken}")
            following = _ITEM_START.search(text, position + 1)
            if following is None:
                break
            position = following.start()
            continue
        position = behind
        try:
            items.append(_item(fields, schema, n_items, problems))
        except _Broken as broken:
            problems.append(f"item {n_items}: {broken}")
    return ParsedAnswer(tuple(items), tuple(problems), is_complete)


def _list_start(text: str, position: int) -> int | None:
    """The place behind the bracket that opens the list of items, or of a first item without one."""
    match = _LIST_START.search(text, position)
    item = _ITEM_START.search(text, position)
    if match and (item is None or match.start() < item.start()):
        return match.end()
    return item.start() if item else None


def _object(text: str, position: int) -> tuple[dict[str, _Field], int]:
    """The fields of the JSON object at `position`, with the places of their values, and the place behind it."""
    if not text.startswith("{", position):
        raise _Broken("an object is wanted")
    fields: dict[str, _Field] = {}
    position = _end(_BLANK, text, position + 1)
    while not text.startswith("}", position):
        key, position, _ = _string(text, position)
        position = _end(_BLANK, text, position)
        if not text.startswith(":", position):
            raise _Broken("it is not valid JSON or breaks off")
        value, places, position = _value(text, _end(_BLANK, text, position + 1))
        fields[key] = (value, places)
        position = _end(_BLANK, text, position)
        if text.startswith(",", position):
            position = _end(_BLANK, text, position + 1)
        elif not text.startswith("}", position):
            raise _Broken("it is not valid JSON or breaks off")
    return fields, position + 1


def _value(text: str, position: int) -> tuple[_Value, tuple[Place, ...], int]:
    """A string, a list of strings, a whole number or a constant; nothing deeper, so that no answer can exhaust us."""
    if text.startswith('"', position):
        value, position, place = _string(text, position)
        return value, (place,), position
    if text.startswith("[", position):
        pieces: list[str] = []
        places: list[Place] = []
        position = _end(_BLANK, text, position + 1)
        while not text.startswith("]", position):
            piece, position, place = _string(text, position)
            pieces.append(piece)
            places.append(place)
            position = _end(_SPACE, text, position)
        return pieces, tuple(places), position + 1
    scalar = _SCALAR.match(text, position)
    if scalar is None:
        raise _Broken("it is not valid JSON or breaks off")
    parsed: _Value = json.loads(scalar[0])
    return parsed, (scalar.span(),), scalar.end()


def _string(text: str, position: int) -> tuple[str, int, Place]:
    """The string at `position`, the place behind it, and the place of what is between its quotation marks."""
    if not text.startswith('"', position):
        raise _Broken("it is not valid JSON or breaks off")
    try:
        value, end = scanstring(text, position + 1, False)
    except ValueError:
        raise _Broken("it is not valid JSON or breaks off") from None
    return _UNSTORABLE.sub("\ufffd", value), end, (position + 1, end - 1)


def _item(fields: Mapping[str, _Field], schema: Schema, number: int, problems: list[str]) -> ParsedItem:
    text_value, quote_places = fields.get(TEXT_KEY, (None, ()))
    label_value, label_places = fields.get(LABEL_KEY, (None, ()))
    quotes = (text_value,) if isinstance(text_value, str) else tuple(text_value) if isinstance(text_value, list) else ()
    if not quotes or not all(quote.strip() for quote in quotes) or len(quotes) > MAX_FRAGMENTS:
        raise _Broken(f"'{TEXT_KEY}' must be a text, or 2 to {MAX_FRAGMENTS} pieces of one")
    if not isinstance(label_value, str):
        raise _Broken(f"'{LABEL_KEY}' must be a text")
    label = _spelt(label_value, schema.label_names)
    if label is None:
        raise _Broken("its label is not in the schema")
    start, kind = fields.get(START_KEY, (None, ()))[0], fields.get(KIND_KEY, (None, ()))[0]
    return ParsedItem(
        quotes=quotes,
        label=label,
        attributes=_attributes(fields, schema, label, number, problems),
        quote_places=quote_places,
        label_place=label_places[0],
        start=start if isinstance(start, int) and not isinstance(start, bool) and start >= 0 else None,
        kind=kind if isinstance(kind, str) else None,
    )


def _attributes(
    fields: Mapping[str, _Field], schema: Schema, label: str, number: int, problems: list[str]
) -> dict[str, str]:
    """The item's attributes, completed with defaults; what the schema does not have is reported and left out."""
    own = {attribute.name: attribute for attribute in schema.attributes_of(label)}
    given: dict[str, str] = {}
    for key, (value, _) in fields.items():
        if key in (TEXT_KEY, LABEL_KEY, START_KEY, KIND_KEY):
            continue
        name = _spelt(key, own)
        allowed = tuple(v.name for v in own[name].values) if name else ()
        spelt = _spelt(value, allowed) if isinstance(value, str) else None
        if name is None or spelt is None:
            problems.append(f"item {number}: an attribute or its value is not in the schema; it was left out")
        else:
            given[name] = spelt
    return schema.checked_attributes(label=label, given=given)


def _spelt(given: str, names: Mapping[str, object] | tuple[str, ...]) -> str | None:
    """The one of `names` that `given` is, apart from case and outer space."""
    wanted = given.strip().casefold()
    return given if given in names else next((name for name in names if name.casefold() == wanted), None)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
