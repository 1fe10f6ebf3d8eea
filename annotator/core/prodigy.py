"""Rows as Prodigy's `db-out` writes them (JSONL): spans of a text with the answer that was given to them.

Format: https://prodi.gy/docs/api-interfaces. Offsets are half-open code points. Only an accepted row says what is in
the text: of a rejected or ignored one the note comes in and its spans do not.
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

_IDS = ("external_id", "note_id", "document_id", "doc_id", "id")
_LOST = {
    "options": "choices",
    "accept": "choices",
    "label": "labels of whole notes",
    "audio": "recordings",
    "image": "pictures",
}


def parse_row(row: Mapping[str, Any], *, where: str, has_spans: bool, file_stem: str = "") -> list[ForeignNote]:
    """The note of one row. Raises RowError."""
    text = row.get("text")
    if not isinstance(text, str):
        raise RowError("'text' must be a text: rows of pictures, recordings and comparisons are not read")
    meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
    answer = row.get("answer", "accept")
    if answer not in ("accept", "reject", "ignore"):
        raise RowError("'answer' must be accept, reject or ignore")
    losses: Counter[str] = Counter(lost for key, lost in _LOST.items() if row.get(key))
    spans = None
    relations: list[ForeignRelation] = []
    if has_spans and answer != "accept":
        losses[f"rows that were answered {answer}"] += 1
    elif has_spans and (isinstance(row.get("spans"), list) or "answer" in row):
        spans = tuple(_span(raw, f"'spans[{number}]'", text) for number, raw in enumerate(row.get("spans") or ()))
        relations = _relations(row, spans)
    return [
        ForeignNote(
            where=where,
            external_id=_external_id(row, meta),
            text=text,
            metadata=checked_metadata(meta),
            spans=spans,
            relations=tuple(relations),
            voice=_voice(row) if spans is not None else Voice(),
            is_loose=True,
            losses=losses,
        )
    ]


def _external_id(row: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    """The note's own id where the row has one, else Prodigy's number of the text."""
    for holder in (row, meta):
        for key in _IDS:
            value = holder.get(key)
            if isinstance(value, int | str) and not isinstance(value, bool) and str(value).strip():
                return checked_name("id", str(value))
    number = row.get("_input_hash")
    if not isinstance(number, int):
        raise RowError("there is neither an 'id', in the row or its 'meta', nor an '_input_hash'")
    return f"prodigy-{number}"


def _voice(row: Mapping[str, Any]) -> Voice:
    """Who answered: `_annotator_id`, or `_session_id`, both of which Prodigy begins with the data set's name."""
    name = row.get("_annotator_id") or row.get("_session_id") or ""
    if not isinstance(name, str) or len(name) > 120 or not name.isprintable():
        raise RowError("'_annotator_id' must be at most 120 printable characters")
    return Voice(name)


def _span(raw: Any, at: str, text: str) -> ForeignSpan:
    if not isinstance(raw, Mapping):
        raise RowError(f"{at} must be an object")
    label, surface = raw.get("label"), raw.get("text")
    if not isinstance(label, str) or not label.strip() or len(label) > MAX_LABEL or not label.isprintable():
        raise RowError(f"{at} must have a label of 1 to {MAX_LABEL} printable characters")
    try:
        ends: list[Any] = [raw.get("start"), raw.get("end")]
        span = Span.from_pairs([ends])
    except SpanError as error:
        raise RowError(f"{at}: {error}") from error
    return ForeignSpan(where=at, span=span, label=label, surface=surface if isinstance(surface, str) else None)


def _relations(row: Mapping[str, Any], spans: tuple[ForeignSpan, ...]) -> list[ForeignRelation]:
    """Relations name their ends by offsets."""
    places: dict[Any, int] = {
        (span.span.start, span.span.end): number for number, span in reversed(list(enumerate(spans)))
    }
    found = []
    for number, raw in enumerate(row.get("relations") or ()):
        at = f"'relations[{number}]'"
        ends = [raw.get(key) if isinstance(raw, Mapping) else None for key in ("head_span", "child_span")]
        keys = [(end.get("start"), end.get("end")) if isinstance(end, Mapping) else None for end in ends]
        type = raw.get("label") if isinstance(raw, Mapping) else None
        if not isinstance(type, str) or not type.strip() or len(type) > MAX_LABEL or not type.isprintable():
            raise RowError(f"{at}.label must be 1 to {MAX_LABEL} printable characters")
        if not all(key in places for key in keys):
            raise RowError(f"{at} must join two of the 'spans' by 'head_span' and 'child_span'")
        head, tail = (places[key] for key in keys)
        found.append(ForeignRelation(where=at, type=type, head=head, tail=tail, may_be_left_out=True))
    return found
