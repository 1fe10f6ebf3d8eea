"""Rows as doccano exports them (JSONL): `label` with spans, or `entities` with `relations`.

Offsets are half-open code points, or grapheme clusters where the project counts those; no text is quoted, so that
nothing can be checked. Who annotated is the name of the file, since doccano writes one for each person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from annotator.core.foreign import (
    MAX_LABEL,
    ForeignNote,
    ForeignRelation,
    ForeignSpan,
    RowError,
    Voice,
    checked_metadata,
    checked_name,
)
from annotator.core.spans import Span, SpanError

# Files of what nobody or everybody said.
_NO_PERSON = frozenset({"all", "unknown", "admin_all", "data", "dataset"})
_KEYS = frozenset(
    {"id", "text", "data", "label", "labels", "entities", "relations", "Comments", "comments", "meta", "metadata"}
)


def parse_row(row: Mapping[str, Any], *, where: str, has_spans: bool, file_stem: str = "") -> list[ForeignNote]:
    """The note of one row, of whom its file is named after. Raises RowError."""
    text = row.get("text", row.get("data"))
    if not isinstance(text, str):
        raise RowError("'text' must be a text")
    id = row.get("id")
    if not isinstance(id, int | str) or isinstance(id, bool) or not str(id).strip():
        raise RowError("'id' is missing")
    losses: Counter[str] = Counter({"comments": len(row.get("Comments") or row.get("comments") or ())})
    spans, places = _spans(row, losses)
    others = {key: value for key, value in row.items() if key not in _KEYS}
    meta = row.get("meta") or row.get("metadata")
    name = " ".join(file_stem.split())
    return [
        ForeignNote(
            where=where,
            external_id=checked_name("id", str(id)),
            text=text,
            metadata=checked_metadata({**(meta if isinstance(meta, dict) else {}), **others}),
            spans=spans if has_spans else None,
            relations=tuple(_relations(row, places)) if has_spans else (),
            voice=Voice("" if name.casefold() in _NO_PERSON else name),
            is_loose=True,
            losses=losses,
        )
    ]


def _spans(row: Mapping[str, Any], losses: Counter[str]) -> tuple[tuple[ForeignSpan, ...], dict[Any, int]]:
    key = next((key for key in ("entities", "label", "labels") if row.get(key) is not None), "label")
    given = row.get(key) or []
    if not isinstance(given, list):
        raise RowError(f"{key!r} must be a list")
    found: list[ForeignSpan] = []
    places: dict[Any, int] = {}
    for number, raw in enumerate(given):
        at = f"'{key}[{number}]'"
        if isinstance(raw, str):
            losses["labels of whole notes"] += 1
            continue
        if isinstance(raw, Mapping):
            places[raw.get("id")] = len(found)
            raw = [raw.get("start_offset"), raw.get("end_offset"), raw.get("label")]
        if not isinstance(raw, list) or len(raw) != 3:
            raise RowError(f"{at} must be [start, end, label]")
        start, end, label = raw
        if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL or not label.isprintable():
            raise RowError(f"{at} must have a label of 1 to {MAX_LABEL} printable characters")
        try:
            found.append(ForeignSpan(where=at, span=Span.from_pairs([[start, end]]), label=label))
        except SpanError as error:
            raise RowError(f"{at}: {error}") from error
    return tuple(found), places


def _relations(row: Mapping[str, Any], places: Mapping[Any, int]) -> list[ForeignRelation]:
    found = []
    for number, raw in enumerate(row.get("relations") or ()):
        at = f"'relations[{number}]'"
        if not isinstance(raw, Mapping) or not all(raw.get(key) in places for key in ("from_id", "to_id")):
            raise RowError(f"{at} must join two of the 'entities' by 'from_id' and 'to_id'")
        type = raw.get("type")
        if not isinstance(type, str) or not type.strip() or len(type) > MAX_LABEL or not type.isprintable():
            raise RowError(f"{at}.type must be 1 to {MAX_LABEL} printable characters")
        ends = places[raw["from_id"]], places[raw["to_id"]]
        found.append(ForeignRelation(where=at, type=type, head=ends[0], tail=ends[1], may_be_left_out=True))
    return found
