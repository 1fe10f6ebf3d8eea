"""The project's own JSONL: one note a line, with its spans (`docs/formats.md` shows the form).

    {"id": "note-1", "patient_id": "p-1", "note_type": "discharge", "text": "No chest pain.", "metadata": {},
     "spans": [{"start": 3, "end": 13, "surface": "chest pain", "label": "Problem",
                "attributes": {"assertion": "absent"}}]}

`id` is wanted, and `text` where notes come in; the rest may be left out. `fragments`, `[[start, end], …]`, wins over
`start` and `end`, which must then be its hull. Other keys are ignored, at the top with a count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from annotator.core.foreign import MAX_LABEL, ForeignNote, ForeignSpan
from annotator.core.spans import Span, SpanError

MAX_METADATA = 64 * 1024
_KEYS = frozenset({"id", "text", "patient_id", "note_type", "metadata", "spans"})
_LENGTHS = {"id": 200, "patient_id": 200, "note_type": 100}


class JsonlError(ValueError):
    """A row that is not a note; the message says which key or column and what is wanted, never what it reads."""


def parse_row(line: str, *, where: str, has_spans: bool) -> ForeignNote:
    """The note of one line. Its spans are read only with `has_spans`. Raises JsonlError."""
    row = _object(line)
    text = row.get("text")
    if text is not None and not isinstance(text, str):
        raise JsonlError("'text' must be a text")
    return ForeignNote(
        where=where,
        external_id=_name(row, "id"),
        text=text,
        patient_id=_name(row, "patient_id"),
        note_type=_name(row, "note_type"),
        metadata=_metadata(row.get("metadata")),
        spans=_spans(row.get("spans")) if has_spans else None,
        n_ignored=len(row.keys() - _KEYS),
    )


def _object(line: str) -> dict[str, Any]:
    # The messages of the json module can quote the line: only the position is handed on.
    try:
        row = json.loads(line.rstrip(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise JsonlError(f"not JSON (column {error.pos + 1})") from None
    except RecursionError:
        raise JsonlError("not JSON that can be read: nested too deeply") from None
    except JsonlError:
        raise
    except ValueError:
        raise JsonlError("not JSON that can be read: a number is too long") from None
    if not isinstance(row, dict):
        raise JsonlError('a row is an object, {"id": …, "text": …}')
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise JsonlError(f"not JSON: {name} is not a number")


def _name(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None or value == "":
        if key == "id":
            raise JsonlError("'id' is missing")
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise JsonlError(f"{key!r} must be a text")
    value = value.strip()
    if not value or len(value) > _LENGTHS[key] or not value.isprintable():
        raise JsonlError(f"{key!r} must be 1 to {_LENGTHS[key]} printable characters")
    return value


def _metadata(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise JsonlError("'metadata' must be an object")
    written = json.dumps(value, ensure_ascii=True)
    if len(written) > MAX_METADATA:
        raise JsonlError(f"'metadata' has {len(written)} characters, at most {MAX_METADATA} are kept")
    if "\\u0000" in written or _has_lone_surrogate(value):
        raise JsonlError("'metadata' has a NUL character or half of a surrogate pair")
    return value


def _has_lone_surrogate(value: Mapping[str, Any]) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _spans(value: Any) -> tuple[ForeignSpan, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise JsonlError("'spans' must be a list")
    return tuple(_span(raw, f"spans[{position}]") for position, raw in enumerate(value))


def _span(raw: Any, at: str) -> ForeignSpan:
    if not isinstance(raw, dict):
        raise JsonlError(f"'{at}' must be an object")
    surface = raw.get("surface")
    if surface is not None and not isinstance(surface, str):
        raise JsonlError(f"'{at}.surface' must be a text")
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
            raise JsonlError(f"'{at}.fragments' must be a list of [start, end]")
        span = Span.from_pairs(fragments)
    except SpanError as error:
        raise JsonlError(f"'{at}': {error}") from error
    for key, hull in (("start", span.start), ("end", span.end)):
        if raw.get(key) is not None and _whole(raw, key, at) != hull:
            raise JsonlError(f"'{at}.{key}' is not that of its fragments ({hull})")
    return span


def _whole(raw: Mapping[str, Any], key: str, at: str) -> int:
    value = raw.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise JsonlError(f"'{at}.{key}' must be a whole number")
    return value


def _label(value: Any, at: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_LABEL or not value.isprintable():
        raise JsonlError(f"'{at}.label' must be 1 to {MAX_LABEL} printable characters")
    return value


def _attributes(value: Any, at: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise JsonlError(f"'{at}.attributes' must be an object of texts")
    return value


def _score(value: Any, at: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise JsonlError(f"'{at}.score' must be a number from 0 to 1")
    return float(value)
