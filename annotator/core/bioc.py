"""Documents of BioC collections, XML and JSON: passages of text with annotations of places in the document.

Format: https://bioc.sourceforge.net. A place is an offset in the document and a length. BioC leaves the unit to whoever
wrote the file, so the one is taken in which all quoted texts stand where they are said to stand: code points, else
UTF-16 units, else bytes of UTF-8; where none fits, the document is refused. The label is the infon `type`, other infons
of an annotation are attributes, `annotator` names who made it, `score` how sure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

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
from annotator.core.jsonl import json_object
from annotator.core.spans import Span, SpanError

UNITS: Mapping[str, Callable[[str], int]] = {
    "code points": len,
    "UTF-16 units": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes of UTF-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
}
_NOT_ATTRIBUTES = frozenset({"type", "annotator", "score", "updated_at"})
_NOT_METADATA = frozenset({"patient_id", "note_type", "metadata"})
# How datasets of ours write labels of the note, and who decided what.
_NOTE_LABEL = re.compile(r"label\.([^.]+)")
_SOURCE = ("source.", "label.")


def document_of_element(element: Element) -> dict[str, Any]:
    """The XML document in the shape of the JSON one."""
    found: dict[str, Any] = {"infons": {}}
    for child in element:
        if child.tag == "infon":
            found["infons"][child.get("key", "")] = child.text or ""
        elif child.tag in ("passage", "sentence", "annotation", "relation", "location", "node"):
            found.setdefault(f"{child.tag}s", []).append(dict(child.attrib) | document_of_element(child))
        else:
            found[child.tag] = child.text or ""
    return found


def parse_document(document: Mapping[str, Any], *, where: str, has_spans: bool) -> list[ForeignNote]:
    """The note of one document, once for each voice that speaks of it. Raises RowError."""
    id = document.get("id")
    if not isinstance(id, int | str) or not str(id).strip():
        raise RowError("'id' is missing")
    infons = _infons(document)
    parts = _parts(document)
    annotations = [(raw, holder) for holder in [document, *parts] for raw in _objects(holder, "annotations")]
    text, unit = _text_and_unit(_with_text(document), [raw for raw, _ in annotations])
    bare = ForeignNote(
        where=where,
        external_id=checked_name("id", str(id)),
        text=text,
        patient_id=checked_name("patient_id", infons["patient_id"]) if infons.get("patient_id") else "",
        note_type=checked_name("note_type", infons["note_type"]) if infons.get("note_type") else "",
        metadata=checked_metadata(_metadata(infons)),
        is_loose=True,
    )
    if not has_spans:
        return [bare]
    losses: Counter[str] = Counter(f"infons of passages: {key}"[:60] for part in parts for key in _infons(part))
    document_labels = {
        found[1]: value for key, value in infons.items() if (found := _NOTE_LABEL.fullmatch(key)) is not None
    }
    relations = [raw for holder in [document, *parts] for raw in _objects(holder, "relations")]
    spans = _spans([raw for raw, _ in annotations], text, unit, losses)
    by_voice = groupby(sorted(spans, key=lambda found: found[0].key), key=lambda found: found[0])
    notes: list[ForeignNote] = []
    for voice, group in by_voice:
        said = list(group)
        places = {id: place for place, (_, id, _) in enumerate(said)}
        tied, further = _relations(relations, places, losses if not notes else Counter())
        notes.append(
            replace(
                bare,
                spans=tuple(span for _, _, span in said),
                relations=tied,
                document_labels={} if notes else document_labels,
                voice=voice,
                is_further=bool(notes),
                losses=further if notes else losses,
            )
        )
    return notes or [replace(bare, spans=(), document_labels=document_labels, losses=losses)]


def _metadata(infons: Mapping[str, str]) -> dict[str, Any]:
    """The infons of the document that mean nothing else; `metadata` is an object where a dataset of ours wrote it."""
    kept: dict[str, Any] = {
        key: value for key, value in infons.items() if key not in _NOT_METADATA and not key.startswith(_SOURCE)
    }
    if "metadata" in infons:
        try:
            found = json_object(infons["metadata"])
        except RowError:
            found = {"metadata": infons["metadata"]}
        kept |= found
    return kept


def _objects(holder: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise RowError(f"{key!r} must be a list of objects")
    return value


def _infons(holder: Mapping[str, Any]) -> dict[str, str]:
    value = holder.get("infons")
    if not isinstance(value, Mapping):
        return {}
    return {str(key): str(each) for key, each in value.items() if each not in (None, "")}


def _parts(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Passages and their sentences, in the order of the file."""
    return [part for passage in _objects(document, "passages") for part in [passage, *(_objects(passage, "sentences"))]]


