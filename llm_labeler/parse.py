"""Answers of a model back into items, with the place of each part in the answer.

A broken item costs itself, not the answer: reading goes on at the next item, and what was lost is reported, without
the text of answer or note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from annotator.core.prompting import KIND_KEY, LABEL_KEY, MAX_FRAGMENTS, START_KEY, TEXT_KEY
from annotator.core.schema import Schema

MAX_ITEMS = 2000
Place = tuple[int, int]
_QUOTES = ('"', "'")
_THOUGHTS = re.compile(r"(?:\s*+(?:<unused94>.*?(?:<unused95>|\Z)|<think>.*?(?:</think>|\Z)))*+", re.DOTALL)
_SPACE = re.compile(r"[\s,]*")
_BLANK = re.compile(r"\s*")
# Of numbers and constants only whole numbers mean something here.
_SCALAR = re.compile(
    r"(-?[0-9]{1,9})(?![0-9.eE])|true|false|null|-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?"
)
_LIST_START = re.compile(r"\[\s*+(?=\{|\]|\Z)")
_WRAPPED_LIST = re.compile(r"\{\s*+[\"'](?!text[\"'])\w{1,40}[\"']\s*+:\s*+\[\s*+(?=\{|\])")
_ITEM_START = re.compile(r"\{\s*+[\"']")
# Behind the end of a list: items that go on all the same, their keys in any order.
_MORE_ITEMS = re.compile(r"\{\s*+(?=[\"'])[^{}]*?([\"'])(?:text|label)\1\s*+:")
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
# In single quotes, or with quotation marks that should have been escaped: it ends at the one that a value can end with.
_LOOSE_STRING = re.compile(r"([\"'])((?:\\.|(?!\1)[^\\]|\1(?!\s*+(?:[,:}\]]|\Z))){0,1000}+)\1", re.DOTALL)
_AFTER_STRING = re.compile(r"\s*+(?:[,:}\]\"']|\Z)")
_ESCAPE = re.compile(r"\\'|\\(?:[\"\\/bfnrt]|u[0-9a-fA-F]{4})|[\\\"]")
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
    """The items that could be read, and what was wrong with the others."""

    items: tuple[ParsedItem, ...]
    problems: tuple[str, ...]


class _Broken(ValueError):
    """An item that cannot be used; the message says why."""


_Value = str | int | list[str] | None
_Field = tuple[_Value, tuple[Place, ...]]


def parse_answer(text: str, schema: Schema) -> ParsedAnswer:
    """The items of an answer in its order. Thoughts, code fences and prose around the list are passed over.

    An item that was not closed counts where none of its attributes can be missing.
    """
    position = _end(_THOUGHTS, text, 0)
    opening = _list_start(text, position)
    if opening is None:
        is_blank = not text[position:].strip()
        return ParsedAnswer((), ("the answer is empty" if is_blank else "the answer holds no JSON list",))
    items: list[ParsedItem] = []
    problems: list[str] = []
    position, n_items = opening, 0
    while True:
        position = _end(_SPACE, text, position)
        if text.startswith("]", position):
            more = _MORE_ITEMS.search(text, position)
            if more is None:
                break
            position = more.start()
        if position >= len(text):
            problems.append(f"the answer breaks off after {n_items} items")
            break
        if n_items == MAX_ITEMS:
            problems.append(f"the answer has more than {MAX_ITEMS} items")
            break
        n_items += 1
        start, following = position, len(text)
        try:
            fields, following, is_closed = _object(text, start)
            position = following if is_closed or text[following : following + 1] in _QUOTES else 0
            items.append(_item(fields, schema, n_items, problems, is_closed=is_closed))
        except _Broken as broken:
            problems.append(f"item {n_items}: {broken}")
            position = 0
        if not position:
            # No item holds the beginning of another, unless what looks like its end is not.
            behind = _ITEM_START.search(text, start + 1)
            position = behind.start() if behind else following
    return ParsedAnswer(tuple(items), tuple(problems))


def _list_start(text: str, position: int) -> int | None:
    """The place behind the bracket that opens the list of items, or of a first item without one."""
    opening = _LIST_START.search(text, position)
    item = _ITEM_START.search(text, position)
    if item and (opening is None or item.start() < opening.start()):
        opening = _WRAPPED_LIST.match(text, item.start())
        return opening.end() if opening else item.start()
    return opening.end() if opening else None


def _object(text: str, position: int) -> tuple[dict[str, _Field], int, bool]:
    """The fields of the JSON object at `position` with the places of their values, the place behind it, and whether it
    was closed: one that has its quote and its label need not be, nor need it be opened.

    Of a repeated key the first counts.
    """
    fields: dict[str, _Field] = {}
    position = _end(_BLANK, text, position + text.startswith("{", position))
    try:
        while not text.startswith("}", position):
            key, behind, _ = _string(text, position)
            if key == TEXT_KEY and _is_whole(fields):
                return fields, position, False
            behind = _end(_BLANK, text, behind)
            if not text.startswith(":", behind):
                raise _Broken("it is not valid JSON or breaks off")
            value, places, behind = _value(text, _end(_BLANK, text, behind + 1))
            fields.setdefault(key, (value, places))
            position = _end(_SPACE, text, behind)
    except _Broken:
        if not _is_whole(fields):
            raise
        return fields, position, False
    return fields, position + 1, True


def _is_whole(fields: Mapping[str, _Field]) -> bool:
    return TEXT_KEY in fields and LABEL_KEY in fields


def _value(text: str, position: int) -> tuple[_Value, tuple[Place, ...], int]:
    """A string, a list of strings, a number or a constant; nothing deeper, so that no answer can exhaust us."""
    if text[position : position + 1] in _QUOTES:
        value, position, place = _string(text, position, is_value=True)
        return value, (place,), position
    if text.startswith("[", position):
        pieces: list[str] = []
        places: list[Place] = []
        position = _end(_BLANK, text, position + 1)
        while not text.startswith("]", position):
            piece, position, place = _string(text, position, is_value=True)
            pieces.append(piece)
            places.append(place)
            position = _end(_SPACE, text, position)
            if len(pieces) > MAX_FRAGMENTS:
                raise _Broken(f"it has more than {MAX_FRAGMENTS} pieces")
        return pieces, tuple(places), position + 1
    scalar = _SCALAR.match(text, position)
    if scalar is None:
        raise _Broken("it is not valid JSON or breaks off")
    return int(scalar[1]) if scalar[1] else None, (scalar.span(),), scalar.end()


def _string(text: str, position: int, *, is_value: bool = False) -> tuple[str, int, Place]:
    """The string at `position`, the place behind it, and the place of what is between its quotation marks."""
    strict = _STRING.match(text, position)
    loose = None
    if strict is None or (is_value and not _AFTER_STRING.match(text, strict.end())):
        loose = _LOOSE_STRING.match(text, position)
    if loose:
        return _unescaped(loose[2]), loose.end(), loose.span(2)
    if strict is None:
        raise _Broken("it is not valid JSON or breaks off")
    return _unescaped(strict[1]), strict.end(), strict.span(1)


def _unescaped(raw: str) -> str:
    """What is between quotation marks, read; a backslash that escapes nothing stands for itself."""
    try:
        value = json.loads(f'"{raw}"', strict=False)
    except ValueError:
        value = json.loads(f'"{_ESCAPE.sub(_escaped, raw)}"', strict=False)
    return _UNSTORABLE.sub("\ufffd", value)


def _escaped(match: re.Match[str]) -> str:
    if match[0] == "\\'":
        return "'"
    return match[0] if len(match[0]) > 1 else f"\\{match[0]}"


def _item(
    fields: Mapping[str, _Field], schema: Schema, number: int, problems: list[str], *, is_closed: bool
) -> ParsedItem:
    text_value, quote_places = fields.get(TEXT_KEY, (None, ()))
    label_value, label_places = fields.get(LABEL_KEY, (None, ()))
    quotes = (text_value,) if isinstance(text_value, str) else tuple(text_value) if isinstance(text_value, list) else ()
    if not quotes or not all(quote.strip() for quote in quotes):
        raise _Broken(f"'{TEXT_KEY}' must be a text, or 2 to {MAX_FRAGMENTS} pieces of one")
    if not isinstance(label_value, str):
        raise _Broken(f"'{LABEL_KEY}' must be a text")
    label = _spelt(label_value, schema.label_names)
    if label is None:
        raise _Broken("its label is not in the schema")
    if not is_closed and any(attribute.name not in fields for attribute in schema.attributes_of(label)):
        raise _Broken("it breaks off where an attribute could have followed")
    start, kind = fields.get(START_KEY, (None, ()))[0], fields.get(KIND_KEY, (None, ()))[0]
    return ParsedItem(
        quotes=quotes,
        label=label,
        attributes=_attributes(fields, schema, label, number, problems),
        quote_places=quote_places,
        label_place=label_places[0],
        start=start if isinstance(start, int) and start >= 0 else None,
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
