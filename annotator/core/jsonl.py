"""The project's own JSONL: one note a line, with its spans (`docs/formats.md` shows the form).

    {"id": "note-1", "patient_id": "p-1", "note_type": "discharge", "text": "No chest pain.", "metadata": {},
     "spans": [{"start": 3, "end": 13, "surface": "chest pain", "label": "Problem",
                "attributes": {"assertion": "absent"}}],
     "relations": [{"type": "treats", "head": 1, "tail": 0}], "document_labels": {"smoking": "former"}}

`id` is wanted, and `text` where notes come in; the rest may be left out. `fragments`, `[[start, end], …]`, wins over
`start` and `end`, which must then be its hull. `head` and `tail` are places in `spans`, from 0. Other keys are ignored,
at the top with a count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import chain
from typing import Any, NoReturn

from annotator.core.foreign import (
    MAX_LABEL,
    ForeignNote,
    ForeignRelation,
    ForeignSpan,
    RowError,
    checked_metadata,
    checked_name,
)
from annotator.core.spans import Span, SpanError

_BEYOND_SPANS = ("relations", "document_labels", "document_label_sources")
_KEYS = frozenset({"id", "text", "patient_id", "note_type", "metadata", "spans", *_BEYOND_SPANS})
# What the json module says, without what it may quote, and what is said here.
_REASONS = {
    "Expecting value": "a value is wanted here",
    "Expecting property name enclosed in double quotes": "a key in double quotes is wanted here",
    "Expecting ':' delimiter": "a colon is wanted here",
    "Expecting ',' delimiter": "a comma, or the end of the object or list, is wanted here",
    "Extra data": "the object has ended before, and one line holds one object",
    "Unterminated string starting at": "the text that begins here is not closed on its line",
    "Invalid control character at": "a control character in a text is written with a backslash",
    "Invalid \\escape": "this backslash begins none of JSON's escapes",
    "Invalid \\uXXXX escape": "four hexadecimal digits are wanted here",
    "Unexpected UTF-8 BOM (decode using utf-8-sig)": "a byte order mark inside the file",
}


def parse_row(line: str, *, where: str, has_spans: bool) -> ForeignNote:
    """The note of one line. Its spans are read only with `has_spans`. Raises RowError."""
    row = json_object(line)
    text = row.get("text")
    if text is not None and not isinstance(text, str):
        raise RowError("'text' must be a text")
    spans = _spans(row.get("spans")) if has_spans else None
    if has_spans and spans is None and any(row.get(key) for key in _BEYOND_SPANS):
        raise RowError("'relations' and 'document_labels' go with 'spans': write [] where the note has none")
    return ForeignNote(
        where=where,
        external_id=_name(row, "id"),
        text=text,
        patient_id=_name(row, "patient_id"),
        note_type=_name(row, "note_type"),
        metadata=_metadata(row.get("metadata")),
        spans=spans,
        relations=() if spans is None else _relations(row.get("relations"), len(spans)),
        document_labels={} if spans is None else _document_labels(row.get("document_labels")),
        n_ignored=len(row.keys() - _KEYS),
    )


def json_object(line: str) -> dict[str, Any]:
    """The object that the line is, with no key twice and no number that is none. Raises RowError."""
    # The messages of the json module can quote the line: only the position and a known reason are handed on.
    try:
        row = json.loads(
            line.rstrip(), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_with_unique_keys
        )
    except json.JSONDecodeError as error:
        reason = _REASONS.get(error.msg.rstrip(": "))
        raise RowError(f"not JSON (column {error.pos + 1}{f': {reason}' if reason else ''})") from None
    except RecursionError:
        raise RowError("not JSON that can be read: nested too deeply") from None
    except RowError:
        raise
    except ValueError:
        raise RowError("not JSON that can be read: a number is too long") from None
    if isinstance(row, list):
        raise RowError("a JSON list, where JSONL has one object a line: write each of its objects on a line of its own")
    if not isinstance(row, dict):
        raise RowError('a row is an object, {"id": …, "text": …}')
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise RowError(f"not JSON: {name} is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RowError("not JSON that can be read: a number is too large")
    return number


def _with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RowError("an object gives a key twice, so that nobody can tell which value is meant")
    return found


def _name(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None or value == "":
        if key == "id":
            raise RowError("'id' is missing")
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise RowError(f"{key!r} must be a text")
    return checked_name(key, value)


def _metadata(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RowError("'metadata' must be an object")
    return checked_metadata(value)


def _spans(value: Any) -> tuple[ForeignSpan, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise RowError("'spans' must be a list")
    return tuple(_span(raw, f"spans[{position}]") for position, raw in enumerate(value))


def _relations(value: Any, n_spans: int) -> tuple[ForeignRelation, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RowError("'relations' must be a list")
    return tuple(_relation(raw, f"relations[{position}]", n_spans) for position, raw in enumerate(value))


def _relation(raw: Any, at: str, n_spans: int) -> ForeignRelation:
    if not isinstance(raw, dict):
        raise RowError(f"'{at}' must be an object")
    ends = [_whole(raw, key, at) for key in ("head", "tail")]
    for key, end in zip(("head", "tail"), ends, strict=True):
        if not 0 <= end < n_spans:
            raise RowError(f"'{at}.{key}' must be the place of one of the {n_spans} 'spans', counted from 0")
    return ForeignRelation(where=f"'{at}'", type=_label(raw.get("type"), at, "type"), head=ends[0], tail=ends[1])


def _document_labels(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(_is_label(each) for each in chain(value.keys(), value.values())):
        raise RowError(f"'document_labels' must be an object of texts of 1 to {MAX_LABEL} printable characters")
    return value


def _span(raw: Any, at: str) -> ForeignSpan:
    if not isinstance(raw, dict):
        raise RowError(f"'{at}' must be an object")
    surface = raw.get("surface")
    if surface is not None and not isinstance(surface, str):
        raise RowError(f"'{at}.surface' must be a text")
    return ForeignSpan(
        where=f"'{at}'",
        span=_place(raw, at),
        label=_label(raw.get("label"), at),
        surface=surface,
        attributes=_attributes(raw.get("attributes"), at),
        score=_score(raw.get("score"), at),
    )


def _place(raw: Mapping[str, Any], at: str) -> Span:
    fragments = raw.get("fragments")
    try:
        if fragments is None:
            return Span.of(_whole(raw, "start", at), _whole(raw, "end", at))
        if not isinstance(fragments, list) or not all(isinstance(pair, list) for pair in fragments):
            raise RowError(f"'{at}.fragments' must be a list of [start, end]")
        span = Span.from_pairs(fragments)
    except SpanError as error:
        raise RowError(f"'{at}': {error}") from error
    for key, hull in (("start", span.start), ("end", span.end)):
        if raw.get(key) is not None and _whole(raw, key, at) != hull:
            raise RowError(f"'{at}.{key}' is not that of its fragments ({hull})")
    return span


def _whole(raw: Mapping[str, Any], key: str, at: str) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RowError(f"'{at}.{key}' must be a whole number")
    return value


def _label(value: Any, at: str, key: str = "label") -> str:
    if not _is_label(value):
        raise RowError(f"'{at}.{key}' must be 1 to {MAX_LABEL} printable characters")
    return str(value)


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_LABEL and value.isprintable()


def _attributes(value: Any, at: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise RowError(f"'{at}.attributes' must be an object of texts")
    return value


def _score(value: Any, at: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise RowError(f"'{at}.score' must be a number from 0 to 1")
    return float(value)