def _with_text(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The passages, or the sentences of those that have their text in sentences only."""
    for passage in _objects(document, "passages"):
        sentences = [each for each in _objects(passage, "sentences") if each.get("text")]
        yield from [passage] if passage.get("text") or not sentences else sentences


def _whole(value: Any, what: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise RowError(f"{what} must be a whole number") from None
    if number < 0 or isinstance(value, bool | float):
        raise RowError(f"{what} must be a whole number, not below 0")
    return number


def _text_and_unit(parts: Iterable[Mapping[str, Any]], annotations: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """The whole text, and the unit in which passages and quoted texts stand where they are said to. Raises RowError."""
    pieces = []
    for number, part in enumerate(parts):
        if isinstance(part.get("text"), str) and part["text"]:
            pieces.append((_whole(part.get("offset"), f"'offset' of passage {number + 1}"), part["text"]))
    quotes = [(_places(raw), raw["text"]) for raw in annotations if isinstance(raw.get("text"), str) and raw["text"]]
    fault = ""
    for unit in UNITS:
        try:
            text = _joined(pieces, unit)
            for places, quote in quotes:
                if _span(places, text, unit).surface(text).split() != quote.split():
                    raise SpanError("an annotation does not read as its quoted text")
        except SpanError as error:
            fault = fault or str(error)
            continue
        return text, unit
    raise RowError(f"{fault}; offsets were tried as {', '.join(UNITS)}, and none fits")


def _joined(pieces: Iterable[tuple[int, str]], unit: str) -> str:
    """The passages at their offsets; what lies between is a line end and blanks."""
    text: list[str] = []
    size, reached = UNITS[unit], 0
    for offset, piece in pieces:
        if offset < reached:
            raise SpanError(f"the passage at {offset} begins before the one ahead of it ends ({reached})")
        gap = offset - reached
        if gap > 1_000_000:
            raise SpanError(f"the passage at {offset} begins more than a million characters after the one ahead of it")
        text.append(("\n" if text else " ") * min(gap, 1) + " " * max(gap - 1, 0))
        text.append(piece)
        reached = offset + size(piece)
    return "".join(text)


def _places(raw: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Offset and length of each location, in their order."""
    at = f"annotation {str(raw.get('id', '?'))[:40]}"
    return sorted(
        (_whole(each.get("offset"), f"{at}: 'offset'"), _whole(each.get("length"), f"{at}: 'length'"))
        for each in _objects(raw, "locations")
    )


def _span(places: Iterable[tuple[int, int]], text: str, unit: str) -> Span:
    if unit == "code points" or text.isascii():
        return Span(tuple((offset, offset + length) for offset, length in places))
    encoding, width = ("utf-16-le", 2) if unit == "UTF-16 units" else ("utf-8", 1)
    encoded = text.encode(encoding, "surrogatepass")

    def point(offset: int) -> int:
        try:
            return len(encoded[: offset * width].decode(encoding, "surrogatepass" if width == 1 else "strict"))
        except UnicodeDecodeError:
            raise SpanError(f"offset {offset}, in {unit}, lies in the middle of a character") from None

    return Span(tuple((point(offset), point(offset + length)) for offset, length in places))


def _spans(
    annotations: Iterable[Mapping[str, Any]], text: str, unit: str, losses: Counter[str]
) -> list[tuple[Voice, str, ForeignSpan]]:
    """Of each annotation with a place: who says it, its id and its span."""
    found = []
    for number, raw in enumerate(annotations):
        id = str(raw.get("id", number))
        at = f"annotation {id[:40]}"
        infons = _infons(raw)
        label = infons.get("type", "")
        if not label.strip() or len(label) > MAX_LABEL or not label.isprintable():
            raise RowError(f"{at}: the infon 'type' must be a label of 1 to {MAX_LABEL} printable characters")
        places = _places(raw)
        if not places:
            losses["annotations without a place"] += 1
            continue
        name = " ".join(infons.get("annotator", "").split())
        if len(name) > 120 or not name.isprintable():
            raise RowError(f"{at}: the infon 'annotator' must be at most 120 printable characters")
        try:
            span = _span(places, text, unit)
        except SpanError as error:
            raise RowError(f"{at}: {error}") from error
        surface = raw.get("text")
        given = {key: value for key, value in infons.items() if key not in _NOT_ATTRIBUTES}
        attributes = {key: value for key, value in given.items() if not key.startswith(_SOURCE)}
        losses["infons that say where a span is from"] += len(given) - len(attributes)
        foreign = ForeignSpan(
            where=at,
            span=span,
            label=label,
            surface=surface if isinstance(surface, str) and surface else None,
            attributes=attributes,
            score=_score(infons.get("score"), losses),
        )
        found.append((Voice(name), id, foreign))
    return found


def _score(value: str | None, losses: Counter[str]) -> float | None:
    if value is None:
        return None
    try:
        score = float(value)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        losses["scores that are not between 0 and 1"] += 1
        return None
    return score


def _relations(
    relations: Iterable[Mapping[str, Any]], places: Mapping[str, int], losses: Counter[str]
) -> tuple[tuple[ForeignRelation, ...], Counter[str]]:
    """Those that join two of these spans, the first node being the head."""
    found = []
    for number, raw in enumerate(relations):
        at = f"relation {str(raw.get('id', number))[:40]}"
        type = _infons(raw).get("type", "related")
        nodes = [str(node.get("refid")) for node in _objects(raw, "nodes")]
        if len(nodes) != 2:
            losses["relations of other than two annotations"] += 1
        elif not type.strip() or len(type) > MAX_LABEL or not type.isprintable():
            raise RowError(f"{at}: the infon 'type' must be 1 to {MAX_LABEL} printable characters")
        elif all(node in places for node in nodes):
            head, tail = (places[node] for node in nodes)
            found.append(ForeignRelation(where=at, type=type, head=head, tail=tail, may_be_left_out=True))
        else:
            losses["relations of annotations of two people, or of none that is here"] += 1
    return tuple(found), losses
